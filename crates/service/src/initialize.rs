//! The start of the second factor.

use std::sync::Arc;
use std::time::Duration;

use vestibule_engine::Secret;
use vestibule_engine::provider::InputType;

use crate::enrol::SecretShown;
use crate::known::KnownKind;
use crate::second_factor::DueBearer;
use crate::{Origin, Service, ServiceError};

/// The second factor was started.
#[derive(Debug)]
pub struct Started {
    /// How the client shows what is typed.
    pub input_type: InputType,
    /// What comes next.
    pub next: Initialized,
}

/// What comes next after the start of the second factor.
#[derive(Debug)]
pub enum Initialized {
    /// A code of the authenticator that was set up before.
    AlreadySeeded,
    /// An authenticator is to be set up.
    Secret(SecretShown),
    /// An answer to a RADIUS server.
    Challenge {
        /// What the server asks, if it says so.
        message: Option<String>,
        /// What stands for the challenge, for clients that send it back.
        state: Option<[u8; 16]>,
        /// How long the server may take.
        timeout: Duration,
    },
    /// An approval elsewhere, which any answer starts.
    Push {
        /// How long the approval may take.
        timeout: Duration,
        /// Whether the answer must be the user's password.
        send_password: bool,
    },
}

impl Service {
    /// Starts the second factor. `host` is where the user signs in, to be read in the
    /// authenticator; `user_password` is for RADIUS servers that want it, and goes nowhere else.
    ///
    /// # Errors
    /// [`ServiceError::EnrolmentOver`], when the user had to enrol earlier. From RADIUS servers
    /// [`ServiceError::SecondFactorRefused`], [`ServiceError::AuthenticationServerSilent`],
    /// [`ServiceError::AcceptedTooEarly`], and [`ServiceError::Invalid`] for a password that is
    /// missing or that RADIUS cannot carry.
    pub async fn initialize(
        &self,
        DueBearer(due): DueBearer,
        host: &str,
        user_password: Option<Secret<String>>,
        origin: Origin,
    ) -> Result<Started, ServiceError> {
        let inner = Arc::clone(&self.inner);
        let input_type = due.provider.input_type;
        let next = match due.provider.kind {
            KnownKind::Totp => inner.show_seed(due.bearer, host, origin).await?,
            KnownKind::Radius(_) => inner.initialize_radius(due, user_password, origin).await?,
        };
        Ok(Started { input_type, next })
    }
}
