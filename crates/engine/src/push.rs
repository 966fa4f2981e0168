//! Pushes: second factors that are approved elsewhere.
//!
//! A push belongs to the session that began it. While it waits, that session may join it from
//! anywhere and nothing is sent again; every other session of the user is turned away. A user is
//! shown at most [`MOST_PUSHES`] within [`PUSH_WINDOW`], so that nobody is worn out until they
//! approve.

use std::time::Duration;

use crate::attempt::Refusal;
use crate::budget::Gate;
use crate::{GuessBudget, MfaProviderId, PushId, SessionId, Timestamp, UserId};

/// Pushes that a user may be shown within [`PUSH_WINDOW`].
pub const MOST_PUSHES: usize = 3;
/// The time in which pushes are counted.
pub const PUSH_WINDOW: Duration = Duration::from_mins(1);
/// How long after its deadline the outcome of a push waits for its session.
pub const OUTCOME_KEPT: Duration = Duration::from_secs(10);

/// A push.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Push {
    /// The id.
    pub id: PushId,
    /// Who is to approve.
    pub user: UserId,
    /// The session that began it.
    pub session: SessionId,
    /// The provider that it was sent by…
    pub provider: MfaProviderId,
    /// …as it was configured then.
    pub provider_revision: u64,
    /// When it was sent.
    pub started: Timestamp,
    /// When it ends without an answer.
    pub deadline: Timestamp,
    /// How it ended; none while it waits.
    pub outcome: Option<PushOutcome>,
    /// Whether its session has heard of the outcome.
    pub collected: bool,
}

/// How a push ended.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum PushOutcome {
    /// The server accepted.
    Accepted,
    /// The server refused: denied, or not approved in time.
    Denied,
    /// The server asked for a code instead.
    Challenged,
    /// No server answered.
    Unavailable,
}

impl PushOutcome {
    /// All outcomes.
    pub const ALL: [Self; 4] = [
        Self::Accepted,
        Self::Denied,
        Self::Challenged,
        Self::Unavailable,
    ];

    /// The name that is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Denied => "denied",
            Self::Challenged => "challenged",
            Self::Unavailable => "unavailable",
        }
    }

    /// The outcome of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|outcome| outcome.as_str() == name)
    }
}

/// Where a push stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PushState {
    /// It waits for its outcome.
    Waiting,
    /// It has ended.
    Ended(PushOutcome),
    /// It has ended, and nobody can ask for its outcome any more.
    Over,
}

impl Push {
    /// Where it stands. A push whose deadline is over without an outcome was sent by a program
    /// that has gone: no server answered it.
    pub fn state(&self, now: Timestamp) -> PushState {
        let outcome = match self.outcome {
            None if now < self.deadline => return PushState::Waiting,
            None => PushOutcome::Unavailable,
            Some(outcome) => outcome,
        };
        if self.collected || now >= self.deadline.after(OUTCOME_KEPT) {
            PushState::Over
        } else {
            PushState::Ended(outcome)
        }
    }

    /// The first moment at which it is of no more use to anybody.
    pub fn useless_from(&self) -> Timestamp {
        let kept = self.deadline.after(OUTCOME_KEPT);
        kept.max(self.started.after(PUSH_WINDOW))
    }
}

/// What a session that asks for a push gets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Asked {
    /// Nothing is under way: one may be sent.
    Send,
    /// Its own, which waits or has ended uncollected.
    Join(Push),
    /// Nothing: the guess budget bars it, as it bars every second factor.
    Barred(Refusal),
    /// Nothing: another session's push waits, or there were too many. Sends nothing.
    TurnedAway {
        /// When to ask again.
        again: Timestamp,
    },
}

