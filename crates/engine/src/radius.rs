//! A second factor that a RADIUS server judges, as a state machine.
//!
//! [`RadiusAttempt`] is begun in one of three ways: [`open`](RadiusAttempt::open) makes the server
//! ask something, [`answer`](RadiusAttempt::answer) sends what the user typed,
//! [`collect`](RadiusAttempt::collect) makes something of a push that has ended. From then on it
//! takes inputs and answers with effects, like [`Attempt`](crate::Attempt):
//!
//! ```text
//!  answer ─▶ Reserving ── Settled ─▶ Asking ─┬─ Accepted ───▶ Redeeming ── Redeemed ─▶ Passed
//!                                            │                    ▲
//!  open ───────────────────────────▶ Asking ─┤      collect ──────┘
//!                                            └─ anything else ─▶ Settling ── Settled ─▶ verdict
//! ```
//!
//! What goes to the server is judged there, and this program may never hear of it. So the try is
//! counted as wrong, and the server's State is taken out of the store, before anything is sent;
//! the try is given back when the answer was right, or nobody answered and no answer of the
//! dialogue was judged before. All writes are compare-and-set: when something moved, the caller
//! reads again and the decision is made anew.
//!
//! | first request of | Accept | Reject | Challenge |
//! |---|---|---|---|
//! | `OneFactor` | passed | refused | the dialogue goes on |
//! | `Challenge` | an error: no second factor was asked for | refused | the user is asked |
//! | `Push` | passed | refused | refused: it cannot ask |
//! | any later request | passed | refused | the dialogue goes on, at most [`MOST_ROUNDS`] |

mod acceptance;
mod asking;
mod dialogue;
mod redeeming;
mod reserving;
mod settling;

pub use acceptance::{Acceptance, Redeemed};
pub use asking::{Asking, Credential, Question, Reply};
pub use dialogue::RadiusState;
pub use dialogue::{ANSWER_WITHIN, ClaimedHandle, Dialogue, Handle, LONGEST_ANSWER, MOST_ROUNDS};
pub use redeeming::Redeeming;
pub use reserving::Reserving;
pub use settling::{DialogueChange, Settle, Settling};

use crate::attempt::Refusal;
use crate::provider::RadiusMode;
use crate::push::PushOutcome;
use crate::{GuessBudget, MfaProviderId, SessionId, Timestamp, UserId};

/// What a decision rests on.
#[derive(Clone, Debug)]
pub struct RadiusStanding {
    /// Whose attempt it is.
    pub user: UserId,
    /// The session whose partial token is shown.
    pub session: SessionId,
    /// The revision of the user's second factor that all of this was read at.
    pub revision: u64,
    /// What is left of wrong answers.
    pub budget: GuessBudget,
    /// The provider that is due…
    pub provider: MfaProviderId,
    /// …as it is configured.
    pub provider_revision: u64,
    /// What it asks for.
    pub mode: RadiusMode,
    /// The dialogue of the partial token.
    pub dialogue: Option<Dialogue>,
}

impl RadiusStanding {
    const fn provider(&self) -> (MfaProviderId, u64) {
        (self.provider, self.provider_revision)
    }

    /// The dialogue, if it can still be answered.
    fn open_dialogue(&self, now: Timestamp) -> Option<&Dialogue> {
        let dialogue = self.dialogue.as_ref()?;
        dialogue.is_open(self.provider(), now).then_some(dialogue)
    }
}

/// An attempt that is not decided yet.
#[derive(Debug)]
pub enum RadiusAttempt {
    /// The try is being counted, and the dialogue taken.
    Reserving(Reserving),
    /// A server is being asked.
    Asking(Asking),
    /// What it said is being written down.
    Settling(Settling),
    /// It accepted; a store decides whether the partial token is there to be spent.
    Redeeming(Redeeming),
}

/// What can happen to an attempt.
#[derive(Debug)]
pub enum Input {
    /// The store has written the settlement, for good.
    Settled,
    /// The server has answered, or nobody has.
    Replied(Reply),
    /// The store has redeemed the acceptance, for good.
    Redeemed(Redeemed),
    /// The store has written nothing, because something moved; this is how things stand now, or
    /// `None` when the bearer's token is gone.
    Moved(Option<RadiusStanding>),
}

/// What the caller must do.
#[derive(Debug)]
pub enum Effect {
    /// Write this down, all or nothing; answer with [`Input::Settled`] or [`Input::Moved`].
    Settle(Settle),
    /// Ask a server; answer with [`Input::Replied`].
    Ask(Question),
    /// Redeem the acceptance and rotate the token, all or nothing; answer with
    /// [`Input::Redeemed`] or [`Input::Moved`].
    Redeem(Acceptance),
    /// The attempt is over.
    Finish(Verdict),
}

/// How an attempt ended.
#[derive(Debug)]
pub enum Verdict {
    /// The second factor was shown, once.
    Passed,
    /// The server asks; a dialogue was opened.
    Challenged {
        /// What stands for the dialogue outside.
        handle: Handle,
        /// What the server asks.
        message: String,
    },
    /// The server asks something more; the dialogue goes on.
    AskedAgain {
        /// What the server asks.
        message: String,
    },
    /// The second factor was not shown.
    Refused(Refusal),
    /// No server answered. Nobody is to blame for it here.
    Unavailable,
    /// The server accepted without asking for a second factor: it is not set up for this.
    AcceptedTooEarly,
}

