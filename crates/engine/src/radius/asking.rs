//! The state in which a server is asked.

use std::net::SocketAddr;
use std::time::Duration;

use super::settling::After;
use super::{
    ANSWER_WITHIN, Dialogue, Effect, Handle, LONGEST_ANSWER, MOST_ROUNDS, RadiusAttempt,
    RadiusStanding, RadiusState, Redeeming, Settling, Transition, Verdict,
};
use crate::Timestamp;
use crate::attempt::Refusal;
use crate::budget::Reservation;
use crate::provider::RadiusMode;

/// What goes where a password goes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Credential {
    /// What the user typed.
    Typed,
    /// The secret that all users share, which proves nothing about any of them.
    ChallengeSecret,
    /// The user's own password.
    UserPassword,
}

/// What to ask a server.
#[derive(Debug)]
pub struct Question {
    /// What goes where a password goes.
    pub with: Credential,
    /// The server that asked, which alone knows its State; any when there is none.
    pub server: Option<SocketAddr>,
    /// The State to send back.
    pub state: Option<RadiusState>,
}

/// What came of it.
#[derive(Debug)]
pub enum Reply {
    /// Access-Accept.
    Accepted,
    /// Access-Reject.
    Rejected,
    /// Access-Challenge.
    Challenged {
        /// The server that asks.
        server: SocketAddr,
        /// Its State, if it has one.
        state: Option<RadiusState>,
        /// What it asks; may be empty.
        message: String,
        /// How long it waits for the answer, if it says.
        answer_within: Option<Duration>,
    },
    /// Nobody answered, or not in a way that can be understood.
    Silent,
}

/// A server is being asked.
#[derive(Debug)]
pub struct Asking {
    standing: RadiusStanding,
    with: Credential,
    handle: Handle,
    /// The dialogue that is answered.
    answered: Option<Dialogue>,
    reservation: Option<Reservation>,
}

impl Asking {
    /// The first request with a secret that all users share: there is nothing to count.
    pub(super) fn open(standing: RadiusStanding, with: Credential, handle: Handle) -> Transition {
        Self::begin(standing, with, handle, None, None)
    }

    pub(super) fn begin(
        standing: RadiusStanding,
        with: Credential,
        handle: Handle,
        answered: Option<Dialogue>,
        reservation: Option<Reservation>,
    ) -> Transition {
        let question = Question {
            with,
            server: answered.as_ref().map(|dialogue| dialogue.server),
            state: answered
                .as_ref()
                .and_then(|dialogue| dialogue.state.clone()),
        };
        let state = Self {
            standing,
            with,
            handle,
            answered,
            reservation,
        };
        Transition::to(RadiusAttempt::Asking(state), Effect::Ask(question))
    }

    pub(super) fn conclude(self, reply: Reply, now: Timestamp) -> Transition {
        let settle = |after| Settling::begin(&self.standing, after, now);
        match reply {
            Reply::Accepted if self.is_second_factor() => {
                let provider = self.standing.provider();
                Redeeming::begin(&self.standing, provider, self.reservation, 0)
            }
            Reply::Accepted => {
                let verdict = Verdict::AcceptedTooEarly;
                settle(After::uncounted(self.reservation, verdict))
            }
            Reply::Rejected => {
                let verdict = Verdict::Refused(Refusal::Rejected);
                settle(After::counted(self.reservation, verdict))
            }
            Reply::Silent => {
                let verdict = Verdict::Unavailable;
                let holds_a_try = self
                    .answered
                    .is_some_and(|dialogue| dialogue.held.is_some());
                // What the server has said to earlier answers is not forgotten for a silence.
                settle(if holds_a_try {
                    After::stays_counted(self.reservation, verdict)
                } else {
                    After::uncounted(self.reservation, verdict)
                })
            }
            Reply::Challenged {
                server,
                state,
                message,
                answer_within,
            } => {
                let rounds = self.answered.as_ref().map_or(0, |d| d.rounds) + 1;
                if rounds >= MOST_ROUNDS {
                    let verdict = Verdict::Refused(Refusal::TooManyRounds);
                    return settle(After::counted(self.reservation, verdict));
                }
                let answer_within = answer_within
                    .unwrap_or(ANSWER_WITHIN)
                    .clamp(Duration::from_secs(1), LONGEST_ANSWER);
                let is_opened = self.opens();
                let handle = self
                    .answered
                    .map_or(self.handle, |dialogue| dialogue.handle);
                let dialogue = Dialogue {
                    handle,
                    provider: self.standing.provider,
                    provider_revision: self.standing.provider_revision,
                    server,
                    state,
                    rounds,
                    expires: now.after(answer_within),
                    held: None,
                };
                // A password that was right so far is no guess; a code is still one of the
                // dialogue's until the server has decided.
                let after = if is_opened {
                    let verdict = Verdict::Challenged { handle, message };
                    After::opened(self.reservation, dialogue, verdict)
                } else {
                    let verdict = Verdict::AskedAgain { message };
                    After::goes_on(self.reservation, dialogue, verdict)
                };
                settle(after)
            }
        }
    }

    /// Whether this is the request that makes the server ask.
    const fn opens(&self) -> bool {
        match self.with {
            Credential::Typed => false,
            Credential::ChallengeSecret | Credential::UserPassword => true,
        }
    }

    /// Whether an Access-Accept says that the second factor was shown. A request that nobody typed
    /// anything for proves nothing, and a `Challenge` provider must have asked before.
    fn is_second_factor(&self) -> bool {
        match self.standing.mode {
            RadiusMode::OneFactor => !self.opens(),
            RadiusMode::Challenge | RadiusMode::Push => !self.opens() && self.answered.is_some(),
        }
    }
}
