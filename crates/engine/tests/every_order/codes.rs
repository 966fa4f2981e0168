//! Answers with codes at once: what the engine decides, over a store whose statements are steps.
//!
//! An attempt cannot be copied, and need not be: it is what it was given so far, and is played
//! again from that.

use std::sync::OnceLock;
use std::time::Duration;

use vestibule_engine::attempt::{Attempt, Effect, Enrolment, Env, Input, Standing, Verdict};
use vestibule_engine::budget::{Gate, RecentFailures};
use vestibule_engine::{
    ClaimedStep, GuessBudget, Otp, Refusal, Seed, SeedId, SessionId, StepToClaim, Timestamp,
    TotpStep, UserId, WrongGuess,
};

use crate::search::Model;

/// Who answers: in which session, with the right code or a wrong one.
pub(crate) type Answer = (u8, bool);

/// Answers that arrive at once.
#[derive(Clone, Debug)]
pub(crate) struct Codes {
    pub(crate) answers: Vec<Answer>,
    /// Failures that were counted already.
    pub(crate) failures: u32,
    /// Programs that may die.
    pub(crate) deaths: u8,
    /// How often half a minute may pass.
    pub(crate) passes: u8,
    pub(crate) store: Store,
}

/// How the store writes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Store {
    /// Compares and sets in one step.
    Good,
    /// Compares, and sets in another step.
    ReadsThenWrites,
}

/// All that there is.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct State {
    now: u8,
    factor: Factor,
    /// Sessions whose partial token was spent, or has ended.
    spent: Vec<u8>,
    /// The steps that were claimed.
    claimed: Vec<u64>,
    /// Wrong codes that were counted.
    counted: u32,
    clients: Vec<Client>,
    deaths: u8,
}

/// The row of the user.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Factor {
    revision: u64,
    budget: Budget,
    last_step: u64,
}

/// A budget, taken apart.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Budget {
    row: u64,
    streak: u32,
    waiting_until: Option<Timestamp>,
    recent: [u8; RecentFailures::LENGTH],
    closed: bool,
}

/// A client: what its attempt was given so far, and where it is.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Client {
    /// How things stood each time it looked, and when.
    seen: Vec<(Factor, u8)>,
    at: At,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum At {
    /// Before it reads how things stand.
    Reading,
    /// Before it writes what it decided.
    Writing,
    /// After a comparison that went well, before the write: only in a store that is wrong.
    Compared,
    /// At the end.
    Ended(End),
    /// Nowhere: its program has died.
    Dead,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum End {
    Passed,
    Wrong,
    Replayed,
    Barred,
    NoToken,
}

/// What happens.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// A client does its next step.
    Goes(usize),
    /// Its program dies before that step…
    Dies(usize),
    /// …or after it, before anybody hears of it.
    GoesAndDies(usize),
    /// Time passes.
    Passes,
}

const SEED: [u8; 20] = *b"12345678901234567890";

fn user() -> UserId {
    UserId::from_random([1; 16])
}

fn session(number: u8) -> SessionId {
    SessionId::from_random([number; 16])
}

fn at(now: u8) -> Timestamp {
    Timestamp::from_unix_seconds(1_700_000_010).after(Duration::from_secs(30) * now.into())
}

/// The step whose code everybody sends who sends a right one.
fn step() -> TotpStep {
    TotpStep::at(at(0))
}

impl From<&GuessBudget> for Budget {
    fn from(budget: &GuessBudget) -> Self {
        Self {
            row: budget.row(),
            streak: budget.streak(),
            waiting_until: budget.waiting_until(),
            recent: budget.recent().to_bytes(),
            closed: budget.is_closed(),
        }
    }
}

impl Budget {
    fn whole(&self) -> GuessBudget {
        let recent = RecentFailures::from_bytes(&self.recent).unwrap();
        GuessBudget::restore(
            self.row,
            self.streak,
            self.waiting_until,
            recent,
            self.closed,
        )
    }
}

impl Factor {
    fn standing(&self, session_number: u8) -> Standing {
        Standing {
            user: user(),
            session: session(session_number),
            revision: self.revision,
            budget: self.budget.whole(),
            enrolment: Enrolment::Verified {
                id: SeedId::from_random([3; 16]),
                seed: Seed::from_bytes(SEED),
                last_step: TotpStep::new(self.last_step),
            },
        }
    }
}

