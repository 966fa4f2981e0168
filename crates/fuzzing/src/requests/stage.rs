//! A site of its own for each input: an administrator, a user, and their tokens.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderName, HeaderValue, Request};
use http_body_util::BodyExt as _;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt as _;
use vestibule_engine::mfa::TOTP_PROVIDER;
use vestibule_engine::password::{Lane, PasswordFailures};
use vestibule_engine::role::SYSTEM_ADMINISTRATION;
use vestibule_engine::token::Lifetimes;
use vestibule_engine::user::ADMIN;
use vestibule_engine::{DeviceId, NewToken, Secret, SessionId, Token, User, UserId};
use vestibule_http::{Readiness, Site, TrustedProxies, router};
use vestibule_service::{
    ClientAddress, Clock as _, Keyring, ListQuery, Origin, OsRandom, Parts, Policy, Service,
};
use vestibule_store::{
    Accounts as _, AdminMfaChange, DeviceLane, FirstFactors as _, IdentityProviders as _,
    MfaProviders as _, NewUser, PasswordHash, Roles as _, SecondFactors as _, SessionStart,
    Settings as _, Swap,
};
use vestibule_store_memory::MemoryStore;
use vestibule_testkit::authenticator::Authenticator;
use vestibule_testkit::clock::FakeClock;
use vestibule_testkit::people::user;
use vestibule_testkit::random::SeededRandom;

use super::ACCEPT;
use super::answer::Answer;

const PASSWORD: &str = "correct horse";

/// Everything there is.
pub(super) struct Stage {
    store: Arc<MemoryStore>,
    clock: Arc<FakeClock>,
    router: Router,
    /// The administrator's token.
    pub(super) admin: String,
    /// A partial token of a user who may do nothing.
    pub(super) partial: String,
    /// The last token that was given out.
    token: String,
    given_out: Vec<String>,
    phone: Option<Authenticator>,
}

/// Runs what an input asks for.
pub(super) fn run(work: impl Future<Output = ()>) {
    thread_local! {
        static RUNTIME: Runtime = Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime");
    }
    RUNTIME.with(|runtime| runtime.block_on(work));
}

impl Stage {
    pub(super) async fn set() -> Self {
        let (store, clock) = (Arc::<MemoryStore>::default(), Arc::<FakeClock>::default());
        let service = Service::open(Parts {
            store: Arc::clone(&store) as _,
            clock: Arc::clone(&clock) as _,
            random: Arc::new(SeededRandom::new(42)),
            keyring: Keyring::new(&Secret::new([7; 32])),
            policy: Policy::default(),
        });
        let service = service.await.expect("a service");
        let due = AdminMfaChange {
            provider: Some(TOTP_PROVIDER),
            exempted: Vec::new(),
        };
        store.set_admin_mfa(&due, &[]).await.expect("a store");
        let proxies = TrustedProxies::new(|address| address.is_loopback());
        let mut stage = Self {
            router: router(
                service.clone(),
                Site::default(),
                proxies,
                Readiness::default(),
                vestibule_http::Traces::none(),
            ),
            store,
            clock,
            admin: String::new(),
            partial: String::new(),
            token: String::new(),
            given_out: Vec::new(),
            phone: None,
        };
        stage.admin = stage.sign_in(&service, ADMIN, "admin").await;
        stage.partial = stage
            .sign_in(&service, UserId::from_random([2; 16]), "alice")
            .await;
        stage
    }

    /// Makes a user, and signs them in: with the administrator's token, or a partial one.
    async fn sign_in(&self, service: &Service, id: UserId, name: &str) -> String {
        let now = service.now();
        let administers = id == ADMIN;
        let user = User {
            first_name: "F".to_owned(),
            last_name: "L".to_owned(),
            roles: administers
                .then_some(SYSTEM_ADMINISTRATION)
                .into_iter()
                .collect(),
            ..user(id, name, now)
        };
        let password = password(service).await;
        let new = NewUser {
            user,
            password: Some(password.clone()),
            authority: None,
        };
        let _ = self.store.add_user(&new, &[]).await.expect("a store");
        let token = Token::from_bytes([u8::from(administers) + 1; 32]);
        let device = DeviceId::from_random([4; 16]);
        let session = SessionId::from_random([u8::from(administers); 16]);
        let start = SessionStart {
            lane: DeviceLane {
                user: id,
                device,
                lane: Lane::Account(PasswordFailures::default()),
            },
            password,
            partial: NewToken::partial(&token, session, id, device, &Lifetimes::default(), now),
        };
        let started = self.store.start_session(&start, &[]).await;
        assert_eq!(started.expect("a store"), Swap::Done);
        let partial = token.reveal().expose().clone();
        if !administers {
            return partial;
        }
        // Let off for this once, as an operator can: no code is needed then.
        let exempt = |until| self.store.set_exempt_until(id, until, now, &[]);
        exempt(Some(now.after(std::time::Duration::from_mins(1))))
            .await
            .expect("a store");
        let origin = Origin {
            request: service.new_id(),
            address: ClientAddress::Local,
        };
        let admitted = service
            .authorize(token, origin)
            .await
            .expect("an admission");
        exempt(None).await.expect("a store");
        admitted.token.expose().clone()
    }

