//! The port: accepts connections up to a limit. More of them wait in the system's queue.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum_server::{AddrListener, Address};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::warn;

/// Files that are open beside the connections: the database, logs, connections to others.
const OTHER_FILES: u64 = 256;

/// Accepts connections up to a limit.
#[derive(Debug)]
pub(super) struct Listener {
    tcp: TcpListener,
    free: Arc<Semaphore>,
}

impl Listener {
    pub(super) async fn bind(address: SocketAddr, connections: u32) -> io::Result<Self> {
        allow_open_files(u64::from(connections) + OTHER_FILES);
        let limit = usize::try_from(connections)
            .unwrap_or(usize::MAX)
            .min(Semaphore::MAX_PERMITS);
        let tcp = TcpListener::bind(address).await?;
        Ok(Self {
            tcp,
            free: Arc::new(Semaphore::new(limit)),
        })
    }

    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(SocketAddr);

impl Address for Peer {
    type Stream = Connection;
    type Listener = Listener;
}

impl AddrListener<Connection, Peer> for Listener {
    async fn bind_to(address: Peer) -> io::Result<Self> {
        Self::bind(address.0, u32::MAX).await
    }

    async fn accept_stream(&self) -> io::Result<(Connection, Peer)> {
        let place = Arc::clone(&self.free)
            .acquire_owned()
            .await
            .map_err(io::Error::other)?;
        let (stream, address) = self.tcp.accept().await?;
        // Answers are small and written at once.
        stream.set_nodelay(true)?;
        Ok((
            Connection {
                stream,
                _place: place,
            },
            Peer(address),
        ))
    }

    fn get_local_addr(&self) -> io::Result<Peer> {
        self.address().map(Peer)
    }
}

impl Connected<Peer> for SocketAddr {
    fn connect_info(peer: Peer) -> Self {
        peer.0
    }
}

/// A connection, and its place among those that are allowed.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    _place: OwnedSemaphorePermit,
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
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
        let listener = Listener::bind(any, 1).await.unwrap();
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
}
