//! What has happened, written down apart from the engine, and what must be true of it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;

use vestibule_engine::budget::CLOSING_FAILURES;
use vestibule_engine::radius::{Handle, MOST_ROUNDS};
use vestibule_engine::{MfaProviderId, SessionId, Timestamp, UserId};

use super::budget::NaiveBudget;
use super::store::Store;

/// A question that a server has asked and that waits for its answer.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Another number for each question.
    pub(crate) serial: u64,
    pub(crate) server: SocketAddr,
    pub(crate) state: Option<Vec<u8>>,
    pub(crate) handle: [u8; Handle::LENGTH],
    pub(crate) provider: (MfaProviderId, u64),
    pub(crate) expires: Timestamp,
    /// Requests so far.
    pub(crate) requests: u8,
    /// The try that was begun with its first answer.
    pub(crate) held: Option<u64>,
}

/// What becomes of a try when the word on it is written down.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fate {
    Counts,
    /// It was held before, or is held on.
    Stays,
    GivenBack,
}

/// What has happened.
#[derive(Default)]
pub(crate) struct Ledger {
    budgets: HashMap<UserId, NaiveBudget>,
    asked: HashMap<SessionId, Asked>,
    /// Questions that were answered.
    answered: HashSet<u64>,
    /// Sessions whose partial token was spent for a second factor…
    passed: HashSet<SessionId>,
    /// …and of those, the ones that were told.
    told: HashSet<SessionId>,
    /// Sessions whose partial token ended otherwise.
    ended: HashSet<SessionId>,
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

    fn budget_mut(&mut self, user: UserId) -> &mut NaiveBudget {
        self.budgets.entry(user).or_default()
    }

    /// The question of a session, whether or not it can still be answered.
    pub(crate) fn asked(&self, session: SessionId) -> Option<&Asked> {
        self.asked.get(&session)
    }

    /// A store has counted a try, which `id` is, unless the question holds one; which one it is.
    pub(crate) fn reserve(
        &mut self,
        (user, session): (UserId, SessionId),
        taken: Option<&Asked>,
        id: u64,
        judged: Timestamp,
    ) -> u64 {
        self.must_be_alive(session);
        if let Some(taken) = taken {
            let own = self.asked.remove(&session).map(|asked| asked.serial);
            assert_eq!(own, Some(taken.serial), "a question of nobody is answered");
            assert!(
                self.answered.insert(taken.serial),
                "a question is answered twice"
            );
        }
        if let Some(held) = taken.and_then(|taken| taken.held) {
            let shut = self.budget(user).is_shut(judged, Some(held));
            assert!(!shut, "an answer though others have shut the budget");
            self.note("goes on with its try");
            return held;
        }
        self.budget_mut(user).begin(id, judged);
        id
    }

    /// The server's word on a wrong answer was heard.
    pub(crate) fn hear_wrong(&mut self, user: UserId, id: u64) {
        self.note("wrong answer judged");
        self.budget_mut(user).hear(id);
    }

    /// A store has written down what the server said.
    pub(crate) fn settle(&mut self, user: UserId, id: Option<u64>, fate: Fate) {
        match (id, fate) {
            (Some(id), Fate::GivenBack) => {
                self.note("given back");
                self.budget_mut(user).give_back(id);
            }
            (Some(_), Fate::Counts | Fate::Stays) | (None, _) => {}
        }
    }

    /// A store has written down that a server asks.
    pub(crate) fn ask(&mut self, session: SessionId, asked: Asked) {
        assert!(asked.requests < MOST_ROUNDS, "the server asks too often");
        if let Some(before) = self.asked.insert(session, asked)
            && before.held.is_some()
        {
            self.note("abandoned half-way");
        }
    }

    /// A store has redeemed an acceptance.
    pub(crate) fn redeem(&mut self, user: UserId, session: SessionId, id: Option<u64>) {
        self.must_be_alive(session);
        assert!(self.passed.insert(session), "a token was spent twice");
        self.budget_mut(user).succeed(id);
        self.asked.remove(&session);
    }

    /// Somebody was told to have passed.
    pub(crate) fn tell(&mut self, session: SessionId) {
        assert!(
            self.passed.contains(&session),
            "passed without a redemption"
        );
        assert!(self.told.insert(session), "a session has passed twice");
    }

    /// The partial token of a session ended.
    pub(crate) fn end(&mut self, session: SessionId) {
        self.ended.insert(session);
        self.asked.remove(&session);
    }

    pub(crate) fn reset(&mut self, user: UserId) {
        self.budgets.remove(&user);
    }

    pub(crate) fn has_passed(&self, session: SessionId) -> bool {
        self.passed.contains(&session)
    }

    pub(crate) fn is_over(&self, session: SessionId) -> bool {
        self.passed.contains(&session) || self.ended.contains(&session)
    }

    fn must_be_alive(&self, session: SessionId) {
        assert!(
            !self.is_over(session),
            "something is written for a token that has ended"
        );
    }

    /// What must be true of the store, whatever has happened.
    pub(crate) fn check(&self, store: &Store, now: Timestamp) {
        for session in store.partials.keys() {
            assert!(!self.is_over(*session), "a token outlives its end");
        }
        for (user, factor) in &store.factors {
            let full = NaiveBudget::default();
            let budget = self.budgets.get(user).unwrap_or(&full);
            budget.check(&factor.budget);
            assert!(
                budget.heard(now) <= CLOSING_FAILURES * u32::from(MOST_ROUNDS),
                "more answers than all tries have room for"
            );
        }
    }
}
