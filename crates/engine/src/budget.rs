//! The guess budget: how often a user's second factor may be answered wrongly, all factors,
//! tokens, sessions and spellings of the name together.
//!
//! Five failures in a row are free. The fifth starts a wait of 30 seconds, and each failure after
//! a wait doubles it, up to 24 hours; a success ends the row. Apart from that, 100 failures within
//! 30 days close the second factor until an administrator resets it, whatever succeeded in
//! between: who has the password and guesses codes gets in with at most 3 in 10,000. A RADIUS
//! server that asks again instead of refusing judges up to five answers for one failure.

use std::time::Duration;

use crate::Timestamp;

/// Failures in a row before the first wait.
pub const FREE_FAILURES: u32 = 5;
/// The first wait.
pub const FIRST_WAIT: Duration = Duration::from_secs(30);
/// The longest wait.
pub const LONGEST_WAIT: Duration = Duration::from_hours(24);
/// Failures within [`WINDOW`] that close the second factor.
pub const CLOSING_FAILURES: u32 = 100;
/// How long a failure is remembered, at the least; up to a day longer.
pub const WINDOW: Duration = Duration::from_hours(30 * 24);

/// What a success adds to the row. A reset adds 1, so that the rest tells on which side of a reset a
/// try was counted.
const ONE_SUCCESS: u64 = 1 << 32;

/// What a user has left of wrong answers.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct GuessBudget {
    row: u64,
    streak: u32,
    waiting_until: Option<Timestamp>,
    recent: RecentFailures,
    closed: bool,
}

/// What the budget says to the next answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Gate {
    /// It may be looked at.
    Open,
    /// It may not be looked at before then.
    Waiting(Timestamp),
    /// It may not be looked at until an administrator has reset the budget.
    Closed,
}

impl GuessBudget {
    /// A budget as it was stored.
    pub const fn restore(
        row: u64,
        streak: u32,
        waiting_until: Option<Timestamp>,
        recent: RecentFailures,
        closed: bool,
    ) -> Self {
        Self {
            row,
            streak,
            waiting_until,
            recent,
            closed,
        }
    }

    /// Whether an answer may be looked at now.
    pub fn gate(&self, now: Timestamp) -> Gate {
        match self.waiting_until {
            _ if self.closed => Gate::Closed,
            Some(until) if now < until => Gate::Waiting(until),
            Some(_) | None => Gate::Open,
        }
    }

    /// The budget after a wrong answer.
    pub fn after_failure(&self, now: Timestamp) -> Self {
        let streak = self.streak.saturating_add(1);
        let recent = self.recent.with_one_more(now);
        Self {
            row: self.row,
            streak,
            waiting_until: wait_after(streak).map(|wait| now.after(wait)),
            closed: self.closed || recent.count() >= CLOSING_FAILURES,
            recent,
        }
    }

    /// The budget after a right answer: the row of failures is over, and remembered.
    pub fn after_success(&self) -> Self {
        Self {
            row: self.row.saturating_add(ONE_SUCCESS),
            streak: 0,
            waiting_until: None,
            ..self.clone()
        }
    }

    /// The full budget that an administrator gives.
    pub fn reset(&self) -> Self {
        Self {
            row: self.row.saturating_add(1),
            ..Self::default()
        }
    }

    /// Counts an answer as wrong before anybody knows: what goes to another server is judged
    /// there, and must be counted even if this program never hears of it.
    pub fn reserve(&self, now: Timestamp) -> (Self, Reservation) {
        let budget = self.after_failure(now);
        let reservation = Reservation {
            row: self.row,
            day: budget.recent.day,
            waiting_before: self.waiting_until,
            waiting_since: budget.waiting_until,
        };
        (budget, reservation)
    }

    /// The budget without a try that was reserved: it was right, or nobody looked at it. What
    /// others have done to the budget since then stays.
    pub fn give_back(&self, reservation: &Reservation) -> Self {
        // A budget that was reset since has no trace of the try.
        if self.row % ONE_SUCCESS != reservation.row % ONE_SUCCESS {
            return self.clone();
        }
        let recent = self.recent.without_one(reservation.day);
        let closed_by_it =
            self.recent.count() >= CLOSING_FAILURES && recent.count() < CLOSING_FAILURES;
        let mut budget = Self {
            closed: self.closed && !closed_by_it,
            recent,
            ..self.clone()
        };
        // A row that has ended since took its failures along.
        if self.row == reservation.row {
            budget.streak = self.streak.saturating_sub(1);
            if budget.streak < FREE_FAILURES {
                budget.waiting_until = None;
            } else if self.waiting_until == reservation.waiting_since {
                budget.waiting_until = reservation.waiting_before;
            }
        }
        budget
    }

    /// Which row of failures this is: grows with every success and every reset.
    pub const fn row(&self) -> u64 {
        self.row
    }

