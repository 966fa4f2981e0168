//! What has happened, written down apart from the engine, and what must be true of it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use vestibule_engine::{SeedId, SessionId, Timestamp, TokenKind, TotpStep, UserId};

use super::store::{SeedState, Store};

const DAY: Duration = Duration::from_hours(24);

/// The guess budget, computed from every failure there was instead of from a summary.
#[derive(Clone, Default)]
pub(crate) struct NaiveBudget {
    /// When each failure counted; a clock that was set back does not make one older than the last.
    failures: Vec<Timestamp>,
    /// Failures since the last success.
    streak: u32,
    /// When the last of them was judged.
    last: Option<Timestamp>,
    /// There were 100 within 30 days.
    must_be_closed: bool,
    /// There were 100 within 31 days.
    may_be_closed: bool,
}

impl NaiveBudget {
    /// When the wait is over that the failures so far have started, if any has.
    pub(crate) fn waiting_until(&self) -> Option<Timestamp> {
        let mut wait = Duration::from_secs(30);
        for _ in 5..self.streak {
            wait = (wait * 2).min(DAY);
        }
        self.last
            .filter(|_| self.streak >= 5)
            .map(|last| last.after(wait))
    }

    pub(crate) fn is_waiting(&self, now: Timestamp) -> bool {
        self.waiting_until().is_some_and(|until| now < until)
    }

    pub(crate) const fn must_be_closed(&self) -> bool {
        self.must_be_closed
    }

    pub(crate) const fn may_be_closed(&self) -> bool {
        self.may_be_closed
    }

    fn fail(&mut self, judged: Timestamp) {
        assert!(!self.is_waiting(judged), "a guess was judged during a wait");
        assert!(
            !self.must_be_closed,
            "a guess was judged after the gate had closed"
        );
        self.streak += 1;
        self.last = Some(judged);
        let counts = self
            .failures
            .last()
            .map_or(judged, |last| judged.max(*last));
        self.failures.push(counts);
        let within = |days| {
            self.failures
                .iter()
                .filter(|&&f| counts.since(f) < DAY * days)
                .count()
        };
        assert!(
            within(30) <= 100,
            "more than 100 guesses were judged within 30 days"
        );
        self.must_be_closed |= within(30) >= 100;
        self.may_be_closed |= within(31) >= 100;
    }

    const fn succeed(&mut self) {
        self.streak = 0;
    }
}

/// What has happened.
#[derive(Default)]
pub(crate) struct Ledger {
    budgets: HashMap<UserId, NaiveBudget>,
    /// The steps that were claimed of each seed, in the order they were.
    pub(crate) claimed: HashMap<SeedId, Vec<TotpStep>>,
    /// Claims of which somebody was told.
    told: HashSet<(SeedId, TotpStep)>,
    /// Each seed of each user, in order, with the one session that was shown it.
    pub(crate) shown: HashMap<UserId, Vec<(SeedId, [u8; 20], SessionId)>>,
    /// Sessions that passed.
    passed: HashSet<SessionId>,
    /// Sessions that were admitted while no factor was due.
    excused: HashSet<SessionId>,
    /// Sessions that were ended, all of them.
    ended: HashSet<SessionId>,
    /// Sessions whose partial token ended because the budget ran out.
    spent: HashSet<SessionId>,
    /// What happened how often.
    pub(crate) tally: BTreeMap<&'static str, u32>,
}

