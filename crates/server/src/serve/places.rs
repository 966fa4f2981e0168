//! The places for connections: so many in all, and not all of them for one client.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use vestibule_service::site_of;

use super::peer::Usage;

/// What one client address may have at least, however few places there are: a whole office may be
/// behind it.
const LEAST_SHARE: usize = 64;

/// Whose connections are not counted: this machine's, and those of proxies, which bring many
/// clients.
pub(super) type Exempt = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// All places.
pub(super) struct Places {
    free: Arc<Semaphore>,
    share: usize,
    exempt: Exempt,
    taken: Arc<Taken>,
}

/// The connections of each client, and what use is made of them.
#[derive(Debug, Default)]
struct Taken(Mutex<HashMap<IpAddr, Vec<Arc<Usage>>>>);

impl Taken {
    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Vec<Arc<Usage>>>> {
        // Nobody panics in between, and what is in it is right at any point.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Places")
            .field("free", &self.free.available_permits())
            .field("share", &self.share)
            .finish_non_exhaustive()
    }
}

impl Places {
    pub(super) fn new(connections: u32, exempt: Exempt) -> Self {
        let limit = usize::try_from(connections)
            .unwrap_or(usize::MAX)
            .min(Semaphore::MAX_PERMITS);
        Self {
            free: Arc::new(Semaphore::new(limit)),
            share: (limit / 8).max(LEAST_SHARE),
            exempt,
            taken: Arc::default(),
        }
    }

    /// Waits for a place, whoever may get it. With the last one, the client that has the most
    /// connections loses the one of them that has been idle for the longest time: who keeps places
    /// that are of no use keeps nobody else out.
    pub(super) async fn free(&self) -> io::Result<OwnedSemaphorePermit> {
        let place = Arc::clone(&self.free).acquire_owned().await;
        if self.free.available_permits() == 0 {
            self.make_room();
        }
        place.map_err(io::Error::other)
    }

    fn make_room(&self) {
        let taken = self.taken.lock();
        let idle = taken.values().filter_map(|connections| {
            let idle = connections
                .iter()
                .filter_map(|usage| Some((usage.idle_since()?, usage)));
            let (since, longest) = idle.min_by_key(|(since, _)| *since)?;
            Some((connections.len(), Reverse(since), longest))
        });
        if let Some((_, _, usage)) = idle.max_by_key(|(count, since, _)| (*count, *since)) {
            usage.end();
        }
    }

    /// The share of a client in the places, unless it is used up.
    pub(super) fn share_of(&self, address: IpAddr) -> Option<Share> {
        let address = address.to_canonical();
        if (self.exempt)(address) {
            return Some(Share(None));
        }
        let client = site_of(address);
        let mut taken = self.taken.lock();
        let connections = taken.entry(client).or_default();
        if connections.len() >= self.share {
            return None;
        }
        let usage = Arc::new(Usage::new());
        connections.push(Arc::clone(&usage));
        let taken = Arc::clone(&self.taken);
        Some(Share(Some(Counted {
            taken,
            client,
            usage,
        })))
    }
}

/// One connection of a client, until it is dropped.
#[derive(Debug)]
pub(super) struct Share(Option<Counted>);

#[derive(Debug)]
struct Counted {
    taken: Arc<Taken>,
    client: IpAddr,
    usage: Arc<Usage>,
}

impl Share {
    /// What use is made of the connection, if it is one that may have to give its place up.
    pub(super) fn usage(&self) -> Option<Arc<Usage>> {
        Some(Arc::clone(&self.0.as_ref()?.usage))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut taken = self.taken.lock();
        if let Some(connections) = taken.get_mut(&self.client) {
            connections.retain(|usage| !Arc::ptr_eq(usage, &self.usage));
            if connections.is_empty() {
                taken.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::task::{Context, Waker};
    use std::time::Duration;

    use tokio::time::advance;

    use super::super::peer::Peer;
    use super::*;

    fn places(connections: u32) -> Places {
        Places::new(connections, Arc::new(|address| address.is_loopback()))
    }

    #[track_caller]
    fn check(places: &Places, address: &str, has_share: bool) -> Option<Share> {
        let share = places.share_of(address.parse().unwrap());
        assert_eq!(share.is_some(), has_share, "{address}");
        share
    }

    #[test]
    fn a_client_has_its_share_and_no_more() {
        for (connections, share) in [(1, 64), (512, 64), (520, 65), (10_000, 1250)] {
            let places = places(connections);
            let mut shares: Vec<_> = (0..share)
                .map(|_| check(&places, "192.0.2.1", true))
                .collect();
            check(&places, "192.0.2.1", false);
            check(&places, "::ffff:192.0.2.1", false);
            check(&places, "192.0.2.2", true);
            check(&places, "127.0.0.1", true);
            shares.pop();
            shares.push(check(&places, "192.0.2.1", true));
            check(&places, "192.0.2.1", false);
            drop(shares);
            assert!(places.taken.lock().is_empty(), "who is gone is forgotten");
        }
    }

    #[test]
    fn a_site_is_one_client() {
        let places = places(512);
        let shares: Vec<_> = (1..=64)
            .map(|n| check(&places, &format!("2001:db8::{n:x}"), true))
            .collect();
        check(&places, "2001:db8::ffff", false);
        check(&places, "2001:db8:0:1::1", true);
        assert_eq!(shares.len(), 64);
    }

    #[test]
    fn the_exempt_are_not_counted() {
        let places = places(512);
        let shares: Vec<_> = (0..200).map(|_| check(&places, "::1", true)).collect();
        assert_eq!(shares.len(), 200);
        assert!(places.taken.lock().is_empty());
    }

    /// Shares of so many connections, in the order in which they were made.
    fn connect(places: &Places, address: &str, count: usize) -> Vec<Share> {
        let shares = (0..count).map(|_| check(places, address, true).unwrap());
        shares.collect()
    }

    fn unwanted(shares: &[Share]) -> Vec<usize> {
        let cx = Context::from_waker(Waker::noop());
        let each = shares.iter().enumerate();
        each.filter(|(_, share)| share.usage().unwrap().is_unwanted(&cx))
            .map(|(n, _)| n)
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_place_costs_whoever_has_the_most_an_idle_one() {
        let places = places(5);
        let mut crowd = Vec::new();
        for _ in 0..3 {
            crowd.extend(connect(&places, "192.0.2.1", 1));
            advance(Duration::from_secs(1)).await;
        }
        let alone = connect(&places, "192.0.2.2", 1);
        let mut taken = Vec::new();
        for _ in 0..4 {
            taken.push(places.free().await.unwrap());
            assert!(unwanted(&crowd).is_empty(), "there is a place left");
        }
        taken.push(places.free().await.unwrap());
        assert_eq!((unwanted(&crowd), unwanted(&alone)), (vec![0], vec![]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_under_way_is_left_alone() {
        let places = places(1);
        let shares = connect(&places, "192.0.2.1", 2);
        let peers: Vec<_> = shares
            .into_iter()
            .map(|share| {
                let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
                let address = SocketAddr::from(([192, 0, 2, 1], 1));
                Peer::new(address, Some((place, share)))
            })
            .collect();
        let requests: Vec<_> = peers.iter().map(Peer::begin).collect();
        drop(places.free().await.unwrap());
        drop(requests);
        let cx = Context::from_waker(Waker::noop());
        let unwanted = peers.iter().any(|peer| peer.usage().is_unwanted(&cx));
        assert!(!unwanted, "both had a request");
    }
}
