//! The state in which the code is wrong and a store counts it, before the answer.

use super::{Again, Refusal, Transition};
use crate::{GuessBudget, SessionId, UserId};

/// A wrong guess that a store is asked to count, by compare-and-set.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WrongGuess {
    /// Who guessed wrongly.
    pub user: UserId,
    /// With the partial token of this session.
    pub session: SessionId,
    /// The revision that the second factor must still have.
    pub revision: u64,
    /// The budget to store.
    pub budget: GuessBudget,
    /// Whether the partial token ends with it, in the same transaction.
    pub ends_token: bool,
}

/// The code is wrong.
#[derive(Debug)]
pub struct CountingGuess {
    pub(super) again: Again,
}

impl CountingGuess {
    pub(super) fn conclude(self) -> Transition {
        drop(self.again);
        Transition::refuse(Refusal::WrongCode)
    }
}
