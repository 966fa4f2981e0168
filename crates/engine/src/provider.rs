//! Providers of second factors, as administrators configure them.

use std::net::IpAddr;
use std::time::Duration;

use crate::mfa::{FIDO2_PROVIDER, TOTP_PROVIDER};
use crate::{MfaProviderId, Timestamp};

/// A provider of second factors, without its secrets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MfaProvider {
    /// The id, for good.
    pub id: MfaProviderId,
    /// Grows with every change, and never starts again while the provider is there.
    pub revision: u64,
    /// The name.
    pub name: String,
    /// What administrators wrote down.
    pub notes: String,
    /// Labels.
    pub tags: Vec<String>,
    /// How clients show what is typed.
    pub input_type: InputType,
    /// What it does.
    pub kind: ProviderKind,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last edited.
    pub updated: Timestamp,
}

/// What a provider does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ProviderKind {
    /// Time-based one-time passwords; built in.
    TimeBased,
    /// FIDO2; built in, and no provider for administrators.
    Fido2,
    /// Asks RADIUS servers.
    Radius(RadiusSettings),
}

/// How RADIUS servers are asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RadiusSettings {
    /// Names or addresses of the servers, at least one. They share port and secret.
    pub hostnames: Vec<String>,
    /// The UDP port.
    pub port: u16,
    /// How what the user types goes over the wire.
    pub protocol: RadiusProtocol,
    /// What is asked for.
    pub mode: RadiusMode,
    /// For how long one request may take, 1 to 300 s.
    pub timeout: Duration,
    /// Whether the first request carries the user's password instead of the challenge secret.
    pub use_user_password: bool,
    /// Whether answers without Message-Authenticator are discarded (CVE-2024-3596).
    pub require_message_authenticator: bool,
    /// NAS-Identifier of the requests; the product's name when there is none.
    pub nas_identifier: Option<String>,
    /// The address that requests are sent from; the system's choice when there is none.
    pub source_address: Option<IpAddr>,
    /// Whether the servers answer Status-Server (RFC 5997), and are asked that way whether they
    /// live.
    pub status_server: bool,
}

macro_rules! names {
    ($($(#[doc = $doc:literal])+ $name:ident { $($(#[doc = $variant_doc:literal])+ $variant:ident = $text:literal,)+ })+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum $name {
            $($(#[doc = $variant_doc])+ $variant,)+
        }

        impl $name {
            /// All there are.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name on the wire and in stores.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// What has that name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == name)
            }
        }
    )+};
}

names! {
    /// How clients show what is typed.
    InputType {
        /// Nothing of it.
        Masked = "Masked",
        /// Digits.
        Numeric = "Numeric",
        /// The text.
        Text = "Text",
    }

    /// How what the user types goes over the wire.
    RadiusProtocol {
        /// Hidden under the shared secret (RFC 2865 section 5.2).
        Pap = "PAP",
        /// As a digest over a random challenge (RFC 2865 section 5.3).
        Chap = "CHAP",
    }

    /// What a RADIUS provider asks for.
    RadiusMode {
        /// What the user types is sent, and the answer decides.
        OneFactor = "OneFactor",
        /// A first request makes the server ask something; what the user types answers it.
        Challenge = "Challenge",
        /// The server answers when the user has approved elsewhere.
        Push = "Push",
    }
}

impl ProviderKind {
    /// The name on the wire and in stores.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::TimeBased => "DefaultTimeBased",
            Self::Fido2 => "Fido2",
            Self::Radius(_) => "Radius",
        }
    }

    /// Whether it was there before anybody configured anything.
    pub const fn is_built_in(&self) -> bool {
        match self {
            Self::TimeBased | Self::Fido2 => true,
            Self::Radius(_) => false,
        }
    }
}

/// The providers that are there from the beginning, in the order of their names.
pub fn built_in() -> [MfaProvider; 2] {
    let provider = |id, name: &str, notes: &str, input_type, kind| MfaProvider {
        id,
        revision: 1,
        name: name.to_owned(),
        notes: notes.to_owned(),
        tags: vec!["builtin".to_owned()],
        input_type,
        kind,
        created: Timestamp::from_micros(0),
        updated: Timestamp::from_micros(0),
    };
    [
        provider(
            FIDO2_PROVIDER,
            "Default FIDO2 Provider",
            "Built-in default FIDO2 provider.",
            InputType::Masked,
            ProviderKind::Fido2,
        ),
        provider(
            TOTP_PROVIDER,
            "Default Time-Based OTP Provider",
            "Built-in default time-based OTP provider.",
            InputType::Numeric,
            ProviderKind::TimeBased,
        ),
    ]
}
