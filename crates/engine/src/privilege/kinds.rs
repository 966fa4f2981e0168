//! The words of privileges: types, targets and functions.

macro_rules! words {
    ($(#[doc = $doc:literal])+ $name:ident { $($word:ident = $text:literal),+ $(,)? }) => {
        $(#[doc = $doc])+
        #[expect(missing_docs, reason = "the words of the API, which does not explain them either")]
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum $name { $($word),+ }

        impl $name {
            /// Every one, in the order of the API.
            pub const ALL: &[Self] = &[$(Self::$word),+];

            /// The word on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$word => $text),+ }
            }

            /// The one of that word.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.as_str() == word)
            }
        }
    };
}

pub(crate) use words;

words! {
    /// What may be done.
    PrivilegeType {
        All = "All", View = "View", Create = "Create", Edit = "Edit", Tag = "Tag",
        Delete = "Delete", Revoke = "Revoke", Export = "Export", Upgrade = "Upgrade",
        RenewCertificate = "RenewCertificate", DownloadLogs = "DownloadLogs", Test = "Test",
        GetUserAttributes = "GetUserAttributes", Backup = "Backup", CheckStatus = "CheckStatus",
        Reevaluate = "Reevaluate", Reboot = "Reboot", AssignFunction = "AssignFunction",
    }
}

words! {
    /// To what.
    Target {
        All = "All", Appliance = "Appliance", Condition = "Condition",
        CriteriaScript = "CriteriaScript", Entitlement = "Entitlement",
        AdministrativeRole = "AdministrativeRole", IdentityProvider = "IdentityProvider",
        MfaProvider = "MfaProvider", IpPool = "IpPool", LocalUser = "LocalUser",
        ServiceUser = "ServiceUser", Policy = "Policy", Site = "Site",
        DeviceClaimScript = "DeviceClaimScript", EntitlementScript = "EntitlementScript",
        RingfenceRule = "RingfenceRule", ApplianceCustomization = "ApplianceCustomization",
        TrustedCertificate = "TrustedCertificate", UserClaimScript = "UserClaimScript",
        OtpSeed = "OtpSeed", Fido2Device = "Fido2Device", Blacklist = "Blacklist",
        License = "License", UserLicense = "UserLicense", RegisteredDevice = "RegisteredDevice",
        AllocatedIp = "AllocatedIp", SessionInfo = "SessionInfo", AuditLog = "AuditLog",
        AdminMessage = "AdminMessage", GlobalSetting = "GlobalSetting",
        CaCertificate = "CaCertificate", File = "File", AutoUpdate = "AutoUpdate",
        RiskModel = "RiskModel", Ztp = "Ztp", ClientProfile = "ClientProfile",
        Secret = "Secret", DiscoveredApp = "DiscoveredApp",
    }
}

words! {
    /// What may be assigned to an appliance.
    ApplianceFunction {
        Controller = "Controller", Gateway = "Gateway", LogServer = "LogServer",
        LogForwarder = "LogForwarder", Connector = "Connector", Portal = "Portal",
        MetricsAggregator = "Metrics Aggregator", ConnectionBroker = "Connection Broker",
    }
}
