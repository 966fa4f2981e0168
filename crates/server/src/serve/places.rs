//! The places for connections: so many in all, and not all of them for one client.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use vestibule_service::site_of;

/// What one client address may have at least, however few places there are: a whole office may be
/// behind it.
const LEAST_SHARE: u32 = 64;

/// Whose connections are not counted: this machine's, and those of proxies, which bring many
/// clients.
pub(super) type Exempt = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// All places.
pub(super) struct Places {
    free: Arc<Semaphore>,
    share: u32,
    exempt: Exempt,
    taken: Arc<Taken>,
}

/// How many connections each client has.
#[derive(Debug, Default)]
struct Taken(Mutex<HashMap<IpAddr, u32>>);

impl Taken {
    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        // Nobody panics in between, and each count is right at any point.
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
            share: (connections / 8).max(LEAST_SHARE),
            exempt,
            taken: Arc::default(),
        }
    }

    /// Waits for a place, whoever may get it.
    pub(super) async fn free(&self) -> io::Result<OwnedSemaphorePermit> {
        Arc::clone(&self.free)
            .acquire_owned()
            .await
            .map_err(io::Error::other)
    }

    /// The share of a client in the places, unless it is used up.
    pub(super) fn share_of(&self, address: IpAddr) -> Option<Share> {
        let address = address.to_canonical();
        if (self.exempt)(address) {
            return Some(Share(None));
        }
        let client = site_of(address);
        let mut taken = self.taken.lock();
        let count = taken.entry(client).or_default();
        if *count >= self.share {
            return None;
        }
        *count += 1;
        Some(Share(Some((Arc::clone(&self.taken), client))))
    }
}

/// One connection of a client, until it is dropped.
#[derive(Debug)]
pub(super) struct Share(Option<(Arc<Taken>, IpAddr)>);

impl Drop for Share {
    fn drop(&mut self) {
        let Some((taken, client)) = &self.0 else {
            return;
        };
        let mut taken = taken.lock();
        if let Some(count) = taken.get_mut(client) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                taken.remove(client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
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
}
