//! The other end of a connection, and when that was last of use: it has a request under way, or it
//! has been idle since then.
//!
//! Bytes that arrive are no use by themselves. A client of HTTP/2 that only answers pings would
//! otherwise hold its place for ever.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    activity: Mutex<Activity>,
    /// The place among the connections that are allowed.
    _place: Option<(OwnedSemaphorePermit, Share)>,
}

#[derive(Debug)]
struct Activity {
    under_way: usize,
    idle_since: Instant,
}

impl Peer {
    /// Of a new connection, which has been of no use so far.
    pub(super) fn new(address: SocketAddr, place: Option<(OwnedSemaphorePermit, Share)>) -> Self {
        let activity = Activity {
            under_way: 0,
            idle_since: Instant::now(),
        };
        Self(Arc::new(Known {
            address,
            activity: Mutex::new(activity),
            _place: place,
        }))
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// A request begins, and goes on until its value is dropped.
    pub(super) fn begin(&self) -> UnderWay {
        self.activity().under_way += 1;
        UnderWay(self.clone())
    }

    /// Since when there has been no request; nothing while there is one.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let activity = self.activity();
        (activity.under_way == 0).then_some(activity.idle_since)
    }

    fn activity(&self) -> MutexGuard<'_, Activity> {
        // Nobody panics in between, and the numbers are right at any point.
        let activity = self.0.activity.lock();
        activity.unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request under way.
#[derive(Debug)]
pub(super) struct UnderWay(Peer);

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut activity = self.0.activity();
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
        assert_eq!(peer.idle_since(), Some(start));
        let (one, two) = (peer.begin(), peer.begin());
        assert_eq!(peer.idle_since(), None);
        drop(one);
        assert_eq!(peer.idle_since(), None);
        advance(Duration::from_secs(9)).await;
        drop(two);
        assert_eq!(peer.idle_since(), Some(start + Duration::from_secs(9)));
    }
}
