//! What happens in a simulation, and in which order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Nanoseconds;
use super::world::Kind;

/// A request at a replica.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    pub(super) replica: usize,
    /// The number of the step that is next, or under way.
    pub(super) step: usize,
    pub(super) born: Nanoseconds,
}

/// A statement, and all who are in it.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) jobs: Vec<Job>,
    /// None if it is for one only.
    pub(super) kind: Option<Kind>,
    pub(super) replica: usize,
    /// Of the primary, and of the replica when it is answered.
    pub(super) cost: Nanoseconds,
    pub(super) answer: Nanoseconds,
    pub(super) commits: bool,
}

#[derive(Debug)]
pub(super) enum Work {
    Job(Job),
    Statement(Statement),
    Answer(Statement),
}

#[derive(Debug)]
pub(super) enum Event {
    /// Somebody comes, and after them the next one.
    Arrives(usize),
    /// A statement is at the primary.
    Sent(Statement),
    /// Cores are done with something.
    Computed(usize, Work),
    /// The log is flushed for these.
    Flushed(Vec<Statement>),
    /// The answer is at the replica.
    Answered(Statement),
}

/// An event and its time; of those of one time the one that was planned first.
struct Planned(Reverse<(Nanoseconds, u64)>, Event);

/// What is to happen, by its time.
#[derive(Default)]
pub(super) struct Plan {
    planned: BinaryHeap<Planned>,
    count: u64,
}

impl Plan {
    pub(super) fn add(&mut self, at: Nanoseconds, event: Event) {
        self.count += 1;
        self.planned.push(Planned(Reverse((at, self.count)), event));
    }

    /// What is next, and when.
    pub(super) fn next(&mut self) -> Option<(Nanoseconds, Event)> {
        let Planned(Reverse((at, _)), event) = self.planned.pop()?;
        Some((at, event))
    }
}

impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Planned {}

impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Planned {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_first_happens_first_and_else_what_was_planned_first() {
        let mut plan = Plan::default();
        for (at, replica) in [(5, 1), (3, 2), (5, 3)] {
            plan.add(at, Event::Arrives(replica));
        }
        let order: Vec<_> = std::iter::from_fn(|| plan.next())
            .map(|(at, event)| format!("{at} {event:?}"))
            .collect();
        assert_eq!(order, ["3 Arrives(2)", "5 Arrives(1)", "5 Arrives(3)"]);
    }
}