    /// Failures since the last success.
    pub const fn streak(&self) -> u32 {
        self.streak
    }

    /// The end of the present wait, which may lie in the past.
    pub const fn waiting_until(&self) -> Option<Timestamp> {
        self.waiting_until
    }

    /// The failures that count against the closing of the second factor.
    pub const fn recent(&self) -> &RecentFailures {
        &self.recent
    }

    /// Whether only an administrator can open it again.
    pub const fn is_closed(&self) -> bool {
        self.closed
    }
}

/// A try that was counted as wrong before it was known to be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reservation {
    /// The row that it was counted in.
    pub(crate) row: u64,
    /// The day that it was counted on.
    pub(crate) day: i32,
    /// The wait that was over before it.
    pub(crate) waiting_before: Option<Timestamp>,
    /// The wait that it started.
    pub(crate) waiting_since: Option<Timestamp>,
}

/// The wait that the n-th failure in a row starts.
fn wait_after(streak: u32) -> Option<Duration> {
    let doublings = streak.checked_sub(FREE_FAILURES)?;
    let factor = 2u32.checked_pow(doublings).unwrap_or(u32::MAX);
    Some(FIRST_WAIT.saturating_mul(factor).min(LONGEST_WAIT))
}

/// Days that are told apart: all that 30 days can touch.
const DAYS: usize = 31;
const DAY_MICROS: i64 = 24 * 60 * 60 * 1_000_000;

/// How many failures there were on each of the last 31 days.
///
/// A day is forgotten as a whole, so that a failure counts for 30 days and up to one more.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RecentFailures {
    /// The last day with a failure, in days since the Unix epoch.
    day: i32,
    /// Failures on that day, the day before it, and so on.
    counts: [u8; DAYS],
}

impl RecentFailures {
    /// Octets of the stored form.
    pub const LENGTH: usize = 4 + DAYS;

    /// The stored form: the day, big-endian, then the counts.
    pub fn to_bytes(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        let all = self.day.to_be_bytes().into_iter().chain(self.counts);
        for (to, from) in bytes.iter_mut().zip(all) {
            *to = from;
        }
        bytes
    }

