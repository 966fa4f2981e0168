//! Where a request comes from.

use std::convert::Infallible;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap};
use uuid::Uuid;
use vestibule_service::{ClientAddress, Origin};

use crate::App;

/// The proxies whose word about the client's address is taken.
#[derive(Clone)]
pub struct TrustedProxies(Arc<dyn Fn(IpAddr) -> bool + Send + Sync>);

impl TrustedProxies {
    /// Nobody's word is taken.
    pub fn none() -> Self {
        Self::new(|_| false)
    }

    /// The word of those that `trusted` names is taken.
    pub fn new(trusted: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(trusted))
    }

    /// The address of the client: the peer itself, or, if that is a trusted proxy, the last one
    /// in `X-Forwarded-For` that is not. What others claim is not even looked at, and what cannot
    /// be read is nobody's address rather than a better one.
    pub(crate) fn client(&self, extensions: &Extensions, headers: &HeaderMap) -> ClientAddress {
        let Some(ConnectInfo(peer)) = extensions.get::<ConnectInfo<SocketAddr>>() else {
            return ClientAddress::Unknown;
        };
        let peer = peer.ip().to_canonical();
        if !self.0(peer) {
            return if peer.is_loopback() {
                ClientAddress::Local
            } else {
                ClientAddress::Known(peer)
            };
        }
        let forwarded: Vec<&[u8]> = headers
            .get_all("x-forwarded-for")
            .iter()
            .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
            .collect();
        for hop in forwarded.into_iter().rev() {
            match address(hop) {
                None => break,
                Some(hop) if self.0(hop) => {}
                Some(hop) => return ClientAddress::Known(hop),
            }
        }
        ClientAddress::Unknown
    }
}

/// An address, as proxies write it: with or without a port, with or without brackets.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop.trim_ascii()).ok()?;
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    let address = bare
        .unwrap_or(text)
        .parse::<IpAddr>()
        .or_else(|_| text.parse().map(|with_port: SocketAddr| with_port.ip()));
    Some(address.ok()?.to_canonical())
}

impl fmt::Debug for TrustedProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TrustedProxies")
    }
}

/// Which request asks, and from where: for handlers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked(pub(crate) Origin);

impl Asked {
    /// What is known of a request that is in its envelope.
    pub(crate) fn of(extensions: &Extensions) -> Self {
        extensions.get().copied().unwrap_or(Self(Origin {
            request: Uuid::nil(),
            address: ClientAddress::Unknown,
        }))
    }
}

impl FromRequestParts<App> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.extensions))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(peer: &str, forwarded: &[&[u8]], expected: &str) {
        let proxies = TrustedProxies::new(|address| address.to_string().starts_with("10."));
        let mut extensions = Extensions::new();
        let peer: IpAddr = peer.parse().unwrap();
        extensions.insert(ConnectInfo(SocketAddr::new(peer, 1)));
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", (*value).try_into().unwrap());
        }
        let client = proxies.client(&extensions, &headers);
        assert_eq!(client.to_string(), expected, "{peer}");
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        check("192.0.2.1", &[b"198.51.100.1"], "192.0.2.1");
        check("::ffff:192.0.2.1", &[], "192.0.2.1");
        check("127.0.0.1", &[b"198.51.100.1"], "local");
        check("10.0.0.1", &[b"198.51.100.1"], "198.51.100.1");
        check(
            "10.0.0.1",
            &[b"203.0.113.9, 198.51.100.1, 10.0.0.2"],
            "198.51.100.1",
        );
        check(
            "10.0.0.1",
            &[b"203.0.113.9", b"198.51.100.1"],
            "198.51.100.1",
        );
        check("10.0.0.1", &[b"198.51.100.1:4711"], "198.51.100.1");
        check("10.0.0.1", &[b"[2001:db8::1]:4711"], "2001:db8::1");
        check("10.0.0.1", &[b"[2001:db8::1]"], "2001:db8::1");
    }

    #[test]
    fn a_client_cannot_get_rid_of_its_address() {
        check("10.0.0.1", &[b"\xff, 198.51.100.1"], "198.51.100.1");
        check("10.0.0.1", &[b"198.51.100.1, nonsense"], "unknown");
        check("10.0.0.1", &[b"nonsense, 10.0.0.2"], "unknown");
        check("10.0.0.1", &[b"127.0.0.1"], "127.0.0.1");
        check("10.0.0.1", &[], "unknown");
    }
}
