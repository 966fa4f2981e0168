//! Whether this process lives, and whether it can serve.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use serde::Serialize;
use tracing::warn;
use vestibule_service::Service;

/// Whether new requests are wanted. Goes false when the server begins to stop.
#[derive(Clone, Debug)]
pub struct Readiness(Arc<AtomicBool>);

impl Default for Readiness {
    fn default() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}

impl Readiness {
    /// Whether new requests are wanted.
    pub fn is_wanted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Asks balancers to send requests elsewhere.
    pub fn stop(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

#[derive(Clone)]
struct Health {
    service: Service,
    readiness: Readiness,
    check: Arc<Mutex<Option<Check>>>,
}

/// A look at the store that is under way: whether it works.
type Check = Shared<BoxFuture<'static, bool>>;

#[derive(Serialize)]
struct Report {
    ready: bool,
    store: &'static str,
    clock: String,
    stopping: bool,
}

const LIVEZ: &str = "/livez";
const READYZ: &str = "/readyz";

/// Whether a route is for those who look after the server.
pub(crate) fn is_probe(route: &str) -> bool {
    [LIVEZ, READYZ].contains(&route)
}

pub(crate) fn routes(service: Service, readiness: Readiness) -> Router {
    Router::new()
        .route(
            LIVEZ,
            get(async || Json(serde_json::json!({ "live": true }))),
        )
        .route(READYZ, get(ready))
        .with_state(Health {
            service,
            readiness,
            check: Arc::default(),
        })
}

impl Health {
    /// Whether the store works. Those who ask at once share one look: nobody who asks a lot gets in
    /// the way of sign-ins.
    fn check(&self) -> Check {
        let mut check = self.check.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(under_way) = check.as_ref().filter(|check| check.peek().is_none()) {
            return under_way.clone();
        }
        let service = self.service.clone();
        // It goes on although those who asked have gone: it may have begun a transaction.
        let begun = tokio::spawn(async move {
            let checked = service.check_store().await;
            if let Err(error) = &checked {
                let error: &dyn std::error::Error = error;
                warn!(error, "Not ready: the store does not work");
            }
            checked.is_ok()
        });
        let begun = begun.map(|ended| ended.unwrap_or(false));
        check.insert(begun.boxed().shared()).clone()
    }
}

/// A clock that was set back is told, and no reason to be withdrawn: it may be right now and have
/// been wrong before, and all replicas of one machine would be withdrawn at once.
async fn ready(State(health): State<Health>) -> Response {
    let store = health.check().await;
    let behind = health.service.clock_behind();
    let stopping = !health.readiness.is_wanted();
    let ready = store && !stopping;
    let report = Report {
        ready,
        store: if store { "ok" } else { "unavailable" },
        clock: if behind.is_zero() {
            "ok".to_owned()
        } else {
            format!(
                "was set back by {} s while this program ran",
                behind.as_secs()
            )
        },
        stopping,
    };
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(report)).into_response()
}
