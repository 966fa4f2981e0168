//! An attempt at the second factor, as a state machine.
//!
//! [`Attempt::begin`] starts one from what is known of its bearer; [`Attempt::step`] takes an
//! input and answers with the next state and the effects that the caller must carry out:
//!
//! ```text
//!                     ┌──────────── Moved ────────────┐
//!                     ▼                               │
//!  begin ─▶ AwaitingOtp ── right code ─▶ ClaimingStep ┴─ StepClaimed ─▶ Passed
//!                     │
//!                     ├── wrong code ─▶ CountingGuess ── GuessCounted ─▶ Refused
//!                     └── may not be looked at ─────────────────────────▶ Refused
//! ```
//!
//! Both writes are compare-and-set on the revision that the decision rests on. When it moved in
//! between, the caller reads again and the code is judged anew: of however many answers arrive at
//! once, none beyond the budget is looked at with an effect.
//!
//! ```
//! use vestibule_engine::attempt::{Attempt, Effect, Enrolment, Env, Input, Standing, Verdict};
//! use vestibule_engine::{GuessBudget, Otp, Seed, SeedId, SessionId, Timestamp, TotpStep, UserId};
//!
//! // What the program has read of somebody who shows a partial token…
//! let seed = Seed::from_bytes(*b"12345678901234567890");
//! let standing = Standing {
//!     user: UserId::from_random([1; 16]),
//!     session: SessionId::from_random([2; 16]),
//!     revision: 7,
//!     budget: GuessBudget::default(),
//!     enrolment: Enrolment::Verified {
//!         id: SeedId::from_random([3; 16]),
//!         seed,
//!         last_step: TotpStep::new(0),
//!     },
//! };
//! // …and what they type, 59 seconds into the epoch.
//! let now = Timestamp::from_unix_seconds(59);
//! let env = Env { now, wall: now };
//! let typed = Input::OtpSubmitted(Otp::new("287082".to_owned()));
//! let mut transition = Attempt::begin(standing).step(typed, env)?;
//!
//! // The code is right. The program claims its step by compare-and-set, and says so.
//! let Some(Effect::ClaimStep(claim)) = transition.effects.pop() else { panic!() };
//! assert_eq!(claim.step(), TotpStep::new(1));
//! let claimed = Input::StepClaimed(claim.dangerous_claimed());
//! let mut transition = transition.next.unwrap().step(claimed, env)?;
//! let Some(Effect::Finish(Verdict::Passed(passed))) = transition.effects.pop() else { panic!() };
//! assert_eq!(passed.offset, 0);
//! # Ok::<(), vestibule_engine::attempt::InvalidTransition>(())
//! ```

mod awaiting_otp;
mod claiming_step;
mod counting_guess;

pub use awaiting_otp::{AwaitingOtp, Enrolment, Standing};
pub use claiming_step::{ClaimedStep, ClaimingStep, StepToClaim};
pub use counting_guess::{CountingGuess, WrongGuess};

use std::time::Duration;

use crate::{Otp, SeedId, Timestamp, TotpStep};

/// How long a seed that was shown waits for its first code.
pub const UNVERIFIED_SEED_LIVES: Duration = Duration::from_hours(24);

/// What the engine sees of the world besides its inputs.
#[derive(Clone, Copy, Debug)]
pub struct Env {
    /// The present, by a clock that never runs back: for waits and expiries.
    pub now: Timestamp,
    /// The present, by the clock on the wall: for codes, which are computed from it elsewhere.
    pub wall: Timestamp,
}

/// An attempt that is not decided yet.
#[derive(Debug)]
pub enum Attempt {
    /// Nothing was submitted.
    AwaitingOtp(AwaitingOtp),
    /// The code is right; a store decides whether its step is fresh.
    ClaimingStep(ClaimingStep),
    /// The code is wrong; a store counts it before anybody hears of it.
    CountingGuess(CountingGuess),
}

/// What can happen to an attempt.
#[derive(Debug)]
pub enum Input {
    /// The user answered.
    OtpSubmitted(Otp),
    /// The store has claimed the step, for good.
    StepClaimed(ClaimedStep),
    /// The store has counted the wrong guess, for good.
    GuessCounted,
    /// The store has written nothing, because something moved; this is how things stand now, or
    /// `None` when the bearer's token is gone.
    Moved(Option<Standing>),
}

/// What the caller must do.
#[derive(Debug)]
pub enum Effect {
    /// Claim the step and rotate the token, all or nothing; answer with [`Input::StepClaimed`] or
    /// [`Input::Moved`].
    ClaimStep(StepToClaim),
    /// Store the budget; answer with [`Input::GuessCounted`] or [`Input::Moved`].
    CountGuess(WrongGuess),
    /// The attempt is over.
    Finish(Verdict),
}

/// How an attempt ended.
#[derive(Debug)]
pub enum Verdict {
    /// The second factor was shown, once.
    Passed(Passed),
    /// It was not. Nobody outside learns why.
    Refused(Refusal),
}

/// The facts of a passed attempt.
#[derive(Debug)]
pub struct Passed {
    /// The step that is spent now.
    pub step: TotpStep,
    /// How many steps the user's clock is ahead of ours.
    pub offset: i64,
    /// The enrolment that this code completed, if it was its first.
    pub enrolled: Option<SeedId>,
}

