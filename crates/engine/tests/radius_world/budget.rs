//! The guess budget, computed from every try that counts instead of from a summary.

use std::time::Duration;

use vestibule_engine::Timestamp;
use vestibule_engine::budget::{
    CLOSING_FAILURES, FIRST_WAIT, FREE_FAILURES, GuessBudget, LONGEST_WAIT,
};
use vestibule_engine::radius::MOST_ROUNDS;

const DAY: Duration = Duration::from_hours(24);

/// A try that counts: because it was wrong, or because nobody knows yet.
#[derive(Clone)]
struct Try {
    id: u64,
    row: u32,
    begun: Timestamp,
    /// Wrong answers to which the server's word was heard.
    heard: u32,
}

/// What a user has left of wrong answers.
#[derive(Clone, Default)]
pub(crate) struct NaiveBudget {
    tries: Vec<Try>,
    row: u32,
    /// The last try there ever was, whatever became of it.
    last: Option<Timestamp>,
    /// The last try of the row, and how many counted at most, whatever became of them.
    last_in_row: Option<Timestamp>,
    most_in_row: usize,
    /// Whether one was given back in this row.
    is_patched: bool,
}

fn wait_after(failures: usize) -> Option<Duration> {
    let doublings = failures.checked_sub(usize::try_from(FREE_FAILURES).ok()?)?;
    let doubled = (0..doublings).fold(FIRST_WAIT, |wait, _| (wait * 2).min(LONGEST_WAIT));
    Some(doubled)
}

impl NaiveBudget {
    /// The tries of the row, but for one.
    fn row(&self, but: Option<u64>) -> impl Iterator<Item = &Try> {
        let in_row = move |t: &&Try| t.row == self.row && Some(t.id) != but;
        self.tries.iter().filter(in_row)
    }

    /// Until when nothing may be sent, if it were not for one try.
    pub(crate) fn waits_until(&self, but: Option<u64>) -> Option<Timestamp> {
        let last = self.row(but).map(|t| t.begun).max()?;
        Some(last.after(wait_after(self.row(but).count())?))
    }

    /// Until when something may be refused at the latest.
    pub(crate) fn may_wait_until(&self, but: Option<u64>) -> Option<Timestamp> {
        let free = usize::try_from(FREE_FAILURES).ok()?;
        if self.row(but).count() < free {
            return None;
        }
        Some(self.last_in_row?.after(wait_after(self.most_in_row)?))
    }

    fn within(&self, end: Timestamp, days: u32, but: Option<u64>) -> u32 {
        let recent =
            |t: &&Try| Some(t.id) != but && t.begun <= end && end.since(t.begun) < DAY * days;
        u32::try_from(self.tries.iter().filter(recent).count()).unwrap_or(u32::MAX)
    }

    fn closed_by(&self, days: u32, but: Option<u64>) -> bool {
        let full = |t: &Try| self.within(t.begun, days, but) >= CLOSING_FAILURES;
        let enough = self.tries.len() >= usize::try_from(CLOSING_FAILURES).unwrap_or(0);
        enough && self.tries.iter().any(full)
    }

    pub(crate) fn must_be_closed(&self, but: Option<u64>) -> bool {
        self.closed_by(30, but)
    }

    pub(crate) fn may_be_closed(&self) -> bool {
        self.closed_by(31, None)
    }

    /// Nothing may be sent now, if it were not for one try.
    pub(crate) fn is_shut(&self, now: Timestamp, but: Option<u64>) -> bool {
        self.must_be_closed(but) || self.waits_until(but).is_some_and(|until| now < until)
    }

    pub(crate) fn may_wait(&self, now: Timestamp, but: Option<u64>) -> bool {
        self.may_wait_until(but).is_some_and(|until| now < until)
    }

    /// A try begins.
    pub(crate) fn begin(&mut self, id: u64, now: Timestamp) {
        assert!(!self.is_shut(now, None), "a try that nobody had left");
        let row = self.row;
        self.tries.push(Try {
            id,
            row,
            begun: now,
            heard: 0,
        });
        self.last = Some(now);
        self.last_in_row = Some(now);
        self.most_in_row = self.most_in_row.max(self.row(None).count());
        let at_once = self.row(None).filter(|t| now.since(t.begun) < FIRST_WAIT);
        let free = usize::try_from(FREE_FAILURES).unwrap_or(0);
        assert!(at_once.count() <= free, "more at once than are free");
        assert!(
            self.within(now, 30, None) <= CLOSING_FAILURES,
            "more within 30 days than close it"
        );
    }

    /// The server's word on a wrong answer was heard.
    pub(crate) fn hear(&mut self, id: u64) {
        for t in self.tries.iter_mut().filter(|t| t.id == id) {
            t.heard += 1;
            assert!(
                t.heard <= MOST_ROUNDS.into(),
                "a try of more answers than a dialogue has requests"
            );
        }
    }

    /// A try does not count after all.
    pub(crate) fn give_back(&mut self, id: u64) {
        let Some(at) = self.tries.iter().position(|t| t.id == id) else {
            return;
        };
        let gone = self.tries.remove(at);
        assert_eq!(gone.heard, 0, "a try that was judged is given back");
        self.is_patched |= gone.row == self.row;
    }

    /// A try was right, or a push was approved.
    pub(crate) fn succeed(&mut self, id: Option<u64>) {
        self.tries.retain(|t| Some(t.id) != id);
        self.row += 1;
        (self.last_in_row, self.most_in_row, self.is_patched) = (None, 0, false);
    }

    pub(crate) fn is_last(&self, id: u64) -> bool {
        self.row(None).last().is_some_and(|t| t.id == id)
    }

    /// How many wrong answers were judged within the last 30 days.
    pub(crate) fn heard(&self, now: Timestamp) -> u32 {
        let recent = |t: &&Try| now.since(t.begun) < DAY * 30;
        self.tries.iter().filter(recent).map(|t| t.heard).sum()
    }

    /// Compares it with what is stored.
    pub(crate) fn check(&self, stored: &GuessBudget) {
        let streak = self.row(None).count();
        assert_eq!(
            usize::try_from(stored.streak()),
            Ok(streak),
            "failures in a row"
        );
        let exact = self.waits_until(None);
        if self.is_patched {
            let latest = self.may_wait_until(None);
            assert!(stored.waiting_until() >= exact, "more open than it must be");
            assert!(
                stored.waiting_until() <= latest,
                "shut for longer than it may be"
            );
        } else {
            assert_eq!(stored.waiting_until(), exact, "the wait");
        }
        let (at_least, at_most) = match self.last {
            Some(last) => (self.within(last, 30, None), self.within(last, 31, None)),
            None => (0, 0),
        };
        let counted = stored.recent().count();
        assert!(
            (at_least..=at_most).contains(&counted),
            "{counted} are counted, which must be {at_least} to {at_most}"
        );
        assert!(
            stored.is_closed() || !self.must_be_closed(None),
            "open, and must be closed"
        );
        assert!(
            !stored.is_closed() || self.may_be_closed(),
            "closed, and must be open"
        );
    }
}
