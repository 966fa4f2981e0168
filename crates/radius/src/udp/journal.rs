//! The log of what is discarded: anybody can send, so nobody may fill it.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tracing::warn;

use crate::{Count, Discard};

/// How often one reason is logged for an endpoint.
const EVERY: Duration = Duration::from_mins(1);

/// When what was last logged.
#[derive(Debug, Default)]
pub(super) struct Journal(Mutex<Vec<Entry>>);

#[derive(Debug)]
struct Entry {
    reason: Count,
    last: Duration,
    silent: u64,
}

impl Journal {
    /// Logs that something was discarded, unless the same was logged a moment ago.
    pub(super) fn discarded(&self, server: SocketAddr, discard: Discard, now: Duration) {
        let Some(before) = self.admit(Count::from(discard), now) else {
            return;
        };
        warn!(
            radius.server = %server,
            radius.discarded_before = before,
            "Discarded what came from {server}: {discard}",
        );
    }

    /// How many were not logged before this one; `None` when this one is not either.
    fn admit(&self, reason: Count, now: Duration) -> Option<u64> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(entry) = entries.iter_mut().find(|entry| entry.reason == reason) else {
            entries.push(Entry {
                reason,
                last: now,
                silent: 0,
            });
            return Some(0);
        };
        if now < entry.last.saturating_add(EVERY) {
            entry.silent += 1;
            return None;
        }
        entry.last = now;
        Some(std::mem::take(&mut entry.silent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_logged_once_a_minute() {
        let journal = Journal::default();
        let at = |seconds, reason| journal.admit(reason, Duration::from_secs(seconds));
        assert_eq!(at(0, Count::BadAuthenticators), Some(0));
        assert_eq!(at(1, Count::BadAuthenticators), None);
        assert_eq!(at(1, Count::UnknownTypes), Some(0));
        assert_eq!(at(59, Count::BadAuthenticators), None);
        assert_eq!(at(60, Count::BadAuthenticators), Some(2));
        assert_eq!(at(61, Count::BadAuthenticators), None);
    }
}
