//! A connection, which ends by itself when it is of no use for long.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::peer::Peer;

/// How long a connection may stay without a request: longer than the proxies keep theirs that are
/// to be used again.
pub(super) const IDLE: Duration = Duration::from_secs(75);

/// A connection to a peer.
#[derive(Debug)]
pub(super) struct Connection<S> {
    stream: S,
    peer: Peer,
    /// When to look whether it is idle.
    looks: Interval,
}

impl<S> Connection<S> {
    pub(super) fn new(stream: S, peer: Peer) -> Self {
        let mut looks = interval_at(Instant::now() + IDLE, IDLE);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            stream,
            peer,
            looks,
        }
    }

    /// Ready when the connection has been idle for too long, or is idle and somebody else needs the
    /// place; else the task is woken to look again.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if self.peer.usage().is_unwanted(cx) {
            return Poll::Ready(io::ErrorKind::TimedOut.into());
        }
        loop {
            let now = ready!(self.looks.poll_tick(cx));
            // While a request is under way the next look is far enough: it cannot end and be
            // followed by all of the idle time before that.
            if let Some(since) = self.peer.usage().idle_since() {
                let end = since + IDLE;
                if end <= now {
                    return Poll::Ready(io::ErrorKind::TimedOut.into());
                }
                self.looks.reset_at(end);
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(idle) = self.poll_idle(cx) {
            return Poll::Ready(Err(idle));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // Who does not read what is written may be waited for here and nowhere else.
        if let Poll::Ready(idle) = self.poll_idle(cx) {
            return Poll::Ready(Err(idle));
        }
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
        if let Poll::Ready(idle) = self.poll_idle(cx) {
            return Poll::Ready(Err(idle));
        }
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::time::interval;

    use super::*;

    fn connection() -> (DuplexStream, Connection<DuplexStream>, Peer) {
        let (client, server) = duplex(64);
        let peer = Peer::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 1)), None);
        (client, Connection::new(server, peer.clone()), peer)
    }

    /// Reads until it fails, which is when the connection was idle for too long.
    async fn idles_out(connection: &mut Connection<DuplexStream>) -> Duration {
        let start = Instant::now();
        loop {
            match connection.read_u8().await {
                Ok(_) => {}
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
                    return start.elapsed();
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_is_idle() {
        let (_client, mut connection, _) = connection();
        assert_eq!(idles_out(&mut connection).await, IDLE);
    }

    #[tokio::test(start_paused = true)]
    async fn who_makes_no_request_is_idle_whatever_is_said() {
        let (mut client, mut connection, _) = connection();
        tokio::spawn(async move {
            let mut pings = interval(Duration::from_secs(20));
            loop {
                pings.tick().await;
                let _ = client.write_all(b"ping").await;
            }
        });
        assert_eq!(idles_out(&mut connection).await, IDLE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_under_way_keeps_it_open() {
        let (_client, mut connection, peer) = connection();
        let long = Duration::from_secs(200);
        let request = peer.begin();
        tokio::spawn(async move {
            interval_at(Instant::now() + long, long).tick().await;
            drop(request);
        });
        assert_eq!(idles_out(&mut connection).await, long + IDLE);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_idle_and_unwanted_ends_at_once() {
        let (_client, mut connection, peer) = connection();
        let request = peer.begin();
        peer.usage().end();
        let ends = tokio::spawn(async move { idles_out(&mut connection).await });
        let soon = Duration::from_secs(5);
        interval_at(Instant::now() + soon, soon).tick().await;
        assert!(!ends.is_finished(), "there is a request");
        drop(request);
        peer.usage().end();
        assert_eq!(ends.await.unwrap(), soon);
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_read_is_idle() {
        let (_client, mut connection, _) = connection();
        let start = Instant::now();
        let error = connection.write_all(&[0; 65]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(start.elapsed(), IDLE);
    }
}
