//! The state in which the server has accepted and a store decides whether the partial token is
//! there to be spent.

use super::moved;
use super::{Acceptance, Effect, RadiusAttempt, RadiusStanding, Redeemed, Transition, Verdict};
use crate::MfaProviderId;
use crate::attempt::Refusal;
use crate::budget::Reservation;

/// The server has accepted.
#[derive(Debug)]
pub struct Redeeming {
    acceptance: Acceptance,
    reservation: Option<Reservation>,
    tries: u8,
}

impl Redeeming {
    /// `provider` is the one that was asked, as it was configured then.
    pub(super) fn begin(
        standing: &RadiusStanding,
        provider: (MfaProviderId, u64),
        reservation: Option<Reservation>,
        tries: u8,
    ) -> Transition {
        if standing.provider() != provider {
            return Transition::refuse(Refusal::ProviderChanged);
        }
        let budget = match &reservation {
            Some(reservation) => standing.budget.give_back(reservation),
            None => standing.budget.clone(),
        };
        let acceptance = Acceptance {
            user: standing.user,
            session: standing.session,
            revision: standing.revision,
            provider: standing.provider,
            provider_revision: standing.provider_revision,
            budget: budget.after_success(),
        };
        let state = Self {
            acceptance: acceptance.clone(),
            reservation,
            tries,
        };
        Transition::to(RadiusAttempt::Redeeming(state), Effect::Redeem(acceptance))
    }

    /// The only place where an attempt passes; `None` when the proof is of another acceptance.
    pub(super) fn conclude(self, redeemed: &Redeemed) -> Option<Transition> {
        (redeemed.0 == self.acceptance).then(|| Transition::finish(Verdict::Passed))
    }

    pub(super) fn again(self, standing: Option<RadiusStanding>) -> Transition {
        let provider = (self.acceptance.provider, self.acceptance.provider_revision);
        match moved(standing, self.tries) {
            Err(refusal) => Transition::refuse(refusal),
            Ok(standing) => Self::begin(&standing, provider, self.reservation, self.tries + 1),
        }
    }
}
