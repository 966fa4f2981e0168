//! How servers know a request again: by where it comes from, its identifier and its authenticator.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::codec::AUTHENTICATOR;

/// Where a request comes from, and its identifier: what a newer request takes over.
pub(super) type Key = (SocketAddr, u8);

/// What a datagram is to the cache.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sighting {
    /// Never seen; and whether it took the place of one without an answer.
    New { collides: bool },
    /// Seen, and no answer yet.
    Pending { altered: bool },
    /// Seen and answered.
    Answered {
        answers: Vec<Vec<u8>>,
        altered: bool,
    },
    /// Seen and answered so long ago that it counts as new, but for the number of its octets.
    Forgotten { altered: bool },
}

#[derive(Debug)]
struct Entry {
    authenticator: [u8; AUTHENTICATOR],
    /// Of all octets, to see whether a retransmission is one.
    digest: [u8; AUTHENTICATOR],
    answers: Vec<Vec<u8>>,
    forget_at: Option<Instant>,
}

/// The latest request of each port and identifier.
#[derive(Debug, Default)]
pub(super) struct Cache {
    entries: HashMap<Key, Entry>,
    sources: HashSet<SocketAddr>,
    expiring: VecDeque<(Instant, Key)>,
}

impl Cache {
    /// Looks a request up, and keeps it if it is new.
    pub(super) fn see(
        &mut self,
        key: Key,
        authenticator: [u8; AUTHENTICATOR],
        digest: [u8; AUTHENTICATOR],
        now: Instant,
    ) -> Sighting {
        self.expire(now);
        self.sources.insert(key.0);
        if let Some(entry) = self.entries.get_mut(&key)
            && entry.authenticator == authenticator
        {
            let altered = entry.digest != digest;
            return match entry.forget_at {
                None => Sighting::Pending { altered },
                Some(at) if now < at => Sighting::Answered {
                    answers: entry.answers.clone(),
                    altered,
                },
                Some(_) => {
                    entry.forget_at = None;
                    Sighting::Forgotten { altered }
                }
            };
        }
        let entry = Entry {
            authenticator,
            digest,
            answers: Vec::new(),
            forget_at: None,
        };
        let former = self.entries.insert(key, entry);
        let collides = former.is_some_and(|former| former.forget_at.is_none());
        Sighting::New { collides }
    }

    /// Whether a request is still the latest with its identifier.
    pub(super) fn is_current(&self, key: &Key, authenticator: &[u8; AUTHENTICATOR]) -> bool {
        let entry = self.entries.get(key);
        entry.is_some_and(|entry| entry.authenticator == *authenticator)
    }

    /// Keeps what was answered.
    pub(super) fn answered(&mut self, key: Key, octets: &[u8], now: Instant, kept: Duration) {
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.answers.push(octets.to_vec());
            entry.forget_at = Some(now + kept);
            self.expiring.push_back((now + kept, key));
        }
    }

    /// How many ports there were.
    pub(super) fn sources(&self) -> usize {
        self.sources.len()
    }

    /// Frees old answers. The requests are kept, to be known again.
    fn expire(&mut self, now: Instant) {
        while let Some((at, key)) = self.expiring.front().copied()
            && at <= now
        {
            self.expiring.pop_front();
            if let Some(entry) = self.entries.get_mut(&key)
                && entry.forget_at.is_some_and(|forget_at| forget_at <= now)
            {
                entry.answers = Vec::new();
            }
        }
    }
}
