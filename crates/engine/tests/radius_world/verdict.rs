//! How an attempt must end, by the table of modes and by what stood in its way.

use vestibule_engine::Refusal;
use vestibule_engine::provider::RadiusMode;
use vestibule_engine::push::PushOutcome;
use vestibule_engine::radius::{Credential, MOST_ROUNDS, Verdict};

use super::World;
use super::flight::{About, Kind, Word};
use super::ledger::Fate;
use super::server::Said;

/// What the word of a server is worth.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Due {
    Pass,
    TooEarly,
    Rejected,
    Capped,
    CannotAsk,
    Unavailable,
    Challenged,
    AskedAgain,
}

impl About {
    /// The table of modes.
    pub(super) fn due(&self) -> Due {
        if let Kind::Collects(_, outcome) = self.kind {
            return match outcome {
                PushOutcome::Accepted => Due::Pass,
                PushOutcome::Denied => Due::Rejected,
                PushOutcome::Challenged => Due::CannotAsk,
                PushOutcome::Unavailable => Due::Unavailable,
            };
        }
        let was_typed = self.kind == Kind::Answers;
        let is_first = self.taken.is_none();
        match self.heard.as_ref().map(|(said, _)| said) {
            None => panic!("a verdict before anybody was asked"),
            Some(Said::Accepted) => match self.mode {
                RadiusMode::OneFactor if was_typed => Due::Pass,
                RadiusMode::Challenge | RadiusMode::Push if was_typed && !is_first => Due::Pass,
                RadiusMode::OneFactor | RadiusMode::Challenge | RadiusMode::Push => Due::TooEarly,
            },
            Some(Said::Rejected) => Due::Rejected,
            Some(Said::Nothing) => Due::Unavailable,
            Some(Said::Challenged { .. }) if self.requests() == MOST_ROUNDS => Due::Capped,
            Some(Said::Challenged { .. }) if was_typed => Due::AskedAgain,
            Some(Said::Challenged { .. }) => Due::Challenged,
        }
    }
}

impl Due {
    /// What becomes of the try, if one was begun.
    pub(super) fn fate(self, about: &About) -> Fate {
        let was_judged = about
            .taken
            .as_ref()
            .is_some_and(|taken| taken.held.is_some());
        match self {
            Self::Rejected | Self::Capped => Fate::Counts,
            Self::AskedAgain => Fate::Stays,
            Self::Unavailable if was_judged => Fate::Stays,
            Self::Unavailable
            | Self::TooEarly
            | Self::Challenged
            | Self::Pass
            | Self::CannotAsk => Fate::GivenBack,
        }
    }

    fn matches(self, about: &About, verdict: &Verdict) -> bool {
        let asked = match &about.heard {
            Some((Said::Challenged { serial, .. }, _)) => serial.to_string(),
            Some((Said::Accepted | Said::Rejected | Said::Nothing, _)) | None => String::new(),
        };
        match verdict {
            Verdict::Passed => false,
            Verdict::Challenged { handle, message } => {
                self == Self::Challenged && *handle.as_bytes() == about.handle && *message == asked
            }
            Verdict::AskedAgain { message } => self == Self::AskedAgain && *message == asked,
            Verdict::Unavailable => self == Self::Unavailable,
            Verdict::AcceptedTooEarly => self == Self::TooEarly,
            Verdict::Refused(refusal) => self.refusal() == Some(*refusal),
        }
    }

    const fn refusal(self) -> Option<Refusal> {
        match self {
            Self::Rejected => Some(Refusal::Rejected),
            Self::Capped => Some(Refusal::TooManyRounds),
            Self::CannotAsk => Some(Refusal::CannotAsk),
            Self::Pass
            | Self::TooEarly
            | Self::Unavailable
            | Self::Challenged
            | Self::AskedAgain => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Pass => "passed",
            Self::TooEarly => "accepted too early",
            Self::Rejected => "rejected",
            Self::Capped => "asked too often",
            Self::CannotAsk => "cannot ask",
            Self::Unavailable => "unavailable",
            Self::Challenged => "challenged",
            Self::AskedAgain => "asked again",
        }
    }
}

