//! The labels, and the words that they may be.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use vestibule_engine::audit::{Entry, Event, Outcome};
use vestibule_store::StoreError;

/// What somebody signs in with.
pub(super) const FACTORS: [&str; 4] = ["password", "totp", "radius", "push"];
/// How a call of the store fails.
pub(super) const FAILURES: [&str; 4] = ["unavailable", "inconsistent", "schemaTooNew", "bug"];
/// What stands for every word that is in no set.
const OTHER: &str = "other";

/// A sign-in that was decided.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct SignIn {
    pub(super) factor: &'static str,
    /// As in the audit trail.
    pub(super) outcome: &'static str,
}

impl SignIn {
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let outcomes = |factor| {
            let outcomes = Outcome::ALL.iter();
            outcomes.map(move |outcome| Self {
                factor,
                outcome: outcome.as_str(),
            })
        };
        FACTORS.into_iter().flat_map(outcomes)
    }
}

/// How a guess budget stands that lets nobody try.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct Budget {
    pub(super) state: &'static str,
}

impl Budget {
    pub(super) const WAITING: Self = Self { state: "waiting" };
    pub(super) const CLOSED: Self = Self { state: "closed" };

    pub(super) const fn all() -> [Self; 2] {
        [Self::WAITING, Self::CLOSED]
    }
}

/// What limits requests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Limit {
    /// Failed sign-ins of one client address.
    SignInFailures,
    /// Requests without a good token of one client address.
    WithoutToken,
    /// Pushes of one user.
    Pushes,
}

/// Requests that a limit turned away.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct Limited {
    limit: &'static str,
}

impl Limited {
    pub(super) const fn by(limit: Limit) -> Self {
        Self {
            limit: match limit {
                Limit::SignInFailures => "signInFailures",
                Limit::WithoutToken => "withoutToken",
                Limit::Pushes => "pushes",
            },
        }
    }

    pub(super) const fn all() -> [Self; 3] {
        [
            Self::by(Limit::SignInFailures),
            Self::by(Limit::WithoutToken),
            Self::by(Limit::Pushes),
        ]
    }
}

/// A request that has ended.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct Request {
    method: &'static str,
    /// The template of the path, never the path.
    route: Arc<str>,
    status: &'static str,
}

impl Request {
    /// `status` is none when the client has gone before there was one.
    pub(super) fn new(method: &str, route: &str, status: Option<u16>) -> Self {
        const METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"];
        let known = METHODS.into_iter().find(|known| *known == method);
        Self {
            method: known.unwrap_or(OTHER),
            route: if route.is_empty() { "none" } else { route }.into(),
            status: match status.map(|status| status / 100) {
                None => "aborted",
                Some(1) => "1xx",
                Some(2) => "2xx",
                Some(3) => "3xx",
                Some(4) => "4xx",
                Some(_) => "5xx",
            },
        }
    }
}

/// Where requests go.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct Route {
    method: &'static str,
    route: Arc<str>,
}

impl Route {
    pub(super) fn of(request: &Request) -> Self {
        Self {
            method: request.method,
            route: Arc::clone(&request.route),
        }
    }
}

/// A call of the store: the name of a method.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct Call {
    pub(super) call: &'static str,
}

/// How a call of the store failed.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct Failure {
    pub(super) kind: &'static str,
}

impl Failure {
    pub(super) const fn of(error: &StoreError) -> Self {
        let [unavailable, inconsistent, too_new, bug] = FAILURES;
        Self {
            kind: match error {
                StoreError::Unavailable { .. } => unavailable,
                StoreError::Inconsistent { .. } => inconsistent,
                StoreError::SchemaTooNew { .. } => too_new,
                StoreError::Bug(_) => bug,
            },
        }
    }
}

/// A row of the audit trail.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct Row {
    event: &'static str,
    outcome: &'static str,
}

impl Row {
    pub(super) fn of(entry: &Entry) -> Self {
        Self {
            event: Event::from_word(&entry.event).map_or(OTHER, Event::as_str),
            outcome: outcome(entry),
        }
    }
}

/// How what a row records ended.
pub(super) fn outcome(entry: &Entry) -> &'static str {
    Outcome::from_word(&entry.outcome).map_or(OTHER, Outcome::as_str)
}

/// Connections to the database.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct Connections {
    pub(super) state: &'static str,
}

/// One server of a provider of second factors.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct Server {
    pub(super) provider: String,
    pub(super) server: String,
}
