//! The first start, and every other.

use std::sync::Arc;

use tracing::info;
use uuid::Uuid;
use vestibule_engine::audit::{Detail, Entry, Event, OPERATOR, ObjectKind, Outcome};
use vestibule_engine::mfa::TOTP_PROVIDER;
use vestibule_engine::role::SYSTEM_ADMINISTRATION;
use vestibule_engine::user::{ADMIN, BUILTIN_TAG};
use vestibule_engine::{FieldErrors, Secret, User, UserName};
use vestibule_radius::udp;
use vestibule_store::{AdminMfaChange, Canary, StoreError};

use crate::clock::TimeKeeper;
use crate::known::KnownProviders;
use crate::limiter::Limiter;
use crate::metered::Metered;
use crate::metrics::Metrics;
use crate::radius::{RadiusRandom, WaitingPushes};
use crate::tokenless::Tokenless;
use crate::{
    ClientAddress, Conflict, Hasher, Inner, Keyring, Origin, Parts, Place, SealError, Service,
    ServiceError,
};

/// What is sealed to know the key again.
pub(crate) const CANARY: &[u8] = b"the master key of this database";
pub(crate) const CANARY_PLACE: Place<'static> = Place {
    table: "canary",
    row: Uuid::nil(),
    purpose: "canary",
    detail: b"",
};

/// Why a service does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The secrets in the database were sealed with another key.
    #[error("the master key is not the one that this database was made with, or uses now: {0}")]
    WrongKey(SealError),
    /// The store does not work.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Keyring {
    /// Whether this is the key that a database was made with.
    ///
    /// # Errors
    /// Why it is not.
    pub fn fits(&self, canary: &Canary) -> Result<(), SealError> {
        self.open(canary, CANARY_PLACE).map(drop)
    }
}

/// What became of the first administrator.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FirstAdmin {
    /// Made, with the password that was given.
    Made,
    /// There are users already, perhaps since a moment ago.
    NotNeeded,
}

impl Service {
    /// Puts a service together. In a new database the key leaves its mark; in a used one it must
    /// fit.
    ///
    /// # Errors
    /// When it does not, or the store does not work.
    pub async fn open(parts: Parts) -> Result<Self, OpenError> {
        let Parts {
            store,
            random,
            keyring,
            ..
        } = &parts;
        let fresh = keyring
            .seal(CANARY, CANARY_PLACE, &**random)
            .map_err(OpenError::WrongKey)?;
        let canary = store.canary(&fresh).await?;
        keyring.fits(&canary).map_err(OpenError::WrongKey)?;
        keyring
            .use_key(canary.key_id)
            .map_err(OpenError::WrongKey)?;
        Ok(Self::assemble(parts))
    }

    /// A service over a store that is only looked at: the key leaves no mark, and use cases that
    /// write fail.
    pub fn only_looking(parts: Parts) -> Self {
        Self::assemble(parts)
    }

    fn assemble(parts: Parts) -> Self {
        let Parts {
            store,
            clock,
            random,
            keyring,
            policy,
        } = parts;
        let server = uuid::Builder::from_random_bytes(random.bytes()).into_uuid();
        let metrics = Arc::new(Metrics::new());
        let keyring = Arc::new(keyring);
        let metered = Metered::new(store, Arc::clone(&keyring), Arc::clone(&metrics));
        let radius_random = Arc::new(RadiusRandom(Arc::clone(&random)));
        Self {
            inner: Arc::new(Inner {
                radius: udp::Client::new(radius_random, udp::Limits::default()),
                known: KnownProviders::default(),
                pushes: WaitingPushes::default(),
                strangers: crate::audit::Strangers::default(),
                store: Arc::new(metered),
                metrics,
                time: TimeKeeper::new(clock),
                random,
                keyring,
                server,
                hasher: Hasher::new(policy.hash_queue),
                limiter: Limiter::new(policy.sign_in_failures_per_minute),
                tokenless: Tokenless::new(policy.requests_without_token_per_minute),
                policy,
            }),
        }
    }

    /// Whether nobody can sign in yet, because there is no user at all.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn has_no_users(&self) -> Result<bool, ServiceError> {
        Ok(!self.inner.store.has_users().await?)
    }

    /// Makes the built-in administrator, if there is no user at all. The second factor is switched
    /// on first: nobody ever administers a new database with a password alone.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn make_first_admin(
        &self,
        password: Secret<String>,
    ) -> Result<FirstAdmin, ServiceError> {
        if !self.has_no_users().await? {
            return Ok(FirstAdmin::NotNeeded);
        }
        if self.inner.store.admin_mfa().await?.is_none() {
            let totp = AdminMfaChange {
                provider: Some(TOTP_PROVIDER),
                exempted: Vec::new(),
            };
            let entry = self.by_first_start(Event::AdminMfaReplaced);
            let entry = entry.to(ObjectKind::AdminMfa, None, None);
            let trail = [self.sign(entry.with(Detail::Provider, TOTP_PROVIDER))];
            self.inner.store.set_admin_mfa(&totp, &trail).await?;
        }
        match self
            .create_user(
                self.built_in_admin()?,
                Some(password),
                self.by_first_start(Event::UserCreated),
            )
            .await
        {
            Ok(admin) => {
                info!(subject.id = %admin.id, "First administrator made");
                Ok(FirstAdmin::Made)
            }
            Err(ServiceError::Conflict(Conflict::UserId | Conflict::UserName)) => {
                Ok(FirstAdmin::NotNeeded)
            }
            Err(other) => Err(other),
        }
    }

    /// A row about something that the first start did.
    fn by_first_start(&self, event: Event) -> Entry {
        let origin = Origin {
            request: self.new_id(),
            address: ClientAddress::Local,
        };
        let entry = self.inner.entry(origin, event, Outcome::Success);
        entry.by(OPERATOR).because("the first start")
    }

    fn built_in_admin(&self) -> Result<User, ServiceError> {
        let now = self.now();
        let name = UserName::new("admin").map_err(|message| FieldErrors::one("name", message))?;
        Ok(User {
            id: ADMIN,
            name,
            first_name: "Builtin".to_owned(),
            last_name: "Administrator".to_owned(),
            email: Some("admin@email.com".to_owned()),
            phone: None,
            notes: "Built-in administrator user.".to_owned(),
            tags: vec![BUILTIN_TAG.to_owned()],
            disabled: false,
            password_failures: vestibule_engine::password::PasswordFailures::default(),
            exempt_until: None,
            roles: vec![SYSTEM_ADMINISTRATION],
            created: now,
            updated: now,
        })
    }
}
