//! A world for the engine: users, sessions, a clock that can be set, a naive store whose answers
//! may be late, and a ledger that knows apart from the engine what must be true.

#![expect(
    clippy::unwrap_used,
    reason = "the lint's exception for tests does not reach helpers; here a panic is the finding"
)]

pub(crate) mod action;
mod flight;
mod ledger;
mod store;

use std::time::Duration;

use proptest::sample::Index;
use sha2::{Digest, Sha256};
use vestibule_engine::attempt::Env;
use vestibule_engine::enrolment::{Initialization, initialize};
use vestibule_engine::mfa::{Exemption, TOTP_PROVIDER, due};
use vestibule_engine::token::{Lifetimes, admit};
use vestibule_engine::{
    DeviceId, NewToken, SeedId, SessionId, Timestamp, Token, TokenKind, TokenRecord, UserId,
};

use crate::oracle;
use action::{ALL_STAGES, Action, Code, Whose};
use flight::Flight;
use ledger::Ledger;
use store::{SeedState, Store, StoredSeed};

/// All of it.
pub(crate) struct World {
    /// The clock of waits and expiries.
    now: Timestamp,
    /// The clock of codes.
    wall: Timestamp,
    seed: u64,
    drawn: u64,
    users: Vec<Person>,
    /// The partial token that each session began with.
    sessions: Vec<TokenRecord>,
    flights: Vec<Flight>,
    is_due: bool,
    store: Store,
    ledger: Ledger,
    /// Actions that could not happen.
    pub(crate) skipped: u32,
}

struct Person {
    id: UserId,
    exempt_until: Option<Timestamp>,
    /// How long after the beginning this user may enrol.
    enrols_within: Option<Duration>,
}

/// The action could not happen.
struct Skipped;

