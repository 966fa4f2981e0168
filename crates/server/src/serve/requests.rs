//! What the server itself does for each request: the connection is in use meanwhile, the routes
//! learn the address of the peer, and an operator learns of a proxy that is not named.

use std::convert::Infallible;
use std::future::ready;
use std::net::IpAddr;
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
use crate::config::Config;

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
                unnamed_proxy.look(peer.address().ip(), request.headers());
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
    /// With proxies named there is nothing to learn.
    pub(super) fn watch(config: &Config) -> Self {
        Self {
            watching: AtomicBool::new(config.trusted_proxies.is_empty()),
        }
    }

    /// Nothing is ever said.
    pub(super) fn unlikely() -> Self {
        Self {
            watching: AtomicBool::new(false),
        }
    }

    fn look(&self, peer: IpAddr, headers: &HeaderMap) {
        if self.is_news(peer, headers) {
            warn!(
                "Requests come through a proxy: name the proxy in [proxies] trusted; until then \
                 its clients pass for programs of this machine, which are not limited"
            );
        }
    }

    /// Only what comes from this machine is limited too little. Whoever is elsewhere may have made
    /// these headers up.
    fn is_news(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        let forwarded =
            || headers.contains_key("x-forwarded-for") || headers.contains_key("forwarded");
        self.watching.load(Ordering::Relaxed)
            && peer.to_canonical().is_loopback()
            && forwarded()
            && self.watching.swap(false, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Flags;

    /// A server with these settings.
    fn watch(file: &str) -> UnnamedProxy {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("vestibule.toml"), file).unwrap();
        let none = std::iter::empty::<(String, String)>().collect();
        let settings = Config::load(&Flags::default(), &none, directory.path());
        UnnamedProxy::watch(&settings.unwrap().config)
    }

    #[track_caller]
    fn check(settings: &str, peer: &str, header: &'static str, news: bool) {
        let proxy = watch(settings);
        let peer = peer.parse().unwrap();
        assert!(!proxy.is_news(peer, &HeaderMap::new()));
        let headers =
            HeaderMap::from_iter([(header.parse().unwrap(), "192.0.2.1".parse().unwrap())]);
        assert_eq!(proxy.is_news(peer, &headers), news, "{header} of {peer}");
        assert!(!proxy.is_news(peer, &headers), "it is said once");
    }

    #[test]
    fn a_proxy_is_news_once() {
        let (tls, plain) = ("", "http = true");
        let named = "http = true\n[proxies]\ntrusted = [\"192.0.2.7\"]";
        for settings in [tls, plain] {
            check(settings, "127.0.0.1", "x-forwarded-for", true);
            check(settings, "127.0.0.1", "forwarded", true);
            check(settings, "127.0.0.1", "x-request-id", false);
            check(settings, "::1", "forwarded", true);
            check(settings, "::ffff:127.0.0.1", "forwarded", true);
        }
        check(tls, "192.0.2.1", "x-forwarded-for", false);
        check(named, "127.0.0.1", "x-forwarded-for", false);
    }
}
