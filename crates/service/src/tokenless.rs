//! The limit on requests without a good token, and who goes on in spite of it.
//!
//! Each request is counted when it begins, before anything is looked up for it, until its token is
//! recognised. Behind one address there may be others than whoever goes wild: a token that was good
//! from there a short while ago is let through, and looked at as always.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use uuid::Uuid;
use vestibule_engine::{Timestamp, TokenHash};

use crate::limiter::{Limiter, site_of};
use crate::{ClientAddress, Origin};

/// How long a token is remembered at least, and no longer than twice that.
const MEMORY: Duration = Duration::from_mins(5);
/// Tokens that are remembered in that time at most; some 100 octets each.
const MOST_REMEMBERED: usize = 5_000;

/// What is counted of requests.
#[derive(Debug)]
pub(crate) struct Tokenless {
    limiter: Limiter,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Requests under way that count.
    counted: HashSet<Uuid>,
    /// Good tokens with where they came from last: those of late, and those before.
    good: [HashMap<TokenHash, IpAddr>; 2],
    since: Option<Timestamp>,
}

impl Tokenless {
    pub(crate) fn new(most: u32) -> Self {
        Self {
            limiter: Limiter::new(most),
            state: Mutex::default(),
        }
    }

    /// Lets a request begin, and counts it. Its token is only read when that matters.
    ///
    /// # Errors
    /// How long the address has to wait, if it made too many.
    pub(crate) fn begin(
        &self,
        origin: Origin,
        token: impl FnOnce() -> Option<TokenHash>,
        now: Timestamp,
    ) -> Result<(), Duration> {
        if origin.address == ClientAddress::Local {
            return Ok(());
        }
        if let Err(wait) = self.limiter.begin(origin.address, now) {
            let token = token().ok_or(wait)?;
            if !self.state().remembers(origin.address, token) {
                return Err(wait);
            }
            self.limiter.count(origin.address, now);
        }
        self.state().counted.insert(origin.request);
        Ok(())
    }

    /// The token of a request is good: the request does not count.
    pub(crate) fn recognised(&self, origin: Origin, token: TokenHash, now: Timestamp) {
        self.forgive(origin);
        // Of who is unknown nobody can say that they come from where somebody was good.
        let ClientAddress::Known(address) = origin.address else {
            return;
        };
        let mut state = self.state();
        let is_over = state.since.is_none_or(|since| now >= since.after(MEMORY));
        let [late, before] = &mut state.good;
        if is_over || late.len() >= MOST_REMEMBERED {
            *before = std::mem::take(late);
            state.since = Some(now);
        }
        let [late, _] = &mut state.good;
        late.insert(token, site_of(address));
    }

    /// A token is not good any more.
    pub(crate) fn forget(&self, token: TokenHash) {
        for good in &mut self.state().good {
            good.remove(&token);
        }
    }

    /// A request has ended. It counts, unless the fault was ours.
    pub(crate) fn end(&self, origin: Origin, fault_is_ours: bool) {
        if fault_is_ours {
            self.forgive(origin);
        } else if origin.address != ClientAddress::Local {
            self.state().counted.remove(&origin.request);
        }
    }

    /// Once for each request.
    fn forgive(&self, origin: Origin) {
        if origin.address != ClientAddress::Local && self.state().counted.remove(&origin.request) {
            self.limiter.forgive(origin.address);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nobody panics in between.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn remembers(&self, from: ClientAddress, token: TokenHash) -> bool {
        let ClientAddress::Known(address) = from else {
            return false;
        };
        let known = self.good.iter().find_map(|good| good.get(&token));
        known == Some(&site_of(address))
    }
}

#[cfg(test)]
mod tests {
    use vestibule_engine::Token;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    fn token(octet: u8) -> TokenHash {
        Token::from_bytes([octet; 32]).hash()
    }

    fn request(n: u128, address: &str) -> Origin {
        let address = address.parse().unwrap();
        Origin {
            request: Uuid::from_u128(n),
            address: ClientAddress::Known(address),
        }
    }

    /// A limit of two that has been reached from an address.
    fn reached() -> Tokenless {
        let limit = Tokenless::new(2);
        for n in [1, 2] {
            let begun = limit.begin(request(n, "192.0.2.1"), || panic!("unread"), at(0));
            assert_eq!(begun, Ok(()));
        }
        limit
    }

    #[track_caller]
    fn check(limit: &Tokenless, n: u128, octet: Option<u8>, admitted: bool) {
        let begun = limit.begin(request(n, "192.0.2.1"), || octet.map(token), at(1));
        assert_eq!(begun.is_ok(), admitted, "{n}");
    }

    #[test]
    fn what_is_under_way_counts_until_it_is_recognised() {
        let limit = reached();
        check(&limit, 3, None, false);
        limit.recognised(request(1, "192.0.2.1"), token(1), at(1));
        limit.recognised(request(1, "192.0.2.1"), token(1), at(1));
        check(&limit, 3, None, true);
        check(&limit, 4, None, false);
    }

    #[test]
    fn faults_of_ours_do_not_count_and_are_taken_back_once() {
        let limit = reached();
        for _ in 0..3 {
            limit.end(request(1, "192.0.2.1"), true);
        }
        check(&limit, 3, None, true);
        limit.end(request(3, "192.0.2.1"), false);
        limit.end(request(3, "192.0.2.1"), true);
        check(&limit, 4, None, false);
    }

    #[test]
    fn good_tokens_do_not_count_wherever_they_come_from() {
        let limit = Tokenless::new(1);
        for address in [ClientAddress::Unknown, ClientAddress::Local] {
            for n in 0..3 {
                let request = Uuid::from_u128(n);
                let origin = Origin { request, address };
                assert_eq!(limit.begin(origin, || None, at(0)), Ok(()), "{address} {n}");
                limit.recognised(origin, token(1), at(0));
                limit.end(origin, false);
            }
        }
    }

    #[test]
    fn who_was_good_from_there_goes_on() {
        let limit = reached();
        limit.recognised(request(9, "192.0.2.1"), token(1), at(0));
        limit.recognised(request(10, "192.0.2.2"), token(2), at(0));
        check(&limit, 3, Some(1), true);
        check(&limit, 4, Some(2), false);
        check(&limit, 5, Some(3), false);
        limit.forget(token(1));
        check(&limit, 6, Some(1), false);
    }

    #[test]
    fn tokens_are_not_remembered_for_ever() {
        let limit = Tokenless::new(0);
        limit.recognised(request(1, "192.0.2.1"), token(1), at(0));
        check(&limit, 2, Some(1), true);
        limit.recognised(request(3, "192.0.2.1"), token(2), at(301));
        check(&limit, 4, Some(1), true);
        limit.recognised(request(5, "192.0.2.1"), token(3), at(602));
        check(&limit, 6, Some(1), false);
        let most = u8::MAX.into();
        for n in 0..2 * MOST_REMEMBERED {
            let mut octets = [0; 32];
            octets[..8].copy_from_slice(&n.to_be_bytes());
            let token = Token::from_bytes(octets).hash();
            limit.recognised(request(most, "192.0.2.1"), token, at(603));
        }
        let state = limit.state();
        assert!(state.good.iter().map(HashMap::len).sum::<usize>() <= 2 * MOST_REMEMBERED);
    }
}
