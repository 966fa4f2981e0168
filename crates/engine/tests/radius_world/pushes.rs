//! Pushes: who asks for one, what is sent, and who hears of the outcome.

use std::time::Duration;

use vestibule_engine::provider::RadiusMode;
use vestibule_engine::push::{Asked, MOST_PUSHES, PUSH_WINDOW, PushOutcome, PushState, ask};
use vestibule_engine::radius::RadiusAttempt;
use vestibule_engine::{MfaProviderId, Push, PushId, Refusal, SessionId, Timestamp, UserId};

use super::action::{ALL_STAGES, Manner};
use super::flight::{About, Kind};
use super::{Session, Skipped, World};

/// How long an outcome that nobody has heard of is kept.
const KEPT: Duration = Duration::from_secs(10);

/// A push that was sent, as the ledger knows it.
pub(super) struct Sent {
    push: PushId,
    user: UserId,
    session: SessionId,
    provider: (MfaProviderId, u64),
    started: Timestamp,
    deadline: Timestamp,
    outcome: Option<PushOutcome>,
    /// Its session has heard of the outcome.
    is_told: bool,
}

/// A push that was granted and is about to be stored, and then sent.
pub(super) struct Start {
    session: Session,
    revision: u64,
    push: Push,
}

impl Sent {
    fn waits(&self, now: Timestamp) -> bool {
        self.outcome.is_none() && now < self.deadline
    }

    fn state(&self, now: Timestamp) -> PushState {
        match self.outcome {
            None if now < self.deadline => PushState::Waiting,
            None => PushState::Ended(PushOutcome::Unavailable),
            Some(outcome) => PushState::Ended(outcome),
        }
    }
}

impl World {
    /// A session asks for a push, or for what became of it.
    pub(super) fn push(&mut self, of: Session, stages: u8) -> Result<(), Skipped> {
        let standing = self.store.standing(of.id, self.now).ok_or(Skipped)?;
        if self.store.mode != RadiusMode::Push {
            return Err(Skipped);
        }
        let (provider, now) = (self.store.provider, self.now);
        let kept = self.store.pushes_of(of.user);
        let asked = ask(&standing.budget, &kept, of.id, provider, now);
        self.check_asked(of, &asked);
        match asked {
            Asked::Send => {
                self.ledger.note("push granted");
                let drawn = self.draw();
                let push = Push {
                    id: PushId::from_random(drawn),
                    user: of.user,
                    session: of.id,
                    provider: provider.0,
                    provider_revision: provider.1,
                    started: now,
                    deadline: now.after(Duration::from_secs(5 + self.drawn % 5 * 40)),
                    outcome: None,
                    collected: false,
                };
                self.starts.push(Start {
                    session: of,
                    revision: standing.revision,
                    push,
                });
                if stages > 0 {
                    self.start(self.starts.len() - 1);
                }
            }
            Asked::Join(push) => {
                let PushState::Ended(outcome) = push.state(now) else {
                    self.ledger.note("push joined");
                    return Ok(());
                };
                self.ledger.note("push collected");
                let sent_by = (push.provider, push.provider_revision);
                let begun = RadiusAttempt::collect(&standing, sent_by, outcome);
                let about = About {
                    provider: sent_by,
                    ..self.about(
                        of,
                        Kind::Collects(push.id, outcome),
                        true,
                        Manner::Plain,
                        None,
                    )
                };
                if let Some(flight) = self.turn(about, begun) {
                    self.go_on(flight, stages);
                }
            }
            Asked::Barred(_) => self.ledger.note("push barred"),
            Asked::TurnedAway { .. } => self.ledger.note("push turned away"),
        }
        Ok(())
    }

