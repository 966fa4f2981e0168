//! The audit trail: who asks, what is written down of it, and the seals over that.

mod codes;
mod sealing;
mod verify;

pub use verify::{Head, Verified};

pub(crate) use sealing::Strangers;

use uuid::Uuid;
use vestibule_engine::audit::Detail;
use vestibule_engine::audit::{Entry, Event, OPERATOR, Outcome, Signed};
use vestibule_engine::privilege::{PrivilegeType, Target};
use vestibule_engine::{GuessBudget, Timestamp, User};
use vestibule_store::{AuditQuery, Listing};

use crate::{Caller, ClientAddress, Inner, Service, ServiceError};

/// Which request asks, and from where.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Origin {
    /// The id of the request, as its answer shows it.
    pub request: Uuid,
    /// Where it comes from.
    pub address: ClientAddress,
}

impl Inner {
    /// An id in the order of time (`UUIDv7`, RFC 9562 section 5.7): a new one has its place at the end
    /// of an index, however many there are.
    pub(crate) fn new_id(&self) -> Uuid {
        let millis = self.time.now().as_micros().div_euclid(1000);
        let millis = u64::try_from(millis).unwrap_or_default();
        uuid::Builder::from_unix_timestamp_millis(millis, &self.random.bytes()).into_uuid()
    }

    /// A row about something that ended like this.
    pub(crate) fn entry(&self, origin: Origin, event: Event, outcome: Outcome) -> Entry {
        Entry::new(self.new_id(), self.time.now(), event, outcome)
            .from(origin.request, origin.address)
    }

    /// A row with its code.
    pub(crate) fn sign(&self, entry: Entry) -> Signed {
        self.keyring.in_use().audit().sign(entry)
    }

    /// Writes down what comes with no other write. What cannot be written down is not done.
    pub(crate) async fn record(&self, entry: Entry) -> Result<(), ServiceError> {
        Ok(self.store.record(&[self.sign(entry)]).await?)
    }
}

/// What is left of wrong answers, where it is less than everything.
pub(crate) fn with_budget(entry: Entry, budget: &GuessBudget) -> Entry {
    let failures = budget.recent().count();
    if failures == 0 && budget.streak() == 0 {
        return entry;
    }
    let waiting = budget.waiting_until().map(Timestamp::as_micros);
    let entry = entry
        .with(Detail::Streak, budget.streak())
        .with(Detail::Failures30Days, failures)
        .with_some(Detail::WaitingUntil, waiting);
    if budget.is_closed() {
        entry.with(Detail::Closed, true)
    } else {
        entry
    }
}

impl Service {
    /// A row about something that an operator did to a user on the machine of the server.
    pub fn by_operator(&self, event: Event, user: &User) -> Entry {
        let origin = Origin {
            request: self.new_id(),
            address: ClientAddress::Local,
        };
        let entry = self.inner.entry(origin, event, Outcome::Success);
        entry.by(OPERATOR).to_user(user)
    }

    /// A row with its code.
    pub fn sign(&self, entry: Entry) -> Signed {
        self.inner.sign(entry)
    }

    /// Rows of the trail.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] without View on `AuditLog`.
    pub async fn audit_events(
        &self,
        caller: &Caller,
        query: &AuditQuery,
    ) -> Result<Listing<Entry>, ServiceError> {
        caller.must(PrivilegeType::View, Target::AuditLog)?;
        let listing = self.inner.store.audit_events(query).await?;
        let entries = listing.items.into_iter().map(|row| row.signed.entry);
        Ok(Listing {
            items: entries.collect(),
            matching: listing.matching,
            total: listing.total,
        })
    }
}
