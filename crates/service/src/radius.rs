//! Second factors that RADIUS servers judge.

mod ask;
mod attempt;
mod dialogue;
mod push;

pub(crate) use ask::{Heard, RadiusProvider, server_settings};
pub(crate) use dialogue::place as dialogue_place;
pub(crate) use push::WaitingPushes;

use std::sync::Arc;

use vestibule_engine::provider::RadiusMode;
use vestibule_engine::radius::{ClaimedHandle, Handle};
use vestibule_engine::{FieldErrors, Secret};
use vestibule_radius::{Password, PasswordError, udp};

use crate::initialize::Initialized;
use crate::second_factor::{Due, Finishing};
use crate::{Inner, Origin, Random, ServiceError};

/// What a bearer sends to finish the second factor.
#[derive(Debug)]
pub struct SecondFactorAnswer {
    /// What the user typed.
    pub otp: Secret<String>,
    /// The state that was sent along, its base64 undone.
    pub state: Option<Vec<u8>>,
}

impl SecondFactorAnswer {
    fn handle(&self) -> Option<ClaimedHandle> {
        self.state.as_deref().map(Handle::claimed)
    }
}

/// The random numbers of the RADIUS client are those of the service.
pub(crate) struct RadiusRandom(pub(crate) Arc<dyn Random>);

impl udp::Random for RadiusRandom {
    fn fill(&self, buffer: &mut [u8]) {
        self.0.fill(buffer);
    }
}

impl Inner {
    /// Starts the second factor: for a `Challenge` provider this makes the server ask.
    pub(crate) async fn initialize_radius(
        self: Arc<Self>,
        due: Box<Due>,
        user_password: Option<Secret<String>>,
        origin: Origin,
    ) -> Result<Initialized, ServiceError> {
        let radius = due.radius()?;
        let timeout = radius.settings().timeout;
        match radius.settings().mode {
            RadiusMode::OneFactor => Ok(Initialized::Challenge {
                message: None,
                state: None,
                timeout,
            }),
            RadiusMode::Push => Ok(Initialized::Push {
                timeout,
                send_password: radius.settings().use_user_password,
            }),
            RadiusMode::Challenge => {
                let password = if radius.settings().use_user_password {
                    Some(password_of("userPassword", user_password.as_ref())?)
                } else {
                    None
                };
                self.open_dialogue(due, password, origin).await
            }
        }
    }

    /// Begins to finish the second factor: a push is sent, or an answer to be judged.
    pub(crate) async fn begin_radius_finish(
        self: Arc<Self>,
        due: Box<Due>,
        answer: SecondFactorAnswer,
        origin: Origin,
    ) -> Result<Finishing, ServiceError> {
        match due.radius()?.settings().mode {
            RadiusMode::OneFactor | RadiusMode::Challenge => {
                let password = password_of("otp", Some(&answer.otp))?;
                let handle = answer.handle();
                Ok(Box::pin(self.answer(due, handle, password, origin)))
            }
            RadiusMode::Push => self.push(due, &answer.otp, origin).await,
        }
    }
}

/// What a user sent as a password that a RADIUS server can be asked with.
fn password_of(
    field: &'static str,
    text: Option<&Secret<String>>,
) -> Result<Password, ServiceError> {
    let refuse = |message| Err(FieldErrors::one(field, message).into());
    match text.map(|text| Password::from_text(text.expose())) {
        None => refuse("may not be null"),
        Some(Ok(_)) if text.is_some_and(|text| text.expose().is_empty()) => {
            refuse("may not be empty")
        }
        Some(Ok(password)) => Ok(password),
        Some(Err(PasswordError::TooLong)) => {
            refuse("may not be longer than 128 bytes, which is all that RADIUS can carry")
        }
        Some(Err(PasswordError::ContainsNul)) => refuse("may not contain a null character"),
    }
}
