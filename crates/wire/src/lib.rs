//! The JSON of the REST API, and nothing else.
//!
//! What comes in is read as it is: every field may be missing (a `null` is a missing field, unknown
//! fields are ignored), and only a value of the wrong JSON type is refused here. Whether the values
//! make sense is for the reader to say. What goes out never holds a `null`.

mod audit_event;
mod error;
#[cfg(test)]
mod examples;
mod identity_provider;
mod list;
mod login;
mod provider;
mod role;
mod second_factor;
mod seed;
mod settings;
mod text;
mod time;
mod user;
mod version;

pub use audit_event::AuditEvent;
pub use error::{ErrorBody, FailureType, FieldError, ids, messages};
pub use identity_provider::{
    ClaimMapping, ClaimMappingInput, IdentityProvider, IdentityProviderInput,
};
pub use list::{FilterBy, List};
pub use login::{LoginResponse, LoginUser, Privilege, Scope, SignIn};
pub use provider::{
    IdentityProviderName, IdentityProviderNames, IdentityProviderType, MfaProvider,
    MfaProviderInput, MfaProviderTestResult, MfaProviderType, RadiusMode, RadiusProtocol,
    RadiusSettings,
};
pub use role::{
    AdministrativeRole, AdministrativeRoleInput, PrivilegeInput, ScopeInput, TypeTarget,
    TypeTargetMap,
};
pub use second_factor::{FinishOtp, InitializeOtp, InitializeOtpResponse, InputType};
pub use seed::{Fido2Device, OtpSeed};
pub use settings::{AdminMfaSettings, AdminMfaSettingsInput};
pub use text::Hidden;
pub use time::DateTime;
pub use user::{LocalUser, LocalUserInput};
pub use version::{MEDIA_TYPE_PREFIX, MEDIA_TYPE_SUFFIX, PEER_VERSIONS, Version};
