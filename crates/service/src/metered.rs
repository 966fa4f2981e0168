//! The store, with each of its calls counted, timed and traced. Rows of the audit trail are counted
//! here as well, when they are written and not before. They are written only with the key in use.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;
use tracing::{Instrument as _, debug_span};
use uuid::Uuid;
use vestibule_engine::audit::{Seal, Written};
use vestibule_engine::{
    DeviceId, LocalProvider, MfaProvider, MfaProviderId, NameKey, NewToken, Push, PushId,
    PushOutcome, Role, RoleId, SessionId, Timestamp, TokenHash, User, UserId,
};
use vestibule_store::{
    Accounts, AdminMfa, AdminMfaChange, Audit, AuditQuery, Authority, Bearer, Canary, Claim,
    Creation, FactorReset, Finish, FirstFactors, Health, Holdings, IdentityProviders, KeyReport,
    KeyRetirement, KeyState, Keys, ListQuery, Listing, MfaProviders, NewUser, OpenChain,
    PasswordFailure, PasswordHash, PasswordStanding, Pool, ProposedSeed, PushStart, Pushes,
    Redeeming, Redemption, Removal, Replacement, Resealed, Retirement, RoleWrite, Roles, RowsOf,
    Sealed, SealedCount, SealedKind, SealedThing, SecondFactors, SeedSummary, SessionStart,
    Settings, Settlement, Store, StoreError, StoredProvider, Swap, Tokens, Trail, UserChange,
    UserWrite,
};

use crate::metrics::Metrics;
use crate::{Keyring, TRACE};

/// A store that is watched.
pub(crate) struct Metered {
    store: Arc<dyn Store>,
    keyring: Arc<Keyring>,
    metrics: Arc<Metrics>,
}

impl Metered {
    pub(crate) fn new(store: Arc<dyn Store>, keyring: Arc<Keyring>, metrics: Arc<Metrics>) -> Self {
        Self {
            store,
            keyring,
            metrics,
        }
    }

    /// What was signed with a key that another one has replaced would count as forged once it is
    /// retired.
    fn check_signed(&self, trail: Trail<'_>) -> Result<(), StoreError> {
        if trail.is_empty() {
            return Ok(());
        }
        let checked = self.keyring.check();
        checked.map_err(|missing| StoreError::Unavailable {
            reason: "nothing can be written down without the master key in use",
            source: Some(Box::new(missing)),
        })
    }

    /// A call.
    async fn call<T>(
        &self,
        name: &'static str,
        call: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let begun = Instant::now();
        let span = debug_span!(target: TRACE, "store", store.call = name);
        let answer = call.instrument(span).await;
        self.metrics
            .called(name, begun.elapsed(), answer.as_ref().err());
        answer
    }

    /// A call that leaves rows in the audit trail, if it does something.
    async fn write<T: Wrote>(
        &self,
        name: &'static str,
        trail: Trail<'_>,
        call: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let answer = match self.check_signed(trail) {
            Ok(()) => self.call(name, call).await,
            Err(error) => Err(error),
        };
        match &answer {
            Ok(written) if written.wrote() => self.metrics.written(trail),
            Ok(_) => {}
            Err(_) => self.metrics.not_written(trail),
        }
        answer
    }
}

/// The answer of a call that may have written something.
trait Wrote {
    fn wrote(&self) -> bool;
}

macro_rules! wrote {
    ($($answer:ty: $wrote:pat),+ $(,)?) => { $(
        impl Wrote for $answer {
            fn wrote(&self) -> bool {
                matches!(self, $wrote)
            }
        }
    )+ };
}

impl Wrote for () {
    fn wrote(&self) -> bool {
        true
    }
}

impl Wrote for bool {
    fn wrote(&self) -> bool {
        *self
    }
}

impl Wrote for Option<AdminMfa> {
    fn wrote(&self) -> bool {
        self.is_some()
    }
}

