//! The use cases.
//!
//! Here, and only here, things happen: the engine decides, and this crate reads what it must know,
//! carries out its effects over the stores, and reads again when something moved in between. Time
//! and randomness enter here ([`Clock`], [`Random`]) and go down as arguments.

mod audit;
mod backup;
mod barcode;
mod bootstrap;
mod clock;
mod denial;
mod enrol;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod hasher;
mod identity_providers;
mod initialize;
mod keyring;
mod keys;
mod known;
mod labels;
mod limiter;
mod metered;
mod metrics;
mod number;
mod providers;
mod radius;
mod random;
mod reach;
mod roles;
mod second_factor;
mod seeds;
mod session;
mod settings;
mod sign_in;
mod tokenless;
mod turns;
mod users;

pub use audit::{Head, Origin, Verified};
pub use bootstrap::{FirstAdmin, OpenError};
pub use clock::{Clock, SystemClock};
pub use denial::Denial;
pub use enrol::SecretShown;
pub use error::{Conflict, Missing, ServiceError, SignInRefusal, TokenRefusal};
pub use hasher::{Hasher, HasherError};
pub use identity_providers::{
    ClaimMapping, IdentityProviderDraft, LOCAL_TYPE, NOT_OURS, NotOurs, good_new_password,
};
pub use initialize::{Initialized, Started};
pub use keyring::{KeySource, Keyring, Place, SealError};
pub use keys::{Progress, Resealing};
pub use limiter::site_of;
pub use metrics::{Metrics, new_registry};
pub use providers::{MfaProviderDraft, MfaProviderTest, ProviderTest};
pub use radius::SecondFactorAnswer;
pub use random::{OsRandom, Random};
pub use roles::{PrivilegeDraft, RoleDraft, ScopeDraft};
pub use second_factor::DueBearer;
pub use session::{Authorized, Caller};
pub use settings::AdminMfaUpdate;
pub use sign_in::{Credentials, SignedIn};
pub use users::UserDraft;

/// What lists are asked for and answered with; adapters need no other part of the stores.
pub use vestibule_store::{
    AdminMfa, AuditQuery, Filter, ListOrder, ListQuery, Listing, SeedSummary,
};

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;
use vestibule_engine::password::DEVICE_KNOWN_FOR;
use vestibule_engine::token::Lifetimes;
use vestibule_engine::{Timestamp, TokenHash};
use vestibule_store::Store;

use clock::TimeKeeper;
use known::KnownProviders;
use limiter::Limiter;
use radius::WaitingPushes;
use tokenless::Tokenless;

/// The target of spans that are for traces, and too many for a log. None holds a name, a secret or
/// anything that somebody sent.
pub const TRACE: &str = "vestibule::trace";

/// What an operator may set.
#[derive(Clone, Debug)]
pub struct Policy {
    /// How long tokens live.
    pub lifetimes: Lifetimes,
    /// What authenticators show as the issuer.
    pub issuer: String,
    /// For how long after it was made a user may enrol; for ever if unset.
    pub enrol_within: Option<Duration>,
    /// Failed sign-ins a minute from one address that is not this machine's own.
    pub sign_in_failures_per_minute: u32,
    /// Requests a minute without a good token, from one address that is not this machine's own.
    pub requests_without_token_per_minute: u32,
    /// Sign-ins that may wait for the hasher.
    pub hash_queue: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            lifetimes: Lifetimes::default(),
            issuer: "Vestibule".to_owned(),
            enrol_within: None,
            sign_in_failures_per_minute: 120,
            requests_without_token_per_minute: 1200,
            hash_queue: 256,
        }
    }
}

/// What a service is made of.
pub struct Parts {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where random bytes come from.
    pub random: Arc<dyn Random>,
    /// What seals secrets.
    pub keyring: Keyring,
    /// What the operator set.
    pub policy: Policy,
}

