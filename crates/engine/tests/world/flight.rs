//! An attempt under way, and what the engine may say at each turn of it.

use vestibule_engine::attempt::{Env, Passed, Transition, UNVERIFIED_SEED_LIVES};
use vestibule_engine::{
    Attempt, Effect, Input, NewToken, Otp, Refusal, SeedId, StepToClaim, Token, TokenRecord,
    TotpStep, Verdict,
};

use super::World;
use super::ledger::NaiveBudget;
use super::store::{SeedState, StoredSeed};
use crate::oracle;

/// An attempt under way.
pub(crate) struct Flight {
    about: About,
    stage: Stage,
}

/// Whose it is, and what the next word of the engine must rest on.
struct About {
    bearer: TokenRecord,
    typed: String,
    facts: Facts,
    /// When the code was last judged.
    judged: Env,
    /// How often it was sent back.
    moves: u32,
}

/// How far it is.
enum Stage {
    /// The standing was read.
    Read(Attempt),
    /// The code was judged, and the store is about to be asked.
    Judged(Attempt, Effect),
    /// The store has answered, and the engine is about to hear it.
    Answered(Attempt, Input, Answer),
}

/// What the store has answered, for the ledger.
enum Answer {
    Counted,
    Claimed(SeedId, TotpStep),
    Moved(Option<Facts>),
}

/// A standing, as the ledger knows it.
struct Facts {
    revision: u64,
    budget: NaiveBudget,
    seed: Option<StoredSeed>,
}

/// What a code is worth, by the oracle.
#[derive(Debug, Eq, PartialEq)]
enum Worth {
    Wrong,
    Right {
        seed: SeedId,
        step: TotpStep,
        enrols: bool,
    },
    Nothing(Refusal),
}

impl World {
    /// Begins an attempt; `None` when the bearer's token is refused.
    pub(crate) fn begin(&mut self, bearer: TokenRecord, typed: String) -> Option<Flight> {
        let standing = self.store.standing(&bearer.hash, self.now)?;
        assert_eq!(standing.user, bearer.user);
        let facts = self.facts(&bearer);
        let about = About {
            bearer,
            typed,
            facts,
            judged: self.env(),
            moves: 0,
        };
        let stage = Stage::Read(Attempt::begin(standing));
        Some(Flight { about, stage })
    }

    fn facts(&self, bearer: &TokenRecord) -> Facts {
        let factor = self.store.factor(bearer.user);
        Facts {
            revision: factor.revision,
            budget: self.ledger.budget(bearer.user),
            seed: factor.seed,
        }
    }

    /// Takes an attempt one stage further; back it comes, unless it is over.
    pub(crate) fn fly(&mut self, flight: Flight) -> Option<Flight> {
        let Flight { about, stage } = flight;
        let env = self.env();
        match stage {
            Stage::Read(attempt) => {
                let input = Input::OtpSubmitted(Otp::new(about.typed.clone()));
                self.judgement(about, attempt.step(input, env).unwrap())
            }
            Stage::Judged(attempt, effect) => {
                let (input, answer) = self.ask(&about, effect);
                let stage = Stage::Answered(attempt, input, answer);
                Some(Flight { about, stage })
            }
            Stage::Answered(attempt, input, answer) => {
                let transition = attempt.step(input, env).unwrap();
                match answer {
                    Answer::Counted => self.refusal(transition, Refusal::WrongCode),
                    Answer::Claimed(seed, step) => self.pass(&about, transition, seed, step),
                    Answer::Moved(None) => self.refusal(transition, Refusal::TokenEnded),
                    Answer::Moved(Some(facts)) => {
                        let moves = about.moves + 1;
                        return self.judgement(
                            About {
                                facts,
                                moves,
                                ..about
                            },
                            transition,
                        );
                    }
                }
                None
            }
        }
    }

    /// The engine has looked at a code, or has refused to.
    fn judgement(&mut self, about: About, transition: Transition) -> Option<Flight> {
        let env = self.env();
        let now = env.now;
        let (next, effect) = parts(transition);
        let (budget, worth) = (&about.facts.budget, about.worth(env));
        match &effect {
            Effect::Finish(Verdict::Refused(refusal)) => {
                match refusal {
                    Refusal::Waiting => assert!(budget.is_waiting(now), "no wait was due"),
                    Refusal::Closed => assert!(budget.may_be_closed(), "nothing has closed it"),
                    Refusal::Contended => assert!(about.moves > 16, "after {}", about.moves),
                    Refusal::WrongCode
                    | Refusal::TokenEnded
                    | Refusal::Rejected
                    | Refusal::TooManyRounds
                    | Refusal::CannotAsk
                    | Refusal::NoDialogue
                    | Refusal::ForeignState
                    | Refusal::ProviderChanged => {
                        panic!("{refusal:?} of a judgement")
                    }
                    Refusal::Replayed
                    | Refusal::NotEnrolled
                    | Refusal::ForeignSeed
                    | Refusal::SeedExpired => assert_eq!(Worth::Nothing(*refusal), worth),
                }
                self.ledger.note(name(*refusal));
                return None;
            }
            Effect::Finish(Verdict::Passed(_)) => panic!("passed without a claim"),
            Effect::ClaimStep(claim) => about.check_claim(claim, &worth),
            Effect::CountGuess(guess) => {
                assert_eq!(worth, Worth::Wrong, "{:?}", about.typed);
                let of = (guess.user, guess.session, guess.revision);
                assert_eq!(
                    of,
                    (
                        about.bearer.user,
                        about.bearer.session,
                        about.facts.revision
                    )
                );
            }
        }
        assert!(
            !budget.is_waiting(now),
            "a code was looked at during a wait"
        );
        assert!(
            !budget.must_be_closed(),
            "a code was looked at though the gate is closed"
        );
        let about = About {
            judged: env,
            ..about
        };
        let stage = Stage::Judged(next.unwrap(), effect);
        Some(Flight { about, stage })
    }

