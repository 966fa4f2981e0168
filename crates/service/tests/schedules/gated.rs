//! A store whose calls wait for their turn.
//!
//! What decides nothing (rows of the audit trail, lists) and what nobody changes in a scene
//! (providers, roles, keys) goes through as it is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
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
    PasswordFailure, PasswordHash, PasswordStanding, ProposedSeed, PushStart, Pushes, Redeeming,
    Redemption, Removal, Replacement, Resealed, Retirement, RoleWrite, Roles, RowsOf, Sealed,
    SealedCount, SealedKind, SealedThing, SecondFactors, SeedSummary, SessionStart, Settings,
    Settlement, StoreError, StoredProvider, Swap, Tokens, Trail, UserChange, UserWrite,
};
use vestibule_store_memory::MemoryStore;

use crate::scene::Fault;
use crate::turns::Turns;

/// The store, as one client's server sees it.
pub(crate) struct Gated {
    pub(crate) store: Arc<MemoryStore>,
    /// Without these every call goes through at once.
    pub(crate) turns: Option<Arc<Turns>>,
    pub(crate) client: usize,
    pub(crate) fault: Fault,
    /// How sessions began, for the fault that begins them again.
    pub(crate) starts: Arc<Mutex<Vec<SessionStart>>>,
    pub(crate) tape: Arc<Mutex<Tape>>,
    pub(crate) two_pushes: Arc<AtomicBool>,
}

/// The last enrolment that went through, to be played again: drawing its barcode takes long.
#[derive(Clone, Default)]
pub(crate) struct Tape {
    pub(crate) proposed: Option<ProposedSeed>,
    pub(crate) finish: Option<Finish>,
}

impl Gated {
    async fn turn<T>(&self, call: &'static str, work: impl Future<Output = T>) -> T {
        match &self.turns {
            Some(turns) => turns.call(self.client, call, work).await,
            None => work.await,
        }
    }

    /// Does what is refused because something moved again, as if it had been decided later.
    async fn insist<F>(
        &self,
        revision: u64,
        mut write: impl FnMut(u64) -> F,
    ) -> Result<Swap, StoreError>
    where
        F: Future<Output = Result<Swap, StoreError>>,
    {
        for later in revision..revision + 8 {
            if write(later).await? == Swap::Done {
                return Ok(Swap::Done);
            }
        }
        Ok(Swap::Moved)
    }
}

#[async_trait]
impl SecondFactors for Gated {
    async fn propose_seed(
        &self,
        seed: &ProposedSeed,
        trail: Trail<'_>,
    ) -> Result<Swap, StoreError> {
        self.tape.lock().expect("nobody panicked").proposed = Some(seed.clone());
        self.turn("propose_seed", self.store.propose_seed(seed, trail))
            .await
    }

    async fn settle(&self, settlement: &Settlement, trail: Trail<'_>) -> Result<Swap, StoreError> {
        if self.fault != Fault::FailuresOverwrite {
            return self
                .turn("settle", self.store.settle(settlement, trail))
                .await;
        }
        let write = |revision| async move {
            let settlement = Settlement {
                revision,
                ..settlement.clone()
            };
            self.store.settle(&settlement, trail).await
        };
        self.turn("settle", self.insist(settlement.revision, write))
            .await
    }

    async fn finish(&self, finish: &Finish, trail: Trail<'_>) -> Result<Claim, StoreError> {
        self.tape.lock().expect("nobody panicked").finish = Some(finish.clone());
        let work = async {
            let claim = self.store.finish(finish, trail).await?;
            if self.fault == Fault::PartialTokensStay && matches!(claim, Claim::Fresh(_)) {
                let starts = self.starts.lock().expect("nobody panicked").clone();
                let of_it = starts
                    .iter()
                    .find(|start| start.partial.record().hash == finish.partial);
                if let Some(start) = of_it {
                    let _ = self.store.start_session(start, &[]).await?;
                }
            }
            Ok(claim)
        };
        self.turn("finish", work).await
    }

