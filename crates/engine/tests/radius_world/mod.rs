//! A world for factors that a RADIUS server judges: users, sessions, two servers, a clock, a naive
//! store whose answers may be late, and a ledger that knows apart from the engine what must be
//! true.

#![expect(
    clippy::unwrap_used,
    reason = "the lint's exception for tests does not reach helpers; here a panic is the finding"
)]

pub(crate) mod action;
mod budget;
mod flight;
mod ledger;
mod pushes;
mod server;
mod store;
mod verdict;

use std::time::Duration;

use proptest::sample::Index;
use vestibule_engine::provider::RadiusMode;
use vestibule_engine::radius::{Credential, Handle, RadiusAttempt};
use vestibule_engine::{MfaProviderId, SessionId, Timestamp, UserId};

use action::{ALL_STAGES, Action, Claim, Manner, Opening};
use flight::{Flight, Kind};
use ledger::Ledger;
use pushes::{Sent, Start};
use server::Servers;
use store::Store;

/// All of it.
pub(crate) struct World {
    now: Timestamp,
    drawn: u64,
    users: Vec<UserId>,
    sessions: Vec<Session>,
    flights: Vec<Flight>,
    starts: Vec<Start>,
    sent: Vec<Sent>,
    servers: Servers,
    store: Store,
    ledger: Ledger,
    /// Actions that could not happen.
    pub(crate) skipped: u32,
}

#[derive(Clone, Copy)]
struct Session {
    id: SessionId,
    user: UserId,
}

/// The action could not happen.
struct Skipped;

impl World {
    /// Sessions that anything is done in.
    const AT_ONCE: usize = 4;

