//! Writes that meet a transaction under way: they wait for it, and compare with what is then.

use std::future::Future;
use std::sync::Arc;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, query, query_scalar};
use tokio::task::JoinHandle;
use uuid::Uuid;
use vestibule_engine::mfa::{FIDO2_PROVIDER, TOTP_PROVIDER};
use vestibule_engine::password::{Lane, LockoutPolicy, PasswordFailures};
use vestibule_engine::provider::RadiusMode;
use vestibule_engine::radius::{Effect, RadiusAttempt, RadiusStanding};
use vestibule_engine::token::Lifetimes;
use vestibule_engine::{
    DeviceId, NameKey, NewToken, PushOutcome, SeedId, SessionId, Timestamp, Token, UserId,
};
use vestibule_store::{
    Accounts as _, AdminMfaChange, Creation, DeviceLane, FirstFactors as _, KeyRetirement,
    Keys as _, MfaProviders as _, NewUser, PasswordFailure, PasswordHash, ProposedSeed,
    RETIRED_KEY, Redeeming, Redemption, Removal, Retirement, Sealed, SecondFactors as _,
    SessionStart, Settings as _, StoreError, Swap, Tokens as _,
};
use vestibule_testkit::people::user;
use vestibule_testkit::postgres::{Cluster, Database};

use crate::PostgresStore;

struct Site {
    database: Database,
    store: Arc<PostgresStore>,
}

impl Site {
    /// A database in which one-time passwords are due.
    async fn new() -> Self {
        Self::over(Cluster::shared().fresh_database()).await
    }

    async fn over(database: Database) -> Self {
        let store = PostgresStore::open(database.url()).await.unwrap();
        let store = Arc::new(store);
        let site = Self { database, store };
        assert!(
            site.store
                .set_admin_mfa(&totp(), &[])
                .await
                .unwrap()
                .is_some()
        );
        site
    }

    /// Runs a statement, then another write that waits for it, and commits the first or not; what
    /// the other answers.
    async fn meanwhile<T: Send + 'static>(
        &self,
        statement: &'static str,
        commits: bool,
        other: impl Future<Output = T> + Send + 'static,
    ) -> T {
        self.while_these(&[statement], commits, other).await
    }

    /// The same with several statements.
    async fn while_these<T: Send + 'static>(
        &self,
        statements: &[&'static str],
        commits: bool,
        other: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let mut stranger = PgConnection::connect(self.database.url()).await.unwrap();
        let mut transaction = stranger.begin().await.unwrap();
        for &statement in statements {
            let done = query(statement).execute(&mut *transaction).await.unwrap();
            assert_eq!(done.rows_affected(), 1, "{statement}");
        }
        let other = tokio::spawn(other);
        self.wait_until_it_waits(&other).await;
        if commits {
            transaction.commit().await.unwrap();
        } else {
            transaction.rollback().await.unwrap();
        }
        other.await.unwrap()
    }

    async fn wait_until_it_waits<T>(&self, other: &JoinHandle<T>) {
        let waiting = "SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'";
        loop {
            let waiting = query_scalar::<_, i64>(waiting).fetch_one(&self.store.connections);
            if waiting.await.unwrap() == 1 {
                return;
            }
            assert!(!other.is_finished(), "it did not wait");
        }
    }

    /// Signs a user in; what an acceptance in that session would be redeemed by.
    async fn accepted(&self, n: u8) -> Redemption {
        let id = UserId::from_random([n; 16]);
        let user = user(id, &format!("user {n}"), Timestamp::from_micros(0));
        let password = PasswordHash::new("$argon2id$");
        let new = NewUser {
            user: user.clone(),
            password: Some(password.clone()),
            authority: None,
        };
        assert_eq!(
            self.store.add_user(&new, &[]).await.unwrap(),
            Creation::Created
        );
        let (session, device) = (
            SessionId::from_random([n; 16]),
            DeviceId::from_random([n; 16]),
        );
        let token = Token::from_bytes([n; 32]);
        let lifetimes = Lifetimes::default();
        let now = Timestamp::from_unix_seconds(1_700_000_000);
        let partial = NewToken::partial(&token, session, user.id, device, &lifetimes, now);
        let start = SessionStart {
            lane: DeviceLane {
                user: user.id,
                device,
                lane: Lane::Account(PasswordFailures::default()),
            },
            password,
            partial: partial.clone(),
        };
        let started = self.store.start_session(&start, &[]).await.unwrap();
        assert_eq!(started, Swap::Done);

        let bearer = self.store.bearer(&token.hash()).await.unwrap().unwrap();
        let provider = bearer.provider.unwrap();
        let standing = RadiusStanding {
            user: user.id,
            session,
            revision: bearer.factor.revision,
            budget: bearer.factor.budget,
            provider: provider.id,
            provider_revision: provider.revision,
            mode: RadiusMode::Push,
            dialogue: None,
        };
        let provider = (provider.id, provider.revision);
        let judged = RadiusAttempt::collect(&standing, provider, PushOutcome::Accepted);
        let Effect::Redeem(acceptance) = judged.effect else {
            panic!("{:?}", judged.effect);
        };
        let rotated = Token::from_bytes([100 + n; 32]);
        Redemption {
            verified: NewToken::verified(&rotated, &acceptance, partial.record()).unwrap(),
            acceptance,
            partial: token.hash(),
            device_completed: None,
        }
    }
}