    /// Does what the engine asks of a store.
    fn ask(&mut self, about: &About, effect: Effect) -> (Input, Answer) {
        let bearer = &about.bearer;
        match effect {
            Effect::CountGuess(guess) if self.store.count(&guess) => {
                self.ledger.counted(
                    bearer.user,
                    bearer.session,
                    about.judged.now,
                    guess.ends_token,
                );
                (Input::GuessCounted, Answer::Counted)
            }
            Effect::ClaimStep(claim) => {
                let token = Token::from_bytes(self.draw());
                let verified = NewToken::verified(&token, &claim, bearer).unwrap();
                let Some(claimed) = self.store.finish(&claim, &bearer.hash, &verified) else {
                    return self.moved(bearer);
                };
                self.ledger
                    .claim(bearer.user, bearer.session, claim.seed(), claim.step());
                (
                    Input::StepClaimed(claimed),
                    Answer::Claimed(claim.seed(), claim.step()),
                )
            }
            Effect::CountGuess(_) => self.moved(bearer),
            Effect::Finish(_) => unreachable!("an attempt that is over asks nothing"),
        }
    }

    fn moved(&mut self, bearer: &TokenRecord) -> (Input, Answer) {
        self.ledger.note("moved");
        let standing = self.store.standing(&bearer.hash, self.now);
        let facts = standing.is_some().then(|| self.facts(bearer));
        (Input::Moved(standing), Answer::Moved(facts))
    }

    fn refusal(&mut self, transition: Transition, expected: Refusal) {
        let (None, Effect::Finish(Verdict::Refused(refusal))) = parts(transition) else {
            panic!("{expected:?} was due");
        };
        assert_eq!(refusal, expected);
        self.ledger.note(name(refusal));
    }

    fn pass(&mut self, about: &About, transition: Transition, seed: SeedId, claimed: TotpStep) {
        let (None, Effect::Finish(Verdict::Passed(passed))) = parts(transition) else {
            panic!("a claimed step must pass");
        };
        let Passed {
            step,
            offset,
            enrolled,
        } = passed;
        assert_eq!(step, claimed);
        let was_verified = matches!(
            about.facts.seed.map(|seed| seed.state),
            Some(SeedState::Verified { .. })
        );
        assert_eq!(enrolled, (!was_verified).then_some(seed));
        let present = oracle::step_at(about.judged.wall.unix_seconds());
        assert_eq!(present.checked_add_signed(offset), Some(step.number()));
        self.ledger.tell(seed, step);
        self.ledger
            .note(if was_verified { "passed" } else { "enrolled" });
    }
}

impl About {
    /// What the code is worth now, if it may be looked at.
    fn worth(&self, env: Env) -> Worth {
        let Some(seed) = self.facts.seed else {
            return Worth::Nothing(Refusal::NotEnrolled);
        };
        let last = match seed.state {
            SeedState::Unverified { shown_to, .. } if shown_to != self.bearer.session => {
                return Worth::Nothing(Refusal::ForeignSeed);
            }
            SeedState::Unverified { created, .. }
                if env.now >= created.after(UNVERIFIED_SEED_LIVES) =>
            {
                return Worth::Nothing(Refusal::SeedExpired);
            }
            SeedState::Unverified { .. } => None,
            SeedState::Verified { last_step } => Some(last_step),
        };
        let digits = self.typed.replace(' ', "");
        let present = oracle::step_at(env.wall.unix_seconds());
        match oracle::matching(&seed.bytes, &digits, present).first() {
            None => Worth::Wrong,
            Some(&step) if last.is_some_and(|last| step <= last.number()) => {
                Worth::Nothing(Refusal::Replayed)
            }
            Some(&step) => Worth::Right {
                seed: seed.id,
                step: TotpStep::new(step),
                enrols: last.is_none(),
            },
        }
    }

    fn check_claim(&self, claim: &StepToClaim, worth: &Worth) {
        let (seed, step, enrols) = (claim.seed(), claim.step(), claim.enrols());
        assert_eq!(
            *worth,
            Worth::Right { seed, step, enrols },
            "{:?}",
            self.typed
        );
        let of = (claim.user(), claim.session(), claim.revision());
        assert_eq!(
            of,
            (self.bearer.user, self.bearer.session, self.facts.revision)
        );
    }
}

/// A transition has one effect, and a next state unless the attempt is over.
fn parts(transition: Transition) -> (Option<Attempt>, Effect) {
    let Transition { next, mut effects } = transition;
    let effect = effects.pop().unwrap();
    assert!(effects.is_empty(), "{effects:?} before {effect:?}");
    assert_eq!(
        next.is_none(),
        matches!(effect, Effect::Finish(_)),
        "{effect:?}"
    );
    (next, effect)
}

fn name(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::WrongCode => "wrong code",
        Refusal::Replayed => "replayed",
        Refusal::Waiting => "waiting",
        Refusal::Closed => "closed",
        Refusal::NotEnrolled => "not enrolled",
        Refusal::ForeignSeed => "foreign seed",
        Refusal::SeedExpired => "seed expired",
        Refusal::TokenEnded => "token ended",
        Refusal::Contended => "contended",
        Refusal::Rejected
        | Refusal::TooManyRounds
        | Refusal::CannotAsk
        | Refusal::NoDialogue
        | Refusal::ForeignState
        | Refusal::ProviderChanged => panic!("{refusal:?} of a code that no server judges"),
    }
}