    pub(crate) fn new(users: u8, mode: RadiusMode) -> Self {
        let mut store = Store::new(MfaProviderId::from_random([1; 16]));
        store.mode = mode;
        Self {
            now: Timestamp::from_unix_seconds(1_700_000_000),
            drawn: 0,
            users: (0..users).map(|n| UserId::from_random([n; 16])).collect(),
            sessions: Vec::new(),
            flights: Vec::new(),
            starts: Vec::new(),
            sent: Vec::new(),
            servers: Servers::default(),
            store,
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
        self.ledger.check(&self.store, self.now);
    }

    /// Ends what is under way, and lets each user try once more as an honest one would: in a new
    /// session, when the wait is over.
    pub(crate) fn come_to_rest(&mut self) {
        while let Some(flight) = self.flights.pop() {
            self.go_on(flight, ALL_STAGES);
        }
        while !self.starts.is_empty() {
            self.start(0);
        }
        self.ledger.check(&self.store, self.now);
        for user in self.users.clone() {
            if self.ledger.budget(user).may_be_closed() {
                continue;
            }
            // As long as any push waits.
            self.now = self.now.after(Duration::from_mins(5));
            self.await_gate(user);
            let session = self.sign_in(user);
            match self.store.mode {
                RadiusMode::OneFactor => self.answer_rightly(session),
                RadiusMode::Challenge => {
                    self.open(session, Opening::Secret, Manner::Plain, ALL_STAGES);
                    self.answer_rightly(session);
                }
                RadiusMode::Push => self.approve_a_push(session),
            }
            assert!(
                self.ledger.has_passed(session.id),
                "an honest user is kept out"
            );
        }
        self.ledger.check(&self.store, self.now);
    }

    fn answer_rightly(&mut self, session: Session) {
        self.answer(session, true, None, Manner::Plain, ALL_STAGES);
    }

    fn act(&mut self, action: &Action) -> Result<(), Skipped> {
        match action {
            Action::SignIn { user } => {
                self.sign_in(*user.get(&self.users));
            }
            Action::Open {
                session,
                with,
                manner,
                stages,
            } => {
                let session = self.live(*session)?;
                self.open(session, *with, *manner, *stages);
            }
            Action::Answer {
                session,
                is_right,
                claim,
                manner,
                stages,
            } => {
                let session = self.live(*session)?;
                let claimed = self.claimed(session, claim);
                self.answer(session, *is_right, claimed, *manner, *stages);
            }
            Action::Push { session, stages } => {
                let session = self.live(*session)?;
                self.push(session, *stages)?;
            }
            Action::PushEnds { push, outcome } => {
                let push = pick(*push, self.waiting_pushes())?;
                self.end_push(push, *outcome);
            }
            Action::Sweep => self.sweep(),
            Action::Deliver { flight, stages } => {
                let index = pick(*flight, self.flights.len() + self.starts.len())?;
                if let Some(start) = index.checked_sub(self.flights.len()) {
                    self.start(start);
                } else {
                    let flight = self.flights.swap_remove(index);
                    self.go_on(flight, *stages);
                }
            }
            Action::Crash { flight } => {
                let index = pick(*flight, self.flights.len() + self.starts.len())?;
                if let Some(start) = index.checked_sub(self.flights.len()) {
                    self.forget_start(start);
                } else {
                    self.flights.swap_remove(index);
                }
                self.ledger.note("crashed");
            }
            Action::Logout { session } => {
                let session = self.live(*session)?.id;
                self.store.partials.remove(&session);
                self.ledger.end(session);
            }
            Action::Reset { user } => {
                let user = *user.get(&self.users);
                self.store.reset(user);
                self.ledger.reset(user);
                for session in self.sessions.iter().filter(|session| session.user == user) {
                    self.ledger.end(session.id);
                }
            }
            Action::Unlock { user } => {
                let user = *user.get(&self.users);
                self.store.unlock(user);
                self.ledger.reset(user);
            }
            Action::ChangeProvider { mode } => {
                self.store.mode = *mode;
                self.store.provider.1 += 1;
            }
            Action::Advance { seconds } => {
                self.now = self.now.after(Duration::from_secs((*seconds).into()));
            }
            Action::AwaitGate { user } => self.await_gate(*user.get(&self.users)),
        }
        Ok(())
    }

    fn await_gate(&mut self, user: UserId) {
        if let Some(until) = self.ledger.budget(user).may_wait_until(None) {
            self.now = self.now.max(until);
        }
    }

    fn sign_in(&mut self, user: UserId) -> Session {
        let id = SessionId::from_random(self.draw());
        let session = Session { id, user };
        self.store.sign_in(user, id, self.now);
        self.sessions.push(session);
        session
    }

    fn open(&mut self, of: Session, with: Opening, manner: Manner, stages: u8) {
        let Some(standing) = self.store.standing(of.id, self.now) else {
            return;
        };
        let (with, is_right) = match with {
            Opening::Secret => (Credential::ChallengeSecret, true),
            Opening::Password { is_right } => (Credential::UserPassword, is_right),
        };
        let about = self.about(of, Kind::Opens(with), is_right, manner, None);
        let handle = Handle::from_bytes(about.handle);
        let begun = RadiusAttempt::open(standing, with, handle, self.now);
        if let Some(flight) = self.turn(about, begun) {
            self.go_on(flight, stages);
        }
    }

    fn answer(
        &mut self,
        of: Session,
        is_right: bool,
        claimed: Option<Vec<u8>>,
        manner: Manner,
        stages: u8,
    ) {
        let Some(standing) = self.store.standing(of.id, self.now) else {
            return;
        };
        let sent_along = claimed.as_deref().map(Handle::claimed);
        let about = self.about(of, Kind::Answers, is_right, manner, claimed);
        let handle = Handle::from_bytes(about.handle);
        let begun = RadiusAttempt::answer(standing, sent_along, handle, self.now);
        if let Some(flight) = self.turn(about, begun) {
            self.go_on(flight, stages);
        }
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

    fn claimed(&self, session: Session, claim: &Claim) -> Option<Vec<u8>> {
        let handle_of = |id| self.ledger.asked(id).map(|asked| asked.handle.to_vec());
        match claim {
            Claim::Nothing => None,
            Claim::Own => handle_of(session.id),
            Claim::Of(session) => handle_of(session.get(&self.sessions).id),
            Claim::Garbage => Some(vec![0; 15]),
        }
    }

    /// One of the last sessions with a partial token.
    fn live(&self, index: Index) -> Result<Session, Skipped> {
        let is_live = |session: &&Session| self.store.is_live(session.id, self.now);
        let sessions = self.sessions.iter().rev().filter(is_live);
        let live: Vec<_> = sessions.take(Self::AT_ONCE).collect();
        Ok(**live.get(pick(index, live.len())?).unwrap())
    }

    /// Octets that are never the same.
    fn draw(&mut self) -> [u8; 16] {
        self.drawn += 1;
        u128::from(self.drawn).to_be_bytes()
    }
}

fn pick(index: Index, length: usize) -> Result<usize, Skipped> {
    if length == 0 {
        Err(Skipped)
    } else {
        Ok(index.index(length))
    }
}
