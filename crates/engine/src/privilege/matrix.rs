//! Which types there are of which target, and which of those can be scoped: the type-target map.

use super::PrivilegeType as Type;
use super::Target::{
    self, AdminMessage, AdministrativeRole, All, AllocatedIp, Appliance, ApplianceCustomization,
    AuditLog, AutoUpdate, Blacklist, CaCertificate, ClientProfile, Condition, CriteriaScript,
    DeviceClaimScript, DiscoveredApp, Entitlement, EntitlementScript, Fido2Device, File,
    GlobalSetting, IdentityProvider, IpPool, License, LocalUser, MfaProvider, OtpSeed, Policy,
    RegisteredDevice, RingfenceRule, RiskModel, Secret, ServiceUser, SessionInfo, Site,
    TrustedCertificate, UserClaimScript, UserLicense, Ztp,
};

/// Whether a privilege can be narrowed to some objects of its target.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scopable {
    /// No.
    No,
    /// To ids and tags.
    ByObject,
    /// To identity providers.
    ByIdentityProvider,
}

/// Whether there are privileges of this type on this target, and how they can be narrowed.
pub fn allowed(kind: Type, target: Target) -> Option<Scopable> {
    row(kind)
        .iter()
        .find(|(targets, _)| targets.contains(&target))
        .map(|(_, scopable)| *scopable)
}

/// The targets of a type. Where one is named twice, the first counts.
const fn row(kind: Type) -> &'static [(&'static [Target], Scopable)] {
    use Scopable::{ByIdentityProvider, ByObject, No};
    match kind {
        Type::All => &[
            (&[All], No),
            (&CONFIGURATION, ByObject),
            (&OF_PROVIDERS, ByIdentityProvider),
            (&UNSCOPED, No),
        ],
        Type::View => &[
            (&[All], ByObject),
            (&CONFIGURATION, ByObject),
            (&OF_PROVIDERS, ByIdentityProvider),
            (&UNSCOPED, No),
        ],
        Type::Create => &[
            (&[All], ByObject),
            (&CONFIGURATION, ByObject),
            (&[CaCertificate, File], No),
        ],
        Type::Delete => &[
            (&[All], ByObject),
            (&CONFIGURATION, ByObject),
            (
                &[
                    Blacklist,
                    Fido2Device,
                    OtpSeed,
                    RegisteredDevice,
                    UserLicense,
                ],
                ByIdentityProvider,
            ),
            (
                &[AdminMessage, CaCertificate, File, GlobalSetting, License],
                No,
            ),
        ],
        Type::Edit => &[
            (&[All], ByObject),
            (&CONFIGURATION, ByObject),
            (
                &[
                    AutoUpdate,
                    CaCertificate,
                    File,
                    GlobalSetting,
                    License,
                    RiskModel,
                    Ztp,
                ],
                No,
            ),
        ],
        Type::Tag => &[
            (
                &[ClientProfile, ServiceUser, Secret, DiscoveredApp],
                ByObject,
            ),
            (&[All], No),
            (&CONFIGURATION, No),
        ],
        Type::Test => &[(&TESTABLE, No)],
        Type::AssignFunction => &[(&[All, Appliance], No)],
        Type::Backup
        | Type::CheckStatus
        | Type::DownloadLogs
        | Type::Reboot
        | Type::RenewCertificate
        | Type::Upgrade => &[(&[All, Appliance], ByObject)],
        Type::Export => &[(&[All, Appliance, ClientProfile], ByObject)],
        Type::GetUserAttributes => &[(&[All, IdentityProvider], ByObject)],
        Type::Reevaluate => &[(&[All], No), (&[SessionInfo], ByIdentityProvider)],
        Type::Revoke => &[(&[All, CaCertificate], No)],
    }
}

/// Objects that administrators create, with id, name and tags.
const CONFIGURATION: [Target; 21] = [
    AdministrativeRole,
    Appliance,
    ApplianceCustomization,
    ClientProfile,
    Condition,
    CriteriaScript,
    DeviceClaimScript,
    DiscoveredApp,
    Entitlement,
    EntitlementScript,
    IdentityProvider,
    IpPool,
    LocalUser,
    MfaProvider,
    Policy,
    RingfenceRule,
    Secret,
    ServiceUser,
    Site,
    TrustedCertificate,
    UserClaimScript,
];

/// What belongs to the users of an identity provider.
const OF_PROVIDERS: [Target; 7] = [
    AllocatedIp,
    Blacklist,
    Fido2Device,
    OtpSeed,
    RegisteredDevice,
    SessionInfo,
    UserLicense,
];

/// What there is once.
const UNSCOPED: [Target; 9] = [
    AdminMessage,
    AuditLog,
    AutoUpdate,
    CaCertificate,
    File,
    GlobalSetting,
    License,
    RiskModel,
    Ztp,
];

/// What can be tried out.
const TESTABLE: [Target; 9] = [
    All,
    Appliance,
    Condition,
    CriteriaScript,
    EntitlementScript,
    Policy,
    IdentityProvider,
    MfaProvider,
    UserClaimScript,
];