/// The use cases over one store. Cheap to clone; every clone is the same service.
#[derive(Clone)]
pub struct Service {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn Store>,
    time: TimeKeeper,
    random: Arc<dyn Random>,
    keyring: Arc<Keyring>,
    /// This process, among those that serve the same database.
    server: Uuid,
    policy: Policy,
    hasher: Hasher,
    limiter: Limiter,
    tokenless: Tokenless,
    radius: vestibule_radius::udp::Client,
    known: KnownProviders,
    pushes: WaitingPushes,
    strangers: audit::Strangers,
    metrics: Arc<Metrics>,
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClientAddress {
    /// A program on this machine, which is not limited.
    Local,
    /// Another machine.
    Known(IpAddr),
    /// A proxy that is trusted did not say from where.
    Unknown,
}

impl std::fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Local => f.write_str("local"),
            Self::Known(address) => address.fmt(f),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

impl Service {
    /// The time by which tokens and waits end; it never runs back.
    pub fn now(&self) -> Timestamp {
        self.inner.time.now()
    }

    /// A new id for a request or a row, in the order of time (`UUIDv7`, RFC 9562 section 5.7).
    pub fn new_id(&self) -> Uuid {
        self.inner.new_id()
    }

    /// What counts password hashes, and makes them.
    pub fn hasher(&self) -> &Hasher {
        &self.inner.hasher
    }

    /// How far the clock on the wall is behind the time that has passed since it was read first:
    /// more than nothing when it was set back.
    pub fn clock_behind(&self) -> Duration {
        self.inner.time.behind()
    }

    /// Lets a request begin. Once an address has made too many without a good token, nothing of it
    /// is looked at any more for the rest of the minute, but what bears a token that was good from
    /// there a short while ago. `token` reads what the request bears.
    ///
    /// # Errors
    /// How long it has to wait.
    pub fn begin_request(
        &self,
        origin: Origin,
        token: impl FnOnce() -> Option<TokenHash>,
    ) -> Result<(), Duration> {
        let begun = self.inner.tokenless.begin(origin, token, self.now());
        begun.inspect_err(|_| self.inner.metrics.turned_away(metrics::Limit::WithoutToken))
    }

    /// A request has ended, with an answer or because its client has gone.
    pub fn end_request(&self, origin: Origin, fault_is_ours: bool) {
        self.inner.tokenless.end(origin, fault_is_ours);
    }

    /// Whether the store could be read and written now, and the keys are here that seal there, or
    /// may have.
    ///
    /// # Errors
    /// Why not.
    pub async fn check_store(&self) -> Result<(), ServiceError> {
        self.inner.keyring.check()?;
        self.inner.store.check().await?;
        self.inner.check_keys().await
    }

    /// Removes at most `most` pushes whose outcome nobody can ask for any more; how many it
    /// removed.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn remove_useless_pushes(&self, most: u32) -> Result<u64, ServiceError> {
        let now = self.now();
        Ok(self.inner.store.remove_useless_pushes(now, most).await?)
    }

    /// Removes at most `most` expired tokens; how many it removed.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn remove_expired(&self, most: u32) -> Result<u64, ServiceError> {
        Ok(self.inner.store.remove_expired(self.now(), most).await?)
    }

    /// Forgets at most `most` devices that are not known any more, because the last sign-in from
    /// them was too long ago; how many it forgot.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn forget_devices(&self, most: u32) -> Result<u64, ServiceError> {
        let before = self.now().before(DEVICE_KNOWN_FOR);
        Ok(self.inner.store.forget_devices(before, most).await?)
    }

    /// Does what keeps the store fast.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn tidy_store(&self) -> Result<(), ServiceError> {
        Ok(self.inner.store.tidy().await?)
    }

    /// Asks no RADIUS server any more, and ends the waiting for those that do not answer within
    /// some seconds: whoever waits is told so, and may come back elsewhere.
    pub async fn stop_waiting(&self) {
        self.inner.radius.shut_down().await;
    }

    /// Gives up the store's connections.
    pub async fn close(&self) {
        self.inner.store.close().await;
    }

    /// Runs a use case to its end even when its client has gone: a failure that was found is
    /// counted, whoever hangs up. What is waited with is small, however large the work is.
    fn to_the_end<T: Send + 'static>(
        work: impl Future<Output = Result<T, ServiceError>> + Send + 'static,
    ) -> impl Future<Output = Result<T, ServiceError>> + Send + 'static {
        use tracing::Instrument as _;
        let running = tokio::spawn(work.in_current_span());
        async move {
            match running.await {
                Ok(outcome) => outcome,
                Err(gone) => Err(ServiceError::bug("a task ended early", gone)),
            }
        }
    }
}
