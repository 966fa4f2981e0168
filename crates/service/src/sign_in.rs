//! The first factor.

use std::sync::Arc;

use tracing::info;
use vestibule_engine::audit::{Detail, Event, Outcome, Signed};
use vestibule_engine::invalid::Fields;
use vestibule_engine::password::{Barred, Lane, gate};
use vestibule_engine::subject::LOCAL_PROVIDER;
use vestibule_engine::{
    DeviceId, FieldErrors, NameKey, NewToken, Secret, SessionId, Timestamp, Token, mfa,
};
use vestibule_store::{DeviceLane, PasswordFailure, PasswordStanding, SessionStart, Swap};

use crate::metrics::Limit;
use crate::session::Authorized;
use crate::{Inner, Origin, Service, ServiceError, SignInRefusal};

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
        origin: Origin,
    ) -> Result<SignedIn, ServiceError> {
        let (token, standing, partial) = self.first_factor(credentials, origin).await?;
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
        origin: Origin,
    ) -> Result<Authorized, ServiceError> {
        let (token, ..) = self.first_factor(credentials, origin).await?;
        self.authorize(token, origin).await
    }

    async fn first_factor(
        &self,
        credentials: Credentials,
        origin: Origin,
    ) -> Result<(Token, PasswordStanding, NewToken), ServiceError> {
        let inner = Arc::clone(&self.inner);
        let address = origin.address;
        Self::to_the_end(async move {
            let began = inner.limiter.begin(address, inner.time.now());
            began.map_err(|retry_after| {
                inner.metrics.turned_away(Limit::SignInFailures);
                ServiceError::TooManyFailures { retry_after }
            })?;
            let outcome = inner.check_password(credentials, origin).await;
            match &outcome {
                Err(ServiceError::SignInRefused(reason)) => {
                    info!(client.address = %address, %reason, "Sign-in refused");
                }
                // Who comes in crowds would else try again at once, for ever.
                Err(error) if error.is_busy() => {}
                Ok(_) | Err(_) => inner.limiter.forgive(address),
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
        origin: Origin,
    ) -> Result<(Token, PasswordStanding, NewToken), ServiceError> {
        let Credentials {
            name,
            password,
            device,
        } = credentials;
        let Some(first) = self.store.password_standing(&name, device).await? else {
            self.hasher.verify(password, None, origin.address).await?;
            return Err(self.nobody(&name, origin).await?);
        };
        if let Err(barred) = self.password_gate(&first) {
            self.hasher.verify(password, None, origin.address).await?;
            return Err(self.barred(&first, barred, origin).await?);
        }
        let compared = first.password.clone();
        let hasher = &self.hasher;
        let right = hasher.verify(password, compared.clone(), origin.address);
        let right = right.await?;

        // The verdict is written only if all it rests on still holds; else it is thought over.
        let mut standing = first;
        for _ in 0..MOST_TRIES {
            let lane = match self.password_gate(&standing) {
                Ok(lane) => lane,
                Err(barred) => return Err(self.barred(&standing, barred, origin).await?),
            };
            let lane = DeviceLane {
                user: standing.user.id,
                device,
                lane,
            };
            match compared.clone().filter(|_| right) {
                Some(password) if standing.password.as_ref() == Some(&password) => {
                    let (token, partial) = self.partial_token(&lane);
                    let start = SessionStart {
                        lane,
                        password,
                        partial: partial.clone(),
                    };
                    let trail = self.signed_in(&standing, &start.lane, origin);
                    if self.store.start_session(&start, &trail).await? == Swap::Done {
                        info!(subject.id = %standing.user.id, "Password accepted");
                        return Ok((token, standing, partial));
                    }
                }
                Some(_) | None => {
                    let failures = lane.lane.failures();
                    let failures = failures.after_failure(&standing.lockout, self.time.now());
                    let failure = PasswordFailure { lane, failures };
                    let trail = self.wrong_password(&standing, &failure, origin);
                    let counted = self.store.count_password_failure(&failure, &trail);
                    if counted.await? == Swap::Done {
                        return Err(ServiceError::SignInRefused(SignInRefusal::WrongPassword));
                    }
                }
            }
            standing = match self.store.password_standing(&name, device).await? {
                Some(standing) => standing,
                None => return Err(self.nobody(&name, origin).await?),
            };
        }
        Err(ServiceError::contended())
    }

    /// Writes down that nobody has a name.
    async fn nobody(&self, name: &NameKey, origin: Origin) -> Result<ServiceError, ServiceError> {
        let refusal = SignInRefusal::UnknownUser;
        let entry = self.entry(origin, Event::SignIn, Outcome::Failure);
        self.record(entry.by(name.as_str()).because(refusal))
            .await?;
        Ok(ServiceError::SignInRefused(refusal))
    }

    /// Writes down that a password was not looked at.
    async fn barred(
        &self,
        standing: &PasswordStanding,
        refusal: SignInRefusal,
        origin: Origin,
    ) -> Result<ServiceError, ServiceError> {
        let entry = self.entry(origin, Event::SignIn, Outcome::Failure);
        self.record(entry.by_user(&standing.user).because(refusal))
            .await?;
        Ok(ServiceError::SignInRefused(refusal))
    }

    fn signed_in(
        &self,
        standing: &PasswordStanding,
        lane: &DeviceLane,
        origin: Origin,
    ) -> [Signed; 1] {
        let due = mfa::due(standing.provider, standing.exemption, self.time.now());
        let entry = self
            .entry(origin, Event::SignIn, Outcome::Success)
            .by_user(&standing.user)
            .with(Detail::KnownDevice, matches!(lane.lane, Lane::Device(_)))
            .with(Detail::SecondFactorDue, due.is_some());
        [self.sign(entry)]
    }

    fn wrong_password(
        &self,
        standing: &PasswordStanding,
        failure: &PasswordFailure,
        origin: Origin,
    ) -> Vec<Signed> {
        let (was, is) = (failure.lane.lane.failures(), failure.failures);
        let of_device = matches!(failure.lane.lane, Lane::Device(_));
        let counted = |event, outcome| {
            let entry = self.entry(origin, event, outcome).by_user(&standing.user);
            entry
                .with(Detail::PasswordFailures, is.count)
                .with(Detail::KnownDevice, of_device)
        };
        let wrong = counted(Event::SignIn, Outcome::Failure);
        let mut trail = vec![self.sign(wrong.because(SignInRefusal::WrongPassword))];
        if let Some(start) = is.lock_start.filter(|_| is.lock_start != was.lock_start) {
            let until = start.after(standing.lockout.duration()).as_micros();
            let locked = counted(Event::PasswordLocked, Outcome::Success).to_user(&standing.user);
            trail.push(self.sign(locked.with(Detail::LockedUntil, until)));
        }
        trail
    }

    fn password_gate(&self, standing: &PasswordStanding) -> Result<Lane, SignInRefusal> {
        gate(
            standing.user.disabled,
            standing.user.password_failures,
            standing.device,
            &standing.lockout,
            self.time.now(),
        )
        .map_err(|barred| match barred {
            Barred::Disabled => SignInRefusal::Disabled,
            Barred::Locked => SignInRefusal::Locked,
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
