//! Limits by address: on failed sign-ins, and on requests without a good token.
//!
//! They are there for clients that have gone wild, and for guessing across many names; what
//! protects a user is that user's own lock and budget. Programs on this machine are not limited.
//!
//! Each try is counted when it begins, and forgiven when it turns out to be harmless: so those that
//! are under way count, and those whose client hangs up.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use vestibule_engine::Timestamp;

use crate::ClientAddress;

const WINDOW: Duration = Duration::from_mins(1);
/// Networks that are remembered; some 100 octets each.
const MOST_NETWORKS: usize = 40_000;
/// The networks of IPv6 that are counted, by the length of their prefixes: what one site has, and
/// what one customer may have been given. Of the larger ones so many times as much is let through.
const SITES: [(u8, u32); 3] = [(64, 1), (56, 4), (48, 16)];

/// What is counted by address, in windows of a minute.
#[derive(Debug)]
pub(crate) struct Limiter {
    most: u32,
    windows: Mutex<HashMap<Key, Window>>,
}

/// What is counted together.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Key {
    /// An address, and how much of it names the network.
    Network(IpAddr, u8),
    /// Everybody whose address is not known.
    Others,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    started: Timestamp,
    counted: u32,
}

impl Window {
    fn ended(&self, now: Timestamp) -> bool {
        now >= self.started.after(WINDOW)
    }

    /// How long to wait, if as much as may be was counted.
    fn room(&self, most: u32, now: Timestamp) -> Result<(), Duration> {
        if self.counted < most || self.ended(now) {
            return Ok(());
        }
        Err(self.started.after(WINDOW).since(now))
    }
}

impl Limiter {
    pub(crate) fn new(most: u32) -> Self {
        Self {
            most,
            windows: Mutex::default(),
        }
    }

    /// Lets a try begin, and counts it until it is forgiven.
    ///
    /// # Errors
    /// How long the address has to wait, if there were too many; then it is not counted.
    pub(crate) fn begin(&self, client: ClientAddress, now: Timestamp) -> Result<(), Duration> {
        let mut windows = self.windows();
        for (key, times) in keys(client) {
            if let Some(window) = windows.get(&key) {
                window.room(self.most.saturating_mul(times), now)?;
            }
        }
        count(&mut windows, client, now);
        Ok(())
    }

    /// Counts a try that is let through in any case.
    pub(crate) fn count(&self, client: ClientAddress, now: Timestamp) {
        count(&mut self.windows(), client, now);
    }

    /// Takes a try back that was harmless.
    pub(crate) fn forgive(&self, client: ClientAddress) {
        let mut windows = self.windows();
        for (key, _) in keys(client) {
            if let Some(window) = windows.get_mut(&key) {
                window.counted = window.counted.saturating_sub(1);
            }
        }
    }

    fn windows(&self) -> MutexGuard<'_, HashMap<Key, Window>> {
        // Nobody panics in between, and each count is right at any point.
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn count(windows: &mut HashMap<Key, Window>, client: ClientAddress, now: Timestamp) {
    for (key, _) in keys(client) {
        if windows.len() >= MOST_NETWORKS && !windows.contains_key(&key) {
            make_room(windows, now);
        }
        let fresh = Window {
            started: now,
            counted: 0,
        };
        let window = windows.entry(key).or_insert(fresh);
        if window.ended(now) {
            *window = fresh;
        }
        window.counted = window.counted.saturating_add(1);
    }
}

/// Forgets the windows that are over, and if there are still too many, those in which least was
/// counted. So a flood of addresses costs nobody else anything, and who has come near a limit stays
/// there.
fn make_room(windows: &mut HashMap<Key, Window>, now: Timestamp) {
    windows.retain(|_, window| !window.ended(now));
    if windows.len() < MOST_NETWORKS {
        return;
    }
    let mut counted: Vec<_> = windows.values().map(|window| window.counted).collect();
    let (_, &mut median, _) = counted.select_nth_unstable(MOST_NETWORKS / 2);
    windows.retain(|_, window| window.counted > median);
}

/// The networks of a client, and how many times as much each may have: an IPv4 address, or the
/// networks around one of IPv6. There are none for this machine's own programs.
fn keys(client: ClientAddress) -> impl Iterator<Item = (Key, u32)> {
    let (sites, alone) = match client {
        ClientAddress::Local => (None, None),
        ClientAddress::Unknown => (None, Some(Key::Others)),
        ClientAddress::Known(address) => match address.to_canonical() {
            v4 @ IpAddr::V4(_) => (None, Some(Key::Network(v4, 32))),
            IpAddr::V6(v6) => (Some(v6), None),
        },
    };
    let sites = sites.into_iter().flat_map(|v6| {
        SITES.map(|(prefix, times)| (Key::Network(IpAddr::V6(network(v6, prefix)), prefix), times))
    });
    sites.chain(alone.map(|key| (key, 1)))
}

fn network(address: Ipv6Addr, prefix: u8) -> Ipv6Addr {
    let rest = 128_u32.saturating_sub(prefix.into());
    let mask = u128::MAX.checked_shl(rest).unwrap_or(0);
    Ipv6Addr::from_bits(address.to_bits() & mask)
}

/// What counts as one client: an IPv4 address, or the 64 bits of IPv6 that one site has.
pub fn site_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        v4 @ IpAddr::V4(_) => v4,
        IpAddr::V6(v6) => IpAddr::V6(network(v6, 64)),
    }
}