wrote! {
    Claim: Claim::Fresh(_),
    Creation: Creation::Created,
    FactorReset: FactorReset::Reset | FactorReset::NoSeed,
    Redeeming: Redeeming::Fresh(_),
    Retirement: Retirement::Done,
    Removal: Removal::Removed,
    Replacement: Replacement::Done,
    RoleWrite: RoleWrite::Done,
    Swap: Swap::Done,
    UserWrite: UserWrite::Done,
}

/// Passes calls on: those that leave rows in the audit trail, and the others.
macro_rules! metered {
    ($($subject:ident {
        writes { $($call:ident($($name:ident: $type:ty),*) -> $written:ty;)* }
        asks { $($read:ident($($asked:ident: $of:ty),*) -> $answer:ty;)* }
    })+) => { $(
        #[async_trait]
        impl $subject for Metered {
            $(async fn $call(
                &self,
                $($name: $type,)*
                trail: Trail<'_>,
            ) -> Result<$written, StoreError> {
                let call = self.store.$call($($name,)* trail);
                self.write(stringify!($call), trail, call).await
            })*

            $(async fn $read(&self, $($asked: $of),*) -> Result<$answer, StoreError> {
                self.call(stringify!($read), self.store.$read($($asked),*)).await
            })*
        }
    )+ };
}

metered! {
    FirstFactors {
        writes {
            count_password_failure(failure: &PasswordFailure) -> Swap;
            start_session(start: &SessionStart) -> Swap;
        }
        asks {
            password_standing(name: &NameKey, device: DeviceId) -> Option<PasswordStanding>;
            forget_devices(last_completed_before: Timestamp, most: u32) -> u64;
        }
    }
    SecondFactors {
        writes {
            propose_seed(seed: &ProposedSeed) -> Swap;
            settle(settlement: &Settlement) -> Swap;
            finish(finish: &Finish) -> Claim;
            redeem(redemption: &Redemption) -> Redeeming;
            reset_factor(user: UserId, authority: Option<Authority>) -> FactorReset;
        }
        asks {
            seeds(query: &ListQuery) -> Listing<SeedSummary>;
        }
    }
    Pushes {
        writes {
            start_push(start: &PushStart) -> Swap;
            end_push(push: PushId, outcome: PushOutcome) -> ();
        }
        asks {
            pushes(user: UserId) -> Vec<Push>;
            push(push: PushId) -> Option<Push>;
            collect_push(push: PushId) -> ();
            remove_useless_pushes(now: Timestamp, most: u32) -> u64;
        }
    }
    MfaProviders {
        writes {
            add_provider(new: &StoredProvider) -> Creation;
            replace_provider(new: &StoredProvider) -> Replacement;
            remove_provider(id: MfaProviderId) -> Removal;
        }
        asks {
            provider(id: MfaProviderId) -> Option<StoredProvider>;
            providers(query: &ListQuery) -> Listing<MfaProvider>;
        }
    }
    IdentityProviders {
        writes {
            set_local_provider(new: &LocalProvider) -> ();
        }
        asks {
            local_provider() -> LocalProvider;
        }
    }
    Tokens {
        writes {
            mint(bearer: &TokenHash, token: &NewToken, completed: Option<Timestamp>) -> Swap;
            end_session(user: UserId, session: SessionId) -> ();
        }
        asks {
            bearer(token: &TokenHash) -> Option<Bearer>;
            remove_expired(now: Timestamp, most: u32) -> u64;
        }
    }
    Roles {
        writes {
            add_role(role: &Role, authority: Authority) -> RoleWrite;
            replace_role(role: &Role, authority: Authority) -> RoleWrite;
            remove_role(id: RoleId, authority: Authority) -> RoleWrite;
        }
        asks {
            role(id: RoleId) -> Option<Role>;
            roles(query: &ListQuery) -> Listing<Role>;
            holdings(roles: &[RoleId]) -> Holdings;
        }
    }
    Accounts {
        writes {
            add_user(user: &NewUser) -> Creation;
            replace_user(change: &UserChange) -> UserWrite;
            set_password(user: UserId, password: &PasswordHash, now: Timestamp) -> bool;
            set_disabled(user: UserId, disabled: bool, now: Timestamp) -> UserWrite;
            unlock(user: UserId, now: Timestamp) -> bool;
            set_exempt_until(user: UserId, until: Option<Timestamp>, now: Timestamp) -> bool;
            remove_user(user: UserId, authority: Option<Authority>) -> UserWrite;
        }
        asks {
            has_users() -> bool;
            user(id: UserId) -> Option<User>;
            user_by_name(name: &NameKey) -> Option<User>;
            users(query: &ListQuery) -> Listing<User>;
        }
    }
    Settings {
        writes {
            set_admin_mfa(change: &AdminMfaChange) -> Option<AdminMfa>;
        }
        asks {
            admin_mfa() -> Option<AdminMfa>;
        }
    }
    Keys {
        writes {
            begin_key(from: Uuid, canary: &Canary, audit: &Sealed) -> Swap;
            retire_key(retirement: &KeyRetirement) -> Retirement;
        }
        asks {
            canary(new: &Canary) -> Canary;
            key_state() -> KeyState;
            announce_key(next: Uuid) -> Swap;
            report_key(report: &KeyReport) -> ();
            ask_servers() -> ();
            key_reports() -> Vec<KeyReport>;
            pause_keys(paused: bool) -> ();
            sealed_counts() -> Vec<SealedCount>;
            sealed_things(kind: SealedKind, except: Uuid, after: Option<&[u8]>, most: u32)
                -> Vec<SealedThing>;
            reseal(secrets: &[Resealed]) -> u64;
        }
    }
}