    async fn redeem(
        &self,
        redemption: &Redemption,
        trail: Trail<'_>,
    ) -> Result<Redeeming, StoreError> {
        self.turn("redeem", self.store.redeem(redemption, trail))
            .await
    }

    async fn reset_factor(
        &self,
        user: UserId,
        authority: Option<Authority>,
        trail: Trail<'_>,
    ) -> Result<FactorReset, StoreError> {
        self.turn(
            "reset_factor",
            self.store.reset_factor(user, authority, trail),
        )
        .await
    }

    async fn seeds(&self, query: &ListQuery) -> Result<Listing<SeedSummary>, StoreError> {
        self.store.seeds(query).await
    }
}

#[async_trait]
impl Pushes for Gated {
    async fn pushes(&self, user: UserId) -> Result<Vec<Push>, StoreError> {
        self.turn("pushes", self.store.pushes(user)).await
    }

    async fn push(&self, push: PushId) -> Result<Option<Push>, StoreError> {
        self.store.push(push).await
    }

    async fn start_push(&self, start: &PushStart, trail: Trail<'_>) -> Result<Swap, StoreError> {
        let write = |revision| async move {
            let push = start.push.clone();
            let swap = self
                .store
                .start_push(&PushStart { push, revision }, trail)
                .await?;
            let all = self.store.pushes(start.push.user).await?;
            let waiting = all.iter().filter(|push| push.outcome.is_none()).count();
            self.two_pushes.fetch_or(waiting > 1, Ordering::Relaxed);
            Ok(swap)
        };
        if self.fault == Fault::PushesOverwrite {
            self.turn("start_push", self.insist(start.revision, write))
                .await
        } else {
            self.turn("start_push", write(start.revision)).await
        }
    }

    async fn end_push(
        &self,
        push: PushId,
        outcome: PushOutcome,
        trail: Trail<'_>,
    ) -> Result<(), StoreError> {
        self.store.end_push(push, outcome, trail).await
    }

    async fn collect_push(&self, push: PushId) -> Result<(), StoreError> {
        self.store.collect_push(push).await
    }

    async fn remove_useless_pushes(&self, now: Timestamp, most: u32) -> Result<u64, StoreError> {
        self.store.remove_useless_pushes(now, most).await
    }
}

/// Methods that wait for their turn, or do not, as their trait says.
macro_rules! pass {
    (waits $self:ident $call:ident($($argument:ident),*)) => {
        $self.turn(stringify!($call), $self.store.$call($($argument),*)).await
    };
    (free $self:ident $call:ident($($argument:ident),*)) => {
        $self.store.$call($($argument),*).await
    };
}
macro_rules! calls {
    ($($how:ident $trait:ident { $($call:ident($($argument:ident: $type:ty),*) -> $answer:ty;)+ })+) => {$(
        #[async_trait]
        impl $trait for Gated {
            $(async fn $call(&self $(, $argument: $type)*) -> Result<$answer, StoreError> {
                pass!($how self $call($($argument),*))
            })+
        }
    )+};
}

