//! The other end of a connection, and when that was last of use: it has a request under way, or it
//! has been idle since then.
//!
//! Bytes that arrive are no use by themselves. A client of HTTP/2 that only answers pings would
//! otherwise hold its place for ever.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;

use futures_util::task::AtomicWaker;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::places::Share;

/// The other end of a connection, and what goes on in it. Shared by the connection and its
/// requests; small, as several of them are held for each of thousands of connections.
#[derive(Clone, Debug)]
pub(super) struct Peer(Arc<Known>);

#[derive(Debug)]
struct Known {
    address: SocketAddr,
    usage: Arc<Usage>,
    /// The place among the connections that are allowed.
    _place: Option<(OwnedSemaphorePermit, Share)>,
}

/// What use is made of a connection.
#[derive(Debug)]
pub(super) struct Usage {
    activity: Mutex<Activity>,
    /// Whether somebody else needs its place.
    unwanted: AtomicBool,
    /// Who notices that.
    connection: AtomicWaker,
}

#[derive(Debug)]
struct Activity {
    under_way: usize,
    idle_since: Instant,
}

impl Usage {
    /// Of a new connection, which has been of no use so far.
    pub(super) fn new() -> Self {
        let activity = Activity {
            under_way: 0,
            idle_since: Instant::now(),
        };
        Self {
            activity: Mutex::new(activity),
            unwanted: AtomicBool::new(false),
            connection: AtomicWaker::new(),
        }
    }

    /// Since when there has been no request; nothing while there is one.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let activity = self.activity();
        (activity.under_way == 0).then_some(activity.idle_since)
    }

    /// Ends the connection as soon as no request is under way.
    pub(super) fn end(&self) {
        self.unwanted.store(true, Ordering::Release);
        self.connection.wake();
    }

    /// Whether the connection is to end before it has been idle for too long; else the task is
    /// woken when it is.
    pub(super) fn is_unwanted(&self, cx: &Context<'_>) -> bool {
        self.connection.register(cx.waker());
        self.unwanted.load(Ordering::Acquire) && self.idle_since().is_some()
    }

    fn activity(&self) -> MutexGuard<'_, Activity> {
        // Nobody panics in between, and the numbers are right at any point.
        let activity = self.activity.lock();
        activity.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Peer {
    /// Of a new connection.
    pub(super) fn new(address: SocketAddr, place: Option<(OwnedSemaphorePermit, Share)>) -> Self {
        let counted = place.as_ref().and_then(|(_, share)| share.usage());
        Self(Arc::new(Known {
            address,
            usage: counted.unwrap_or_else(|| Arc::new(Usage::new())),
            _place: place,
        }))
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// A request begins, and goes on until its value is dropped.
    pub(super) fn begin(&self) -> UnderWay {
        self.usage().activity().under_way += 1;
        UnderWay(self.clone())
    }

    /// What use is made of the connection.
    pub(super) fn usage(&self) -> &Usage {
        &self.0.usage
    }
}

/// A request under way.
#[derive(Debug)]
pub(super) struct UnderWay(Peer);

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut activity = self.0.usage().activity();
        activity.under_way = activity.under_way.saturating_sub(1);
        activity.idle_since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn idle_is_who_has_no_request() {
        let peer = Peer::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 1)), None);
        let start = Instant::now();
        assert_eq!(peer.usage().idle_since(), Some(start));
        let (one, two) = (peer.begin(), peer.begin());
        assert_eq!(peer.usage().idle_since(), None);
        drop(one);
        assert_eq!(peer.usage().idle_since(), None);
        advance(Duration::from_secs(9)).await;
        drop(two);
        assert_eq!(
            peer.usage().idle_since(),
            Some(start + Duration::from_secs(9))
        );
    }
}