/// What counts as one customer of a provider: an IPv4 address, or 48 bits of IPv6.
pub(crate) fn customer_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        v4 @ IpAddr::V4(_) => v4,
        IpAddr::V6(v6) => IpAddr::V6(network(v6, 48)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    fn known(text: &str) -> ClientAddress {
        text.parse()
            .map_or(ClientAddress::Unknown, ClientAddress::Known)
    }

    #[test]
    fn an_address_that_fails_too_often_waits_for_the_minute_to_end() {
        let limiter = Limiter::new(2);
        let (theirs, other) = (known("192.0.2.1"), known("192.0.2.2"));
        assert_eq!(limiter.begin(theirs, at(0)), Ok(()));
        assert_eq!(limiter.begin(theirs, at(20)), Ok(()));
        assert_eq!(limiter.begin(theirs, at(20)), Err(Duration::from_secs(40)));
        assert_eq!(limiter.begin(other, at(20)), Ok(()));
        assert_eq!(limiter.begin(theirs, at(60)), Ok(()));
    }

    #[test]
    fn who_is_refused_is_not_counted() {
        let limiter = Limiter::new(1);
        let theirs = known("192.0.2.1");
        assert!(limiter.begin(theirs, at(0)).is_ok());
        for _ in 0..5 {
            assert!(limiter.begin(theirs, at(0)).is_err());
        }
        limiter.forgive(theirs);
        assert!(limiter.begin(theirs, at(0)).is_ok());
        limiter.forgive(theirs);
        limiter.count(theirs, at(0));
        assert!(limiter.begin(theirs, at(0)).is_err());
    }

    #[test]
    fn networks_of_sites_have_a_limit_too() {
        let limiter = Limiter::new(2);
        let site = |n: u32| known(&format!("2001:db8:1:{n:x}::1"));
        // Four times two for each 256 sites, sixteen times two for all 65,536.
        let passed = |sites: std::ops::Range<u32>| {
            let each = sites.map(|n| limiter.begin(site(n), at(0)));
            each.flatten().count()
        };
        assert_eq!(passed(0..256), 8);
        assert_eq!(passed(256..65_536), 24);
        assert_eq!(limiter.begin(known("2001:db8:2::1"), at(0)), Ok(()));
        limiter.forgive(site(0));
        assert_eq!(passed(256..512), 0, "that network has had its part");
        assert_eq!(passed(1..2), 1);
    }

    #[test]
    fn successes_do_not_count() {
        let limiter = Limiter::new(1);
        for _ in 0..5 {
            assert_eq!(limiter.begin(known("192.0.2.1"), at(0)), Ok(()));
            limiter.forgive(known("192.0.2.1"));
        }
        limiter.forgive(known("192.0.2.1"));
        assert_eq!(limiter.begin(known("192.0.2.1"), at(0)), Ok(()));
        assert!(limiter.begin(known("192.0.2.1"), at(0)).is_err());
    }

    #[test]
    fn a_site_is_one_the_unknown_are_one_and_this_machine_is_free() {
        let limiter = Limiter::new(1);
        assert!(limiter.begin(known("2001:db8::1"), at(0)).is_ok());
        assert!(limiter.begin(known("2001:db8::2"), at(0)).is_err());
        assert!(limiter.begin(ClientAddress::Unknown, at(0)).is_ok());
        assert!(limiter.begin(ClientAddress::Unknown, at(0)).is_err());
        for _ in 0..3 {
            assert!(limiter.begin(ClientAddress::Local, at(0)).is_ok());
        }
    }

    #[test]
    fn a_flood_of_addresses_costs_nobody_else_anything() {
        let limiter = Limiter::new(3);
        let address = |n: u32| ClientAddress::Known(IpAddr::V4((0x0a00_0000 + n).into()));
        let wild = known("192.0.2.1");
        for _ in 0..3 {
            assert!(limiter.begin(wild, at(0)).is_ok());
        }
        let most = u32::try_from(MOST_NETWORKS).unwrap();
        for n in 0..3 * most {
            assert_eq!(limiter.begin(address(n), at(1)), Ok(()), "{n}");
        }
        assert!(limiter.windows().len() <= MOST_NETWORKS);
        assert!(limiter.begin(wild, at(1)).is_err(), "who was wild is known");
        for n in 0..most {
            assert_eq!(limiter.begin(address(n), at(60)), Ok(()), "{n}");
        }
        assert!(limiter.windows().len() <= MOST_NETWORKS);
    }
}
