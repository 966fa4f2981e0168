//! What a service counts of itself, for whoever watches over it.
//!
//! Each service has its own: several may run in one process. Every label is a word from a set that
//! is known beforehand, the id of a provider or the address of one of its servers; nobody's name,
//! no client's address and no text that somebody sent is ever in one.

mod labels;
mod radius;
mod rows;

pub(crate) use labels::Limit;

use std::fmt;
use std::time::Duration;

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use vestibule_engine::Timestamp;
use vestibule_store::{StoreError, Trail};

use crate::Service;
use labels::{Budget, Call, Connections, Failure, Limited, Request, Route, Row, SignIn};

/// Seconds of an answer: from a look at a token to somebody who has to find a phone.
const ANSWERED_WITHIN: [f64; 12] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0,
];
/// Seconds of a call of the store.
const STORED_WITHIN: [f64; 10] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 5.0,
];

type Durations<L> = Family<L, Histogram, fn() -> Histogram>;
/// A number that is no whole one.
type Real = Gauge<f64, std::sync::atomic::AtomicU64>;

/// What one service has counted.
pub struct Metrics {
    registry: Registry,
    sign_ins: Family<SignIn, Counter>,
    barred: Family<Budget, Counter>,
    limited: Family<Limited, Counter>,
    requests: Family<Request, Counter>,
    answers: Durations<Route>,
    under_way: Gauge,
    calls: Durations<Call>,
    failures: Family<Failure, Counter>,
    rows: Family<Row, Counter>,
    lost_rows: Counter,
    seals: Counter,
    sealed_rows: Counter,
    seal_failures: Counter,
    sealed_at: Real,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let answers: Durations<Route> =
            Family::new_with_constructor(|| Histogram::new(ANSWERED_WITHIN));
        let calls: Durations<Call> = Family::new_with_constructor(|| Histogram::new(STORED_WITHIN));
        let mut metrics = Self {
            registry: new_registry(),
            sign_ins: Family::default(),
            barred: Family::default(),
            limited: Family::default(),
            requests: Family::default(),
            answers,
            under_way: Gauge::default(),
            calls,
            failures: Family::default(),
            rows: Family::default(),
            lost_rows: Counter::default(),
            seals: Counter::default(),
            sealed_rows: Counter::default(),
            seal_failures: Counter::default(),
            sealed_at: Real::default(),
        };
        metrics.register();
        metrics.begin_at_zero();
        metrics
    }

    fn register(&mut self) {
        let all = &mut self.registry;
        all.register(
            "sign_ins",
            "Sign-ins that were decided, by factor and outcome",
            self.sign_ins.clone(),
        );
        all.register(
            "guess_budget_refusals",
            "Second factors that were not looked at, because the user's guess budget waits or is \
             closed",
            self.barred.clone(),
        );
        all.register(
            "rate_limit_refusals",
            "Requests that were turned away by a limit (429)",
            self.limited.clone(),
        );
        all.register(
            "http_requests",
            "Requests that were answered, or whose client hung up before (aborted)",
            self.requests.clone(),
        );
        all.register(
            "http_request_duration_seconds",
            "How long requests took until they were answered",
            self.answers.clone(),
        );
        all.register(
            "http_requests_in_flight",
            "Requests that are being answered",
            self.under_way.clone(),
        );
        all.register(
            "store_call_duration_seconds",
            "How long calls of the store took",
            self.calls.clone(),
        );
        all.register(
            "store_errors",
            "Calls of the store that failed",
            self.failures.clone(),
        );
        all.register(
            "audit_rows",
            "Rows of the audit trail that were written",
            self.rows.clone(),
        );
        all.register(
            "audit_row_failures",
            "Rows of the audit trail that could not be written; what they record was not done",
            self.lost_rows.clone(),
        );
        all.register(
            "audit_seals",
            "Seals that were put on the audit trail",
            self.seals.clone(),
        );
        all.register(
            "audit_sealed_rows",
            "Rows of the audit trail that were sealed",
            self.sealed_rows.clone(),
        );
        all.register(
            "audit_seal_failures",
            "Rounds of sealing that failed; the next one is a second later",
            self.seal_failures.clone(),
        );
        all.register(
            "audit_sealed_timestamp_seconds",
            "When sealing last succeeded, whether or not there was something to seal",
            self.sealed_at.clone(),
        );
    }

    /// What is alerted on begins at zero: a series that appears with its first event has no rate.
    fn begin_at_zero(&self) {
        for label in SignIn::all() {
            drop(self.sign_ins.get_or_create(&label));
        }
        for label in Budget::all() {
            drop(self.barred.get_or_create(&label));
        }
        for label in Limited::all() {
            drop(self.limited.get_or_create(&label));
        }
        for kind in labels::FAILURES {
            drop(self.failures.get_or_create(&Failure { kind }));
        }
    }

    /// A limit turned a request away.
    pub(crate) fn turned_away(&self, limit: Limit) {
        self.limited.get_or_create(&Limited::by(limit)).inc();
    }

    /// A request begins.
    pub fn request_began(&self) {
        self.under_way.inc();
    }

    /// A request was answered with this status; none if its client went before.
    pub fn request_ended(&self, method: &str, route: &str, status: Option<u16>, took: Duration) {
        self.under_way.dec();
        let request = Request::new(method, route, status);
        let answer = Route::of(&request);
        self.requests.get_or_create(&request).inc();
        self.answers
            .get_or_create(&answer)
            .observe(took.as_secs_f64());
    }

    /// A call of the store came back.
    pub(crate) fn called(&self, call: &'static str, took: Duration, error: Option<&StoreError>) {
        let seconds = took.as_secs_f64();
        self.calls.get_or_create(&Call { call }).observe(seconds);
        if let Some(error) = error {
            self.failures.get_or_create(&Failure::of(error)).inc();
        }
    }

    /// These rows are in the audit trail.
    pub(crate) fn written(&self, trail: Trail<'_>) {
        for row in trail {
            let entry = &row.entry;
            self.rows.get_or_create(&Row::of(entry)).inc();
            if let Some(sign_in) = rows::sign_in(entry) {
                self.sign_ins.get_or_create(&sign_in).inc();
            }
            if let Some(budget) = rows::barred(entry) {
                self.barred.get_or_create(&budget).inc();
            }
        }
    }

    /// These rows could not be written.
    pub(crate) fn not_written(&self, trail: Trail<'_>) {
        self.lost_rows
            .inc_by(u64::try_from(trail.len()).unwrap_or(u64::MAX));
    }

    /// A seal was put on so many rows.
    pub(crate) fn sealed(&self, rows: u64) {
        self.seals.inc();
        self.sealed_rows.inc_by(rows);
    }

    /// A round of sealing ended.
    pub(crate) fn sealing_ended(&self, succeeded: bool, now: Timestamp) {
        if succeeded {
            self.sealed_at.set(seconds(now));
        } else {
            self.seal_failures.inc();
        }
    }
}

