//! The real router over the store in memory, with a clock that stands still.
#![allow(
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    dead_code,
    unused_imports,
    reason = "each test file uses its part, and a test that cannot go on has failed"
)]

mod admin;
pub(crate) mod colleague;

pub(crate) use admin::{Admin, errors, ok, with};

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use vestibule_engine::Secret;
use vestibule_http::{Readiness, Site, Traces, TrustedProxies, router};
use vestibule_service::{Clock as _, FirstAdmin, Keyring, Parts, Policy, Service};
use vestibule_store_memory::MemoryStore;
use vestibule_testkit::authenticator::Authenticator;
use vestibule_testkit::clock::FakeClock;
use vestibule_testkit::random::SeededRandom;

pub(crate) const ACCEPT: &str = "application/vnd.appgate.peer-v23+json";
pub(crate) const PASSWORD: &str = "correct horse";
pub(crate) const DEVICE: &str = "4c07bc67-57ea-42dd-b702-c2d6c45419fc";

pub(crate) struct App {
    pub(crate) router: Router,
    pub(crate) service: Service,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) store: Arc<MemoryStore>,
}

/// An answer: what a client sees of it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("JSON: {self:?}"))
    }

    /// Status and body as one text, for snapshots.
    pub(crate) fn shown(&self) -> String {
        format!("{} {}", self.status.as_u16(), self.text)
    }

    pub(crate) fn token(&self) -> String {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        self.json()["token"].as_str().expect("a token").to_owned()
    }

    #[track_caller]
    pub(crate) fn is(&self, status: u16, id: &str) -> &Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert_eq!(self.json()["id"], id, "{}", self.text);
        self
    }
}

pub(crate) struct Call<'a> {
    app: &'a App,
    request: axum::http::request::Builder,
    body: Vec<u8>,
    stream: Option<Body>,
    accept: Option<&'a str>,
    peer: SocketAddr,
}

impl Call<'_> {
    pub(crate) fn bearer(mut self, token: &str) -> Self {
        self.request = self
            .request
            .header("authorization", format!("Bearer {token}"));
        self
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.bytes(body.to_string())
    }

    pub(crate) fn bytes(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn stream(mut self, body: Body) -> Self {
        self.stream = Some(body);
        self
    }

    pub(crate) fn accept(mut self, accept: Option<&'static str>) -> Self {
        self.accept = accept;
        self
    }

    pub(crate) fn from(mut self, peer: &str) -> Self {
        self.peer = peer.parse().expect("an address");
        self
    }

    pub(crate) async fn send(self) -> Answer {
        let mut request = self.request;
        if let Some(accept) = self.accept {
            request = request.header("accept", accept);
        }
        let body = self.stream.unwrap_or_else(|| Body::from(self.body));
        let mut request = request.body(body).expect("a request");
        request.extensions_mut().insert(ConnectInfo(self.peer));
        let response = self
            .app
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("an answer");
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        assert!(
            parts.headers.contains_key("x-request-id"),
            "every answer has a request id"
        );
        let text = String::from_utf8(bytes.to_vec()).expect("UTF-8");
        let content_type = parts.headers.get("content-type");
        let is_json = content_type.is_none_or(|name| name == "application/json");
        assert!(!is_json || !text.contains(":null"), "no nulls: {text}");
        Answer {
            status: parts.status,
            headers: parts.headers,
            text,
        }
    }
}

impl App {
    pub(crate) async fn start() -> Self {
        Self::start_with(Policy::default(), Site::default()).await
    }

    pub(crate) async fn start_with(policy: Policy, site: Site) -> Self {
        let (store, clock) = (Arc::default(), Arc::default());
        let app = Self::open(store, clock, 42, policy, site).await;
        let made = app.service.make_first_admin(Secret::from(PASSWORD)).await;
        assert_eq!(made.expect("an administrator"), FirstAdmin::Made);
        app
    }

