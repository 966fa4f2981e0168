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
    /// A row about something that ended like this.
    pub(crate) fn entry(&self, origin: Origin, event: Event, outcome: Outcome) -> Entry {
        let id = uuid::Builder::from_random_bytes(self.random.bytes()).into_uuid();
        let at = self.time.now();
        Entry::new(id, at, event, outcome).from(origin.request, origin.address)
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
            request: self.random_uuid(),
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
