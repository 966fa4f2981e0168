//! Errors, named by who is at fault.

use std::time::Duration;

use vestibule_engine::{FieldErrors, MfaProviderId, Refusal};
use vestibule_store::StoreError;

use crate::keyring::SealError;
use crate::{Denial, HasherError};

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why a use case did not end as its caller wished.
// Not `non_exhaustive`: a new variant must choose its status.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The input makes no sense.
    #[error("invalid input: {0}")]
    Invalid(#[from] FieldErrors),
    /// The first factor was refused. The caller learns no more.
    #[error("sign-in refused: {0}")]
    SignInRefused(SignInRefusal),
    /// The second factor was refused. The caller learns no more.
    #[error("second factor refused: {0}")]
    SecondFactorRefused(Refusal),
    /// The RADIUS server asks something more; the next answer is for that.
    #[error("the RADIUS server asks again")]
    SecondFactorAskedAgain {
        /// What it asks; may be empty.
        message: String,
    },
    /// No RADIUS server answered, in any way that can be believed.
    #[error("no RADIUS server answered")]
    AuthenticationServerSilent,
    /// A RADIUS server accepted a user of whom it has asked nothing yet: it is not set up for the
    /// mode of its provider.
    #[error("the RADIUS server of provider {provider} accepted without asking for a second factor")]
    AcceptedTooEarly {
        /// The provider.
        provider: MfaProviderId,
    },
    /// Another push of the user waits, or there were too many.
    #[error("too many pushes")]
    TooManyPushes {
        /// When to come back.
        retry_after: Duration,
    },
    /// No second factor is due of this user.
    #[error("no second factor is due")]
    SecondFactorNotDue,
    /// A second factor is due of this user first.
    #[error("a second factor is due")]
    SecondFactorDue {
        /// The user's name.
        username: String,
    },
    /// The user had to enrol earlier.
    #[error("the time to enrol is over")]
    EnrolmentOver,
    /// The token opens nothing here.
    #[error("token refused: {0}")]
    TokenRefused(TokenRefusal),
    /// The caller may not do that.
    #[error("forbidden")]
    Forbidden(Box<Denial>),
    /// There is no such thing.
    #[error("not found: {0}")]
    NotFound(Missing),
    /// There is such a thing already, or one that is in the way.
    #[error("conflict: {0}")]
    Conflict(Conflict),
    /// The caller has failed too often.
    #[error("too many failures from one address")]
    TooManyFailures {
        /// When to come back.
        retry_after: Duration,
    },
    /// Something behind us does not work just now; nobody is to blame for it here.
    #[error("unavailable")]
    Unavailable(#[source] Source),
    /// A fault of ours.
    #[error("{what}")]
    Bug {
        /// What should not have happened.
        what: &'static str,
        /// Why it did.
        #[source]
        source: Source,
    },
}

/// Why a sign-in was refused: for logs and audit, never for the one who tries.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SignInRefusal {
    /// Nobody has that name.
    #[error("there is no such user")]
    UnknownUser,
    /// The password is another.
    #[error("the password is wrong")]
    WrongPassword,
    /// The user is disabled.
    #[error("the user is disabled")]
    Disabled,
    /// Too many wrong passwords.
    #[error("locked after wrong passwords")]
    Locked,
}

/// Why a token was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TokenRefusal {
    /// There was none.
    #[error("there is none")]
    Missing,
    /// It is of no session, or of one that has ended.
    #[error("it is unknown or has ended")]
    Unknown,
    /// It has expired.
    #[error("it has expired")]
    Expired,
    /// It opens other doors.
    #[error("it is not good for this")]
    WrongKind,
}

/// What is missing.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Missing {
    /// A seed.
    #[error("the user has no seed")]
    Seed,
    /// A device.
    #[error("the user has no FIDO2 device")]
    Fido2Device,
    /// A provider of identities.
    #[error("there is no such identity provider")]
    IdentityProvider,
    /// A provider of second factors.
    #[error("there is no such MFA provider")]
    MfaProvider,
    /// A role.
    #[error("there is no such administrative role")]
    Role,
    /// A user.
    #[error("there is no such user")]
    User,
}

/// What is in the way.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Conflict {
    /// A user of that name.
    #[error("a user with this name exists already")]
    UserName,
    /// A user with that id.
    #[error("a user with this id exists already")]
    UserId,
    /// The user is built in.
    #[error("the user is built in")]
    UserBuiltIn,
    /// Nobody would be left who may do everything.
    #[error("the user is the last one who may do everything")]
    LastAdministrator,
    /// A provider of that name.
    #[error("an MFA provider with this name exists already")]
    MfaProviderName,
    /// A provider with that id.
    #[error("an MFA provider with this id exists already")]
    MfaProviderId,
    /// It is built in.
    #[error("the identity provider is built in")]
    IdentityProviderBuiltIn,
    /// It is built in.
    #[error("the MFA provider is built in")]
    MfaProviderBuiltIn,
    /// Administrators sign in with it.
    #[error("the MFA provider is the one of the settings")]
    MfaProviderInUse,
    /// A role of that name.
    #[error("an administrative role with this name exists already")]
    RoleName,
    /// A role with that id.
    #[error("an administrative role with this id exists already")]
    RoleId,
    /// It is built in.
    #[error("the administrative role is built in")]
    RoleBuiltIn,
    /// A user holds it.
    #[error("a user holds the administrative role")]
    RoleInUse,
    /// Nobody would be left who may do everything.
    #[error("nobody else may do everything")]
    RoleNeeded,
}

impl ServiceError {
    pub(crate) fn bug(what: &'static str, source: impl Into<Source>) -> Self {
        Self::Bug {
            what,
            source: source.into(),
        }
    }

    /// Somebody else kept changing what this request was about.
    pub(crate) fn contended() -> Self {
        Self::Unavailable("too many requests for the same thing at once".into())
    }
}

impl From<StoreError> for ServiceError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable { .. } => Self::Unavailable(error.into()),
            StoreError::Inconsistent { .. }
            | StoreError::SchemaTooNew { .. }
            | StoreError::Bug(_) => Self::bug("the store failed", error),
        }
    }
}

impl ServiceError {
    /// Whether too many passwords waited to be hashed.
    pub(crate) fn is_busy(&self) -> bool {
        let Self::Unavailable(source) = self else {
            return false;
        };
        matches!(source.downcast_ref(), Some(HasherError::Busy))
    }
}

impl From<HasherError> for ServiceError {
    fn from(error: HasherError) -> Self {
        match error {
            HasherError::Busy | HasherError::NoThread(_) => Self::Unavailable(error.into()),
            HasherError::Failed(_) => Self::bug("the hasher failed", error),
        }
    }
}

impl From<SealError> for ServiceError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::MissingKey(_) => Self::Unavailable(error.into()),
            SealError::Altered | SealError::Unsealable => {
                Self::bug("a secret does not open", error)
            }
        }
    }
}
