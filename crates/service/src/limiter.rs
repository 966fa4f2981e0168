//! A limit on failed sign-ins from one address.
//!
//! It is there for clients that have gone wild, and for guessing across many names; what protects
//! a user is that user's own lock and budget. Programs on this machine are not limited.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use vestibule_engine::Timestamp;

const WINDOW: Duration = Duration::from_mins(1);
/// Addresses that are remembered; some 100 octets each.
const MOST_ADDRESSES: usize = 20_000;

/// Failures by address, in windows of a minute.
#[derive(Debug)]
pub(crate) struct Limiter {
    most: u32,
    windows: Mutex<HashMap<IpAddr, Window>>,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    started: Timestamp,
    failures: u32,
}

impl Window {
    fn ended(&self, now: Timestamp) -> bool {
        now >= self.started.after(WINDOW)
    }
}

impl Limiter {
    pub(crate) fn new(most: u32) -> Self {
        Self {
            most,
            windows: Mutex::default(),
        }
    }

    /// How long the address has to wait, if it failed too often.
    pub(crate) fn wait(&self, address: Option<IpAddr>, now: Timestamp) -> Option<Duration> {
        let network = limited(address)?;
        let windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.get(&network)?;
        (window.failures >= self.most && !window.ended(now))
            .then(|| window.started.after(WINDOW).since(now))
    }

    /// Counts a failure.
    pub(crate) fn failed(&self, address: Option<IpAddr>, now: Timestamp) {
        let Some(network) = limited(address) else {
            return;
        };
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= MOST_ADDRESSES && !windows.contains_key(&network) {
            windows.retain(|_, window| !window.ended(now));
            if windows.len() >= MOST_ADDRESSES {
                return;
            }
        }
        let fresh = Window {
            started: now,
            failures: 0,
        };
        let window = windows.entry(network).or_insert(fresh);
        if window.ended(now) {
            *window = fresh;
        }
        window.failures = window.failures.saturating_add(1);
    }
}

/// What is counted together: an IPv4 address, or the 64 bits of IPv6 that one site has.
fn limited(address: Option<IpAddr>) -> Option<IpAddr> {
    let address = address?.to_canonical();
    match address {
        _ if address.is_loopback() => None,
        IpAddr::V4(_) => Some(address),
        IpAddr::V6(v6) => {
            let site = v6.to_bits() >> 64 << 64;
            Some(IpAddr::V6(Ipv6Addr::from_bits(site)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    fn address(text: &str) -> Option<IpAddr> {
        text.parse().ok()
    }

    #[test]
    fn an_address_that_fails_too_often_waits_for_the_minute_to_end() {
        let limiter = Limiter::new(2);
        let (theirs, other) = (address("192.0.2.1"), address("192.0.2.2"));
        limiter.failed(theirs, at(0));
        assert_eq!(limiter.wait(theirs, at(1)), None);
        limiter.failed(theirs, at(20));
        assert_eq!(limiter.wait(theirs, at(20)), Some(Duration::from_secs(40)));
        assert_eq!(limiter.wait(other, at(20)), None);
        assert_eq!(limiter.wait(theirs, at(60)), None);
        limiter.failed(theirs, at(60));
        assert_eq!(limiter.wait(theirs, at(60)), None);
    }

    #[test]
    fn a_site_is_one_and_this_machine_is_free() {
        let limiter = Limiter::new(1);
        limiter.failed(address("2001:db8::1"), at(0));
        assert!(limiter.wait(address("2001:db8::2"), at(0)).is_some());
        for free in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            limiter.failed(address(free), at(0));
            assert_eq!(limiter.wait(address(free), at(0)), None, "{free}");
        }
        limiter.failed(None, at(0));
        assert_eq!(limiter.wait(None, at(0)), None);
    }

    #[test]
    fn memory_is_bounded() {
        let limiter = Limiter::new(1);
        for n in 0..u32::try_from(MOST_ADDRESSES).unwrap() + 10 {
            limiter.failed(Some(IpAddr::V4((0x0a00_0000 + n).into())), at(0));
        }
        assert_eq!(limiter.windows.lock().unwrap().len(), MOST_ADDRESSES);
        limiter.failed(address("192.0.2.1"), at(60));
        assert_eq!(limiter.windows.lock().unwrap().len(), 1);
    }
}
