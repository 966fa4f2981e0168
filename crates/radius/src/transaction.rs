//! One request to one endpoint, from its first send to its end.
//!
//! [`Transaction::begin`] starts one; [`Transaction::step`] takes an input and answers with what
//! the caller must do. Discarded datagrams are no input: they change nothing, timers included.

use std::time::Duration;

use crate::Verified;
use crate::schedule::{Next, Pattern, Schedule};

/// How old a push may be to be asked for again by another server: the user sees one stray push
/// at most.
const YOUNG_PUSH: Duration = Duration::from_secs(15);
/// How long after its first send a refusal proves that a push has reached nobody.
const FRESH_PUSH: Duration = Duration::from_secs(2);

/// A request that is pending.
#[derive(Debug)]
pub struct Transaction {
    pattern: Pattern,
    schedule: Schedule,
    started: Duration,
    can_move: bool,
    next: Next,
}

/// What can happen to a pending request.
#[derive(Debug)]
pub enum Input {
    /// The time that [`Effect::WakeAt`] named has come.
    Woke,
    /// A signed answer to it came.
    Answered(Verified),
    /// The system says that nobody listens at the endpoint (ICMP).
    Refused,
    /// The endpoint is [`Dead`](crate::Standing::Dead) now.
    EndpointDied,
}

/// What the caller must do.
#[derive(Debug)]
pub enum Effect {
    /// Send the datagram, the same one each time.
    Send,
    /// Come back with [`Input::Woke`] then, unless something else comes first.
    WakeAt(Duration),
    /// The request is over.
    Done(Outcome),
}

/// How a request ended.
#[derive(Debug)]
pub enum Outcome {
    /// The server answered; its identifier is free at once. Every other end lets it rest.
    Answered(Verified),
    /// Nobody answered in time.
    Unanswered,
    /// The endpoint is not there.
    Gone {
        /// Whether another server may be asked, with a new datagram. Otherwise the user might be
        /// asked twice, or the dialogue belongs to this server.
        may_move: bool,
    },
}

/// What a transaction sees of the world besides its inputs.
#[derive(Clone, Copy, Debug)]
pub struct Env {
    /// The present.
    pub now: Duration,
    /// A random number.
    pub draw: u32,
    /// Pushes that are pending at the same endpoint.
    pub pending: usize,
}

/// The request if it is still pending, and what to do, in order.
#[derive(Debug)]
pub struct Transition {
    /// `None` when it is over.
    pub next: Option<Transaction>,
    /// To be carried out in order.
    pub effects: Vec<Effect>,
}

impl Transaction {
    /// A request whose datagram is sent now. With `can_move` another server could be asked instead;
    /// without, as in later rounds of a dialogue, it stays with this one.
    pub fn begin(pattern: Pattern, can_move: bool, deadline: Duration, env: Env) -> Transition {
        let schedule = Schedule::new(pattern, env.now, deadline);
        Self {
            pattern,
            next: schedule.next(env.draw, env.pending),
            schedule,
            started: env.now,
            can_move,
        }
        .go_on([Effect::Send])
    }

    /// Advances by one input.
    pub fn step(self, input: Input, env: Env) -> Transition {
        match input {
            Input::Woke => self.wake(env),
            Input::Answered(verified) => Transition::done(Outcome::Answered(verified)),
            Input::Refused => self.refuse(env),
            Input::EndpointDied => {
                let may_move = self.may_move(YOUNG_PUSH, env);
                Transition::done(Outcome::Gone { may_move })
            }
        }
    }

    /// How often it was sent, the first time included.
    pub const fn sends(&self) -> u32 {
        self.schedule.sends()
    }

    /// When it was sent first.
    pub const fn started(&self) -> Duration {
        self.started
    }

    fn wake(mut self, env: Env) -> Transition {
        match self.next {
            // Woken too early: timers may be coarse.
            next if env.now < next.at() => self.go_on([]),
            // Woken so late that nobody waits any more.
            Next::SendAt(_) if env.now >= self.schedule.deadline() => {
                Transition::done(Outcome::Unanswered)
            }
            Next::SendAt(_) => {
                self.schedule.sent(env.now);
                self.next = self.schedule.next(env.draw, env.pending);
                self.go_on([Effect::Send])
            }
            Next::GiveUpAt(_) => Transition::done(Outcome::Unanswered),
        }
    }

    /// A refusal is worth something only where it leads to somebody else: the server may be
    /// starting again, and the next send may reach it.
    fn refuse(self, env: Env) -> Transition {
        let may_move = self.may_move(FRESH_PUSH, env);
        if may_move {
            return Transition::done(Outcome::Gone { may_move });
        }
        self.go_on([])
    }

    /// Whether another server may be asked. A push must be younger than that: who asks a person
    /// again, disturbs them.
    fn may_move(&self, age: Duration, env: Env) -> bool {
        let is_young = env.now <= self.started.saturating_add(age);
        self.can_move && (self.pattern != Pattern::Push || is_young)
    }

    fn go_on<const N: usize>(self, effects: [Effect; N]) -> Transition {
        let wake = Effect::WakeAt(self.next.at());
        Transition {
            next: Some(self),
            effects: effects.into_iter().chain([wake]).collect(),
        }
    }
}

impl Transition {
    fn done(outcome: Outcome) -> Self {
        Self {
            next: None,
            effects: vec![Effect::Done(outcome)],
        }
    }
}
