//! One request to one endpoint, driven from its first send to its end.

use std::sync::Arc;
use std::time::Duration;

use super::endpoint::Endpoint;
use super::error::Attempted;
use super::line::News;
use super::ticket::{NoTicket, Ticket};
use crate::{
    AccessRequest, Answer, Count, Effect, EncodeError, Env, Input, Observation, Outcome, Pattern,
    Transaction, Transition,
};

/// How long a request of a dialogue waits after a refusal before it asks once more, to be sure.
const TO_BE_SURE: Duration = Duration::from_millis(300);

/// How long a request waits that may not be sent again now because others are: this, and up to as
/// much again by chance, so that they do not all come back at once.
const STAND_BACK: Duration = Duration::from_millis(250);

/// What is asked, whom, and until when.
pub(super) struct Attempt<'a> {
    pub(super) endpoint: &'a Arc<Endpoint>,
    pub(super) request: &'a AccessRequest,
    pub(super) pattern: Pattern,
    /// Whether another server could be asked.
    pub(super) can_move: bool,
    /// Whether the dialogue belongs to this server.
    pub(super) is_pinned: bool,
    pub(super) deadline: Duration,
}

/// How it ended.
pub(super) enum Ended {
    /// The server has answered. Boxed, because all that wait keep room for it.
    Answered(Box<Answer>),
    /// Nobody has, in time.
    Unanswered,
    /// Nobody is there.
    Gone {
        /// Whether another server may be asked.
        may_move: bool,
    },
    /// There is no identifier for it.
    Full,
    /// It fits into no packet.
    Unencodable(EncodeError),
    /// The client is shut down.
    Stopped,
}

/// What is known of a request while it waits. Small, because there are many of them.
#[derive(Default)]
struct Progress {
    sent: u32,
    refused: bool,
    unreachable: Option<Box<str>>,
}

/// A request that is under way, and what is due.
struct Going {
    transaction: Transaction,
    /// When to send, if that is due.
    send_at: Option<Duration>,
    /// When to tell the transaction what the time is.
    wake_at: Duration,
}

impl Going {
    fn is_due(&self, now: Duration) -> bool {
        self.send_at.is_some_and(|at| at <= now)
    }
}