/// What an attempt wants.
enum Wants {
    Claim(Box<(Attempt, StepToClaim)>),
    Count(Box<(Attempt, WrongGuess)>),
    Nothing(End),
}

impl Codes {
    /// What the attempt of a client wants after all that it was given.
    fn wants(&self, client: &Client, number: usize) -> Wants {
        let (session, right) = self.answers[number];
        let (good, bad) = codes();
        let code = if right { good } else { bad };
        let mut input = Input::OtpSubmitted(Otp::new(code.as_str()));
        let mut seen = client.seen.iter();
        let (first, _) = seen.next().unwrap();
        let mut attempt = Attempt::begin(first.standing(session));
        for n in 0..client.seen.len() {
            let now = at(client.seen[n].1);
            let transition = attempt.step(input, Env { now, wall: now }).unwrap();
            let effect = transition.effects.into_iter().next().unwrap();
            let is_last = n + 1 == client.seen.len();
            attempt = match (effect, transition.next) {
                (Effect::Finish(verdict), _) => return Wants::Nothing(end(&verdict)),
                (Effect::ClaimStep(claim), Some(next)) if is_last => {
                    return Wants::Claim(Box::new((next, claim)));
                }
                (Effect::CountGuess(guess), Some(next)) if is_last => {
                    return Wants::Count(Box::new((next, guess)));
                }
                (_, next) => next.unwrap(),
            };
            let (again, _) = seen.next().unwrap();
            input = Input::Moved(Some(again.standing(session)));
        }
        unreachable!("the last thing that it was given has an effect")
    }

    /// One step of a client.
    fn go(&self, state: &mut State, number: usize) {
        let session = self.answers[number].0;
        let mut client = state.clients[number].clone();
        match client.at {
            At::Reading if state.spent.contains(&session) => client.at = At::Ended(End::NoToken),
            At::Reading => {
                client.seen.push((state.factor.clone(), state.now));
                client.at = match self.wants(&client, number) {
                    Wants::Nothing(end) => At::Ended(end),
                    Wants::Claim(_) | Wants::Count(_) => At::Writing,
                };
            }
            At::Writing => {
                let moved = self.moved(state, &client, number);
                client.at = match (moved, self.store) {
                    (true, _) => At::Reading,
                    (false, Store::ReadsThenWrites) => At::Compared,
                    (false, Store::Good) => At::Ended(self.write(state, &client, number)),
                };
            }
            At::Compared => client.at = At::Ended(self.write(state, &client, number)),
            At::Ended(_) | At::Dead => {}
        }
        state.clients[number] = client;
    }

    /// Whether what a write rests on is not as it was.
    fn moved(&self, state: &State, client: &Client, number: usize) -> bool {
        let (revision, later) = match self.wants(client, number) {
            Wants::Claim(wanted) => {
                let later = wanted.1.step().number() > state.factor.last_step;
                (wanted.1.revision(), later)
            }
            Wants::Count(wanted) => (wanted.1.revision, true),
            Wants::Nothing(_) => unreachable!("it writes nothing"),
        };
        let has_token = !state.spent.contains(&self.answers[number].0);
        revision != state.factor.revision || !later || !has_token
    }

    /// Writes, and lets the attempt conclude.
    fn write(&self, state: &mut State, client: &Client, number: usize) -> End {
        let now = at(state.now);
        let env = Env { now, wall: now };
        let session = self.answers[number].0;
        state.factor.revision += 1;
        let (attempt, input) = match self.wants(client, number) {
            Wants::Claim(wanted) => {
                let (attempt, claim) = *wanted;
                state.factor.last_step = claim.step().number();
                state.factor.budget = claim.budget().into();
                state.claimed.push(claim.step().number());
                state.spent.push(session);
                (attempt, Input::StepClaimed(proof(&claim)))
            }
            Wants::Count(wanted) => {
                let (attempt, guess) = *wanted;
                state.factor.budget = (&guess.budget).into();
                state.counted += 1;
                if guess.ends_token {
                    state.spent.push(session);
                }
                (attempt, Input::GuessCounted)
            }
            Wants::Nothing(_) => unreachable!("it writes nothing"),
        };
        let effects = attempt.step(input, env).unwrap().effects;
        match effects.first() {
            Some(Effect::Finish(verdict)) => end(verdict),
            other => unreachable!("{other:?} after a write"),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the store that has done it"
)]
fn proof(claim: &StepToClaim) -> ClaimedStep {
    claim.dangerous_claimed()
}

/// The right code, and one of no step near the present.
fn codes() -> &'static (String, String) {
    static CODES: OnceLock<(String, String)> = OnceLock::new();
    CODES.get_or_init(|| {
        let code = |n| {
            let code = Seed::from_bytes(SEED).code(TotpStep::new(n)).unwrap();
            code.expose().clone()
        };
        let near: Vec<_> = (step().number() - 5..step().number() + 10)
            .map(code)
            .collect();
        let mut all = (0..1_000_000).map(|n| format!("{n:06}"));
        let bad = all.find(|bad| !near.contains(bad)).unwrap();
        (code(step().number()), bad)
    })
}

