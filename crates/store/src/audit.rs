//! The audit trail, as stores keep it.
//!
//! Each opened store is one *chain*: it numbers the rows that it writes from memory, so that no
//! write waits for the number of another. A number is in flight until its write has ended.
//! Whatever is below all numbers in flight is there or never will be, and can be sealed.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;
use vestibule_engine::Timestamp;
use vestibule_engine::audit::{Seal, Signed, Written};

use crate::{Listing, StoreError, Swap};

/// Rows that are written with something, or not at all.
pub type Trail<'a> = &'a [Signed];

/// How long a number stays in flight when nobody knows how its write ended: longer than a server
/// of a database goes on with a transaction whose client is gone.
pub const IN_DOUBT: Duration = Duration::from_mins(1);

/// Which rows are wanted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AuditQuery {
    /// Each must occur in the names, the event or the request of a row; in lower case already.
    pub queries: Vec<String>,
    /// The first and the last place wanted, both included, from 0; all when there is none.
    pub range: Option<(u64, u64)>,
    /// From the first to the last; else the last come first.
    pub ascending: bool,
    /// Only rows from then on.
    pub since: Option<Timestamp>,
    /// Only rows of this event.
    pub event: Option<String>,
    /// Only rows with this outcome.
    pub outcome: Option<String>,
    /// Only rows of this request.
    pub request: Option<Uuid>,
    /// Only rows whose actor or object has this name, in any case.
    pub name: Option<String>,
}

impl AuditQuery {
    /// The rows of one request, in the order in which they were written.
    pub fn of_request(request: Uuid) -> Self {
        Self {
            request: Some(request),
            ascending: true,
            ..Self::default()
        }
    }

    /// Whether every row is wanted.
    pub fn is_everything(&self) -> bool {
        let Self {
            queries,
            range: _,
            ascending: _,
            since,
            event,
            outcome,
            request,
            name,
        } = self;
        queries.is_empty()
            && since.is_none()
            && event.is_none()
            && outcome.is_none()
            && request.is_none()
            && name.is_none()
    }
}

/// A chain with rows that are under no seal yet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OpenChain {
    /// Which.
    pub chain: Uuid,
    /// Up to which number it is sealed.
    pub sealed: u64,
    /// The last number there is.
    pub last: u64,
}

/// Rows of a chain: those after one number, up to another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RowsOf {
    /// Whose.
    pub chain: Uuid,
    /// After this number…
    pub after: u64,
    /// …up to this one.
    pub last: u64,
}

/// The audit trail.
#[async_trait]
pub trait Audit: Send + Sync {
    /// Writes rows that come with nothing else.
    async fn record(&self, trail: Trail<'_>) -> Result<(), StoreError>;

    /// Rows, by time, and those of one moment in the order in which they were numbered. All that there are is known from the seals; those that match are counted.
    async fn audit_events(&self, query: &AuditQuery) -> Result<Listing<Written>, StoreError>;

    /// The chain of this opened store, and the last number of it that is not in flight, nor any
    /// before it; `None` if nothing was written yet.
    fn own_chain(&self, now: Timestamp) -> Option<(Uuid, u64)>;

    /// The chains that have rows under no seal.
    async fn open_chains(&self) -> Result<Vec<OpenChain>, StoreError>;

    /// At most `most` rows of a chain, by number.
    async fn audit_rows(&self, rows: RowsOf, most: u32) -> Result<Vec<Written>, StoreError>;

    /// How many rows there are, counted one by one.
    async fn count_audit_rows(&self) -> Result<u64, StoreError>;

    /// At most `most` seals after the one with this number.
    async fn seals(&self, after: u64, most: u32) -> Result<Vec<Seal>, StoreError>;

    /// The last seal.
    async fn last_seal(&self) -> Result<Option<Seal>, StoreError>;

    /// Stores a seal. `Moved` when there is one with its number, or its chain is not sealed up to
    /// where it begins.
    async fn add_seal(&self, seal: &Seal) -> Result<Swap, StoreError>;
}

/// The numbers of a chain.
#[derive(Clone, Debug)]
pub struct Numbers {
    chain: Uuid,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// The last number that was given out.
    last: u64,
    in_flight: BTreeSet<u64>,
    /// The first number and how many, and since when it is known that nobody knows.
    in_doubt: Vec<(u64, u64, Option<Timestamp>)>,
}

impl Numbers {
    /// The numbers of a chain that nobody has used.
    pub fn new(chain: Uuid) -> Self {
        Self {
            chain,
            state: Arc::default(),
        }
    }

    /// Which chain.
    pub const fn chain(&self) -> Uuid {
        self.chain
    }

    /// Takes as many numbers as there are rows.
    pub fn take(&self, rows: usize) -> Taken {
        let mut state = lock(&self.state);
        let count = u64::try_from(rows).unwrap_or(u64::MAX);
        let first = state.last.saturating_add(1);
        state.last = state.last.saturating_add(count);
        let last = state.last;
        state.in_flight.extend(first..=last);
        Taken {
            state: Arc::clone(&self.state),
            first,
            count,
            ended: false,
        }
    }

    /// The last number that is not in flight, nor any before it.
    pub fn settled(&self, now: Timestamp) -> u64 {
        let mut state = lock(&self.state);
        let State {
            last,
            in_flight,
            in_doubt,
        } = &mut *state;
        in_doubt.retain_mut(|(first, count, since)| {
            let since = *since.get_or_insert(now);
            let over = now >= since.after(IN_DOUBT);
            if over {
                remove(in_flight, *first, *count);
            }
            !over
        });
        in_flight.first().map_or(*last, |first| first - 1)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn remove(in_flight: &mut BTreeSet<u64>, first: u64, count: u64) {
    for number in first..first.saturating_add(count) {
        in_flight.remove(&number);
    }
}

/// Numbers in flight. Dropped before it is known how the write ended, they stay so for a while.
#[derive(Debug)]
pub struct Taken {
    state: Arc<Mutex<State>>,
    first: u64,
    count: u64,
    ended: bool,
}

impl Taken {
    /// The numbers, each with its row.
    pub fn with<'t>(&self, trail: Trail<'t>) -> impl Iterator<Item = (u64, &'t Signed)> {
        (self.first..).zip(trail)
    }

    /// The write is committed, or never will be.
    pub fn end(mut self) {
        self.ended = true;
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        if self.ended {
            remove(&mut state.in_flight, self.first, self.count);
        } else if self.count > 0 {
            state.in_doubt.push((self.first, self.count, None));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    #[test]
    fn what_is_in_flight_holds_back_all_that_follows() {
        let numbers = Numbers::new(Uuid::nil());
        assert_eq!(numbers.settled(at(0)), 0);
        let (one, two, three) = (numbers.take(1), numbers.take(2), numbers.take(0));
        assert_eq!((one.first, two.first), (1, 2));
        three.end();
        two.end();
        assert_eq!(numbers.settled(at(0)), 0);
        one.end();
        assert_eq!(numbers.settled(at(0)), 3);
    }

    #[test]
    fn what_nobody_knows_is_in_flight_for_a_minute_more() {
        let numbers = Numbers::new(Uuid::nil());
        drop(numbers.take(2));
        numbers.take(1).end();
        assert_eq!(numbers.settled(at(100)), 0);
        assert_eq!(numbers.settled(at(159)), 0);
        assert_eq!(numbers.settled(at(160)), 3);
    }
}
