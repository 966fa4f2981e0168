//! What one does with a token: enter, ask for administration, leave.

use std::sync::Arc;
use std::time::Duration;

use tracing::info;
use vestibule_engine::audit::{Detail, Entry, Event, Outcome};
use vestibule_engine::privilege::Privileges;
use vestibule_engine::token::{Door, admit};
use vestibule_engine::{NewToken, Secret, Timestamp, Token, TokenHash, TokenKind, mfa};
use vestibule_store::{Bearer, Swap};

use crate::{Denial, Inner, Origin, Service, ServiceError, TokenRefusal};

/// Who is admitted to administration.
#[derive(Debug)]
pub struct Authorized {
    /// The token for administration.
    pub token: Secret<String>,
    /// The user's name.
    pub username: String,
    /// When the token ends.
    pub expires: Timestamp,
    /// What the user may do.
    pub privileges: Privileges,
}

/// An administrator who asks for something.
pub struct Caller {
    pub(crate) inner: Arc<Inner>,
    pub(crate) origin: Origin,
    pub(crate) bearer: Bearer,
}

impl Caller {
    /// A row about something that the caller did.
    pub(crate) fn did(&self, event: Event) -> Entry {
        let entry = self.inner.entry(self.origin, event, Outcome::Success);
        entry.by_user(&self.bearer.user)
    }
}

impl Service {
    /// Admits the bearer of a token to administration.
    ///
    /// # Errors
    /// [`ServiceError::SecondFactorDue`] for a partial token while a second factor is due;
    /// [`ServiceError::Forbidden`] for a user without any privilege.
    pub async fn authorize(
        &self,
        token: Token,
        origin: Origin,
    ) -> Result<Authorized, ServiceError> {
        let hash = token.hash();
        let bearer = self
            .inner
            .recorded_bearer(&hash, Door::Authorization, origin)
            .await?;
        let admission = |outcome| {
            let entry = self.inner.entry(origin, Event::Admission, outcome);
            entry.by_user(&bearer.user)
        };
        let now = self.now();
        let username = bearer.user.name.to_string();
        let provider = bearer.provider.map(|provider| provider.id);
        let due = mfa::due(provider, bearer.exemption, now);
        let Ok(admitted) = admit(&bearer.token, due) else {
            let why = admission(Outcome::Denied).because("a second factor is due");
            self.inner.record(why).await?;
            return Err(ServiceError::SecondFactorDue { username });
        };
        if bearer.privileges.is_empty() {
            let why = "the user has no privileges";
            return Err(Denial::of_admission(&bearer.user, why));
        }
        // Who has the token for administration already gets it back: there is nothing to add.
        let (token, expires) = if bearer.token.kind == TokenKind::Admin {
            (token, bearer.token.expires)
        } else {
            let minted = self.inner.random.token();
            let admin = NewToken::admin(&minted, &admitted);
            // A partial token that is enough has completed the sign-in by itself.
            let by_itself = bearer.token.kind == TokenKind::Partial;
            let completed = completion_to_note(&bearer, now).filter(|_| by_itself);
            let trail = [self.sign(admission(Outcome::Success))];
            let store = &self.inner.store;
            let swap = store.mint(&hash, &admin, completed, &trail).await?;
            if swap == Swap::Moved {
                return Err(ServiceError::TokenRefused(TokenRefusal::Unknown));
            }
            (minted, admin.record().expires)
        };
        info!(subject.id = %bearer.user.id, "Admitted to administration");
        Ok(Authorized {
            token: token.reveal(),
            username,
            expires,
            privileges: bearer.privileges,
        })
    }

    /// Recognises an administrator.
    ///
    /// # Errors
    /// [`ServiceError::TokenRefused`] for every token but one for administration.
    pub async fn caller(&self, token: &Token, origin: Origin) -> Result<Caller, ServiceError> {
        self.administrator(&token.hash(), origin).await
    }

