//! What every request gets: an id, a span, a log line, and an answer even when a handler panics.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use axum::extract::{MatchedPath, Request};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
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
use crate::health::is_probe;
use crate::routes::has_versions;
use crate::traces::Joined;
use crate::watch::Watch;
use crate::{Traces, TrustedProxies, accept, bearer};

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
    let id = RequestId(service.new_id());
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
    let headers = request.headers();
    let refusal = limit(&service, asked.0, matched, headers).or_else(|| {
        let refusal = has_versions(matched).then(|| accept::refusal(headers));
        refusal.flatten()
    });
    let method = request.method().clone();
    let watch = Watch::begin(service.clone(), asked.0, method, matched_path);
    let answered = match refusal {
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
            // Few answers deny anything, and many wait long: only those few are given the room.
            match response.extensions_mut().remove::<Denied>() {
                None => Either::Left(ready(response)),
                Some(denied) => Either::Right(deny(service, denied, asked, response).boxed()),
            }
        })
        .map(move |response| finish(id, watch, joined, response))
        .instrument(span)
}

/// The answer to an address that has made too many requests without a good token. Whoever looks
/// whether the server is alive is always told.
fn limit(service: &Service, origin: Origin, route: &str, headers: &HeaderMap) -> Option<Response> {
    if is_probe(route) {
        return None;
    }
    let token = || Some(bearer::read(headers).ok()?.hash());
    let begun = service.begin_request(origin, token);
    begun
        .err()
        .map(|wait| ApiError::too_many_requests(wait).into_response())
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
