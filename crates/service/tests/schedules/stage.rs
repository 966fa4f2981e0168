//! A store, a user, and as many servers as there are clients.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use argon2::password_hash::PasswordHasher as _;
use argon2::password_hash::phc::PasswordHash as Phc;
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::runtime::Builder;
use vestibule_engine::mfa::TOTP_PROVIDER;
use vestibule_engine::password::{Lane, LockoutPolicy, PasswordFailures};
use vestibule_engine::token::Lifetimes;
use vestibule_engine::{DeviceId, NewToken, Secret, SessionId, TokenHash, TokenKind, UserId};
use vestibule_service::{Clock as _, Keyring, Parts, Policy, Service};
use vestibule_store::{
    Accounts as _, AdminMfaChange, Bearer, DeviceLane, FirstFactors as _, NewUser, PasswordFailure,
    PasswordHash, SecondFactor, SecondFactors as _, SessionStart, Settings as _, Store, Swap,
    Tokens as _,
};
use vestibule_store_memory::MemoryStore;
use vestibule_testkit::authenticator::Authenticator;
use vestibule_testkit::clock::{FakeClock, START};
use vestibule_testkit::people::user;
use vestibule_testkit::random::SeededRandom;

use crate::gated::{Gated, Tape};
use crate::scene::{Ended, Fault, finish, initialize, token};
use crate::turns::Turns;

/// A step.
pub(crate) const STEP: Duration = Duration::from_secs(30);

/// Everything there is.
pub(crate) struct Stage {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) turns: Arc<Turns>,
    fault: Fault,
    starts: Arc<Mutex<Vec<SessionStart>>>,
    /// Whether two pushes ever waited at once.
    pub(crate) two_pushes: Arc<AtomicBool>,
}

/// The password of the user.
pub(crate) const PASSWORD: &str = "correct horse";

/// Its hash, at as low a cost as there is: the hash says itself what it costs.
fn hash() -> PasswordHash {
    static HASH: OnceLock<String> = OnceLock::new();
    let hash = HASH.get_or_init(|| {
        let cheap = Params::new(8, 1, 1, None).expect("parameters");
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, cheap);
        let phc: Phc = argon2
            .hash_password_with_salt(PASSWORD.as_bytes(), &[7; 16])
            .expect("a hash");
        phc.to_string()
    });
    PasswordHash::new(hash.as_str())
}

/// The one user.
pub(crate) fn alice() -> UserId {
    UserId::from_random([1; 16])
}

impl Stage {
    /// The user is there, a code is due of them, and they have no seed.
    pub(crate) async fn set(fault: Fault) -> Self {
        let stage = Self {
            store: Arc::default(),
            clock: Arc::default(),
            turns: Arc::default(),
            fault,
            starts: Arc::default(),
            two_pushes: Arc::default(),
        };
        let due = AdminMfaChange {
            provider: Some(TOTP_PROVIDER),
            exempted: Vec::new(),
        };
        stage
            .store
            .set_admin_mfa(&due, &[])
            .await
            .expect("settings");
        let new = NewUser {
            user: user(alice(), "alice", START),
            password: Some(hash()),
            authority: None,
        };
        let _ = stage.store.add_user(&new, &[]).await.expect("a user");
        stage.partial(WITNESS).await;
        stage
    }

    /// Starts a session of this number; its partial token has that number as well.
    pub(crate) async fn partial(&self, number: u8) {
        let (session, device) = (session(number), DeviceId::from_random([9; 16]));
        let (of, now) = (Lifetimes::default(), self.clock.wall());
        let start = SessionStart {
            lane: DeviceLane {
                user: alice(),
                device,
                lane: Lane::Account(PasswordFailures::default()),
            },
            password: hash(),
            partial: NewToken::partial(&token(number), session, alice(), device, &of, now),
        };
        let started = self.store.start_session(&start, &[]).await;
        assert_eq!(started.expect("a store"), Swap::Done);
        self.starts.lock().expect("nobody panicked").push(start);
    }

    /// The user enrols, in an earlier step; their phone.
    pub(crate) async fn enrol(&self) -> Authenticator {
        let (tape, secret) = enrolment();
        self.partial(ENROLLED).await;
        let proposed = tape.proposed.as_ref().expect("a seed");
        let swap = self.store.propose_seed(proposed, &[]).await;
        assert_eq!(swap.expect("a store"), Swap::Done);
        let finish = tape.finish.as_ref().expect("a code");
        let _ = self.store.finish(finish, &[]).await.expect("a store");
        self.clock.advance(STEP);
        Authenticator::from_base32(secret)
    }

    /// So many wrong codes were counted already.
    pub(crate) async fn fail(&self, times: u32) {
        for _ in 0..times {
            let factor = self.factor().await;
            let settlement = vestibule_store::Settlement {
                user: alice(),
                session: session(WITNESS),
                revision: factor.revision,
                budget: factor.budget.after_failure(self.clock.wall()),
                dialogue: vestibule_store::DialogueChange::Keep,
                ends_token: false,
            };
            let swap = self.store.settle(&settlement, &[]).await;
            assert_eq!(swap.expect("a store"), Swap::Done);
        }
    }