impl World {
    const BEGINNING: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);

    pub(crate) fn new(seed: u64, users: usize) -> Self {
        let person = |n: usize| Person {
            id: UserId::from_random([u8::try_from(n).unwrap(); 16]),
            exempt_until: None,
            enrols_within: (n == 2).then_some(Duration::from_hours(7 * 24)),
        };
        Self {
            now: Self::BEGINNING,
            wall: Self::BEGINNING,
            seed,
            drawn: 0,
            users: (0..users).map(person).collect(),
            sessions: Vec::new(),
            flights: Vec::new(),
            is_due: true,
            store: Store::default(),
            ledger: Ledger::default(),
            skipped: 0,
        }
    }

    /// What happened how often.
    pub(crate) const fn tally(&self) -> &std::collections::BTreeMap<&'static str, u32> {
        &self.ledger.tally
    }

    /// Lets one thing happen, and checks everything.
    pub(crate) fn apply(&mut self, action: &Action) {
        if self.act(action).is_err() {
            self.skipped += 1;
        }
        self.ledger.check(&self.store);
    }

    /// Ends what is under way, and lets each user try once more as an honest one would: in a new
    /// session, when the wait is over, with a seed of their own and a step that is not spent.
    pub(crate) fn come_to_rest(&mut self) {
        while let Some(flight) = self.flights.pop() {
            self.go_on(flight, ALL_STAGES);
        }
        for user in 0..self.users.len() {
            let id = self.users.get(user).unwrap().id;
            if self.ledger.budget(id).may_be_closed() {
                continue;
            }
            self.await_gate(id);
            if let Some(SeedState::Verified { last_step }) =
                self.store.factor(id).seed.map(|s| s.state)
            {
                let next =
                    Timestamp::from_unix_seconds((last_step.number() + 2).cast_signed() * 30);
                self.wall = self.wall.max(next);
            }
            let bearer = self.sign_in(user);
            if !self.initialize(&bearer) {
                continue;
            }
            let typed = self.typed(&bearer, &Code::Step(0));
            let session = bearer.session;
            let flight = self.begin(bearer, typed).unwrap();
            self.go_on(flight, ALL_STAGES);
            assert!(
                self.ledger.has_passed(session),
                "an honest user is kept out"
            );
        }
        self.ledger.check(&self.store);
    }

    fn act(&mut self, action: &Action) -> Result<(), Skipped> {
        match action {
            Action::SignIn { user } => {
                self.sign_in(user.index(self.users.len()));
            }
            Action::Initialize { session } => {
                let bearer = self.partial_of(&Whose::Partial(*session))?;
                self.initialize(&bearer);
            }
            Action::Submit {
                session,
                code,
                stages,
            } => self.submit(session, code, *stages)?,
            Action::Deliver { flight, stages } => {
                let flight = pick(*flight, self.flights.len())?;
                let flight = self.flights.swap_remove(flight);
                self.go_on(flight, *stages);
            }
            Action::Authorize { session } => self.authorize(*session)?,
            Action::EndSession { session } => {
                let session = self.partial_of(&Whose::Any(*session))?.session;
                self.store.end_session(session);
                self.ledger.end(session);
            }
            Action::ResetFactor { user } => {
                let user = self.person(*user).id;
                self.store.reset(user);
                self.ledger.reset(user);
            }
            Action::SetDue(is_due) => self.is_due = *is_due,
            Action::Exempt { user, seconds } => {
                let until = self.now.after(Duration::from_secs((*seconds).into()));
                let user = user.index(self.users.len());
                self.users.get_mut(user).unwrap().exempt_until = Some(until);
            }
            Action::Advance { seconds } => {
                self.advance(Duration::from_secs((*seconds).into()));
            }
            Action::SetWall { ahead, seconds } => {
                let by = Duration::from_secs((*seconds).into());
                self.wall = if *ahead {
                    self.wall.after(by)
                } else {
                    self.wall.before(by)
                };
            }
            Action::SetBack { seconds } => {
                let by = Duration::from_secs((*seconds).into());
                (self.now, self.wall) = (self.now.before(by), self.wall.before(by));
            }
            Action::AwaitGate { user } => {
                let user = self.person(*user).id;
                self.await_gate(user);
            }
        }
        Ok(())
    }

    fn advance(&mut self, by: Duration) {
        (self.now, self.wall) = (self.now.after(by), self.wall.after(by));
    }

    fn await_gate(&mut self, user: UserId) {
        let until = self.ledger.budget(user).waiting_until().unwrap_or(self.now);
        self.advance(until.since(self.now));
    }

    const fn env(&self) -> Env {
        Env {
            now: self.now,
            wall: self.wall,
        }
    }

    fn sign_in(&mut self, user: usize) -> TokenRecord {
        let session = SessionId::from_random(*self.draw().first_chunk().unwrap());
        let token = Token::from_bytes(self.draw());
        let device = DeviceId::from_random([0; 16]);
        let user = self.users.get(user).unwrap().id;
        let lifetimes = Lifetimes::default();
        let partial = NewToken::partial(&token, session, user, device, &lifetimes, self.now);
        self.store.insert(&partial);
        self.sessions.push(partial.record().clone());
        partial.record().clone()
    }

    /// Starts the second factor of a live token; whether there is a seed now that it may use.
    fn initialize(&mut self, bearer: &TokenRecord) -> bool {
        let standing = self.store.standing(&bearer.hash, self.now).unwrap();
        let person = self
            .users
            .iter()
            .find(|person| person.id == bearer.user)
            .unwrap();
        let within = person.enrols_within;
        let factor = self.store.factor(bearer.user);
        match initialize(&standing, Self::BEGINNING, within, self.now) {
            Initialization::AlreadySeeded => {
                let state = factor.seed.unwrap().state;
                assert!(
                    matches!(state, SeedState::Verified { .. }),
                    "there is no seed to use"
                );
            }
            Initialization::ShowAgain(shown) => {
                let seed = factor.seed.unwrap();
                assert_eq!(*shown.expose(), seed.bytes);
                self.ledger
                    .show(bearer.user, bearer.session, seed.id, seed.bytes);
                self.ledger.note("shown again");
            }
            Initialization::ShowNew => {
                let seed = StoredSeed {
                    id: SeedId::from_random(*self.draw().first_chunk().unwrap()),
                    bytes: *self.draw().first_chunk().unwrap(),
                    state: SeedState::Unverified {
                        shown_to: bearer.session,
                        created: self.now,
                    },
                };
                assert!(
                    self.store.propose(bearer.user, standing.revision, seed),
                    "a seed is lost"
                );
                self.ledger
                    .show(bearer.user, bearer.session, seed.id, seed.bytes);
                self.ledger.note("shown");
            }
            Initialization::TooLate => {
                assert!(within.is_some_and(|within| self.now >= Self::BEGINNING.after(within)));
                self.ledger.note("too late to enrol");
                return false;
            }
        }
        true
    }

    fn submit(&mut self, session: &Whose, code: &Code, stages: u8) -> Result<(), Skipped> {
        let bearer = self.partial_of(session)?;
        let typed = self.typed(&bearer, code);
        let flight = self.begin(bearer, typed).ok_or(Skipped)?;
        self.go_on(flight, stages);
        Ok(())
    }

    fn go_on(&mut self, mut flight: Flight, stages: u8) {
        for _ in 0..stages {
            match self.fly(flight) {
                Some(further) => flight = further,
                None => return,
            }
        }
        assert!(stages < ALL_STAGES, "an attempt never ends");
        self.flights.push(flight);
    }

    fn typed(&self, bearer: &TokenRecord, code: &Code) -> String {
        let present = oracle::step_at(self.wall.unix_seconds());
        let seed = self.store.factor(bearer.user).seed;
        let known = match code {
            Code::Guess(digits) => Some(format!("{digits:06}")),
            Code::Text(text) => Some(text.clone()),
            Code::Step(offset) => seed
                .zip(present.checked_add_signed(i64::from(*offset)))
                .map(|(seed, step)| oracle::code(&seed.bytes, step)),
            Code::Replay => seed.and_then(|seed| {
                let step = self.ledger.claimed.get(&seed.id)?.last()?;
                Some(oracle::code(&seed.bytes, step.number()))
            }),
            Code::OfUser(user) => {
                let other = self.store.factor(self.person(*user).id).seed;
                other.map(|seed| oracle::code(&seed.bytes, present))
            }
            Code::OfSeed(seed) => self
                .ledger
                .shown
                .get(&bearer.user)
                .map(|shown| oracle::code(&seed.get(shown).1, present)),
        };
        known.unwrap_or_else(|| "000000".to_owned())
    }

    fn authorize(&mut self, session: Index) -> Result<(), Skipped> {
        let session = self.partial_of(&Whose::Any(session))?.session;
        let tokens = self.store.tokens.values();
        let bearer = tokens
            .filter(|token| token.session == session && token.is_live(self.now))
            .max_by_key(|token| token.kind.as_str())
            .ok_or(Skipped)?
            .clone();
        let person = self
            .users
            .iter()
            .find(|person| person.id == bearer.user)
            .unwrap();
        let exemption = Exemption {
            listed: false,
            until: person.exempt_until,
        };
        let is_due = self.is_due && person.exempt_until.is_none_or(|until| self.now >= until);
        let due = due(self.is_due.then_some(TOTP_PROVIDER), exemption, self.now);
        assert_eq!(due.is_some(), is_due);
        let admission = admit(&bearer, due);
        assert_eq!(
            admission.is_err(),
            is_due && bearer.kind == TokenKind::Partial
        );
        let Ok(admission) = admission else {
            self.ledger.note("not admitted");
            return Ok(());
        };
        let token = Token::from_bytes(self.draw());
        self.store.insert(&NewToken::admin(&token, &admission));
        if !is_due {
            self.ledger.excuse(bearer.session);
        }
        self.ledger.note("admitted");
        Ok(())
    }

    /// A session's partial token: the one it has, or had.
    fn partial_of(&self, whose: &Whose) -> Result<TokenRecord, Skipped> {
        let (index, any) = match whose {
            Whose::Partial(index) => (*index, false),
            Whose::Any(index) => (*index, true),
        };
        let is_live = |partial: &&TokenRecord| {
            any || partial.is_live(self.now) && self.store.tokens.contains_key(&partial.hash)
        };
        let partials: Vec<_> = self.sessions.iter().filter(is_live).collect();
        Ok((*partials.get(pick(index, partials.len())?).unwrap()).clone())
    }

    fn person(&self, user: Index) -> &Person {
        user.get(&self.users)
    }

    fn draw(&mut self) -> [u8; 32] {
        self.drawn += 1;
        let mut hash = Sha256::new();
        hash.update(self.seed.to_be_bytes());
        hash.update(self.drawn.to_be_bytes());
        hash.finalize().into()
    }
}

fn pick(index: Index, length: usize) -> Result<usize, Skipped> {
    if length == 0 {
        Err(Skipped)
    } else {
        Ok(index.index(length))
    }
}