impl Service {
    /// What is counted.
    pub fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// All measures of this service and those in `more`, in the text form of `OpenMetrics` 1.0.
    ///
    /// # Errors
    /// Nothing that can happen when one writes into a text.
    pub fn write_metrics(&self, more: &Registry) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode_registry(&mut text, &self.inner.metrics.registry)?;
        encode_registry(&mut text, &self.as_of_now())?;
        encode_registry(&mut text, more)?;
        encode_eof(&mut text)?;
        Ok(text)
    }

    /// What is read when somebody asks, rather than counted.
    fn as_of_now(&self) -> Registry {
        let mut all = new_registry();
        let hasher = self.hasher();
        all.register(
            "password_hashes",
            "Password hashes that were computed",
            total(hasher.hashes()),
        );
        all.register(
            "password_hash_refusals",
            "Sign-ins that were turned away because too many waited for a password hash (503)",
            total(hasher.refusals()),
        );
        all.register(
            "password_hash_queue_length",
            "Passwords that are being hashed, or wait for it",
            number(hasher.queue_length()),
        );
        let connections = Family::<Connections, Gauge>::default();
        if let Some(pool) = self.inner.store.pool() {
            for (state, count) in [("in_use", pool.in_use), ("idle", pool.idle)] {
                connections
                    .get_or_create(&Connections { state })
                    .set(count.into());
            }
        }
        all.register(
            "store_connections",
            "Connections to the database",
            connections,
        );
        let behind = Real::default();
        behind.set(self.clock_behind().as_secs_f64());
        all.register(
            "clock_behind_seconds",
            "How far the clock of the machine was set back while this program ran",
            behind,
        );
        all.register_collector(Box::new(self.radius_servers()));
        all
    }
}

/// Where measures are put under the name of this program.
pub fn new_registry() -> Registry {
    Registry::with_prefix("vestibule")
}

fn total(count: u64) -> Counter {
    let counter = Counter::default();
    counter.inc_by(count);
    counter
}

fn number(count: usize) -> Gauge {
    let gauge = Gauge::default();
    gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
    gauge
}

#[expect(
    clippy::cast_precision_loss,
    reason = "2^53 microseconds are 285 years"
)]
fn seconds(time: Timestamp) -> f64 {
    time.as_micros() as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use uuid::Uuid;
    use vestibule_engine::audit::{Entry, Event, Outcome};
    use vestibule_engine::{Secret, UserId};
    use vestibule_store::{Accounts as _, Audit as _, PasswordHash};
    use vestibule_store_memory::MemoryStore;

    use super::*;
    use crate::Keyring;
    use crate::metered::Metered;

    #[tokio::test]
    async fn a_row_counts_when_it_is_written_and_not_before() {
        let metrics = Arc::new(Metrics::new());
        let keyring = Arc::new(Keyring::new(&Secret::new([1; 32])));
        let store = Arc::new(MemoryStore::new());
        let store = Metered::new(store, Arc::clone(&keyring), Arc::clone(&metrics));
        let at = Timestamp::from_unix_seconds(0);
        let entry = Entry::new(Uuid::nil(), at, Event::SignIn, Outcome::Failure);
        let row = keyring.in_use().audit().sign(entry);
        let counted = || {
            let sign_in = SignIn {
                factor: "password",
                outcome: "failure",
            };
            metrics.sign_ins.get_or_create(&sign_in).get()
        };
        let trail = [row];
        store.record(&trail).await.unwrap();
        assert_eq!(counted(), 1);
        let (nobody, password) = (UserId::from_random([0; 16]), PasswordHash::new("x"));
        let written = store.set_password(nobody, &password, at, &trail).await;
        assert!(!written.unwrap(), "there is no such user");
        assert_eq!(counted(), 1);
    }
}