impl Attempt<'_> {
    /// Asks; the second tells what somebody would want to know if it was in vain.
    pub(super) async fn run(&self) -> (Ended, Attempted) {
        let unsent = |unreachable| Attempted {
            server: Some(self.endpoint.address),
            unreachable,
            ..Attempted::default()
        };
        let ticket = match self.endpoint.enter(self.request, self.pattern) {
            Ok(ticket) => ticket,
            Err(NoTicket::Full) => return (Ended::Full, unsent(None)),
            Err(NoTicket::Unencodable(error)) => return (Ended::Unencodable(error), unsent(None)),
            Err(NoTicket::Unreachable(error)) => {
                self.endpoint.see(Observation::Refused);
                let may_move = self.can_move;
                return (Ended::Gone { may_move }, unsent(Some(error)));
            }
        };
        let (ended, progress) = match self.wait_for_turn(&ticket).await {
            Some(ended) => (ended, Progress::default()),
            None => self.wait(&ticket).await,
        };
        let tried = Attempted {
            server: Some(self.endpoint.address),
            our_address: ticket.local(),
            sent: progress.sent,
            refused: progress.refused,
            unreachable: progress.unreachable.map(String::from),
            discarded: ticket.discarded(),
        };
        match &ended {
            Ended::Answered(_) => ticket.answered(),
            // What was never sent says nothing about the server.
            Ended::Unanswered if tried.sent > 0 => {
                self.endpoint.counters.count(Count::Timeouts);
                self.endpoint.see(match self.pattern {
                    Pattern::Push => Observation::PushUnanswered,
                    Pattern::Short | Pattern::Once => Observation::ShortUnanswered,
                });
            }
            Ended::Unanswered
            | Ended::Gone { .. }
            | Ended::Full
            | Ended::Unencodable(_)
            | Ended::Stopped => {}
        }
        (ended, tried)
    }

    async fn wait(&self, ticket: &Ticket) -> (Ended, Progress) {
        let mut progress = Progress::default();
        let mut going = match self.begin(ticket) {
            Ok(going) => going,
            Err(ended) => return (ended, progress),
        };
        loop {
            if going.is_due(self.endpoint.world.now()) {
                going.send_at = self.send(ticket, &mut progress).await;
            }
            let until = going
                .send_at
                .map_or(going.wake_at, |at| at.min(going.wake_at));
            let news = ticket.news_until(until).await.ok();
            going = match self.go_on(going, news, &mut progress) {
                Ok(going) => going,
                Err(ended) => return (ended, progress),
            };
        }
    }

    /// Begins; the first send is due then.
    fn begin(&self, ticket: &Ticket) -> Result<Going, Ended> {
        let env = self.env();
        ticket.begin(env.now);
        let transition = Transaction::begin(self.pattern, self.can_move, self.deadline, env);
        self.apply(transition, None)
    }

    /// Goes on with what came, or with the time that passed.
    fn go_on(
        &self,
        mut going: Going,
        news: Option<News>,
        progress: &mut Progress,
    ) -> Result<Going, Ended> {
        let now = self.endpoint.world.now();
        let input = match news {
            None if now >= going.wake_at => Input::Woke,
            None => return Ok(going),
            Some(News::Answer(verified)) => Input::Answered(*verified),
            Some(News::Died) => Input::EndpointDied,
            Some(News::Stopped) => return Err(Ended::Stopped),
            Some(News::Refused) => {
                progress.refused = true;
                if self.is_pinned {
                    going.send_at = Some(now.saturating_add(TO_BE_SURE));
                }
                Input::Refused
            }
        };
        let transition = going.transaction.step(input, self.env());
        self.apply(transition, going.send_at)
    }

    /// Takes note of what is to be done.
    fn apply(&self, transition: Transition, mut send_at: Option<Duration>) -> Result<Going, Ended> {
        let mut wake_at = self.deadline;
        for effect in transition.effects {
            match effect {
                Effect::Send => send_at = Some(self.endpoint.world.now()),
                Effect::WakeAt(at) => wake_at = at,
                Effect::Done(outcome) => return Err(Ended::from(outcome)),
            }
        }
        let transaction = transition.next.ok_or(Ended::Unanswered)?;
        Ok(Going {
            transaction,
            send_at,
            wake_at,
        })
    }

    /// Waits until the first send may leave. Nothing has reached the server until then.
    async fn wait_for_turn(&self, ticket: &Ticket) -> Option<Ended> {
        let world = &self.endpoint.world;
        if world.has_ended() {
            return Some(Ended::Stopped);
        }
        let now = world.now();
        let turn = self.endpoint.reserve(now);
        while turn > world.now() {
            match ticket.news_until(turn.min(self.deadline)).await.ok() {
                Some(News::Stopped) => return Some(Ended::Stopped),
                Some(News::Refused | News::Died) if self.can_move => {
                    return Some(Ended::Gone { may_move: true });
                }
                None if world.now() >= self.deadline => return Some(Ended::Unanswered),
                Some(News::Refused | News::Died | News::Answer(_)) | None => {}
            }
        }
        None
    }

    /// Sends, and tells when to try again if it may not be now.
    async fn send(&self, ticket: &Ticket, progress: &mut Progress) -> Option<Duration> {
        let world = &self.endpoint.world;
        let is_first = progress.sent == 0;
        if !is_first && let Err(at) = self.endpoint.may_repeat(world.now()) {
            let chance = f64::from(world.draw()) / f64::from(u32::MAX);
            return Some(at.saturating_add(STAND_BACK.mul_f64(1.0 + chance)));
        }
        let count = if is_first {
            Count::AccessRequests
        } else {
            Count::AccessRetransmissions
        };
        match ticket.send(count).await {
            Ok(()) => progress.sent = progress.sent.saturating_add(1),
            Err(error) => progress.unreachable = Some(error.to_string().into()),
        }
        None
    }

    fn env(&self) -> Env {
        Env {
            now: self.endpoint.world.now(),
            draw: self.endpoint.world.draw(),
            pending: self.endpoint.pushes(),
        }
    }
}

impl From<Outcome> for Ended {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Answered(verified) => Self::Answered(Box::new(verified.answer)),
            Outcome::Unanswered => Self::Unanswered,
            Outcome::Gone { may_move } => Self::Gone { may_move },
        }
    }
}