/// Why an attempt was refused: for logs and audit, never for the one who guesses.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// The code is of no step near the present.
    #[error("the code is wrong")]
    WrongCode,
    /// The code is of a step that is spent, or older than one.
    #[error("the code was used before")]
    Replayed,
    /// Too many wrong codes; nothing was looked at.
    #[error("the second factor waits after wrong codes")]
    Waiting,
    /// Far too many wrong codes; nothing was looked at.
    #[error("the second factor is closed until an administrator resets it")]
    Closed,
    /// There is no seed.
    #[error("there is no seed")]
    NotEnrolled,
    /// There is a seed that was never verified, and another session was shown it.
    #[error("the unverified seed belongs to another session")]
    ForeignSeed,
    /// There is a seed that was shown too long ago and never verified.
    #[error("the unverified seed has expired")]
    SeedExpired,
    /// The RADIUS server refused.
    #[error("the RADIUS server refused")]
    Rejected,
    /// The RADIUS server kept asking.
    #[error("the RADIUS server asked too often")]
    TooManyRounds,
    /// The RADIUS server asked for a code where none can be given.
    #[error(
        "the RADIUS server asked for a code instead of a push; its provider needs the mode Challenge"
    )]
    CannotAsk,
    /// There is no dialogue with a RADIUS server that could be answered.
    #[error("there is no open challenge")]
    NoDialogue,
    /// The state is of another session, or of none.
    #[error("the state is of another challenge")]
    ForeignState,
    /// The provider was changed while the attempt was under way.
    #[error("the provider was changed meanwhile")]
    ProviderChanged,
    /// The token ended while the attempt was under way.
    #[error("the token has ended")]
    TokenEnded,
    /// Others kept changing the same account.
    #[error("too many attempts at once")]
    Contended,
}

/// The next state, if there is one, and what to do.
#[derive(Debug)]
pub struct Transition {
    /// `None` when the attempt is over.
    pub next: Option<Attempt>,
    /// To be carried out in order.
    pub effects: Vec<Effect>,
}

impl Transition {
    fn to(next: Attempt, effect: Effect) -> Self {
        Self {
            next: Some(next),
            effects: vec![effect],
        }
    }

    fn refuse(refusal: Refusal) -> Self {
        Self::finish(Verdict::Refused(refusal))
    }

    fn finish(verdict: Verdict) -> Self {
        Self {
            next: None,
            effects: vec![Effect::Finish(verdict)],
        }
    }
}

/// An input that does not belong to the state: a fault of the caller's.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("an attempt that is {state} cannot take {input}")]
pub struct InvalidTransition {
    state: &'static str,
    input: &'static str,
}

impl Attempt {
    /// Starts an attempt of someone who stands like this.
    pub const fn begin(standing: Standing) -> Self {
        Self::AwaitingOtp(AwaitingOtp::new(standing))
    }

    /// Advances by one input.
    ///
    /// # Errors
    /// When the input is not one that this state waits for, or is about something else.
    pub fn step(self, input: Input, env: Env) -> Result<Transition, InvalidTransition> {
        let invalid = InvalidTransition {
            state: self.name(),
            input: input.name(),
        };
        match (self, input) {
            (Self::AwaitingOtp(state), Input::OtpSubmitted(otp)) => Ok(state.submit(otp, env)),
            (Self::ClaimingStep(state), Input::StepClaimed(claim)) => {
                state.conclude(&claim).ok_or(invalid)
            }
            (Self::ClaimingStep(state), Input::Moved(standing)) => {
                Ok(state.again.resume(standing, env))
            }
            (Self::CountingGuess(state), Input::GuessCounted) => Ok(state.conclude()),
            (Self::CountingGuess(state), Input::Moved(standing)) => {
                Ok(state.again.resume(standing, env))
            }
            (Self::AwaitingOtp(_), _)
            | (Self::ClaimingStep(_), Input::OtpSubmitted(_) | Input::GuessCounted)
            | (Self::CountingGuess(_), Input::OtpSubmitted(_) | Input::StepClaimed(_)) => {
                Err(invalid)
            }
        }
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::AwaitingOtp(_) => "awaiting a code",
            Self::ClaimingStep(_) => "claiming a step",
            Self::CountingGuess(_) => "counting a guess",
        }
    }
}

impl Input {
    const fn name(&self) -> &'static str {
        match self {
            Self::OtpSubmitted(_) => "a code",
            Self::StepClaimed(_) => "the claim of a step",
            Self::GuessCounted => "the count of a guess",
            Self::Moved(_) => "another standing",
        }
    }
}

/// A code that may have to be judged again.
#[derive(Debug)]
struct Again {
    otp: Otp,
    tries: u8,
}

impl Again {
    /// Judgements of one code before the caller is told to come back later. Each retry means that
    /// somebody else's write went through, and five wrong ones close the gate for all.
    const MOST: u8 = 16;

    fn resume(self, standing: Option<Standing>, env: Env) -> Transition {
        match standing {
            None => Transition::refuse(Refusal::TokenEnded),
            Some(_) if self.tries >= Self::MOST => Transition::refuse(Refusal::Contended),
            Some(standing) => AwaitingOtp::again(standing, self.tries + 1).submit(self.otp, env),
        }
    }
}
