//! Limits by address: on failed sign-ins, and on requests without a good token.
//!
//! They are there for clients that have gone wild, and for guessing across many names; what
//! protects a user is that user's own lock and budget. Programs on this machine are not limited.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use vestibule_engine::Timestamp;

use crate::ClientAddress;

const WINDOW: Duration = Duration::from_mins(1);
/// Addresses that are remembered; some 100 octets each.
const MOST_ADDRESSES: usize = 20_000;

/// What is counted by address, in windows of a minute.
#[derive(Debug)]
pub(crate) struct Limiter {
    most: u32,
    windows: Mutex<Windows>,
}

#[derive(Debug, Default)]
struct Windows {
    by_key: HashMap<Key, Window>,
    swept: Option<Timestamp>,
}

/// What is counted together.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Key {
    /// One client.
    Network(IpAddr),
    /// Everybody whose address is not known, or for whose address there is no room.
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

    /// Lets a try begin, and counts it as a failure until it is forgiven: so those that are under
    /// way count, and those whose client hangs up.
    ///
    /// # Errors
    /// How long the address has to wait, if it failed too often.
    pub(crate) fn begin(&self, client: ClientAddress, now: Timestamp) -> Result<(), Duration> {
        let Some(key) = Key::of(client) else {
            return Ok(());
        };
        let mut windows = self.windows();
        let window = windows.at(key, now);
        window.room(self.most, now)?;
        window.counted += 1;
        Ok(())
    }

    /// Takes a try back that was no failure.
    pub(crate) fn forgive(&self, client: ClientAddress, now: Timestamp) {
        if let Some(key) = Key::of(client) {
            let mut windows = self.windows();
            let window = windows.at(key, now);
            window.counted = window.counted.saturating_sub(1);
        }
    }

    /// Whether there is room for an address, without counting anything.
    ///
    /// # Errors
    /// How long the address has to wait, if there is none.
    pub(crate) fn look(&self, client: ClientAddress, now: Timestamp) -> Result<(), Duration> {
        let Some(key) = Key::of(client) else {
            return Ok(());
        };
        let windows = self.windows();
        let known = windows.by_key.get(&key);
        // Who is not known may be among those who share a window.
        let window = known.or_else(|| windows.by_key.get(&Key::Others).filter(|_| windows.full()));
        window.map_or(Ok(()), |window| window.room(self.most, now))
    }

    /// Counts one.
    pub(crate) fn count(&self, client: ClientAddress, now: Timestamp) {
        if let Some(key) = Key::of(client) {
            let mut windows = self.windows();
            let window = windows.at(key, now);
            window.counted = window.counted.saturating_add(1);
        }
    }

    fn windows(&self) -> MutexGuard<'_, Windows> {
        // Nobody panics in between, and each count is right at any point.
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Windows {
    fn full(&self) -> bool {
        self.by_key.len() >= MOST_ADDRESSES
    }

    /// The window of an address now. Where there is no room for one more, all newcomers share one:
    /// a flood of addresses costs those who come with it, and nobody gets around the limit.
    fn at(&mut self, key: Key, now: Timestamp) -> &mut Window {
        let fresh = Window {
            started: now,
            counted: 0,
        };
        let no_room = |windows: &Self| windows.full() && !windows.by_key.contains_key(&key);
        if no_room(self) && self.swept.is_none_or(|swept| now >= swept.after(WINDOW)) {
            self.by_key.retain(|_, window| !window.ended(now));
            self.swept = Some(now);
        }
        let key = if no_room(self) { Key::Others } else { key };
        let window = self.by_key.entry(key).or_insert(fresh);
        if window.ended(now) {
            *window = fresh;
        }
        window
    }
}

impl Key {
    /// `None` for this machine's own programs.
    fn of(client: ClientAddress) -> Option<Self> {
        match client {
            ClientAddress::Local => None,
            ClientAddress::Unknown => Some(Self::Others),
            ClientAddress::Known(address) => Some(Self::Network(site_of(address))),
        }
    }
}

/// What limits take for one client: an IPv4 address, or the 64 bits of IPv6 that one site has.
pub fn site_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        v4 @ IpAddr::V4(_) => v4,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
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
    fn looking_counts_nothing() {
        let limiter = Limiter::new(2);
        let theirs = known("192.0.2.1");
        for seconds in [0, 10] {
            for _ in 0..5 {
                assert_eq!(limiter.look(theirs, at(seconds)), Ok(()));
            }
            limiter.count(theirs, at(seconds));
        }
        assert_eq!(limiter.look(theirs, at(20)), Err(Duration::from_secs(40)));
        assert_eq!(limiter.look(known("192.0.2.2"), at(20)), Ok(()));
        assert_eq!(limiter.look(ClientAddress::Unknown, at(20)), Ok(()));
        assert_eq!(limiter.look(ClientAddress::Local, at(20)), Ok(()));
        assert_eq!(limiter.look(theirs, at(60)), Ok(()));
    }

    #[test]
    fn successes_do_not_count() {
        let limiter = Limiter::new(1);
        for _ in 0..5 {
            assert_eq!(limiter.begin(known("192.0.2.1"), at(0)), Ok(()));
            limiter.forgive(known("192.0.2.1"), at(0));
        }
        limiter.forgive(known("192.0.2.1"), at(0));
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
    fn memory_is_bounded_and_the_limit_holds_beyond() {
        let limiter = Limiter::new(1);
        let address = |n: u32| ClientAddress::Known(IpAddr::V4((0x0a00_0000 + n).into()));
        let most = u32::try_from(MOST_ADDRESSES).unwrap();
        for n in 0..=most {
            assert!(limiter.begin(address(n), at(0)).is_ok());
        }
        assert!(
            limiter.begin(address(most + 1), at(0)).is_err(),
            "it shares with the one before"
        );
        assert!(limiter.look(address(most + 2), at(0)).is_err());
        assert!(limiter.windows().by_key.len() <= MOST_ADDRESSES + 1);
        assert!(limiter.begin(address(most + 1), at(60)).is_ok());
        assert!(limiter.windows().by_key.len() < 3);
    }
}
