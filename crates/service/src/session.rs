//! What one does with a token: enter, ask for administration, leave.

use std::time::Duration;

use tracing::info;
use vestibule_engine::privilege::Privileges;
use vestibule_engine::token::{Door, admit};
use vestibule_engine::{NewToken, Secret, Timestamp, Token, TokenHash, TokenKind, mfa};
use vestibule_store::{Bearer, Swap};

use crate::{Inner, Service, ServiceError, TokenRefusal};

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
#[derive(Debug)]
pub struct Caller {
    pub(crate) bearer: Bearer,
}

impl Service {
    /// Admits the bearer of a token to administration.
    ///
    /// # Errors
    /// [`ServiceError::SecondFactorDue`] for a partial token while a second factor is due;
    /// [`ServiceError::Forbidden`] for a user without any privilege.
    pub async fn authorize(&self, token: Token) -> Result<Authorized, ServiceError> {
        let hash = token.hash();
        let bearer = self.inner.bearer(&hash, Door::Authorization).await?;
        let now = self.now();
        let username = bearer.user.name.to_string();
        let provider = bearer.provider.map(|provider| provider.id);
        let due = mfa::due(provider, bearer.exemption, now);
        let admission = admit(&bearer.token, due).map_err(|_| ServiceError::SecondFactorDue {
            username: username.clone(),
        })?;
        if bearer.privileges.is_empty() {
            return Err(ServiceError::Forbidden);
        }
        // Who has the token for administration already gets it back: there is nothing to add.
        let (token, expires) = if bearer.token.kind == TokenKind::Admin {
            (token, bearer.token.expires)
        } else {
            let minted = self.inner.random.token();
            let admin = NewToken::admin(&minted, &admission);
            // A partial token that is enough has completed the sign-in by itself.
            let by_itself = bearer.token.kind == TokenKind::Partial;
            let completed = completion_to_note(&bearer, now).filter(|_| by_itself);
            let swap = self.inner.store.mint(&hash, &admin, completed).await?;
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
    pub async fn caller(&self, token: &Token) -> Result<Caller, ServiceError> {
        self.administrator(&token.hash()).await
    }

    async fn administrator(&self, token: &TokenHash) -> Result<Caller, ServiceError> {
        let bearer = self.inner.bearer(token, Door::Administration).await?;
        Ok(Caller { bearer })
    }

    /// The caller as they are now: who may do what has changed since they were recognised.
    pub(crate) async fn renewed(&self, caller: &Caller) -> Result<Caller, ServiceError> {
        self.administrator(&caller.bearer.token.hash).await
    }

    /// Ends the session of a token, of whatever kind.
    ///
    /// # Errors
    /// [`ServiceError::TokenRefused`] when there is no such session.
    pub async fn log_out(&self, token: &Token) -> Result<(), ServiceError> {
        let bearer = self.inner.bearer(&token.hash(), Door::Logout).await?;
        self.inner.store.end_session(bearer.token.session).await?;
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
        let refused = |reason| Err(ServiceError::TokenRefused(reason));
        let Some(bearer) = self.store.bearer(hash).await? else {
            return refused(TokenRefusal::Unknown);
        };
        if bearer.user.disabled {
            refused(TokenRefusal::Unknown)
        } else if !bearer.token.is_live(self.time.now()) {
            refused(TokenRefusal::Expired)
        } else if !bearer.token.kind.opens(door) {
            refused(TokenRefusal::WrongKind)
        } else {
            Ok(bearer)
        }
    }
}
