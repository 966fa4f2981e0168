//! What is simulated: replicas, a primary, and what a request needs of them.

use super::Nanoseconds;

/// Servers over one primary, and those who use them.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) replicas: usize,
    /// Of each replica; of everybody, if they are on one machine.
    pub(super) cores: usize,
    pub(super) primary: Primary,
    /// From a server to the primary and back.
    pub(super) round_trip: Nanoseconds,
    /// A flush of the log.
    pub(super) flush: Nanoseconds,
    /// How many statements of one kind are combined at most.
    pub(super) most: usize,
    /// What is done for each request, one after the other.
    pub(super) steps: Vec<Step>,
    pub(super) arrivals: Arrivals,
    /// Whether what things take wanders around its mean, as it does.
    pub(super) wanders: bool,
}

/// Where the primary computes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Primary {
    /// On cores of its own.
    Apart(usize),
    /// On the same cores as everybody else.
    Beside,
}

/// A part of a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// A replica computes.
    Compute(Nanoseconds),
    /// A statement for everybody who asks for the same kind at this replica: one at a time.
    Together {
        kind: Kind,
        /// Of the primary, for each statement and for each one in it.
        statement: Nanoseconds,
        each: Nanoseconds,
        /// Of the replica, for the answer to a statement.
        answer: Nanoseconds,
    },
    /// A statement for this request only.
    Alone { cost: Nanoseconds, commits: bool },
}

/// What is asked for together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// Bearers are read.
    Read,
    /// Claims are written, and kept.
    Claim,
}

/// Who comes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arrivals {
    /// So many at each replica, who begin again when they are done.
    Closed(usize),
    /// So many a second at all replicas together, whoever is done.
    Open(f64),
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) per_second: f64,
    /// Seconds: the mean, and what all but one in a hundred took at most.
    pub(crate) mean: f64,
    pub(crate) p99: f64,
    /// How busy the cores of the primary are, those of the replicas, and the log: from 0 to 1.
    pub(crate) primary: f64,
    pub(crate) replicas: f64,
    pub(crate) log: f64,
}