/// The next state, if there is one, and what to do.
#[derive(Debug)]
pub struct Transition {
    /// `None` when the attempt is over.
    pub next: Option<RadiusAttempt>,
    /// To be carried out.
    pub effect: Effect,
}

impl Transition {
    const fn to(next: RadiusAttempt, effect: Effect) -> Self {
        Self {
            next: Some(next),
            effect,
        }
    }

    const fn finish(verdict: Verdict) -> Self {
        Self {
            next: None,
            effect: Effect::Finish(verdict),
        }
    }

    const fn refuse(refusal: Refusal) -> Self {
        Self::finish(Verdict::Refused(refusal))
    }
}

/// An input that does not belong to the state: a fault of the caller's.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("an attempt that is {state} cannot take {input}")]
pub struct InvalidTransition {
    state: &'static str,
    input: &'static str,
}

impl RadiusAttempt {
    /// Makes a server ask something: the first request of a `Challenge` provider. `handle` is to
    /// stand for the dialogue.
    ///
    /// With the user's own password this is a guess like any other.
    pub fn open(
        standing: RadiusStanding,
        with: Credential,
        handle: Handle,
        now: Timestamp,
    ) -> Transition {
        match with {
            Credential::ChallengeSecret => Asking::open(standing, with, handle),
            Credential::UserPassword | Credential::Typed => {
                Reserving::begin(standing, with, None, handle, now)
            }
        }
    }

    /// Sends what the user typed: to the dialogue of the session, or as a first request where the
    /// provider takes it. `claimed` is the handle that the client sent along, if it did; `handle`
    /// is to stand for a dialogue that begins here.
    pub fn answer(
        standing: RadiusStanding,
        claimed: Option<ClaimedHandle>,
        handle: Handle,
        now: Timestamp,
    ) -> Transition {
        Reserving::begin(standing, Credential::Typed, claimed, handle, now)
    }

    /// Makes something of a push of this session that has ended, by a provider as it was then.
    pub fn collect(
        standing: &RadiusStanding,
        provider: (MfaProviderId, u64),
        outcome: PushOutcome,
    ) -> Transition {
        match outcome {
            PushOutcome::Accepted => Redeeming::begin(standing, provider, None, 0),
            PushOutcome::Denied => Transition::refuse(Refusal::Rejected),
            PushOutcome::Challenged => Transition::refuse(Refusal::CannotAsk),
            PushOutcome::Unavailable => Transition::finish(Verdict::Unavailable),
        }
    }

    /// Advances by one input.
    ///
    /// # Errors
    /// When the input is not one that this state waits for, or is about something else.
    pub fn step(self, input: Input, now: Timestamp) -> Result<Transition, InvalidTransition> {
        let invalid = InvalidTransition {
            state: self.name(),
            input: input.name(),
        };
        match (self, input) {
            (Self::Reserving(state), Input::Settled) => Ok(state.ask()),
            (Self::Reserving(state), Input::Moved(standing)) => Ok(state.again(standing, now)),
            (Self::Asking(state), Input::Replied(reply)) => Ok(state.conclude(reply, now)),
            (Self::Settling(state), Input::Settled) => Ok(state.conclude()),
            (Self::Settling(state), Input::Moved(standing)) => Ok(state.again(standing, now)),
            (Self::Redeeming(state), Input::Redeemed(proof)) => {
                state.conclude(&proof).ok_or(invalid)
            }
            (Self::Redeeming(state), Input::Moved(standing)) => Ok(state.again(standing)),
            (Self::Reserving(_) | Self::Settling(_), Input::Replied(_) | Input::Redeemed(_))
            | (Self::Asking(_), Input::Settled | Input::Redeemed(_) | Input::Moved(_))
            | (Self::Redeeming(_), Input::Settled | Input::Replied(_)) => Err(invalid),
        }
    }

    /// How the attempt ends when what is to be settled is written: for what must be written with it.
    pub const fn verdict_when_settled(&self) -> Option<&Verdict> {
        match self {
            Self::Settling(state) => Some(state.verdict()),
            Self::Reserving(_) | Self::Asking(_) | Self::Redeeming(_) => None,
        }
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Reserving(_) => "reserving a try",
            Self::Asking(_) => "asking a server",
            Self::Settling(_) => "settling",
            Self::Redeeming(_) => "redeeming an acceptance",
        }
    }
}

impl Input {
    const fn name(&self) -> &'static str {
        match self {
            Self::Settled => "a settlement",
            Self::Replied(_) => "a reply",
            Self::Redeemed(_) => "a redemption",
            Self::Moved(_) => "another standing",
        }
    }
}

/// Judgements of one attempt before the caller is told to come back later.
const MOST_TRIES: u8 = 16;

/// How things stand after something moved, unless that ends the attempt.
fn moved(standing: Option<RadiusStanding>, tries: u8) -> Result<RadiusStanding, Refusal> {
    match standing {
        None => Err(Refusal::TokenEnded),
        Some(_) if tries >= MOST_TRIES => Err(Refusal::Contended),
        Some(standing) => Ok(standing),
    }
}