    async fn administrator(
        &self,
        token: &TokenHash,
        origin: Origin,
    ) -> Result<Caller, ServiceError> {
        let bearer = self
            .inner
            .recorded_bearer(token, Door::Administration, origin)
            .await?;
        Ok(Caller {
            inner: Arc::clone(&self.inner),
            origin,
            bearer,
        })
    }

    /// The caller as they are now: who may do what has changed since they were recognised.
    pub(crate) async fn renewed(&self, caller: &Caller) -> Result<Caller, ServiceError> {
        let token = &caller.bearer.token.hash;
        self.administrator(token, caller.origin).await
    }

    /// Ends the session of a token, of whatever kind.
    ///
    /// # Errors
    /// [`ServiceError::TokenRefused`] when there is no such session.
    pub async fn log_out(&self, token: &Token, origin: Origin) -> Result<(), ServiceError> {
        let hash = token.hash();
        let bearer = self.inner.bearer(&hash, Door::Logout).await?;
        self.inner.recognised(&hash, origin);
        let entry = self.inner.entry(origin, Event::Logout, Outcome::Success);
        let trail = [self.sign(entry.by_user(&bearer.user))];
        let session = bearer.token.session;
        let user = bearer.user.id;
        self.inner.store.end_session(user, session, &trail).await?;
        info!(subject.id = %bearer.user.id, "Logged out");
        Ok(())
    }
}

/// How often it is noted that sign-ins are completed from a device.
const NOTED_EVERY: Duration = Duration::from_hours(24);

/// The time to note for the bearer's device when a sign-in is completed now, unless one was noted
/// lately.
pub(crate) fn completion_to_note(bearer: &Bearer, now: Timestamp) -> Option<Timestamp> {
    let lately = bearer
        .device_completed
        .is_some_and(|noted| now < noted.after(NOTED_EVERY));
    (!lately).then_some(now)
}

impl Inner {
    /// Who bears a token that opens this door now.
    pub(crate) async fn bearer(
        &self,
        hash: &TokenHash,
        door: Door,
    ) -> Result<Bearer, ServiceError> {
        let bearer = self.any_bearer(hash).await?;
        match self.refused_at(&bearer, door) {
            None => Ok(bearer),
            Some((reason, _)) => Err(ServiceError::TokenRefused(reason)),
        }
    }

    /// The token of a request has opened a door.
    pub(crate) fn recognised(&self, hash: &TokenHash, origin: Origin) {
        self.tokenless.recognised(origin, *hash, self.time.now());
    }

    /// The same as [`Inner::bearer`]; if the bearer is known and the token is refused, that is written down.
    pub(crate) async fn recorded_bearer(
        &self,
        hash: &TokenHash,
        door: Door,
        origin: Origin,
    ) -> Result<Bearer, ServiceError> {
        let bearer = self.any_bearer(hash).await?;
        let Some((reason, why)) = self.refused_at(&bearer, door) else {
            self.recognised(hash, origin);
            return Ok(bearer);
        };
        let entry = self.entry(origin, Event::TokenRefused, Outcome::Denied);
        let entry = entry.by_user(&bearer.user).because(why);
        let kind = bearer.token.kind.as_str();
        self.record(entry.with(Detail::Token, kind)).await?;
        Err(ServiceError::TokenRefused(reason))
    }

    async fn any_bearer(&self, hash: &TokenHash) -> Result<Bearer, ServiceError> {
        let bearer = self.store.bearer(hash).await?;
        bearer.ok_or_else(|| {
            self.tokenless.forget(*hash);
            ServiceError::TokenRefused(TokenRefusal::Unknown)
        })
    }

    /// Why a token does not open a door now: what its bearer is told, and what is true.
    fn refused_at(&self, bearer: &Bearer, door: Door) -> Option<(TokenRefusal, &'static str)> {
        if bearer.user.disabled {
            Some((TokenRefusal::Unknown, "the user is disabled"))
        } else if !bearer.token.is_live(self.time.now()) {
            Some((TokenRefusal::Expired, "the token has expired"))
        } else if !bearer.token.kind.opens(door) {
            Some((TokenRefusal::WrongKind, "the token is not good for this"))
        } else {
            None
        }
    }
}