impl Ledger {
    pub(crate) fn note(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    pub(crate) fn budget(&self, user: UserId) -> NaiveBudget {
        self.budgets.get(&user).cloned().unwrap_or_default()
    }

    /// A store has counted a guess that was judged at `judged`.
    pub(crate) fn counted(
        &mut self,
        user: UserId,
        session: SessionId,
        judged: Timestamp,
        ends_token: bool,
    ) {
        assert!(
            !self.spent.contains(&session),
            "a guess with a token that had ended"
        );
        let budget = self.budgets.entry(user).or_default();
        budget.fail(judged);
        let must_end = budget.is_waiting(judged) || budget.must_be_closed;
        let may_end = budget.is_waiting(judged) || budget.may_be_closed;
        assert!(
            ends_token || !must_end,
            "the budget ran out and the token lives on"
        );
        assert!(
            !ends_token || may_end,
            "the token ended before the budget did"
        );
        if ends_token {
            self.note("token spent");
            self.spent.insert(session);
        }
    }

    /// A store has claimed a step.
    pub(crate) fn claim(&mut self, user: UserId, session: SessionId, seed: SeedId, step: TotpStep) {
        assert!(
            !self.spent.contains(&session),
            "a claim with a token that had ended"
        );
        let steps = self.claimed.entry(seed).or_default();
        assert!(
            steps.last().is_none_or(|&last| last < step),
            "{step:?} after {steps:?}"
        );
        steps.push(step);
        self.passed.insert(session);
        self.budgets.entry(user).or_default().succeed();
    }

    /// Somebody was told to have passed.
    pub(crate) fn tell(&mut self, seed: SeedId, step: TotpStep) {
        let claimed = self
            .claimed
            .get(&seed)
            .is_some_and(|steps| steps.contains(&step));
        assert!(claimed, "passed without a claim");
        assert!(self.told.insert((seed, step)), "{step:?} has passed twice");
    }

    /// A session was shown a seed.
    pub(crate) fn show(&mut self, user: UserId, session: SessionId, seed: SeedId, bytes: [u8; 20]) {
        assert!(
            !self.claimed.contains_key(&seed),
            "a verified seed was shown"
        );
        let shown = self.shown.entry(user).or_default();
        match shown.iter().find(|(id, ..)| *id == seed) {
            Some((_, _, first)) => assert_eq!(*first, session, "a seed was shown to two sessions"),
            None => shown.push((seed, bytes, session)),
        }
    }

    pub(crate) fn has_passed(&self, session: SessionId) -> bool {
        self.passed.contains(&session)
    }

    pub(crate) fn excuse(&mut self, session: SessionId) {
        self.excused.insert(session);
    }

    pub(crate) fn end(&mut self, session: SessionId) {
        self.ended.insert(session);
    }

    pub(crate) fn reset(&mut self, user: UserId) {
        self.budgets.remove(&user);
    }

    /// What must be true of the store, whatever has happened.
    pub(crate) fn check(&self, store: &Store) {
        for token in store.tokens.values() {
            let session = token.session;
            assert!(
                !self.ended.contains(&session),
                "a token outlives its session"
            );
            match token.kind {
                TokenKind::Partial => {
                    assert!(
                        !self.spent.contains(&session),
                        "a token outlives the budget"
                    );
                    assert!(
                        !self.passed.contains(&session),
                        "a partial token beside a full one"
                    );
                }
                TokenKind::Verified => {
                    assert!(
                        self.passed.contains(&session),
                        "a full token without a second factor"
                    );
                }
                TokenKind::Admin => assert!(
                    self.passed.contains(&session) || self.excused.contains(&session),
                    "a token for administration without a second factor that was due"
                ),
            }
        }
        for (user, factor) in &store.factors {
            let Some(seed) = factor.seed else { continue };
            let shown = self.shown.get(user).map_or(&[][..], Vec::as_slice);
            let viewer = shown
                .iter()
                .find(|(id, ..)| *id == seed.id)
                .map(|seen| seen.2);
            let steps = self.claimed.get(&seed.id);
            match seed.state {
                SeedState::Unverified { shown_to, .. } => {
                    assert_eq!(
                        viewer,
                        Some(shown_to),
                        "a seed stands for whom it was not shown"
                    );
                    assert!(steps.is_none(), "a seed passed and is not verified");
                }
                SeedState::Verified { last_step } => {
                    assert_eq!(steps.and_then(|s| s.last()), Some(&last_step));
                }
            }
        }
        for (user, budget) in &self.budgets {
            let closed = store.factor(*user).budget.is_closed();
            assert!(
                closed || !budget.must_be_closed,
                "the gate is open and must be closed"
            );
            assert!(
                !closed || budget.may_be_closed,
                "the gate is closed and must be open"
            );
        }
    }
}
