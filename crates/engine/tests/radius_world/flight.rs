//! An attempt under way, and what the engine may say at each turn of it.

use std::time::Duration;

use vestibule_engine::provider::RadiusMode;
use vestibule_engine::push::PushOutcome;
use vestibule_engine::radius::{
    Acceptance, Credential, Effect, Handle, Input, MOST_ROUNDS, Question, RadiusAttempt, Settle,
    Transition,
};
use vestibule_engine::{MfaProviderId, PushId, SessionId, Timestamp, UserId};

use super::action::Manner;
use super::budget::NaiveBudget;
use super::ledger::{Asked, Fate};
use super::server::Said;
use super::verdict::Due;
use super::{Session, World};

/// An attempt under way.
pub(crate) struct Flight {
    pub(super) about: About,
    stage: Stage,
}

/// Whose it is, and what the next word of the engine must rest on.
pub(super) struct About {
    /// Another number for each attempt; the number of its try, if it begins one.
    pub(super) id: u64,
    pub(super) user: UserId,
    pub(super) session: SessionId,
    pub(super) kind: Kind,
    pub(super) is_right: bool,
    pub(super) manner: Manner,
    /// What the client sent along as the state.
    pub(super) claimed: Option<Vec<u8>>,
    pub(super) handle: [u8; Handle::LENGTH],
    /// The provider that it began with…
    pub(super) provider: (MfaProviderId, u64),
    /// …and what that asks for.
    pub(super) mode: RadiusMode,
    /// How things stood when they were last read.
    pub(super) facts: Facts,
    /// The question that it began to answer.
    pub(super) question: Option<u64>,
    /// When it was last judged.
    pub(super) judged: Timestamp,
    /// How often it was sent back, in this state.
    pub(super) moves: u32,
    /// The question that it answers.
    pub(super) taken: Option<Asked>,
    /// The try that it is.
    pub(super) attempt: Option<u64>,
    /// What the server said, and when that was heard.
    pub(super) heard: Option<(Said, Timestamp)>,
    /// What the engine heard last.
    pub(super) word: Word,
}

/// What an attempt is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Opens(Credential),
    Answers,
    Collects(PushId, PushOutcome),
}

/// A standing, as the ledger knows it.
pub(super) struct Facts {
    pub(super) revision: u64,
    pub(super) budget: NaiveBudget,
    pub(super) asked: Option<Asked>,
    pub(super) provider: (MfaProviderId, u64),
}

/// What the engine hears.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Word {
    /// Nothing: the attempt is begun.
    Begin,
    Settled,
    Replied,
    Redeemed,
    Moved {
        has_token: bool,
    },
}

enum Stage {
    /// The caller is about to do what the engine said.
    Due(Box<(RadiusAttempt, Effect)>),
    /// It is done, and the engine is about to hear of it.
    Done(Box<(RadiusAttempt, Input, Word, Option<Facts>)>),
}

impl World {
    /// What is known of an attempt that begins now.
    pub(super) fn about(
        &mut self,
        of: Session,
        kind: Kind,
        is_right: bool,
        manner: Manner,
        claimed: Option<Vec<u8>>,
    ) -> About {
        let handle = self.draw();
        let facts = self.facts(of.user, of.id);
        let now = self.now;
        let open = facts.asked.as_ref().filter(|asked| now < asked.expires);
        About {
            id: self.drawn,
            user: of.user,
            session: of.id,
            kind,
            is_right,
            manner,
            claimed,
            handle,
            provider: self.store.provider,
            mode: self.store.mode,
            question: open.map(|asked| asked.serial),
            facts,
            judged: now,
            moves: 0,
            taken: None,
            attempt: None,
            heard: None,
            word: Word::Begin,
        }
    }

    pub(super) fn facts(&self, user: UserId, session: SessionId) -> Facts {
        let provider = self.store.provider;
        let is_open = |asked: &&Asked| asked.provider == provider;
        Facts {
            revision: self.store.factor(user).revision,
            budget: self.ledger.budget(user),
            asked: self.ledger.asked(session).filter(is_open).cloned(),
            provider,
        }
    }

    /// Takes an attempt one stage further; back it comes, unless it is over.
    pub(super) fn fly(&mut self, flight: Flight) -> Option<Flight> {
        let Flight { mut about, stage } = flight;
        match stage {
            Stage::Due(due) => {
                let (attempt, effect) = *due;
                let (input, word, facts) = self.carry_out(&mut about, &attempt, effect);
                let stage = Stage::Done(Box::new((attempt, input, word, facts)));
                Some(Flight { about, stage })
            }
            Stage::Done(done) => {
                let (attempt, input, word, facts) = *done;
                about.word = word;
                match word {
                    Word::Moved { has_token: _ } => about.moves += 1,
                    Word::Begin | Word::Settled | Word::Replied | Word::Redeemed => {
                        about.moves = 0;
                    }
                }
                if let Some(facts) = facts {
                    about.facts = facts;
                }
                if word == Word::Replied
                    && let Some((_, heard)) = &mut about.heard
                {
                    *heard = self.now;
                }
                let transition = attempt.step(input, self.now).unwrap();
                self.turn(about, transition)
            }
        }
    }

