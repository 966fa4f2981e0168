//! What every request gets: an id, a span, a log line, and an answer even when a handler panics.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;

use axum::extract::{MatchedPath, Request};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use axum::routing::Route;
use futures_util::FutureExt as _;
use futures_util::future::{Either, ready};
use tracing::{Instrument as _, debug, error, info_span};
use uuid::Uuid;
use vestibule_service::Service;

use crate::around::answer;
use crate::client::Client;
use crate::error::ApiError;
use crate::routes::has_versions;
use crate::{TrustedProxies, accept};

/// What a handler that panics leaves.
type Panic = Box<dyn Any + Send>;

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

/// Puts a request and its answer into an envelope.
pub(crate) fn envelope(
    Stationery { service, proxies }: &Stationery,
    mut request: Request,
    route: Route,
) -> impl Future<Output = Response> + Send + use<> {
    let id = RequestId(service.random_uuid());
    let client = Client(proxies.client(request.extensions(), request.headers()));
    request.extensions_mut().insert(id);
    request.extensions_mut().insert(client);
    // The route and not the path: a path may hold a name.
    let matched = request.extensions().get::<MatchedPath>();
    let matched = matched.map_or("", MatchedPath::as_str);
    let span = info_span!(
        "request",
        request.id = %id.0,
        client.address = %client.0,
        http.method = %request.method(),
        http.route = matched,
    );
    let refusal = has_versions(matched).then(|| accept::refusal(request.headers()));
    let answered = match refusal.flatten() {
        Some(refusal) => Either::Left(ready(refusal)),
        None => Either::Right(answer(route, request)),
    };
    AssertUnwindSafe(answered)
        .catch_unwind()
        .map(move |answered| finish(id, answered))
        .instrument(span)
}

fn finish(id: RequestId, answered: Result<Response, Panic>) -> Response {
    let mut response = answered.unwrap_or_else(|_| {
        error!("A handler panicked; the panic is above");
        ApiError::internal().into_response()
    });
    debug!(http.status = response.status().as_u16(), "Answered");
    let headers = response.headers_mut();
    // Answers hold tokens and names: nobody on the way may keep them.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(value) = HeaderValue::from_str(&id.0.to_string()) {
        headers.insert(X_REQUEST_ID, value);
    }
    response
}