#[async_trait]
impl Audit for Metered {
    async fn record(&self, trail: Trail<'_>) -> Result<(), StoreError> {
        self.write("record", trail, self.store.record(trail)).await
    }

    async fn audit_events(&self, query: &AuditQuery) -> Result<Listing<Written>, StoreError> {
        self.call("audit_events", self.store.audit_events(query))
            .await
    }

    fn own_chain(&self, now: Timestamp) -> Option<(Uuid, u64)> {
        self.store.own_chain(now)
    }

    async fn open_chains(&self) -> Result<Vec<OpenChain>, StoreError> {
        self.call("open_chains", self.store.open_chains()).await
    }

    async fn audit_rows(&self, rows: RowsOf, most: u32) -> Result<Vec<Written>, StoreError> {
        self.call("audit_rows", self.store.audit_rows(rows, most))
            .await
    }

    async fn count_audit_rows(&self) -> Result<u64, StoreError> {
        self.call("count_audit_rows", self.store.count_audit_rows())
            .await
    }

    async fn seals(&self, after: u64, most: u32) -> Result<Vec<Seal>, StoreError> {
        self.call("seals", self.store.seals(after, most)).await
    }

    async fn last_seal(&self) -> Result<Option<Seal>, StoreError> {
        self.call("last_seal", self.store.last_seal()).await
    }

    async fn add_seal(&self, seal: &Seal) -> Result<Swap, StoreError> {
        let added = self.call("add_seal", self.store.add_seal(seal)).await;
        if let Ok(Swap::Done) = added {
            self.metrics.sealed(seal.count);
        }
        added
    }
}

#[async_trait]
impl Health for Metered {
    async fn check(&self) -> Result<(), StoreError> {
        self.call("check", self.store.check()).await
    }

    async fn tidy(&self) -> Result<(), StoreError> {
        self.call("tidy", self.store.tidy()).await
    }

    fn pool(&self) -> Option<Pool> {
        self.store.pool()
    }

    async fn close(&self) {
        self.store.close().await;
    }
}
