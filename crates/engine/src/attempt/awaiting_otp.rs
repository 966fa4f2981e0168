//! The state in which the user's answer is waited for, and judged.

use super::{Again, Attempt, ClaimingStep, CountingGuess, Effect, Env, Refusal, StepToClaim};
use super::{Transition, UNVERIFIED_SEED_LIVES, WrongGuess};
use crate::budget::{Gate, GuessBudget};
use crate::{Otp, Seed, SeedId, SessionId, Timestamp, TotpStep, UserId};

/// What a decision about a second factor rests on.
#[derive(Debug)]
pub struct Standing {
    /// Whose attempt it is.
    pub user: UserId,
    /// The session whose partial token is shown.
    pub session: SessionId,
    /// The revision of the user's second factor that all of this was read at.
    pub revision: u64,
    /// What is left of wrong answers.
    pub budget: GuessBudget,
    /// The user's seed.
    pub enrolment: Enrolment,
}

/// Whether a user has a seed, and how far it may be trusted.
#[derive(Debug)]
pub enum Enrolment {
    /// There is none.
    Missing,
    /// One was shown, and no code of it was seen yet.
    Unverified {
        /// Which enrolment.
        id: SeedId,
        /// The seed.
        seed: Seed,
        /// The session that was shown it: only its codes count.
        shown_to: SessionId,
        /// When it was made.
        created: Timestamp,
    },
    /// A code of it was seen.
    Verified {
        /// Which enrolment.
        id: SeedId,
        /// The seed.
        seed: Seed,
        /// The last step whose code was accepted.
        last_step: TotpStep,
    },
}

/// Nothing was submitted yet.
#[derive(Debug)]
pub struct AwaitingOtp {
    standing: Standing,
    tries: u8,
}

impl AwaitingOtp {
    pub(super) const fn new(standing: Standing) -> Self {
        Self { standing, tries: 0 }
    }

    pub(super) const fn again(standing: Standing, tries: u8) -> Self {
        Self { standing, tries }
    }

    /// Judges an answer. The budget is asked first: what it bars is not looked at.
    pub(super) fn submit(self, otp: Otp, env: Env) -> Transition {
        match self.standing.budget.gate(env.now) {
            Gate::Waiting(_) => return Transition::refuse(Refusal::Waiting),
            Gate::Closed => return Transition::refuse(Refusal::Closed),
            Gate::Open => {}
        }
        let (id, seed, last_step) = match &self.standing.enrolment {
            Enrolment::Missing => return Transition::refuse(Refusal::NotEnrolled),
            Enrolment::Unverified { shown_to, .. } if *shown_to != self.standing.session => {
                return Transition::refuse(Refusal::ForeignSeed);
            }
            Enrolment::Unverified { created, .. }
                if env.now >= created.after(UNVERIFIED_SEED_LIVES) =>
            {
                return Transition::refuse(Refusal::SeedExpired);
            }
            Enrolment::Unverified { id, seed, .. } => (*id, seed, None),
            Enrolment::Verified {
                id,
                seed,
                last_step,
            } => (*id, seed, Some(*last_step)),
        };
        match seed.matching_step(&otp, env.wall) {
            // A code that was right once is no guess, and is not counted as one.
            Some(step) if last_step.is_some_and(|last| step <= last) => {
                Transition::refuse(Refusal::Replayed)
            }
            Some(step) => self.claim(step, id, last_step.is_none(), otp, env),
            None => self.count(otp, env),
        }
    }

    fn claim(self, step: TotpStep, seed: SeedId, enrols: bool, otp: Otp, env: Env) -> Transition {
        let claim = StepToClaim {
            user: self.standing.user,
            session: self.standing.session,
            revision: self.standing.revision,
            seed,
            step,
            enrols,
            budget: self.standing.budget.after_success(),
        };
        let state = ClaimingStep {
            claim: claim.clone(),
            offset: step.offset_from(TotpStep::at(env.wall)),
            again: self.again_with(otp),
        };
        Transition::to(Attempt::ClaimingStep(state), Effect::ClaimStep(claim))
    }

    fn count(self, otp: Otp, env: Env) -> Transition {
        let budget = self.standing.budget.after_failure(env.now);
        let guess = WrongGuess {
            user: self.standing.user,
            session: self.standing.session,
            revision: self.standing.revision,
            // The token on which the budget ran out has no more use: whoever waits signs in anew.
            ends_token: budget.gate(env.now) != Gate::Open,
            budget,
        };
        let again = self.again_with(otp);
        let state = CountingGuess { again };
        Transition::to(Attempt::CountingGuess(state), Effect::CountGuess(guess))
    }

    fn again_with(&self, otp: Otp) -> Again {
        Again {
            otp,
            tries: self.tries,
        }
    }
}
