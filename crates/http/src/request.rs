//! What every request gets: an id, a span, a log line, and an answer even when a handler panics.

use std::panic::AssertUnwindSafe;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use tracing::{Instrument as _, error, info_span};
use uuid::Uuid;
use vestibule_service::Service;

use crate::TrustedProxies;
use crate::client::Client;
use crate::error::ApiError;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request: in its log lines, and in the `X-Request-Id` header of its answer.
#[derive(Clone, Copy, Debug)]
pub struct RequestId(pub Uuid);

/// What an envelope is made with.
#[derive(Clone)]
pub(crate) struct Stationery {
    pub(crate) service: Service,
    pub(crate) proxies: TrustedProxies,
}

pub(crate) async fn envelope(
    State(Stationery { service, proxies }): State<Stationery>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = RequestId(service.random_uuid());
    let client = Client(proxies.client(request.extensions(), request.headers()));
    request.extensions_mut().insert(id);
    request.extensions_mut().insert(client);
    // The route and not the path: a path may hold a name.
    let route = request.extensions().get::<MatchedPath>();
    let span = info_span!(
        "request",
        request.id = %id.0,
        client.address = %client.0,
        http.method = %request.method(),
        http.route = route.map_or("", MatchedPath::as_str),
    );
    let answered = AssertUnwindSafe(next.run(request).instrument(span.clone()))
        .catch_unwind()
        .await;
    let mut response = span.in_scope(|| {
        answered.unwrap_or_else(|_| {
            error!("A handler panicked; the panic is above");
            ApiError::internal().into_response()
        })
    });
    span.in_scope(|| {
        tracing::debug!(http.status = response.status().as_u16(), "Answered");
    });
    if let Ok(value) = HeaderValue::from_str(&id.0.to_string()) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    response
}