/// Decides what a session gets that asks for a push by this provider. `pushes` are all of the
/// user's that are kept.
pub fn ask(
    budget: &GuessBudget,
    pushes: &[Push],
    session: SessionId,
    provider: (MfaProviderId, u64),
    now: Timestamp,
) -> Asked {
    match budget.gate(now) {
        Gate::Open => {}
        Gate::Waiting(_) => return Asked::Barred(Refusal::Waiting),
        Gate::Closed => return Asked::Barred(Refusal::Closed),
    }
    let own = pushes.iter().find(|push| {
        push.session == session
            && (push.provider, push.provider_revision) == provider
            && push.state(now) != PushState::Over
    });
    if let Some(own) = own {
        return Asked::Join(own.clone());
    }
    let waiting = pushes
        .iter()
        .filter(|push| push.state(now) == PushState::Waiting);
    if let Some(until) = waiting.map(|push| push.deadline).max() {
        return Asked::TurnedAway { again: until };
    }
    let mut starts: Vec<_> = pushes.iter().map(|push| push.started).collect();
    starts.retain(|started| now < started.after(PUSH_WINDOW));
    starts.sort_unstable();
    let room = starts.len().checked_sub(MOST_PUSHES);
    match room.and_then(|over| starts.get(over)) {
        Some(earliest) => Asked::TurnedAway {
            again: earliest.after(PUSH_WINDOW),
        },
        None => Asked::Send,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_700_000_000 + seconds)
    }

    fn session(n: u8) -> SessionId {
        SessionId::from_random([n; 16])
    }

    const PROVIDER: (MfaProviderId, u64) = (crate::mfa::TOTP_PROVIDER, 1);

    /// The n-th session's push, sent then, for 90 seconds.
    fn push(n: u8, started: i64, outcome: Option<PushOutcome>) -> Push {
        Push {
            id: PushId::from_random([n; 16]),
            user: UserId::from_random([0; 16]),
            session: session(n),
            provider: PROVIDER.0,
            provider_revision: PROVIDER.1,
            started: at(started),
            deadline: at(started + 90),
            outcome,
            collected: false,
        }
    }

    #[track_caller]
    fn check(pushes: &[Push], n: u8, now: i64, expected: &Asked) {
        let budget = GuessBudget::default();
        assert_eq!(
            &ask(&budget, pushes, session(n), PROVIDER, at(now)),
            expected
        );
    }

    #[test]
    fn one_waits_at_a_time() {
        let waiting = push(1, 0, None);
        let pushes = [waiting.clone()];
        check(&[], 1, 0, &Asked::Send);
        check(&pushes, 1, 5, &Asked::Join(waiting));
        check(&pushes, 2, 5, &Asked::TurnedAway { again: at(90) });
    }

    #[test]
    fn an_outcome_waits_for_its_own_session() {
        let denied = push(1, 0, Some(PushOutcome::Denied));
        let pushes = [denied.clone()];
        check(&pushes, 1, 99, &Asked::Join(denied.clone()));
        check(&pushes, 1, 100, &Asked::Send);
        check(&pushes, 2, 5, &Asked::Send);
        let collected = Push {
            collected: true,
            ..denied
        };
        check(&[collected], 1, 5, &Asked::Send);
    }

    #[test]
    fn the_push_of_a_program_that_has_gone_was_not_answered() {
        let lost = push(1, 0, None);
        assert_eq!(lost.state(at(89)), PushState::Waiting);
        let ended = PushState::Ended(PushOutcome::Unavailable);
        assert_eq!(lost.state(at(90)), ended);
        assert_eq!(lost.state(at(100)), PushState::Over);
    }

    #[test]
    fn a_provider_that_was_changed_has_no_old_pushes() {
        let pushes = [push(1, 0, Some(PushOutcome::Accepted))];
        let changed = (PROVIDER.0, 2);
        let budget = GuessBudget::default();
        let asked = ask(&budget, &pushes, session(1), changed, at(1));
        assert_eq!(asked, Asked::Send);
    }

    #[test]
    fn who_waits_after_wrong_codes_gets_none() {
        let failed = (0..5).fold(GuessBudget::default(), |b, _| b.after_failure(at(0)));
        let barred = Asked::Barred(Refusal::Waiting);
        assert_eq!(ask(&failed, &[], session(1), PROVIDER, at(29)), barred);
        assert_eq!(ask(&failed, &[], session(1), PROVIDER, at(30)), Asked::Send);
    }

    #[test]
    fn three_in_a_minute() {
        let denied = |n, started| push(n, started, Some(PushOutcome::Denied));
        let pushes = [denied(1, 0), denied(2, 10), denied(3, 20)];
        check(&pushes, 4, 59, &Asked::TurnedAway { again: at(60) });
        check(&pushes, 4, 60, &Asked::Send);
        let four = [&pushes[..], &[denied(4, 60)]].concat();
        check(&four, 5, 61, &Asked::TurnedAway { again: at(70) });
    }
}