fn end(verdict: &Verdict) -> End {
    match verdict {
        Verdict::Passed(_) => End::Passed,
        Verdict::Refused(Refusal::WrongCode) => End::Wrong,
        Verdict::Refused(Refusal::Replayed) => End::Replayed,
        Verdict::Refused(Refusal::Waiting | Refusal::Closed) => End::Barred,
        Verdict::Refused(other) => unreachable!("{other}"),
    }
}

impl Model for Codes {
    type State = State;
    type Step = Step;

    fn first(&self) -> State {
        let budget = (0..self.failures).fold(GuessBudget::default(), |b, _| b.after_failure(at(0)));
        let client = Client {
            seen: Vec::new(),
            at: At::Reading,
        };
        State {
            now: 0,
            factor: Factor {
                revision: 7,
                budget: (&budget).into(),
                last_step: step().number() - 3,
            },
            spent: Vec::new(),
            claimed: Vec::new(),
            counted: 0,
            clients: vec![client; self.answers.len()],
            deaths: self.deaths,
        }
    }

    fn steps(&self, state: &State) -> Vec<Step> {
        let all = 0..state.clients.len();
        let goes_on = |n: &usize| !matches!(state.clients[*n].at, At::Ended(_) | At::Dead);
        let going: Vec<_> = all.filter(goes_on).collect();
        let mut steps: Vec<_> = going.iter().map(|n| Step::Goes(*n)).collect();
        if state.deaths > 0 {
            steps.extend(
                going
                    .iter()
                    .flat_map(|n| [Step::Dies(*n), Step::GoesAndDies(*n)]),
            );
        }
        if state.now < self.passes && !going.is_empty() {
            steps.push(Step::Passes);
        }
        steps
    }

    fn next(&self, state: &State, step: Step) -> State {
        let mut state = state.clone();
        let dies = match step {
            Step::Goes(n) => {
                self.go(&mut state, n);
                return state;
            }
            Step::Passes => {
                state.now += 1;
                return state;
            }
            Step::Dies(n) => n,
            Step::GoesAndDies(n) => {
                self.go(&mut state, n);
                n
            }
        };
        state.clients[dies].at = At::Dead;
        state.deaths -= 1;
        state
    }

    fn wrong(&self, state: &State) -> Option<String> {
        let budget = state.factor.budget.whole();
        let mut claimed = state.claimed.clone();
        claimed.dedup();
        if claimed.len() < state.claimed.len() {
            return Some("a step was claimed twice".to_owned());
        }
        if budget.recent().count() != self.failures + state.counted {
            return Some("a failure was lost".to_owned());
        }
        let told = |end| {
            state
                .clients
                .iter()
                .filter(|c| c.at == At::Ended(end))
                .count()
        };
        let wrong = u32::try_from(told(End::Wrong)).unwrap();
        if wrong > state.counted || told(End::Passed) > state.claimed.len() {
            return Some("somebody was told what is not written".to_owned());
        }
        // Each wait that is over admits one more guess; who dies in between has guessed as well.
        let waits = u32::from(state.now);
        if state.claimed.is_empty() && budget.streak() > self.failures.max(5) + waits {
            return Some(format!("{} guesses were looked at", budget.streak()));
        }
        let barred = matches!(budget.gate(at(0)), Gate::Waiting(_));
        if told(End::Barred) > 0 && !barred && state.claimed.is_empty() {
            return Some("somebody waits for nothing".to_owned());
        }
        None
    }
}
