//! The first factor.

use std::sync::Arc;

use tracing::info;
use vestibule_engine::invalid::Fields;
use vestibule_engine::password::{Barred, gate};
use vestibule_engine::subject::LOCAL_PROVIDER;
use vestibule_engine::{
    DeviceId, FieldErrors, NameKey, NewToken, Secret, SessionId, Timestamp, Token, mfa,
};
use vestibule_store::{DeviceLane, PasswordFailure, PasswordStanding, SessionStart, Swap};

use crate::session::Authorized;
use crate::{ClientAddress, Inner, Service, ServiceError, SignInRefusal};

/// How often a sign-in is decided anew when something moved under it.
const MOST_TRIES: u8 = 16;

/// What somebody signs in with.
#[derive(Debug)]
pub struct Credentials {
    /// The name as it was typed.
    name: NameKey,
    password: Arc<Secret<String>>,
    device: DeviceId,
}

impl Credentials {
    /// Credentials for the built-in identity provider.
    ///
    /// # Errors
    /// All that is missing or makes no sense.
    pub fn new(
        provider: Option<&str>,
        device: Option<&str>,
        username: Option<&str>,
        password: Option<Secret<String>>,
    ) -> Result<Self, FieldErrors> {
        let mut fields = Fields::default();
        if let Some(provider) = fields.required("providerName", provider)
            && NameKey::of(provider).as_str() != LOCAL_PROVIDER
        {
            fields.refuse("providerName", "is not the name of an identity provider");
        }
        let device = fields.required("deviceId", device);
        let device =
            device.and_then(|id| fields.check("deviceId", id.parse().or(Err("is not a UUID"))));
        let username = fields.required("username", username);
        let password = fields.required("password", password);
        fields.finish(|| {
            Some(Self {
                name: NameKey::of(username?),
                password: Arc::new(password?),
                device: device?,
            })
        })
    }
}

/// A right password, and what it yields.
#[derive(Debug)]
pub struct SignedIn {
    /// The partial token.
    pub token: Secret<String>,
    /// The user's name.
    pub username: String,
    /// When the session ends; the token does earlier while a second factor is due.
    pub session_expires: Timestamp,
    /// Whether a second factor is due.
    pub second_factor_due: bool,
}

impl Service {
    /// Checks a password, and starts a session.
    ///
    /// # Errors
    /// [`ServiceError::SignInRefused`] for whatever is wrong with user or password, at the same
    /// cost each; [`ServiceError::TooManyFailures`] when the address failed too often.
    pub async fn authenticate(
        &self,
        credentials: Credentials,
        address: ClientAddress,
    ) -> Result<SignedIn, ServiceError> {
        let (token, standing, partial) = self.first_factor(credentials, address).await?;
        let now = self.now();
        Ok(SignedIn {
            token: token.reveal(),
            username: standing.user.name.to_string(),
            session_expires: partial.record().session_expires,
            second_factor_due: mfa::due(standing.provider, standing.exemption, now).is_some(),
        })
    }

    /// Checks a password, and admits to administration if no second factor is due: for programs,
    /// which have none.
    ///
    /// # Errors
    /// As for [`Service::authenticate`] and [`Service::authorize`].
    pub async fn login(
        &self,
        credentials: Credentials,
        address: ClientAddress,
    ) -> Result<Authorized, ServiceError> {
        let (token, ..) = self.first_factor(credentials, address).await?;
        self.authorize(token).await
    }

    async fn first_factor(
        &self,
        credentials: Credentials,
        address: ClientAddress,
    ) -> Result<(Token, PasswordStanding, NewToken), ServiceError> {
        let inner = Arc::clone(&self.inner);
        Self::to_the_end(async move {
            let began = inner.limiter.begin(address, inner.time.now());
            began.map_err(|retry_after| ServiceError::TooManyFailures { retry_after })?;
            let outcome = inner.check_password(credentials).await;
            if let Err(ServiceError::SignInRefused(reason)) = &outcome {
                info!(client.address = %address, %reason, "Sign-in refused");
            } else {
                inner.limiter.forgive(address, inner.time.now());
            }
            outcome
        })
        .await
    }
}

impl Inner {
    async fn check_password(
        &self,
        credentials: Credentials,
    ) -> Result<(Token, PasswordStanding, NewToken), ServiceError> {
        let Credentials {
            name,
            password,
            device,
        } = credentials;
        let Some(first) = self.store.password_standing(&name, device).await? else {
            self.hasher.verify(password, None).await?;
            return Err(ServiceError::SignInRefused(SignInRefusal::UnknownUser));
        };
        if let Err(barred) = self.password_gate(&first) {
            self.hasher.verify(password, None).await?;
            return Err(barred);
        }
        let compared = first.password.clone();
        let right = self.hasher.verify(password, compared.clone()).await?;

        // The verdict is written only if all it rests on still holds; else it is thought over.
        let mut standing = first;
        for _ in 0..MOST_TRIES {
            let lane = DeviceLane {
                user: standing.user.id,
                device,
                lane: self.password_gate(&standing)?,
            };
            match compared.clone().filter(|_| right) {
                Some(password) if standing.password.as_ref() == Some(&password) => {
                    let (token, partial) = self.partial_token(&lane);
                    let start = SessionStart {
                        lane,
                        password,
                        partial: partial.clone(),
                    };
                    if self.store.start_session(&start).await? == Swap::Done {
                        info!(subject.id = %standing.user.id, "Password accepted");
                        return Ok((token, standing, partial));
                    }
                }
                Some(_) | None => {
                    let failures = lane.lane.failures();
                    let failures = failures.after_failure(&standing.lockout, self.time.now());
                    let failure = PasswordFailure { lane, failures };
                    if self.store.count_password_failure(&failure).await? == Swap::Done {
                        return Err(ServiceError::SignInRefused(SignInRefusal::WrongPassword));
                    }
                }
            }
            standing = self
                .store
                .password_standing(&name, device)
                .await?
                .ok_or(ServiceError::SignInRefused(SignInRefusal::UnknownUser))?;
        }
        Err(ServiceError::contended())
    }

    fn password_gate(
        &self,
        standing: &PasswordStanding,
    ) -> Result<vestibule_engine::password::Lane, ServiceError> {
        gate(
            standing.user.disabled,
            standing.user.password_failures,
            standing.device,
            &standing.lockout,
            self.time.now(),
        )
        .map_err(|barred| {
            ServiceError::SignInRefused(match barred {
                Barred::Disabled => SignInRefusal::Disabled,
                Barred::Locked => SignInRefusal::Locked,
            })
        })
    }

    fn partial_token(&self, lane: &DeviceLane) -> (Token, NewToken) {
        let token = self.random.token();
        let partial = NewToken::partial(
            &token,
            SessionId::from_random(self.random.bytes()),
            lane.user,
            lane.device,
            &self.policy.lifetimes,
            self.time.now(),
        );
        (token, partial)
    }
}
