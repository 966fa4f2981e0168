//! The REST API, as a thin adapter: parse into types of the domain, call the service, convert
//! back. No decision is made here but which status an outcome has.
//!
//! The order of checks is the same for every route: is there such a route (404), does the client
//! speak our versions (406), is there such a method (405), is the token good (401) and its bearer
//! allowed (403), is the body JSON of the right shape (400), do its values make sense (422), and
//! does what it is about exist (404) or stand in the way (409).

mod accept;
mod around;
mod bearer;
mod body;
mod client;
mod convert;
mod document;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod health;
mod list;
mod path;
mod request;
mod routes;
mod traces;
mod watch;

pub use client::TrustedProxies;
pub use convert::audit_event;
pub use document::document;
pub use health::Readiness;
pub use request::{REQUEST_TARGET, RequestId};
pub use traces::{Joined, Traces};

use std::sync::Arc;

use around::around;
use axum::Router;
use axum::body::Bytes;
use tracing::error;
use vestibule_service::Service;

/// What an operator may have clients told.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// Shown after a sign-in.
    pub message_of_the_day: Option<String>,
    /// Shown before a sign-in.
    pub banner: Option<String>,
    /// `hosted` or `connected`.
    pub ztp_collective_type: Option<String>,
    /// `standard` or `demo`.
    pub ztp_account_type: Option<String>,
    /// Whether certificate revocation lists are on.
    pub crl_enabled: Option<bool>,
}

/// What the routes share.
#[derive(Clone)]
pub(crate) struct App {
    service: Service,
    site: Arc<Site>,
    /// The document of the API, if it could be written.
    document: Option<Bytes>,
}

/// All routes: the API under `/admin`, `/livez` and `/readyz` beside it.
pub fn router(
    service: Service,
    site: Site,
    proxies: TrustedProxies,
    readiness: Readiness,
    traces: Traces,
) -> Router {
    let (api, document) = routes::api().split_for_parts();
    let document = document::write(&document)
        .inspect_err(|error| error!(%error, "The document of the API cannot be written"));
    let app = App {
        service: service.clone(),
        site: Arc::new(site),
        document: document.ok().map(Bytes::from),
    };
    let stationery = request::Stationery {
        service: service.clone(),
        proxies,
        traces,
    };
    api.with_state(app)
        .merge(health::routes(service, readiness))
        .fallback(error::no_such_route)
        .method_not_allowed_fallback(error::no_such_method)
        .layer(around(move |request, route| {
            request::envelope(&stationery, request, route)
        }))
}
