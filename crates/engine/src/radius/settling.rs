//! The state in which what the server said is written down, before anybody hears of it.

use super::{Dialogue, Effect, RadiusAttempt, RadiusStanding, Transition, Verdict, moved};
use crate::budget::{Gate, Reservation};
use crate::{GuessBudget, SessionId, Timestamp, UserId};

/// What a store is asked to write, by compare-and-set. `D` is a dialogue, as the engine knows it or
/// as a store keeps it.
#[derive(Clone, Debug)]
pub struct Settle<D = Dialogue> {
    /// Whose second factor.
    pub user: UserId,
    /// The session, which must have a partial token.
    pub session: SessionId,
    /// The revision that the second factor must still have.
    pub revision: u64,
    /// The budget to store.
    pub budget: GuessBudget,
    /// What becomes of the dialogue.
    pub dialogue: DialogueChange<D>,
    /// Whether the partial token ends with it, in the same transaction.
    pub ends_token: bool,
}

/// What becomes of the dialogue of a partial token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DialogueChange<D = Dialogue> {
    /// It stays as it is.
    Keep,
    /// It ends.
    End,
    /// This one takes its place.
    Store(D),
}

impl Settle {
    /// The same with its dialogue as `keep` makes it.
    ///
    /// # Errors
    /// Those of `keep`.
    pub fn kept_as<D, E>(
        self,
        keep: impl FnOnce(&Dialogue) -> Result<D, E>,
    ) -> Result<Settle<D>, E> {
        Ok(Settle {
            user: self.user,
            session: self.session,
            revision: self.revision,
            budget: self.budget,
            dialogue: match self.dialogue {
                DialogueChange::Keep => DialogueChange::Keep,
                DialogueChange::End => DialogueChange::End,
                DialogueChange::Store(dialogue) => DialogueChange::Store(keep(&dialogue)?),
            },
            ends_token: self.ends_token,
        })
    }
}

/// What is to be written, whatever the budget is by then.
#[derive(Debug)]
pub(super) struct After {
    reservation: Option<Reservation>,
    counts: Counts,
    dialogue: Option<Dialogue>,
    verdict: Verdict,
}

/// What becomes of the try that was reserved.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Counts {
    /// It is given back.
    No,
    /// It counts for good.
    Yes,
    /// It stays counted, as one that the dialogue holds or has held.
    Held,
}

impl After {
    pub(super) const fn counted(reservation: Option<Reservation>, verdict: Verdict) -> Self {
        Self {
            reservation,
            counts: Counts::Yes,
            dialogue: None,
            verdict,
        }
    }

    pub(super) const fn uncounted(reservation: Option<Reservation>, verdict: Verdict) -> Self {
        Self {
            reservation,
            counts: Counts::No,
            dialogue: None,
            verdict,
        }
    }

    /// The dialogue is over without another word on this answer; the ones before it were judged.
    pub(super) const fn stays_counted(reservation: Option<Reservation>, verdict: Verdict) -> Self {
        Self {
            reservation,
            counts: Counts::Held,
            dialogue: None,
            verdict,
        }
    }

    pub(super) const fn opened(
        reservation: Option<Reservation>,
        dialogue: Dialogue,
        verdict: Verdict,
    ) -> Self {
        Self {
            reservation,
            counts: Counts::No,
            dialogue: Some(dialogue),
            verdict,
        }
    }

    pub(super) fn goes_on(
        reservation: Option<Reservation>,
        mut dialogue: Dialogue,
        verdict: Verdict,
    ) -> Self {
        dialogue.held.clone_from(&reservation);
        Self {
            reservation,
            counts: Counts::Held,
            dialogue: Some(dialogue),
            verdict,
        }
    }
}

/// What the server said is being written down.
#[derive(Debug)]
pub struct Settling {
    after: After,
    tries: u8,
}

impl Settling {
    pub(super) fn begin(standing: &RadiusStanding, after: After, now: Timestamp) -> Transition {
        Self { after, tries: 0 }.settle(standing, now)
    }

    fn settle(self, standing: &RadiusStanding, now: Timestamp) -> Transition {
        let budget = match (&self.after.reservation, self.after.counts) {
            (Some(reservation), Counts::No) => standing.budget.give_back(reservation),
            (Some(_), Counts::Yes | Counts::Held) | (None, _) => standing.budget.clone(),
        };
        // The token on which the budget ran out has no more use: whoever waits signs in anew.
        let ends_token = self.after.counts == Counts::Yes
            && self.after.reservation.is_some()
            && budget.gate(now) != Gate::Open;
        if !ends_token && self.after.dialogue.is_none() && budget == standing.budget {
            return self.conclude();
        }
        let settle = Settle {
            user: standing.user,
            session: standing.session,
            revision: standing.revision,
            budget,
            dialogue: match &self.after.dialogue {
                Some(dialogue) => DialogueChange::Store(dialogue.clone()),
                None => DialogueChange::Keep,
            },
            ends_token,
        };
        Transition::to(RadiusAttempt::Settling(self), Effect::Settle(settle))
    }

    pub(super) const fn verdict(&self) -> &Verdict {
        &self.after.verdict
    }

    pub(super) fn conclude(self) -> Transition {
        Transition::finish(self.after.verdict)
    }

    pub(super) fn again(self, standing: Option<RadiusStanding>, now: Timestamp) -> Transition {
        match moved(standing, self.tries) {
            Err(refusal) => Transition::refuse(refusal),
            Ok(standing) => Self {
                tries: self.tries + 1,
                ..self
            }
            .settle(&standing, now),
        }
    }
}
