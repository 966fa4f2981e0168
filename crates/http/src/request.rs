//! What every request gets: an id, a span, a log line, and an answer even when a handler panics.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use axum::extract::{MatchedPath, Request};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::Route;
use futures_util::FutureExt as _;
use futures_util::future::{Either, ready};
use tracing::field::Empty;
use tracing::{Instrument as _, Span, debug, error, info_span};
use uuid::Uuid;
use vestibule_service::{Origin, Service, ServiceError};

use crate::around::answer;
use crate::client::Asked;
use crate::error::{ApiError, Denied};
use crate::routes::has_versions;
use crate::traces::Joined;
use crate::watch::Watch;
use crate::{Traces, TrustedProxies, accept};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Of W3C Trace Context, level 2.
const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");

/// The target of the spans of requests.
pub const REQUEST_TARGET: &str = "vestibule_http::request";

/// The id of a request: in its log lines, and in the `X-Request-Id` header of its answer.
#[derive(Clone, Copy, Debug)]
pub struct RequestId(pub Uuid);

/// What an envelope is made with.
#[derive(Clone)]
pub(crate) struct Stationery {
    pub(crate) service: Service,
    pub(crate) proxies: TrustedProxies,
    pub(crate) traces: Traces,
}

/// Puts a request and its answer into an envelope.
pub(crate) fn envelope(
    Stationery {
        service,
        proxies,
        traces,
    }: &Stationery,
    mut request: Request,
    route: Route,
) -> impl Future<Output = Response> + Send + use<> {
    let id = RequestId(service.random_uuid());
    let address = proxies.client(request.extensions(), request.headers());
    let asked = Asked(Origin {
        request: id.0,
        address,
    });
    request.extensions_mut().insert(id);
    request.extensions_mut().insert(asked);
    let service = service.clone();
    // The route and not the path: a path may hold a name.
    let matched_path = request.extensions().get::<MatchedPath>().cloned();
    let matched = matched_path.as_ref().map_or("", MatchedPath::as_str);
    let span = info_span!(
        target: REQUEST_TARGET,
        "request",
        request.id = %id.0,
        client.address = %address,
        http.method = %request.method(),
        http.route = matched,
        http.status = Empty,
        trace.id = Empty,
    );
    let joined = traces.join(&span, request.headers());
    let is_ours = has_versions(matched);
    let bears_token = request.headers().contains_key(AUTHORIZATION);
    let refusal = is_ours.then(|| {
        let admitted = service.admits_request(address);
        let limited = admitted.err().map(ApiError::too_many_requests);
        limited
            .map(IntoResponse::into_response)
            .or_else(|| accept::refusal(request.headers()))
    });
    let watch = Watch::begin(service.clone(), request.method().clone(), matched_path);
    let answered = match refusal.flatten() {
        Some(refusal) => Either::Left(ready(refusal)),
        None => Either::Right(answer(route, request)),
    };
    AssertUnwindSafe(answered)
        .catch_unwind()
        .then(move |answered| {
            let mut response = answered.unwrap_or_else(|_| {
                error!("A handler panicked; the panic is above");
                ApiError::internal().into_response()
            });
            let is_good = bears_token && response.status() != StatusCode::UNAUTHORIZED;
            if is_ours && !is_good && response.status() != StatusCode::TOO_MANY_REQUESTS {
                service.count_without_token(address);
            }
            // Few answers deny anything, and many wait long: only those few are given the room.
            match response.extensions_mut().remove::<Denied>() {
                None => Either::Left(ready(response)),
                Some(denied) => Either::Right(deny(service, denied, asked, response).boxed()),
            }
        })
        .map(move |response| finish(id, watch, joined, response))
        .instrument(span)
}

/// An answer that denies something, once that is written down. What cannot be written down is not
/// answered.
async fn deny(
    service: Service,
    Denied(denial): Denied,
    Asked(origin): Asked,
    response: Response,
) -> Response {
    match service.record_denial(&denial, origin).await {
        Ok(()) => response,
        Err(error) => ApiError::from(ServiceError::Unavailable(error.into())).into_response(),
    }
}

fn finish(
    id: RequestId,
    watch: Watch,
    joined: Option<Box<Joined>>,
    mut response: Response,
) -> Response {
    let status = response.status().as_u16();
    watch.answered(status);
    debug!(http.status = status, "Answered");
    let headers = response.headers_mut();
    // Answers hold tokens and names: nobody on the way may keep them.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(joined) = joined {
        Span::current().record("http.status", status);
        headers.insert(TRACERESPONSE, joined.response);
    }
    if let Ok(value) = HeaderValue::from_str(&id.0.to_string()) {
        headers.insert(X_REQUEST_ID, value);
    }
    response
}
