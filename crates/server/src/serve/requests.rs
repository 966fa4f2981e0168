//! What the server itself does for each request: the connection is in use meanwhile, the routes
//! learn the address of the peer, and an operator learns of a proxy that is not named.

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request};
use axum_server::service::MakeService;
use futures_util::FutureExt as _;
use hyper::body::Incoming;
use tower::{Service as _, service_fn};
use tracing::warn;

use super::peer::Peer;
use crate::config::{Config, Transport};

/// What answers the requests of each connection.
pub(super) fn per_connection<A: Into<Peer>>(
    router: Router,
    unnamed_proxy: UnnamedProxy,
) -> impl MakeService<A, Request<Incoming>, MakeFuture: Send> + Send {
    let unnamed_proxy = Arc::new(unnamed_proxy);
    service_fn(move |peer: A| {
        let (mut router, unnamed_proxy) = (router.clone(), Arc::clone(&unnamed_proxy));
        let peer: Peer = peer.into();
        ready(Ok::<_, Infallible>(service_fn(
            move |mut request: Request<Incoming>| {
                unnamed_proxy.look(request.headers());
                request.extensions_mut().insert(ConnectInfo(peer.address()));
                let under_way = peer.begin();
                router.call(request).map(|answer| {
                    drop(under_way);
                    answer
                })
            },
        )))
    })
}

/// Watches for a proxy that nobody named: all of its clients pass for this machine's own programs.
#[derive(Debug)]
pub(super) struct UnnamedProxy {
    /// Whether there is still something to say.
    watching: AtomicBool,
}

impl UnnamedProxy {
    /// Without TLS on the loopback a proxy is likely. Elsewhere these headers are what anybody
    /// may have made up, and with proxies named there is nothing to learn.
    pub(super) fn watch(config: &Config) -> Self {
        let likely = config.transport == Transport::Http && config.trusted_proxies.is_empty();
        Self {
            watching: AtomicBool::new(likely),
        }
    }

    /// Nothing is ever said.
    pub(super) fn unlikely() -> Self {
        Self {
            watching: AtomicBool::new(false),
        }
    }

    fn look(&self, headers: &HeaderMap) {
        if self.is_news(headers) {
            warn!(
                "Requests come through a proxy: name the proxy in [proxies] trusted; until then \
                 its clients pass for programs of this machine, which are not limited"
            );
        }
    }

    fn is_news(&self, headers: &HeaderMap) -> bool {
        let forwarded =
            || headers.contains_key("x-forwarded-for") || headers.contains_key("forwarded");
        self.watching.load(Ordering::Relaxed)
            && forwarded()
            && self.watching.swap(false, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(watching: bool, header: &'static str, news: bool) {
        let proxy = UnnamedProxy {
            watching: AtomicBool::new(watching),
        };
        assert!(!proxy.is_news(&HeaderMap::new()));
        let headers =
            HeaderMap::from_iter([(header.parse().unwrap(), "192.0.2.1".parse().unwrap())]);
        assert_eq!(proxy.is_news(&headers), news, "{header}");
        assert!(!proxy.is_news(&headers), "it is said once");
    }

    #[test]
    fn a_proxy_is_news_once() {
        check(true, "x-forwarded-for", true);
        check(true, "forwarded", true);
        check(true, "x-request-id", false);
        check(false, "x-forwarded-for", false);
    }
}
