//! HTTP on the accepted connections: what a client may take, and how long.

use std::fmt;
use std::io;
use std::time::Duration;

use axum::Router;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use axum_server::{Address, Handle, Server};
use tracing::{debug, warn};

use super::listener::Listener;
use super::peer::Peer;
use super::requests::{UnnamedProxy, per_connection};
use crate::tls::ServerTls;

/// How long a client may take for the parts of a request that come before the body.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a request may be before its body, over HTTP/1.1: what a connection reads at first. It
/// would otherwise make room for twice as much, and thousands of them wait at once.
const LONGEST_HEAD: usize = 8 * 1024;

/// Serves until the handle says to stop.
pub(super) async fn serve(
    listener: Listener,
    router: Router,
    unnamed_proxy: UnnamedProxy,
    tls: Option<ServerTls>,
    handle: Handle<Peer>,
) -> io::Result<()> {
    let server = server::<Peer>(listener, handle);
    let service = per_connection::<Peer>(router, unnamed_proxy);
    match tls {
        None => server.serve(service).await,
        Some(tls) => {
            let acceptor = RustlsAcceptor::new(RustlsConfig::from_config(tls.config));
            server
                .acceptor(acceptor.handshake_timeout(PATIENCE))
                .serve(service)
                .await
        }
    }
}

fn server<A: Address + fmt::Debug>(listener: A::Listener, handle: Handle<A>) -> Server<A> {
    let mut server = Server::<A>::from_listener(listener)
        .handle(handle)
        .first_request_timeout(PATIENCE)
        .accept_error_handler(|peer: Option<&A>, error| {
            if let Some(peer) = peer {
                // Scanners and clients that do not trust the certificate are no news.
                debug!(?peer, %error, "Connection refused");
            } else {
                warn!(%error, "Connections cannot be accepted");
            }
        });
    let http = server.http_builder();
    http.http1()
        .header_read_timeout(PATIENCE)
        .max_headers(100)
        .max_buf_size(LONGEST_HEAD);
    http.http2()
        .max_concurrent_streams(128)
        .max_header_list_size(16 * 1024)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(PATIENCE);
    server
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use axum::extract::ConnectInfo;
    use axum::routing::get;
    use axum_server::AddrListener;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::sync::{Mutex, mpsc};
    use tokio::time::{Instant, interval_at};

    use super::super::connection::{Connection, IDLE};
    use super::*;

    /// How long the slow route takes: as a push that somebody has to look at.
    const SLOW: Duration = Duration::from_mins(3);

    /// The other end of a connection in memory: no socket is waited for, so that the time, which
    /// goes on when all tasks wait, is exact.
    #[derive(Clone, Debug)]
    struct MemoryPeer(Peer);

    struct MemoryListener(Mutex<mpsc::Receiver<DuplexStream>>);

    impl Address for MemoryPeer {
        type Stream = Connection<DuplexStream>;
        type Listener = MemoryListener;
    }

    impl AddrListener<Connection<DuplexStream>, MemoryPeer> for MemoryListener {
        async fn bind_to(_: MemoryPeer) -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        async fn accept_stream(&self) -> io::Result<(Connection<DuplexStream>, MemoryPeer)> {
            let Some(stream) = self.0.lock().await.recv().await else {
                return std::future::pending().await;
            };
            let peer = Peer::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 1)), None);
            Ok((Connection::new(stream, peer.clone()), MemoryPeer(peer)))
        }

        fn get_local_addr(&self) -> io::Result<MemoryPeer> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    impl From<MemoryPeer> for Peer {
        fn from(peer: MemoryPeer) -> Self {
            peer.0
        }
    }

    /// A connection to a server with a quick and a slow route.
    async fn connect() -> DuplexStream {
        let (connect, accept) = mpsc::channel(1);
        let slow = async || {
            interval_at(Instant::now() + SLOW, SLOW).tick().await;
        };
        let router = Router::new()
            .route(
                "/",
                get(async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.to_string()),
            )
            .route("/slow", get(slow));
        let service = per_connection::<MemoryPeer>(router, UnnamedProxy::unlikely());
        let listener = MemoryListener(Mutex::new(accept));
        tokio::spawn(server::<MemoryPeer>(listener, Handle::new()).serve(service));
        let (client, accepted) = duplex(4096);
        connect.send(accepted).await.unwrap();
        client
    }

    fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).unwrap();
        [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
    }

    /// Makes a request by HTTP/2 and then answers pings, and nothing else, until the connection
    /// ends (RFC 9113 sections 4.1 and 6.7, RFC 7541 appendix A). How long that took.
    async fn only_answers_pings(path: &[u8]) -> Duration {
        const HEADERS: u8 = 1;
        const SETTINGS: u8 = 4;
        const PING: u8 = 6;
        let mut client = connect().await;
        let start = Instant::now();
        let end_of_all = 0x5;
        let hello = [
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            frame(SETTINGS, 0, 0, &[]),
            frame(HEADERS, end_of_all, 1, &[&[0x82, 0x86], path].concat()),
        ];
        client.write_all(&hello.concat()).await.unwrap();
        loop {
            let mut head = [0; 9];
            if client.read_exact(&mut head).await.is_err() {
                return start.elapsed();
            }
            let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
            client.read_exact(&mut payload).await.unwrap();
            if head[3] == PING && head[4] == 0 {
                let _ = client.write_all(&frame(PING, 1, 0, &payload)).await;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn answering_pings_does_not_keep_a_connection() {
        assert_eq!(only_answers_pings(&[0x84]).await, IDLE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_answer_is_waited_for() {
        let path = [&[0x04, 5], b"/slow".as_slice()].concat();
        assert_eq!(only_answers_pings(&path).await, SLOW + IDLE);
    }

    #[tokio::test(start_paused = true)]
    async fn the_older_protocol_waits_as_well() {
        let mut client = connect().await;
        let start = Instant::now();
        let request = b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n";
        client.write_all(request).await.unwrap();
        let mut answer = [0; 15];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
        assert_eq!(start.elapsed(), SLOW);
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.unwrap();
        // Waiting for the head of the next request counts as waiting for its parts.
        assert_eq!(start.elapsed(), SLOW + PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn the_routes_learn_the_address() {
        let mut client = connect().await;
        let request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        client.write_all(request).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("\r\n\r\n127.0.0.1:1"), "{answer}");
    }
}