    /// Another process over the same store.
    pub(crate) async fn replica(&self) -> Self {
        let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock));
        Self::open(store, clock, 43, Policy::default(), Site::default()).await
    }

    async fn open(
        store: Arc<MemoryStore>,
        clock: Arc<FakeClock>,
        seed: u64,
        policy: Policy,
        site: Site,
    ) -> Self {
        let service = Service::open(Parts {
            store: Arc::clone(&store) as _,
            clock: Arc::clone(&clock) as _,
            random: Arc::new(SeededRandom::new(seed)),
            keyring: Keyring::new(&Secret::new([7; 32])),
            policy,
        })
        .await
        .expect("a service");
        let router = router(
            service.clone(),
            site,
            TrustedProxies::none(),
            Readiness::default(),
            Traces::none(),
        );
        Self {
            router,
            service,
            clock,
            store,
        }
    }

    pub(crate) fn call<'a>(&'a self, method: &str, path: &str) -> Call<'a> {
        Call {
            app: self,
            request: Request::builder().method(method).uri(path),
            body: Vec::new(),
            stream: None,
            accept: Some(ACCEPT),
            peer: "127.0.0.1:1".parse().expect("an address"),
        }
    }

    pub(crate) fn post<'a>(&'a self, path: &str, body: &Value) -> Call<'a> {
        self.call("POST", path).json(body)
    }

    pub(crate) fn get<'a>(&'a self, path: &str) -> Call<'a> {
        self.call("GET", path)
    }

    pub(crate) async fn sign_in(&self, username: &str, password: &str) -> Answer {
        self.post("/admin/authentication", &credentials(username, password))
            .send()
            .await
    }

    pub(crate) async fn partial(&self, username: &str) -> String {
        self.sign_in(username, PASSWORD).await.token()
    }

    pub(crate) async fn initialize(&self, token: &str) -> Answer {
        self.post("/admin/authentication/otp/initialize", &json!({}))
            .bearer(token)
            .send()
            .await
    }

    pub(crate) async fn otp(&self, token: &str, otp: &str) -> Answer {
        self.post("/admin/authentication/otp", &json!({ "otp": otp }))
            .bearer(token)
            .send()
            .await
    }

    pub(crate) async fn authorize(&self, token: &str) -> Answer {
        self.get("/admin/authorization").bearer(token).send().await
    }

    /// Sets an authenticator up for the bearer of a partial token.
    pub(crate) async fn enrol(&self, partial: &str) -> Authenticator {
        let shown = self.initialize(partial).await.json();
        Authenticator::from_base32(shown["secret"].as_str().expect("a seed"))
    }

    pub(crate) fn code(&self, authenticator: &Authenticator) -> String {
        authenticator.code(self.clock.wall())
    }

    /// Signs the administrator in for the first time; the token for administration, and the
    /// authenticator.
    pub(crate) async fn admin(&self) -> (String, Authenticator) {
        let partial = self.partial("admin").await;
        let authenticator = self.enrol(&partial).await;
        let verified = self.otp(&partial, &self.code(&authenticator)).await.token();
        (self.authorize(&verified).await.token(), authenticator)
    }

    /// Signs the administrator in once more, in a later step; the token for administration.
    pub(crate) async fn admin_again(&self, authenticator: &Authenticator) -> String {
        self.clock.advance(std::time::Duration::from_secs(30));
        let partial = self.partial("admin").await;
        let verified = self.otp(&partial, &self.code(authenticator)).await.token();
        self.authorize(&verified).await.token()
    }

    /// Makes a user with [`PASSWORD`].
    pub(crate) async fn add_user(&self, admin: &str, name: &str) -> Answer {
        let user = json!({
            "name": name, "firstName": "F", "lastName": "L", "password": PASSWORD,
        });
        self.post("/admin/local-users", &user)
            .bearer(admin)
            .send()
            .await
    }
}

pub(crate) fn credentials(username: &str, password: &str) -> Value {
    json!({
        "providerName": "local", "username": username, "password": password, "deviceId": DEVICE,
    })
}

/// The sending end of a body that arrives piece by piece.
pub(crate) struct Pieces(tokio::sync::mpsc::Sender<Vec<u8>>);

impl Pieces {
    /// Sends a piece, when the one before was taken.
    pub(crate) async fn piece(&mut self, bytes: &[u8]) {
        self.0.send(bytes.to_vec()).await.expect("somebody reads");
    }
}

/// A body that arrives piece by piece.
pub(crate) fn body_in_pieces() -> (Pieces, Body) {
    let (send, receive) = tokio::sync::mpsc::channel(1);
    let stream = futures_util::stream::unfold(receive, async |mut receive| {
        let piece: Vec<u8> = receive.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(piece), receive))
    });
    (Pieces(send), Body::from_stream(stream))
}