calls! {
    waits FirstFactors {
        password_standing(name: &NameKey, device: DeviceId) -> Option<PasswordStanding>;
        count_password_failure(failure: &PasswordFailure, trail: Trail<'_>) -> Swap;
        start_session(start: &SessionStart, trail: Trail<'_>) -> Swap;
        forget_devices(before: Timestamp, most: u32) -> u64;
    }
    waits Tokens {
        bearer(token: &TokenHash) -> Option<Bearer>;
        mint(bearer: &TokenHash, token: &NewToken, completed: Option<Timestamp>, trail: Trail<'_>) -> Swap;
        end_session(user: UserId, session: SessionId, trail: Trail<'_>) -> ();
        remove_expired(now: Timestamp, most: u32) -> u64;
    }
    waits Settings {
        admin_mfa() -> Option<AdminMfa>;
        set_admin_mfa(change: &AdminMfaChange, trail: Trail<'_>) -> Option<AdminMfa>;
    }
    free Accounts {
        has_users() -> bool;
        user(id: UserId) -> Option<User>;
        user_by_name(name: &NameKey) -> Option<User>;
        users(query: &ListQuery) -> Listing<User>;
        add_user(user: &NewUser, trail: Trail<'_>) -> Creation;
        replace_user(change: &UserChange, trail: Trail<'_>) -> UserWrite;
        set_password(user: UserId, password: &PasswordHash, now: Timestamp, trail: Trail<'_>) -> bool;
        set_disabled(user: UserId, disabled: bool, now: Timestamp, trail: Trail<'_>) -> UserWrite;
        unlock(user: UserId, now: Timestamp, trail: Trail<'_>) -> bool;
        set_exempt_until(user: UserId, until: Option<Timestamp>, now: Timestamp, trail: Trail<'_>) -> bool;
        remove_user(user: UserId, authority: Option<Authority>, trail: Trail<'_>) -> UserWrite;
    }
    free MfaProviders {
        provider(id: MfaProviderId) -> Option<StoredProvider>;
        providers(query: &ListQuery) -> Listing<MfaProvider>;
        add_provider(new: &StoredProvider, trail: Trail<'_>) -> Creation;
        replace_provider(new: &StoredProvider, trail: Trail<'_>) -> Replacement;
        remove_provider(id: MfaProviderId, trail: Trail<'_>) -> Removal;
    }
    free IdentityProviders {
        local_provider() -> LocalProvider;
        set_local_provider(new: &LocalProvider, trail: Trail<'_>) -> ();
    }
    free Roles {
        role(id: RoleId) -> Option<Role>;
        roles(query: &ListQuery) -> Listing<Role>;
        holdings(roles: &[RoleId]) -> Holdings;
        add_role(role: &Role, authority: Authority, trail: Trail<'_>) -> RoleWrite;
        replace_role(role: &Role, authority: Authority, trail: Trail<'_>) -> RoleWrite;
        remove_role(id: RoleId, authority: Authority, trail: Trail<'_>) -> RoleWrite;
    }
    free Keys {
        canary(new: &Canary) -> Canary;
        key_state() -> KeyState;
        announce_key(next: Uuid) -> Swap;
        report_key(report: &KeyReport) -> ();
        ask_servers() -> ();
        key_reports() -> Vec<KeyReport>;
        begin_key(from: Uuid, canary: &Canary, audit: &Sealed, trail: Trail<'_>) -> Swap;
        pause_keys(paused: bool) -> ();
        sealed_counts() -> Vec<SealedCount>;
        sealed_things(kind: SealedKind, except: Uuid, after: Option<&[u8]>, most: u32)
            -> Vec<SealedThing>;
        reseal(secrets: &[Resealed]) -> u64;
        retire_key(retirement: &KeyRetirement, trail: Trail<'_>) -> Retirement;
    }
}

#[async_trait]
impl Health for Gated {
    async fn check(&self) -> Result<(), StoreError> {
        self.store.check().await
    }

    async fn close(&self) {}
}

#[async_trait]
impl Audit for Gated {
    async fn record(&self, trail: Trail<'_>) -> Result<(), StoreError> {
        self.store.record(trail).await
    }

    async fn audit_events(&self, query: &AuditQuery) -> Result<Listing<Written>, StoreError> {
        self.store.audit_events(query).await
    }

    fn own_chain(&self, now: Timestamp) -> Option<(Uuid, u64)> {
        self.store.own_chain(now)
    }

    async fn open_chains(&self) -> Result<Vec<OpenChain>, StoreError> {
        self.store.open_chains().await
    }

    async fn audit_rows(&self, rows: RowsOf, most: u32) -> Result<Vec<Written>, StoreError> {
        self.store.audit_rows(rows, most).await
    }

    async fn count_audit_rows(&self) -> Result<u64, StoreError> {
        self.store.count_audit_rows().await
    }

    async fn seals(&self, after: u64, most: u32) -> Result<Vec<Seal>, StoreError> {
        self.store.seals(after, most).await
    }

    async fn last_seal(&self) -> Result<Option<Seal>, StoreError> {
        self.store.last_seal().await
    }

    async fn add_seal(&self, seal: &Seal) -> Result<Swap, StoreError> {
        self.store.add_seal(seal).await
    }
}