impl World {
    /// An attempt is over.
    pub(super) fn finish(&mut self, about: &About, verdict: &Verdict) {
        if let Kind::Collects(push, _) = about.kind {
            self.told(about.session, push);
        }
        match verdict {
            Verdict::Passed => {
                assert_eq!(about.word, Word::Redeemed, "passed without a redemption");
                assert_eq!(about.due(), Due::Pass, "passed without an acceptance");
                self.ledger.tell(about.session);
                self.ledger.note(match about.kind {
                    Kind::Collects(..) => "passed by push",
                    Kind::Opens(_) | Kind::Answers => match about.mode {
                        RadiusMode::OneFactor => "passed at once",
                        RadiusMode::Challenge | RadiusMode::Push => "passed a challenge",
                    },
                });
            }
            Verdict::Refused(
                refusal @ (Refusal::TokenEnded
                | Refusal::Contended
                | Refusal::ProviderChanged
                | Refusal::Waiting
                | Refusal::Closed
                | Refusal::NoDialogue
                | Refusal::ForeignState),
            ) => {
                self.check_refusal(about, *refusal);
                self.ledger.note(name(*refusal));
            }
            Verdict::Refused(
                Refusal::WrongCode
                | Refusal::Replayed
                | Refusal::NotEnrolled
                | Refusal::ForeignSeed
                | Refusal::SeedExpired
                | Refusal::Rejected
                | Refusal::TooManyRounds
                | Refusal::CannotAsk,
            )
            | Verdict::Challenged { .. }
            | Verdict::AskedAgain { .. }
            | Verdict::Unavailable
            | Verdict::AcceptedTooEarly => {
                let due = about.due();
                assert!(
                    due.matches(about, verdict),
                    "{verdict:?}, and {due:?} was due"
                );
                self.check_end(about, due);
                self.ledger.note(due.name());
            }
        }
    }

    /// Why an attempt may end without the word of a server.
    fn check_refusal(&self, about: &About, refusal: Refusal) {
        let facts = &about.facts;
        let held = about.answers().and_then(|asked| asked.held);
        let is_judgement = about.attempt.is_none()
            && about.heard.is_none()
            && matches!(about.word, Word::Begin | Word::Moved { has_token: true });
        let justified = match refusal {
            Refusal::TokenEnded => about.word == Word::Moved { has_token: false },
            Refusal::Contended => about.moves > 16,
            Refusal::ProviderChanged => facts.provider != about.provider,
            Refusal::Waiting => is_judgement && facts.budget.may_wait(self.now, held),
            Refusal::Closed => is_judgement && facts.budget.may_be_closed(),
            Refusal::ForeignState => is_judgement && !about.claim_is_fine(),
            Refusal::NoDialogue => {
                let now = about.answers().map(|asked| asked.serial);
                is_judgement && (now != about.question || about.needs_question() && now.is_none())
            }
            Refusal::WrongCode
            | Refusal::Replayed
            | Refusal::NotEnrolled
            | Refusal::ForeignSeed
            | Refusal::SeedExpired
            | Refusal::Rejected
            | Refusal::TooManyRounds
            | Refusal::CannotAsk => false,
        };
        assert!(justified, "{refusal:?} after {:?}", about.word);
    }

    /// What must be true when the word of a server is passed on.
    fn check_end(&mut self, about: &About, due: Due) {
        let budget = self.ledger.budget(about.user);
        let ran_out = about.attempt.is_some_and(|id| budget.is_last(id))
            && due.fate(about) == Fate::Counts
            && budget.is_shut(about.judged, None);
        assert!(
            !ran_out || self.ledger.is_over(about.session),
            "the budget ran out and the token lives on"
        );
        if due == Due::TooEarly {
            let secret = Kind::Opens(Credential::ChallengeSecret);
            let password = Kind::Opens(Credential::UserPassword);
            assert!(about.kind == secret || about.kind == password);
        }
        if due == Due::Unavailable && due.fate(about) == Fate::Stays {
            self.ledger.note("silent after an answer");
        }
    }
}

fn name(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Waiting => "waiting",
        Refusal::Closed => "closed",
        Refusal::NoDialogue => "no dialogue",
        Refusal::ForeignState => "foreign state",
        Refusal::ProviderChanged => "provider changed",
        Refusal::TokenEnded => "token ended",
        Refusal::Contended => "contended",
        Refusal::WrongCode
        | Refusal::Replayed
        | Refusal::NotEnrolled
        | Refusal::ForeignSeed
        | Refusal::SeedExpired
        | Refusal::Rejected
        | Refusal::TooManyRounds
        | Refusal::CannotAsk => panic!("{refusal:?} is no word of the engine's own"),
    }
}