fn totp() -> AdminMfaChange {
    AdminMfaChange {
        provider: Some(TOTP_PROVIDER),
        exempted: Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redemption_waits_for_changes_of_its_provider() {
    let site = Site::new().await;
    let mut n = 0;
    for (statement, commits) in [
        ("UPDATE admin_mfa SET provider = NULL", false),
        ("UPDATE admin_mfa SET written = TRUE", true),
        (
            "UPDATE mfa_providers SET revision = revision + 1 WHERE kind = 'DefaultTimeBased'",
            false,
        ),
        (
            "UPDATE mfa_providers SET revision = revision + 1 WHERE kind = 'DefaultTimeBased'",
            true,
        ),
        (
            "UPDATE admin_mfa SET provider = '3ae98d53-c520-437f-99e4-451f936e6d2c'",
            true,
        ),
    ] {
        // Of who has a row of a second factor, and of who has none.
        for has_factor in [false, true] {
            n += 1;
            site.store.set_admin_mfa(&totp(), &[]).await.unwrap();
            let redemption = site.accepted(n).await;
            if has_factor {
                let user = redemption.acceptance.user();
                site.store
                    .unlock(user, Timestamp::from_micros(1), &[])
                    .await
                    .unwrap();
            }
            let store = Arc::clone(&site.store);
            let redeeming = async move { store.redeem(&redemption, &[]).await.unwrap() };
            let answer = site.meanwhile(statement, commits, redeeming).await;
            let stands = !commits || statement.contains("written");
            assert_eq!(
                matches!(answer, Redeeming::Fresh(_)),
                stands,
                "{statement} {commits} {has_factor}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removal_and_a_setting_wait_for_each_other() {
    let site = Site::new().await;
    let sets = "UPDATE admin_mfa SET provider = '3ae98d53-c520-437f-99e4-451f936e6d2c'";
    let removes = "DELETE FROM mfa_providers WHERE kind = 'Fido2'";
    let remove = |store: Arc<PostgresStore>| async move {
        store.remove_provider(FIDO2_PROVIDER, &[]).await.unwrap()
    };
    let set = |store: Arc<PostgresStore>| async move {
        let fido2 = AdminMfaChange {
            provider: Some(FIDO2_PROVIDER),
            exempted: Vec::new(),
        };
        store.set_admin_mfa(&fido2, &[]).await.unwrap().is_some()
    };
    let store = || Arc::clone(&site.store);
    assert!(site.meanwhile(removes, false, set(store())).await);
    site.store.set_admin_mfa(&totp(), &[]).await.unwrap();
    let answer = site.meanwhile(sets, true, remove(store())).await;
    assert_eq!(answer, Removal::InUse);
    site.store.set_admin_mfa(&totp(), &[]).await.unwrap();
    assert!(!site.meanwhile(removes, true, set(store())).await);
}

/// A sign-in reads the lockout, and does not wait for whoever is changing it.
#[tokio::test]
async fn a_sign_in_waits_for_no_change_of_the_lockout() {
    let site = Site::new().await;
    let user = site.accepted(1).await.acceptance.user();
    let device = DeviceId::from_random([1; 16]);
    let lockout = async || {
        let name = NameKey::of("user 1");
        let standing = site.store.password_standing(&name, device).await.unwrap();
        standing.unwrap().lockout
    };
    let mut stranger = PgConnection::connect(site.database.url()).await.unwrap();
    let mut transaction = stranger.begin().await.unwrap();
    let change = query("UPDATE local_identity_provider SET lockout_threshold = 2");
    change.execute(&mut *transaction).await.unwrap();
    // Had they to wait, it would be for ever.
    assert_eq!(lockout().await, LockoutPolicy::default());
    let failure = PasswordFailure {
        lane: DeviceLane {
            user,
            device,
            lane: Lane::Account(PasswordFailures::default()),
        },
        failures: PasswordFailures {
            count: 1,
            lock_start: None,
        },
    };
    let counted = site.store.count_password_failure(&failure, &[]).await;
    assert_eq!(counted.unwrap(), Swap::Done);
    transaction.commit().await.unwrap();
    assert_eq!(lockout().await.threshold(), 2);
}

/// The n-th master key.
fn master(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn sealed(n: u128) -> Sealed {
    Sealed {
        key_id: master(n),
        bytes: vec![u8::try_from(n).unwrap()],
    }
}

/// A database whose first key was replaced by the second, and a user without a seed yet.
async fn with_a_replaced_key(database: Database) -> (Site, ProposedSeed) {
    let site = Site::over(database).await;
    let store = &site.store;
    store.canary(&sealed(1)).await.unwrap();
    assert_eq!(store.announce_key(master(2)).await.unwrap(), Swap::Done);
    let begun = store
        .begin_key(master(1), &sealed(2), &sealed(2), &[])
        .await;
    assert_eq!(begun.unwrap(), Swap::Done);
    let user = site.accepted(1).await.acceptance.user();
    let seed = ProposedSeed {
        user,
        revision: 0,
        id: SeedId::from_random([1; 16]),
        sealed: sealed(1),
        shown_to: SessionId::from_random([1; 16]),
        created: Timestamp::from_micros(1),
    };
    (site, seed)
}

/// Retires the first key.
async fn retire(store: Arc<PostgresStore>) -> Retirement {
    let retirement = KeyRetirement {
        key: master(1),
        audit: sealed(2),
        last_seal: 0,
    };
    store.retire_key(&retirement, &[]).await.unwrap()
}

const SEED: &str = "
    INSERT INTO second_factors
        (user_id, revision, seed_id, seed_key_id, seed_sealed, verified, shown_to, seed_created)
    SELECT id, 1, id, '00000000-0000-0000-0000-000000000001', '\\x01', FALSE, id, 1 FROM users";

/// What it held and wrote, as a transaction of the store does.
const RETIRES: [&str; 2] = [
    "SELECT pg_advisory_xact_lock(8531321105947714866)",
    "UPDATE master_keys SET state = 'retired'",
];

/// A database whose transactions are isolated like this if they do not say it themselves.
async fn isolated(how: &str) -> Database {
    let database = Cluster::shared().fresh_database();
    let mut owner = PgConnection::connect(database.url()).await.unwrap();
    let name = query_scalar("SELECT quote_ident(current_database())").fetch_one(&mut owner);
    let name: String = name.await.unwrap();
    let default = format!("ALTER DATABASE {name} SET default_transaction_isolation = '{how}'");
    let default = query(AssertSqlSafe(default));
    default.execute(&mut owner).await.unwrap();
    database
}

/// Also where the server, the database or the user says that a transaction sees what was there when
/// it began.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retirement_waits_for_whoever_seals() {
    for isolation in ["read committed", "repeatable read", "serializable"] {
        let (site, seed) = with_a_replaced_key(isolated(isolation).await).await;
        let rolled_back = site.meanwhile(SEED, false, retire(Arc::clone(&site.store)));
        assert_eq!(rolled_back.await, Retirement::Done, "{isolation}");
        let refused = site.store.propose_seed(&seed, &[]).await.unwrap_err();
        assert!(
            matches!(refused, StoreError::Unavailable { .. }),
            "{refused}"
        );

        let (site, _) = with_a_replaced_key(isolated(isolation).await).await;
        let committed = site.meanwhile(SEED, true, retire(Arc::clone(&site.store)));
        assert_eq!(committed.await, Retirement::Needed(1), "{isolation}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_seals_waits_for_a_retirement() {
    for commits in [false, true] {
        let (site, seed) = with_a_replaced_key(Cluster::shared().fresh_database()).await;
        let store = Arc::clone(&site.store);
        let seals = async move { store.propose_seed(&seed, &[]).await };
        let answer = site.while_these(&RETIRES, commits, seals).await;
        match (commits, answer) {
            (false, answer) => assert_eq!(answer.unwrap(), Swap::Done),
            (true, answer) => {
                let refused = answer.unwrap_err();
                assert!(refused.to_string().contains(RETIRED_KEY), "{refused}");
            }
        }
    }
}