    /// The engine has spoken.
    pub(super) fn turn(&mut self, mut about: About, transition: Transition) -> Option<Flight> {
        let Transition { next, effect } = transition;
        about.judged = self.now;
        let now = self.now;
        about.facts.asked = about.facts.asked.filter(|asked| now < asked.expires);
        match (&next, &effect) {
            (None, Effect::Finish(verdict)) => {
                self.finish(&about, verdict);
                return None;
            }
            (Some(RadiusAttempt::Reserving(_)), Effect::Settle(settle)) => {
                self.check_reservation(&about, settle);
            }
            (Some(RadiusAttempt::Asking(_)), Effect::Ask(question)) => {
                Self::check_question(&about, question);
            }
            (Some(RadiusAttempt::Settling(_)), Effect::Settle(settle)) => {
                about.check_settlement(settle);
            }
            (Some(RadiusAttempt::Redeeming(_)), Effect::Redeem(acceptance)) => {
                about.check_acceptance(acceptance);
            }
            (
                None
                | Some(
                    RadiusAttempt::Reserving(_)
                    | RadiusAttempt::Asking(_)
                    | RadiusAttempt::Settling(_)
                    | RadiusAttempt::Redeeming(_),
                ),
                Effect::Settle(_) | Effect::Ask(_) | Effect::Redeem(_) | Effect::Finish(_),
            ) => panic!("{next:?} with {effect:?}"),
        }
        let stage = Stage::Due(Box::new((next.unwrap(), effect)));
        Some(Flight { about, stage })
    }

    /// A try is about to be counted: whatever bars it must not be there.
    fn check_reservation(&mut self, about: &About, settle: &Settle) {
        let facts = &about.facts;
        assert!(matches!(
            about.word,
            Word::Begin | Word::Moved { has_token: true }
        ));
        about.check_write(settle);
        let answers = about.answers();
        let held = answers.and_then(|asked| asked.held);
        assert!(!facts.budget.is_shut(self.now, held), "the budget is shut");
        assert_eq!(
            facts.provider, about.provider,
            "another provider than it began with"
        );
        assert!(about.claim_is_fine(), "the handle of another dialogue");
        assert!(
            answers.is_some() || !about.needs_question(),
            "nobody has asked anything"
        );
        if about.kind == Kind::Answers {
            let now = answers.map(|asked| asked.serial);
            assert_eq!(now, about.question, "an answer to another question");
        }
        assert!(!settle.ends_token, "nothing is known yet");
    }

    fn check_question(about: &About, question: &Question) {
        let with = match about.kind {
            Kind::Opens(with) => with,
            Kind::Answers => Credential::Typed,
            Kind::Collects(..) => panic!("a push is sent by other means"),
        };
        assert_eq!(question.with, with);
        let taken = about.taken.as_ref();
        assert_eq!(
            question.server,
            taken.map(|asked| asked.server),
            "the server"
        );
        let state = question.state.as_ref().map(|state| state.octets().to_vec());
        assert_eq!(
            state,
            taken.and_then(|asked| asked.state.clone()),
            "the State"
        );
        let free = with == Credential::ChallengeSecret && about.word == Word::Begin;
        let counted = about.word == Word::Settled && about.attempt.is_some();
        assert!(free || counted, "something is sent before it is counted");
    }

    /// Does what the engine asks of its caller.
    fn carry_out(
        &mut self,
        about: &mut About,
        attempt: &RadiusAttempt,
        effect: Effect,
    ) -> (Input, Word, Option<Facts>) {
        match effect {
            Effect::Settle(settle) => {
                if !self.store.settle(&settle) {
                    return self.moved(about);
                }
                match attempt {
                    RadiusAttempt::Reserving(_) => self.reserved(about),
                    RadiusAttempt::Settling(_) => self.settled(about, &settle),
                    RadiusAttempt::Asking(_) | RadiusAttempt::Redeeming(_) => {
                        panic!("{attempt:?} writes")
                    }
                }
                (Input::Settled, Word::Settled, None)
            }
            Effect::Ask(question) => {
                let said =
                    self.servers
                        .hear(about.session, &question, about.is_right, about.manner);
                let input = Input::Replied(said.reply());
                let judged = said != Said::Nothing && !about.is_right;
                if let (true, Kind::Answers, Some(id)) = (judged, about.kind, about.attempt) {
                    self.ledger.hear_wrong(about.user, id);
                }
                about.heard = Some((said, self.now));
                (input, Word::Replied, None)
            }
            Effect::Redeem(acceptance) => {
                let Some(redeemed) = self.store.redeem(&acceptance) else {
                    return self.moved(about);
                };
                self.ledger.redeem(about.user, about.session, about.attempt);
                (Input::Redeemed(redeemed), Word::Redeemed, None)
            }
            Effect::Finish(_) => unreachable!("an attempt that is over asks nothing"),
        }
    }

