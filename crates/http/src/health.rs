//! Whether this process lives, and whether it can serve.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
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
    /// Asks balancers to send requests elsewhere.
    pub fn stop(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

#[derive(Clone)]
struct Health {
    service: Service,
    readiness: Readiness,
}

#[derive(Serialize)]
struct Report {
    ready: bool,
    store: &'static str,
    clock: String,
    stopping: bool,
}

pub(crate) fn routes(service: Service, readiness: Readiness) -> Router {
    Router::new()
        .route(
            "/livez",
            get(async || Json(serde_json::json!({ "live": true }))),
        )
        .route("/readyz", get(ready))
        .with_state(Health { service, readiness })
}

async fn ready(State(health): State<Health>) -> Response {
    let store = health.service.check_store().await;
    if let Err(error) = &store {
        warn!(
            error = error as &dyn std::error::Error,
            "Not ready: the store does not work"
        );
    }
    let behind = health.service.clock_behind();
    let stopping = !health.readiness.0.load(Ordering::Relaxed);
    let ready = store.is_ok() && behind.is_zero() && !stopping;
    let report = Report {
        ready,
        store: if store.is_ok() { "ok" } else { "unavailable" },
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