    /// So many wrong passwords were counted already.
    pub(crate) async fn fail_passwords(&self, times: u32) {
        for _ in 0..times {
            let user = self.store.user(alice()).await.expect("a store");
            let failures = user.expect("a user").password_failures;
            let failure = PasswordFailure {
                lane: DeviceLane {
                    user: alice(),
                    device: DeviceId::from_random([8; 16]),
                    lane: Lane::Account(failures),
                },
                failures: failures.after_failure(&LockoutPolicy::default(), self.clock.wall()),
            };
            let swap = self.store.count_password_failure(&failure, &[]).await;
            assert_eq!(swap.expect("a store"), Swap::Done);
        }
    }

    /// The server of a client.
    pub(crate) async fn replica(&self, client: usize) -> Service {
        self.open(client, Some(Arc::clone(&self.turns)), Arc::default())
            .await
    }

    /// A server whose calls wait for nobody.
    pub(crate) async fn undisturbed(&self, tape: Arc<Mutex<Tape>>) -> Service {
        self.open(usize::MAX, None, tape).await
    }

    /// The store as a client's server sees it.
    pub(crate) fn store_of(&self, client: usize) -> Arc<dyn Store> {
        self.gated(client, Some(Arc::clone(&self.turns)), Arc::default())
    }

    /// The store, where every call goes through at once.
    pub(crate) fn without_turns(&self) -> Arc<dyn Store> {
        self.gated(0, None, Arc::default())
    }

    fn gated(
        &self,
        client: usize,
        turns: Option<Arc<Turns>>,
        tape: Arc<Mutex<Tape>>,
    ) -> Arc<dyn Store> {
        Arc::new(Gated {
            store: Arc::clone(&self.store),
            turns,
            client,
            fault: self.fault,
            starts: Arc::clone(&self.starts),
            tape,
            two_pushes: Arc::clone(&self.two_pushes),
        })
    }

    async fn open(
        &self,
        client: usize,
        turns: Option<Arc<Turns>>,
        tape: Arc<Mutex<Tape>>,
    ) -> Service {
        let store = self.gated(client, turns, tape);
        let seed = u64::try_from(client).expect("a number");
        let service = Service::open(Parts {
            store,
            clock: Arc::clone(&self.clock) as _,
            random: Arc::new(SeededRandom::new(seed)),
            keyring: Keyring::new(&Secret::new([7; 32])),
            policy: Policy::default(),
        });
        service.await.expect("a service")
    }

    /// The user's second factor.
    pub(crate) async fn factor(&self) -> SecondFactor {
        let bearer = self.bearer(&token(WITNESS).hash()).await;
        bearer.expect("nobody touches this session").factor
    }

    pub(crate) async fn bearer(&self, hash: &TokenHash) -> Option<Bearer> {
        self.store.bearer(hash).await.expect("a store")
    }

    /// Whether the partial token of this number opens anything still.
    pub(crate) async fn is_partial(&self, number: u8) -> bool {
        self.bearer(&token(number).hash()).await.is_some()
    }

    /// Whether this is a verified token, and of which session.
    pub(crate) async fn verified(&self, text: &str) -> Option<SessionId> {
        let token = vestibule_engine::Token::parse(text)?;
        let bearer = self.bearer(&token.hash()).await?;
        (bearer.token.kind == TokenKind::Verified).then_some(bearer.token.session)
    }
}

/// The session of which nobody takes part.
const WITNESS: u8 = 250;
/// The session that enrolled.
const ENROLLED: u8 = 251;

/// The session of this number.
pub(crate) fn session(number: u8) -> SessionId {
    SessionId::from_random([number; 16])
}

/// What an enrolment writes, and the seed in base32; made once.
fn enrolment() -> &'static (Tape, String) {
    static ENROLMENT: OnceLock<(Tape, String)> = OnceLock::new();
    ENROLMENT.get_or_init(|| {
        let record = async {
            let (stage, tape) = (Stage::set(Fault::None).await, Arc::<Mutex<Tape>>::default());
            stage.partial(ENROLLED).await;
            let service = stage.undisturbed(Arc::clone(&tape)).await;
            let Ended::Shown(secret) = initialize(&service, &token(ENROLLED)).await else {
                panic!("no seed was shown");
            };
            let code = Authenticator::from_base32(&secret).code(stage.clock.wall());
            assert!(finish(&service, token(ENROLLED), code).await.passed());
            let tape = tape.lock().expect("nobody panicked").clone();
            (tape, secret)
        };
        // A run is under way on this thread already.
        let runtime = || Builder::new_current_thread().build().expect("a runtime");
        std::thread::spawn(move || runtime().block_on(record))
            .join()
            .expect("an enrolment")
    })
}
