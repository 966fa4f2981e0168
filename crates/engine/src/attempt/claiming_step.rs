//! The state in which the code is right and a store decides whether it is the first of its step.

use super::{Again, Passed, Transition, Verdict};
use crate::{GuessBudget, SeedId, SessionId, TotpStep, UserId};

/// A step that a store is asked to claim, by compare-and-set.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StepToClaim {
    pub(super) user: UserId,
    pub(super) session: SessionId,
    pub(super) revision: u64,
    pub(super) seed: SeedId,
    pub(super) step: TotpStep,
    pub(super) enrols: bool,
    pub(super) budget: GuessBudget,
}

impl StepToClaim {
    /// Whose step it is.
    pub const fn user(&self) -> UserId {
        self.user
    }

    /// The session that claims it.
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// The revision that the second factor must still have.
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// The enrolment that must still be there.
    pub const fn seed(&self) -> SeedId {
        self.seed
    }

    /// The step, which must be later than the last one.
    pub const fn step(&self) -> TotpStep {
        self.step
    }

    /// Whether this is the first code of the seed, which verifies it.
    pub const fn enrols(&self) -> bool {
        self.enrols
    }

    /// The budget to store with the claim.
    pub const fn budget(&self) -> &GuessBudget {
        &self.budget
    }

    /// The proof that the step is claimed.
    ///
    /// Only for a store whose compare-and-set is committed: said wrongly, it is a break-in.
    pub fn dangerous_claimed(&self) -> ClaimedStep {
        ClaimedStep(self.clone())
    }
}

/// The proof that a step was claimed, which only a store can give.
#[derive(Debug)]
pub struct ClaimedStep(StepToClaim);

/// The code is right.
#[derive(Debug)]
pub struct ClaimingStep {
    pub(super) claim: StepToClaim,
    pub(super) offset: i64,
    pub(super) again: Again,
}

impl ClaimingStep {
    /// The only place where an attempt passes; `None` when the proof is of another claim.
    pub(super) fn conclude(self, claimed: &ClaimedStep) -> Option<Transition> {
        (claimed.0 == self.claim).then(|| {
            Transition::finish(Verdict::Passed(Passed {
                step: self.claim.step,
                offset: self.offset,
                enrolled: self.claim.enrols.then_some(self.claim.seed),
            }))
        })
    }
}
