//! `/metrics`, on a port of its own: what the service counts, and what is known of the process.
//!
//! Whoever can reach the port can read it. It names no user and no client, but says how much
//! happens here.

mod process;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum_server::Handle;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use tokio::time::timeout;
use tracing::{error, info};
use vestibule_engine::Timestamp;
use vestibule_http::Readiness;
use vestibule_service::{Service, new_registry};

use super::http;
use super::listener::Listener;
use super::peer::Peer;
use super::requests::UnnamedProxy;

/// Connections at a time: scrapers are few.
const CONNECTIONS: u32 = 16;
/// How long the store may take to show that it works: scrapers wait ten seconds.
const PATIENCE: Duration = Duration::from_secs(3);
/// The form of what is shown.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What is looked at when somebody asks.
#[derive(Clone)]
pub(super) struct Measured {
    pub(super) service: Service,
    pub(super) readiness: Readiness,
    /// The server of the API, which knows its connections.
    pub(super) server: Handle<Peer>,
    /// When this process started.
    pub(super) started: Timestamp,
    pub(super) looks: SharedLook,
}

/// A look at the store that is under way: whether it works.
type Look = Shared<BoxFuture<'static, bool>>;

/// The one look that those who ask at once share: nobody who asks a lot gets in the way of sign-ins.
#[derive(Clone, Default)]
pub(super) struct SharedLook(Arc<Mutex<Option<Look>>>);

impl SharedLook {
    fn at_store_of(&self, service: &Service) -> Look {
        let mut look = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(under_way) = look.as_ref().filter(|look| look.peek().is_none()) {
            return under_way.clone();
        }
        let service = service.clone();
        // It ends whether or not somebody waits for it: one that is left halfway would keep what it
        // has locked.
        let begun = tokio::spawn(async move { service.check_store().await.is_ok() });
        let begun = begun.map(|checked| checked.unwrap_or(false));
        look.insert(begun.boxed().shared()).clone()
    }
}

/// Opens the port of the measures, which is not read from yet.
pub(super) async fn listen(address: SocketAddr) -> std::io::Result<Listener> {
    // All places may be one client's: who else would ask?
    let nobody_is_limited = Arc::new(|_: IpAddr| true);
    let listener = Listener::bind(address, CONNECTIONS, nobody_is_limited).await?;
    info!(address = %listener.address()?, "Measures are shown at /metrics");
    Ok(listener)
}

/// Shows measures until the handle says to stop.
pub(super) async fn show(listener: Listener, measured: Measured, handle: Handle<Peer>) {
    let router = Router::new()
        .route("/metrics", get(answer))
        .with_state(measured);
    let unnamed_proxy = UnnamedProxy::unlikely();
    if let Err(error) = http::serve(listener, router, unnamed_proxy, None, handle).await {
        let error: &dyn std::error::Error = &error;
        error!(error, "Measures are shown no longer");
    }
}

async fn answer(State(measured): State<Measured>) -> Response {
    let registry = measured.as_of_now().await;
    match measured.service.write_metrics(&registry) {
        Ok(text) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => {
            error!(%error, "The measures cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

impl Measured {
    /// What the service does not know.
    async fn as_of_now(&self) -> Registry {
        let looked = timeout(PATIENCE, self.looks.at_store_of(&self.service)).await;
        let store_works = looked.unwrap_or(false);
        let is_ready = store_works && self.readiness.is_wanted();
        let mut all = new_registry();
        all.register(
            "store_up",
            "1 while the store can be read and written",
            truth(store_works),
        );
        all.register(
            "ready",
            "1 while requests are wanted here, as /readyz says",
            truth(is_ready),
        );
        let connections = Gauge::<i64>::default();
        connections.set(i64::try_from(self.server.connection_count()).unwrap_or(i64::MAX));
        all.register(
            "http_connections",
            "Connections of clients that are open",
            connections,
        );
        all.register(
            "build",
            "What runs here",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        process::register(&mut all, self.started);
        all
    }
}

fn truth(is_true: bool) -> Gauge {
    let gauge = Gauge::default();
    gauge.set(i64::from(is_true));
    gauge
}

#[cfg(test)]
mod tests {
    use vestibule_engine::Secret;
    use vestibule_service::{Keyring, OsRandom, Parts, Policy, SystemClock};
    use vestibule_store_memory::MemoryStore;

    use super::*;

    #[tokio::test]
    async fn those_who_ask_at_once_share_a_look() {
        let parts = Parts {
            store: Arc::new(MemoryStore::new()),
            clock: Arc::new(SystemClock::new()),
            random: Arc::new(OsRandom),
            keyring: Keyring::new(&Secret::new([7; 32])),
            policy: Policy::default(),
        };
        let service = Service::open(parts).await.unwrap();
        let looks = SharedLook::default();
        let one = looks.at_store_of(&service);
        let other = looks.at_store_of(&service);
        assert!(one.ptr_eq(&other));
        assert!(one.await);
        let later = looks.at_store_of(&service);
        assert!(!later.ptr_eq(&other), "each looks anew");
        assert!(later.await);
    }
}
