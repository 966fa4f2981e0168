//! The state in which a try is counted, and the dialogue taken, before anything is sent.

use super::{
    Asking, ClaimedHandle, Credential, Dialogue, DialogueChange, Effect, Handle, RadiusAttempt,
    RadiusStanding, Settle, Transition, moved,
};
use crate::attempt::Refusal;
use crate::budget::{Gate, Reservation};
use crate::provider::RadiusMode;
use crate::{GuessBudget, Timestamp};

/// A try is being counted.
#[derive(Debug)]
pub struct Reserving {
    /// How things stand once it is counted.
    standing: RadiusStanding,
    with: Credential,
    claimed: Option<ClaimedHandle>,
    handle: Handle,
    /// The dialogue that is taken.
    taken: Option<Dialogue>,
    reservation: Reservation,
    tries: u8,
}

impl Reserving {
    pub(super) fn begin(
        standing: RadiusStanding,
        with: Credential,
        claimed: Option<ClaimedHandle>,
        handle: Handle,
        now: Timestamp,
    ) -> Transition {
        Self::judge(standing, with, claimed, handle, 0, now)
    }

    fn judge(
        mut standing: RadiusStanding,
        with: Credential,
        claimed: Option<ClaimedHandle>,
        handle: Handle,
        tries: u8,
        now: Timestamp,
    ) -> Transition {
        let taken = match with {
            Credential::Typed => standing.open_dialogue(now).cloned(),
            // What was asked before is of no more interest.
            Credential::ChallengeSecret | Credential::UserPassword => None,
        };
        let held = taken.as_ref().and_then(|dialogue| dialogue.held.clone());
        if let Err(refusal) = barred(&standing.budget, held.as_ref(), now) {
            return Transition::refuse(refusal);
        }
        let needs_dialogue = match (standing.mode, with) {
            (RadiusMode::Challenge | RadiusMode::Push, Credential::Typed) => true,
            (RadiusMode::OneFactor, _)
            | (_, Credential::ChallengeSecret | Credential::UserPassword) => false,
        };
        if needs_dialogue && taken.is_none() {
            return Transition::refuse(Refusal::NoDialogue);
        }
        let is_foreign = |claimed: &ClaimedHandle| {
            !taken
                .as_ref()
                .is_some_and(|dialogue| dialogue.is_called(claimed))
        };
        if claimed.as_ref().is_some_and(is_foreign) {
            return Transition::refuse(Refusal::ForeignState);
        }
        let (budget, reservation) = match held {
            Some(held) => (standing.budget.clone(), held),
            None => standing.budget.reserve(now),
        };
        let settle = Settle {
            user: standing.user,
            session: standing.session,
            revision: standing.revision,
            budget: budget.clone(),
            dialogue: match taken {
                Some(_) => DialogueChange::End,
                None => DialogueChange::Keep,
            },
            ends_token: false,
        };
        standing.revision = standing.revision.saturating_add(1);
        standing.budget = budget;
        let state = Self {
            standing,
            with,
            claimed,
            handle,
            taken,
            reservation,
            tries,
        };
        Transition::to(RadiusAttempt::Reserving(state), Effect::Settle(settle))
    }

    pub(super) fn ask(self) -> Transition {
        Asking::begin(
            self.standing,
            self.with,
            self.handle,
            self.taken,
            Some(self.reservation),
        )
    }

    pub(super) fn again(self, standing: Option<RadiusStanding>, now: Timestamp) -> Transition {
        let provider = self.standing.provider();
        match moved(standing, self.tries) {
            Err(refusal) => Transition::refuse(refusal),
            Ok(standing) if standing.provider() != provider => {
                Transition::refuse(Refusal::ProviderChanged)
            }
            Ok(standing) if self.is_overtaken(&standing, now) => {
                Transition::refuse(Refusal::NoDialogue)
            }
            Ok(standing) => Self::judge(
                standing,
                self.with,
                self.claimed,
                self.handle,
                self.tries + 1,
                now,
            ),
        }
    }

    /// Whether what was typed answers another question than the one that is open now. It must not
    /// go there: whoever typed it has not seen that question.
    fn is_overtaken(&self, standing: &RadiusStanding, now: Timestamp) -> bool {
        match self.with {
            Credential::Typed => {
                let open = standing.open_dialogue(now).map(Dialogue::question);
                self.taken.as_ref().map(Dialogue::question) != open
            }
            Credential::ChallengeSecret | Credential::UserPassword => false,
        }
    }
}

/// Whether the budget bars another try. A dialogue is not barred by the try that it holds itself.
fn barred(budget: &GuessBudget, held: Option<&Reservation>, now: Timestamp) -> Result<(), Refusal> {
    let gate = match held {
        Some(held) => budget.give_back(held).gate(now),
        None => budget.gate(now),
    };
    match gate {
        Gate::Open => Ok(()),
        Gate::Waiting(_) => Err(Refusal::Waiting),
        Gate::Closed => Err(Refusal::Closed),
    }
}