    /// What a session must get that asks for a push.
    fn check_asked(&self, of: Session, asked: &Asked) {
        let (now, provider) = (self.now, self.store.provider);
        let budget = self.ledger.budget(of.user);
        if let Asked::Barred(refusal) = asked {
            match refusal {
                Refusal::Waiting => assert!(budget.may_wait(now, None), "no wait was due"),
                Refusal::Closed => assert!(budget.may_be_closed(), "nothing has closed it"),
                Refusal::WrongCode
                | Refusal::Replayed
                | Refusal::NotEnrolled
                | Refusal::ForeignSeed
                | Refusal::SeedExpired
                | Refusal::Rejected
                | Refusal::TooManyRounds
                | Refusal::CannotAsk
                | Refusal::NoDialogue
                | Refusal::ForeignState
                | Refusal::ProviderChanged
                | Refusal::TokenEnded
                | Refusal::Contended => panic!("{refusal:?} bars no push"),
            }
            return;
        }
        assert!(
            !budget.is_shut(now, None),
            "a push though the budget is shut"
        );
        let own = self.sent.iter().find(|sent| {
            sent.session == of.id
                && sent.provider == provider
                && !sent.is_told
                && (sent.waits(now) || now < sent.deadline.after(KEPT))
        });
        let users = || self.sent.iter().filter(|sent| sent.user == of.user);
        let lately = users().filter(|sent| now < sent.started.after(PUSH_WINDOW));
        let is_full = lately.count() >= MOST_PUSHES;
        match asked {
            Asked::Join(push) => {
                let own = own.map(|own| (own.push, own.session, own.state(now)));
                assert_eq!(own, Some((push.id, of.id, push.state(now))), "another push");
            }
            Asked::TurnedAway { again } => {
                assert!(own.is_none(), "a session cannot reach its own push");
                assert!(
                    is_full || users().any(|sent| sent.waits(now)),
                    "nothing is in its way"
                );
                assert!(*again > now);
            }
            Asked::Send => {
                assert!(
                    own.is_none(),
                    "a second push instead of the outcome of the first"
                );
                assert!(
                    !is_full && !users().any(|sent| sent.waits(now)),
                    "a push too many"
                );
            }
            Asked::Barred(_) => {}
        }
    }

    /// Stores a push that was granted, and sends it.
    pub(super) fn start(&mut self, index: usize) {
        let Start {
            session,
            revision,
            push,
        } = self.starts.swap_remove(index);
        if !self.store.start_push(&push, revision) {
            self.ledger.note("push overtaken");
            return;
        }
        let now = self.now;
        let users = || self.sent.iter().filter(|sent| sent.user == push.user);
        assert!(
            !users().any(|sent| sent.waits(now)),
            "two pushes of a user wait"
        );
        let lately = users().filter(|sent| push.started < sent.started.after(PUSH_WINDOW));
        assert!(lately.count() < MOST_PUSHES, "more than three in a minute");
        let budget = self.ledger.budget(push.user);
        assert!(
            !budget.is_shut(push.started, None),
            "a push though the budget is shut"
        );
        assert!(
            !self.ledger.is_over(session.id),
            "a push for a token that has ended"
        );
        self.sent.push(Sent {
            push: push.id,
            user: push.user,
            session: push.session,
            provider: (push.provider, push.provider_revision),
            started: push.started,
            deadline: push.deadline,
            outcome: None,
            is_told: false,
        });
        self.ledger.note("push sent");
    }

    /// Forgets a push that was granted, with the program that was to send it.
    pub(super) fn forget_start(&mut self, index: usize) {
        self.starts.swap_remove(index);
    }

    /// A push ends, if it has not.
    pub(super) fn end_push(&mut self, index: usize, outcome: PushOutcome) {
        let waiting = self.sent.iter_mut().filter(|sent| sent.outcome.is_none());
        let Some(sent) = waiting.into_iter().nth(index) else {
            return;
        };
        for push in self
            .store
            .pushes
            .iter_mut()
            .filter(|push| push.id == sent.push)
        {
            push.outcome = Some(outcome);
            sent.outcome = Some(outcome);
        }
    }

    pub(super) fn waiting_pushes(&self) -> usize {
        self.sent
            .iter()
            .filter(|sent| sent.outcome.is_none())
            .count()
    }

    /// The session of a push has heard of its outcome.
    pub(super) fn told(&mut self, by: SessionId, push: PushId) {
        self.store.collect_push(push);
        for sent in self.sent.iter_mut().filter(|sent| sent.push == push) {
            assert_eq!(sent.session, by, "the outcome of another session's push");
            sent.is_told = true;
        }
    }

    pub(super) fn sweep(&mut self) {
        let now = self.now;
        self.store.pushes.retain(|push| now < push.useless_from());
    }

    /// An honest user asks for a push and approves it.
    pub(super) fn approve_a_push(&mut self, of: Session) {
        let asked = self.push(of, ALL_STAGES).is_ok();
        assert!(
            asked && self.waiting_pushes() > 0,
            "an honest user gets no push"
        );
        self.end_push(self.waiting_pushes() - 1, PushOutcome::Accepted);
        assert!(self.push(of, ALL_STAGES).is_ok());
    }
}