    /// The text with everything in it that stands for something.
    pub(super) fn fill_in(&self, text: &str) -> String {
        let now = self.clock.wall();
        let code = self.phone.as_ref().map(|phone| phone.code(now));
        text.replace("$ADMIN", &self.admin)
            .replace("$PARTIAL", &self.partial)
            .replace("$TOKEN", &self.token)
            .replace("$CODE", code.as_deref().unwrap_or("000000"))
            .replace("$PASSWORD", PASSWORD)
    }

    /// Whether a code is what is due, and no RADIUS server is asked.
    pub(super) async fn wants_codes(&self) -> bool {
        let due = self.store.admin_mfa().await.expect("a store");
        due.is_none_or(|due| due.provider.is_none_or(|id| id == TOTP_PROVIDER))
    }

    pub(super) async fn answer(&self, mut request: Request<Body>) -> Answer {
        let peer: SocketAddr = ([127, 0, 0, 1], 1).into();
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = self.router.clone().oneshot(request).await;
        let (parts, body) = answer.expect("an answer").into_parts();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: body.collect().await.expect("a body").to_bytes().to_vec(),
        }
    }

    pub(super) fn as_administrator(&self, request: &mut Request<Body>) {
        let headers = request.headers_mut();
        headers.insert("accept", HeaderValue::from_static(ACCEPT));
        let bearer = format!("Bearer {}", self.admin);
        headers.insert("authorization", bearer.parse().expect("a value"));
    }

    /// Whether one of the headers holds a token that may open what lies there.
    pub(super) fn holds_token_for(
        &self,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
    ) -> bool {
        let holds = |token: &String| {
            headers.iter().any(|(name, value)| {
                name == "authorization" && value.to_str().is_ok_and(|value| value.contains(token))
            })
        };
        let is_sign_in = path.starts_with("/admin/auth");
        holds(&self.admin) || self.given_out.iter().any(holds) || is_sign_in && holds(&self.partial)
    }

    /// Takes note of what was given out.
    pub(super) fn remember(&mut self, answer: &Answer) {
        if !answer.is_success() || answer.body.first() != Some(&b'{') {
            return;
        }
        let body = answer.json();
        if let Some(token) = body["token"].as_str() {
            token.clone_into(&mut self.token);
            self.given_out.push(token.to_owned());
        }
        if let Some(secret) = body["secret"].as_str() {
            self.phone = Some(Authenticator::from_base32(secret));
        }
    }

    /// All that administrators can write.
    pub(super) async fn picture(&self) -> String {
        let (store, all) = (&self.store, ListQuery::default());
        let users = store.users(&all).await.expect("a store");
        let roles = store.roles(&all).await.expect("a store");
        let providers = store.providers(&all).await.expect("a store");
        let seeds = store.seeds(&all).await.expect("a store");
        let local = store.local_provider().await.expect("a store");
        let due = store.admin_mfa().await.expect("a store");
        format!("{users:?}{roles:?}{providers:?}{seeds:?}{local:?}{due:?}")
    }
}

/// The hash of the password of everybody, which is made once.
async fn password(service: &Service) -> PasswordHash {
    static HASH: OnceLock<PasswordHash> = OnceLock::new();
    if let Some(hash) = HASH.get() {
        return hash.clone();
    }
    let password = Arc::new(Secret::from(PASSWORD));
    let hasher = service.hasher();
    let hash = hasher.hash(password, &OsRandom, ClientAddress::Local).await;
    HASH.get_or_init(|| hash.expect("a hash")).clone()
}