    fn moved(&mut self, about: &About) -> (Input, Word, Option<Facts>) {
        self.ledger.note("moved");
        let standing = self.store.standing(about.session, self.now);
        let has_token = standing.is_some();
        let facts = has_token.then(|| self.facts(about.user, about.session));
        (Input::Moved(standing), Word::Moved { has_token }, facts)
    }

    fn reserved(&mut self, about: &mut About) {
        about.taken = about.answers().cloned();
        let whose = (about.user, about.session);
        let (taken, id) = (about.taken.as_ref(), about.id);
        let attempt = self.ledger.reserve(whose, taken, id, about.judged);
        about.attempt = Some(attempt);
    }

    fn settled(&mut self, about: &About, settle: &Settle) {
        let due = about.due();
        if settle.ends_token {
            let budget = self.ledger.budget(about.user);
            let may_end = budget.may_wait(about.judged, None) || budget.may_be_closed();
            assert!(may_end, "the token ended before the budget did");
            self.ledger.note("token spent");
        }
        self.ledger
            .settle(about.user, about.attempt, due.fate(about));
        if settle.ends_token {
            self.ledger.end(about.session);
        } else if let Some(asked) = about.asks() {
            self.ledger.ask(about.session, asked);
        }
    }
}

impl About {
    /// The question that it answers, if there is one.
    pub(super) fn answers(&self) -> Option<&Asked> {
        match self.kind {
            Kind::Answers => self.facts.asked.as_ref(),
            Kind::Opens(_) | Kind::Collects(..) => None,
        }
    }

    pub(super) fn claim_is_fine(&self) -> bool {
        self.claimed.as_ref().is_none_or(|claimed| {
            let asked = self.answers();
            asked.is_some_and(|asked| asked.handle[..] == claimed[..])
        })
    }

    pub(super) fn needs_question(&self) -> bool {
        self.kind == Kind::Answers && self.mode != RadiusMode::OneFactor
    }

    fn check_write(&self, settle: &Settle) {
        let of = (settle.user, settle.session, settle.revision);
        assert_eq!(of, (self.user, self.session, self.revision()));
    }

    /// The revision that the next write must rest on.
    fn revision(&self) -> u64 {
        // Its own reservation is one write more than what was read.
        let has_reserved = self.word == Word::Replied && self.attempt.is_some();
        self.facts.revision + u64::from(has_reserved)
    }

    fn check_settlement(&self, settle: &Settle) {
        self.check_write(settle);
        let fate = self.due().fate(self);
        assert_eq!(
            settle.ends_token,
            fate == Fate::Counts,
            "{fate:?} is written"
        );
    }

    fn check_acceptance(&self, acceptance: &Acceptance) {
        assert_eq!(self.due(), Due::Pass, "{:?} {:?}", self.kind, self.heard);
        assert_eq!(
            self.facts.provider, self.provider,
            "another provider accepted"
        );
        let of = (
            acceptance.user(),
            acceptance.session(),
            acceptance.revision(),
        );
        assert_eq!(of, (self.user, self.session, self.revision()));
        let provider = (acceptance.provider(), acceptance.provider_revision());
        assert_eq!(provider, self.provider);
    }

    /// What a server asks now, if it does and may.
    fn asks(&self) -> Option<Asked> {
        let (said, heard) = self.heard.as_ref()?;
        let (
            Due::Challenged | Due::AskedAgain,
            Said::Challenged {
                serial,
                server,
                state,
                waits,
            },
        ) = (self.due(), said)
        else {
            return None;
        };
        let waits = waits.map_or(120, |seconds| seconds.clamp(1, 300));
        let taken = self.taken.as_ref();
        Some(Asked {
            serial: *serial,
            server: *server,
            state: state.clone(),
            handle: taken.map_or(self.handle, |taken| taken.handle),
            provider: self.provider,
            expires: heard.after(Duration::from_secs(waits)),
            requests: self.requests(),
            held: match self.kind {
                Kind::Answers => self.attempt,
                Kind::Opens(_) | Kind::Collects(..) => None,
            },
        })
    }

    /// Requests of the dialogue, with this one.
    pub(super) fn requests(&self) -> u8 {
        let requests = self.taken.as_ref().map_or(0, |taken| taken.requests) + 1;
        assert!(requests <= MOST_ROUNDS, "a request too many");
        requests
    }
}
