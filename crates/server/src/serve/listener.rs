//! The port: accepts connections up to a limit. More of them wait in the system's queue.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum_server::{AddrListener, Address};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpStream};
use tracing::{debug, warn};

use super::connection::Connection;
use super::peer::Peer;
use super::places::{Exempt, Places};

/// Files that are open beside the connections: the database, logs, connections to others.
const OTHER_FILES: u64 = 256;

/// Accepts connections up to a limit.
#[derive(Debug)]
pub(super) struct Listener {
    tcp: TcpListener,
    places: Places,
}

impl Listener {
    pub(super) async fn bind(
        address: SocketAddr,
        connections: u32,
        exempt: Exempt,
    ) -> io::Result<Self> {
        allow_open_files(u64::from(connections) + OTHER_FILES);
        let tcp = TcpListener::bind(address).await?;
        Ok(Self {
            tcp,
            places: Places::new(connections, exempt),
        })
    }

    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

impl Address for Peer {
    type Stream = Connection<TcpStream>;
    type Listener = Listener;
}

impl AddrListener<Connection<TcpStream>, Peer> for Listener {
    async fn bind_to(address: Peer) -> io::Result<Self> {
        Self::bind(address.address(), u32::MAX, Arc::new(|_| true)).await
    }

    async fn accept_stream(&self) -> io::Result<(Connection<TcpStream>, Peer)> {
        let place = self.places.free().await?;
        loop {
            let (stream, address) = self.tcp.accept().await?;
            let Some(share) = self.places.share_of(address.ip()) else {
                debug!(%address, "Connection closed: this client has too many");
                continue;
            };
            // Answers are small and written at once.
            stream.set_nodelay(true)?;
            let peer = Peer::new(address, Some((place, share)));
            return Ok((Connection::new(stream, peer.clone()), peer));
        }
    }

    fn get_local_addr(&self) -> io::Result<Peer> {
        self.address().map(|address| Peer::new(address, None))
    }
}

/// Raises the limit of open files as far as it needs to be and may.
fn allow_open_files(wanted: u64) {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return;
    }
    let possible = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let raised = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(possible),
            ..limit
        },
    );
    if raised.is_err() || possible < wanted {
        warn!(
            wanted,
            allowed = if raised.is_ok() {
                Some(possible)
            } else {
                limit.current
            },
            "Fewer files may be open than [limits] connections asks for: raise `ulimit -n`"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn one_too_many_waits() {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = Listener::bind(any, 1, Arc::new(|_| true)).await.unwrap();
        let address = listener.address().unwrap();
        let _first = TcpStream::connect(address).await.unwrap();
        let mut second = TcpStream::connect(address).await.unwrap();
        let (first, _) = listener.accept_stream().await.unwrap();
        let mut waiting = Box::pin(listener.accept_stream());
        tokio::select! {
            biased;
            _ = &mut waiting => panic!("there was no place"),
            () = tokio::task::yield_now() => {}
        }
        drop(first);
        let (mut accepted, _) = waiting.await.unwrap();
        accepted.write_all(b"x").await.unwrap();
        assert_eq!(second.read_u8().await.unwrap(), b'x');
    }

    #[tokio::test]
    async fn a_client_over_its_share_is_closed_at_once() {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = Listener::bind(any, 512, Arc::new(|_| false)).await.unwrap();
        let address = listener.address().unwrap();
        let mut accepted = Vec::new();
        for _ in 0..64 {
            let client = TcpStream::connect(address).await.unwrap();
            accepted.push((client, listener.accept_stream().await.unwrap()));
        }
        let mut one_too_many = TcpStream::connect(address).await.unwrap();
        tokio::select! {
            _ = listener.accept_stream() => panic!("it is over its share"),
            read = one_too_many.read_u8() => assert!(read.is_err(), "it is closed"),
        }
        accepted.pop();
        let _client = TcpStream::connect(address).await.unwrap();
        listener.accept_stream().await.unwrap();
    }
}
