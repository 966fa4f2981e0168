//! What is written down of codes.

use vestibule_engine::attempt::Env;
use vestibule_engine::audit::{Detail, Event, Outcome, Signed};
use vestibule_engine::budget::Gate;
use vestibule_engine::{GuessBudget, Refusal, StepToClaim, TotpStep};
use vestibule_store::{Bearer, SeedState};

use super::{Origin, with_budget};
use crate::Inner;

impl Inner {
    /// A right code, and the seed that it verifies.
    pub(crate) fn passed(
        &self,
        bearer: &Bearer,
        claim: &StepToClaim,
        env: Env,
        origin: Origin,
    ) -> Vec<Signed> {
        let user = &bearer.user;
        let passed = self
            .entry(origin, Event::SecondFactor, Outcome::Success)
            .by_user(user)
            .with(Detail::Mode, "TOTP")
            .with(Detail::Step, claim.step().number())
            .with(
                Detail::Offset,
                claim.step().offset_from(TotpStep::at(env.wall)),
            );
        let mut trail = vec![self.sign(passed)];
        if claim.enrols() {
            let verified = self.entry(origin, Event::SeedVerified, Outcome::Success);
            trail.push(self.sign(verified.by_user(user).to_user(user)));
        }
        trail
    }

    /// A code that was refused, and what that does to the budget.
    pub(crate) fn refused(
        &self,
        bearer: &Bearer,
        budget: &GuessBudget,
        reason: Refusal,
        env: Env,
        origin: Origin,
    ) -> Vec<Signed> {
        let last_step = bearer.factor.seed.as_ref().map(|seed| &seed.state);
        let last_step = match last_step {
            Some(SeedState::Verified { last_step }) => Some(last_step.number()),
            Some(SeedState::Unverified { .. }) | None => None,
        };
        let refused = self
            .entry(origin, Event::SecondFactor, Outcome::Failure)
            .by_user(&bearer.user)
            .because(reason)
            .with(Detail::Mode, "TOTP")
            .with(Detail::Step, TotpStep::at(env.wall).number())
            .with_some(Detail::LastStep, last_step);
        let mut trail = vec![self.sign(with_budget(refused, budget))];
        trail.extend(self.budget_ran_out(bearer, budget, env.now, origin));
        trail
    }

    /// The wait that a failure began, or the end of all tries.
    pub(crate) fn budget_ran_out(
        &self,
        bearer: &Bearer,
        budget: &GuessBudget,
        now: vestibule_engine::Timestamp,
        origin: Origin,
    ) -> Option<Signed> {
        let event = match budget.gate(now) {
            Gate::Open => return None,
            Gate::Waiting(_) => Event::GuessesWait,
            Gate::Closed => Event::GuessesClosed,
        };
        let entry = self.entry(origin, event, Outcome::Success);
        let entry = entry.by_user(&bearer.user).to_user(&bearer.user);
        Some(self.sign(with_budget(entry, budget)))
    }
}