    /// Reads the stored form; nothing at all stands for no failure.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self::default());
        }
        let (day, counts) = bytes.split_first_chunk::<4>()?;
        Some(Self {
            day: i32::from_be_bytes(*day),
            counts: counts.try_into().ok()?,
        })
    }

    /// The failures of the window that ends with the last of them.
    pub fn count(&self) -> u32 {
        self.counts.iter().map(|&n| u32::from(n)).sum()
    }

    fn without_one(&self, day: i32) -> Self {
        let mut less = self.clone();
        let age = usize::try_from(self.day.saturating_sub(day)).ok();
        if let Some(count) = age.and_then(|age| less.counts.get_mut(age)) {
            *count = count.saturating_sub(1);
        }
        less
    }

    fn with_one_more(&self, now: Timestamp) -> Self {
        let today = i32::try_from(now.as_micros().div_euclid(DAY_MICROS)).unwrap_or(i32::MAX);
        // A clock that was set back must not make failures forgotten: they count for the last day.
        let day = if self.count() == 0 {
            today
        } else {
            today.max(self.day)
        };
        let passed = usize::try_from(day.saturating_sub(self.day))
            .unwrap_or(DAYS)
            .min(DAYS);
        let mut counts = [0; DAYS];
        for (to, from) in counts.iter_mut().skip(passed).zip(self.counts) {
            *to = from;
        }
        if let Some(today) = counts.first_mut() {
            *today = today.saturating_add(1);
        }
        Self { day, counts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_700_000_000 + seconds)
    }

    /// The wait that starts with the n-th failure in a row.
    #[track_caller]
    fn check(failures: u32, wait: Option<u64>) {
        let budget = (0..failures).fold(GuessBudget::default(), |b, _| b.after_failure(at(0)));
        let expected = wait.map_or(Gate::Open, |s| {
            Gate::Waiting(at(0).after(Duration::from_secs(s)))
        });
        assert_eq!(budget.gate(at(0)), expected, "after {failures}");
    }

    #[test]
    fn five_are_free_then_the_wait_doubles() {
        check(4, None);
        check(5, Some(30));
        check(6, Some(60));
        check(16, Some(30 << 11));
        check(17, Some(24 * 60 * 60));
        check(99, Some(24 * 60 * 60));
    }

    #[test]
    fn the_wait_ends() {
        let budget = (0..5).fold(GuessBudget::default(), |b, _| b.after_failure(at(0)));
        assert_eq!(budget.gate(at(29)), Gate::Waiting(at(30)));
        assert_eq!(budget.gate(at(30)), Gate::Open);
    }

    #[test]
    fn a_success_ends_the_row_but_is_not_forgotten_about() {
        let mut budget = GuessBudget::default();
        for n in 0..99 {
            budget = budget.after_failure(at(n)).after_success();
            assert_eq!(budget.gate(at(n)), Gate::Open);
        }
        assert_eq!(budget.after_failure(at(99)).gate(at(99)), Gate::Closed);
        assert_eq!(
            budget.after_failure(at(99)).after_success().gate(at(99)),
            Gate::Closed
        );
    }

    #[test]
    fn failures_are_forgotten_after_thirty_days() {
        let month = |days| at(0).after(DAY * days);
        let fail = |b: GuessBudget, now| b.after_failure(now).after_success();
        let early = (0..99).fold(GuessBudget::default(), |b, _| fail(b, month(0)));
        assert_eq!(fail(early.clone(), month(30)).gate(month(30)), Gate::Closed);
        assert_eq!(fail(early.clone(), month(31)).gate(month(31)), Gate::Open);
        assert_eq!(fail(early, month(400)).recent().count(), 1);
    }

    fn failed(failures: u32) -> GuessBudget {
        (0..failures).fold(GuessBudget::default(), |b, _| b.after_failure(at(0)))
    }

    #[test]
    fn what_is_given_back_was_never_counted() {
        for failures in [0, 1, 4, 5, 6, 98, 99] {
            let before = failed(failures);
            let now = at(25 * 60 * 60);
            let (reserved, reservation) = before.reserve(now);
            assert_eq!(reserved, before.after_failure(now), "{failures}");
            let after = reserved.give_back(&reservation);
            assert_eq!(after.gate(now), before.gate(now), "{failures}");
            assert_eq!(after.streak(), before.streak());
            assert_eq!(after.recent().count(), before.recent().count());
        }
    }

    #[test]
    fn what_others_did_meanwhile_stays() {
        let (budget, first) = failed(3).reserve(at(0));
        let (budget, second) = budget.reserve(at(1));
        assert_eq!(budget.gate(at(1)), Gate::Waiting(at(31)));
        let one_counts = budget.give_back(&first);
        assert_eq!(
            (one_counts.streak(), one_counts.gate(at(1))),
            (4, Gate::Open)
        );
        assert_eq!(one_counts.give_back(&second), {
            let mut none = failed(3);
            none.recent = one_counts.give_back(&second).recent;
            none
        });
    }

    #[test]
    fn a_row_that_has_ended_is_not_given_back_to_the_next() {
        let (budget, reservation) = failed(3).reserve(at(0));
        let next = budget.after_success().after_failure(at(1));
        let given_back = next.give_back(&reservation);
        assert_eq!(given_back.streak(), 1);
        assert_eq!(given_back.recent().count(), 4);
    }

    #[test]
    fn nothing_is_given_back_to_a_budget_that_was_reset() {
        for successes in 0..3 {
            let begun = (0..successes).fold(failed(3), |b, _| b.after_success());
            let (budget, reservation) = begun.reserve(at(0));
            let after = budget.reset().after_failure(at(1));
            assert_eq!(after.give_back(&reservation), after);
            assert!(budget.reset().row() > budget.row());
        }
    }

    #[test]
    fn a_closed_budget_is_opened_by_the_try_that_closed_it_only() {
        let closed = failed(100);
        for days in [0, 1, 29, 40] {
            let (budget, reservation) = closed.reserve(at(days * 86_400));
            let given_back = budget.give_back(&reservation);
            assert_eq!(given_back.gate(at(days * 86_400)), Gate::Closed, "{days}");
        }
    }

    #[test]
    fn the_last_try_before_the_end_can_be_given_back() {
        let spread = (0..99).fold(GuessBudget::default(), |b, _| {
            b.after_failure(at(0)).after_success()
        });
        let (closed, reservation) = spread.reserve(at(0));
        assert_eq!(closed.gate(at(0)), Gate::Closed);
        assert_eq!(closed.give_back(&reservation).gate(at(0)), Gate::Open);
    }

    #[test]
    fn a_clock_set_back_forgets_nothing() {
        let early = (0..99).fold(GuessBudget::default(), |b, _| b.after_failure(at(0)));
        assert_eq!(
            early.after_failure(at(-86_400 * 365)).gate(at(0)),
            Gate::Closed
        );
    }

    #[test]
    fn the_stored_form_is_read_back() {
        let budget = (0..7).fold(GuessBudget::default(), |b, n| {
            b.after_failure(at(n * 100_000))
        });
        let bytes = budget.recent().to_bytes();
        assert_eq!(
            RecentFailures::from_bytes(&bytes).as_ref(),
            Some(budget.recent())
        );
        assert_eq!(
            RecentFailures::from_bytes(&[]),
            Some(RecentFailures::default())
        );
        assert_eq!(RecentFailures::from_bytes(&bytes[1..]), None);
    }
}
