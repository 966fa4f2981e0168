//! What reads hostile octets here, for the crate `fuzzing`. No part of the API.

use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap, Uri};
use std::net::SocketAddr;
use vestibule_engine::Token;
use vestibule_service::{ClientAddress, ListQuery, Listing};
use vestibule_wire::List;

use crate::list::ListRequest;
use crate::{TrustedProxies, accept, bearer, routes};

/// Whether the client speaks a version of ours.
pub fn speaks_ours(headers: &HeaderMap) -> bool {
    accept::refusal(headers).is_none()
}

/// The token of a request.
pub fn token(headers: &HeaderMap) -> Option<Token> {
    bearer::read(headers).ok()
}

/// Where a request of this peer comes from.
pub fn client(proxies: &TrustedProxies, peer: SocketAddr, headers: &HeaderMap) -> ClientAddress {
    let mut extensions = Extensions::new();
    extensions.insert(ConnectInfo(peer));
    proxies.client(&extensions, headers)
}

/// What authenticators show as the host.
pub fn host(uri: &Uri, headers: &HeaderMap) -> String {
    routes::host(uri, headers)
}

/// What is understood of the query of a list, and what the client is told of it.
pub fn list(query: &str, fields: &[&'static str], matching: u64) -> (ListQuery, List<()>) {
    let listing = Listing::<()> {
        items: Vec::new(),
        matching,
        total: matching,
    };
    let request = ListRequest::read(Some(query), fields);
    let understood = request.query.clone();
    (understood, request.answer(listing, "name", |()| ()))
}
