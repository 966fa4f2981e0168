//! The phones of all users, behind a RADIUS server that loses datagrams.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use vestibule_testkit::radius::{Action, Answer, Counters, RadiusSimulator};

/// What the server shares with its clients.
pub(super) const SECRET: &str = "secret of the load generator";
/// What a request carries in the place of a password.
pub(super) const CHALLENGE: &str = "a push, please";

/// When everybody taps.
const AFTER: Duration = Duration::from_secs(20);
/// One datagram in so many is lost, both ways.
const LOST: u32 = 20;

/// All phones.
pub(super) struct Phones {
    simulator: RadiusSimulator,
    rung: Arc<Mutex<Rung>>,
}

/// What has happened so far.
#[derive(Default)]
struct Rung {
    /// How often each user's phone has rung.
    times: HashMap<String, usize>,
    first: Option<Instant>,
    /// Those that rang before the first tap.
    at_once: usize,
    /// What the simulator had counted before.
    before: Counters,
}

impl Phones {
    pub(super) fn start() -> Self {
        let rung = Arc::new(Mutex::new(Rung::default()));
        let handler = {
            let rung = Arc::clone(&rung);
            // Called for what rings a phone: a new request, or one that was answered so long ago
            // that a server has forgotten it.
            move |request: &vestibule_testkit::radius::Received| {
                lock(&rung).ring(request.user_name());
                vec![Action::After(AFTER, Answer::accept())]
            }
        };
        let simulator = RadiusSimulator::start(SECRET.as_bytes(), handler);
        simulator.lose_every(LOST);
        Self { simulator, rung }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.simulator.address()
    }

    /// Begins to count anew.
    pub(super) fn forget(&self) {
        *lock(&self.rung) = Rung {
            before: self.simulator.counters(),
            ..Rung::default()
        };
    }

    /// How many of these users' phones rang once, however often the server was asked.
    pub(super) fn rang_once(&self, users: &[String]) -> usize {
        let rung = lock(&self.rung);
        let rang_once = |user: &&String| rung.times.get(*user) == Some(&1);
        users.iter().filter(rang_once).count()
    }

    /// How many pushes are pending, until the first tap.
    pub(super) fn pending(&self) -> Option<usize> {
        let rung = lock(&self.rung);
        let until = rung.first.map(|first| first + AFTER);
        let is_over = until.is_some_and(|until| Instant::now() >= until);
        (!is_over).then_some(rung.at_once)
    }

    /// What is wrong with the pushes of these users: each must be asked for once and in one way,
    /// and all at once.
    pub(super) fn faults(&self, users: &[String]) -> Vec<String> {
        let rung = lock(&self.rung);
        let mut faults = Vec::new();
        let silent = users.iter().filter(|user| !rung.times.contains_key(*user));
        let silent = silent.count();
        if silent > 0 {
            faults.push(format!("lost: {silent} phones never rang"));
        }
        let (at_once, all) = (rung.at_once, users.len());
        if at_once != all {
            faults.push(format!("{at_once} pushes of {all} were pending at once"));
        }
        let (now, before) = (self.simulator.counters(), rung.before);
        let asked = now.pushes - before.pushes;
        if asked > all {
            faults.push(format!(
                "double: {asked} pushes were asked for by {all} users"
            ));
        }
        for (what, now, before) in [
            (
                "collisions of identifiers",
                now.collisions,
                before.collisions,
            ),
            ("altered retransmissions", now.altered, before.altered),
            ("unsigned requests", now.unsigned, before.unsigned),
            (
                "wrongly signed requests",
                now.wrongly_signed,
                before.wrongly_signed,
            ),
        ] {
            if now > before {
                faults.push(format!("wrong: {} {what}", now - before));
            }
        }
        faults
    }
}

impl Rung {
    fn ring(&mut self, user: String) {
        *self.times.entry(user).or_default() += 1;
        let now = Instant::now();
        if now < *self.first.get_or_insert(now) + AFTER {
            self.at_once += 1;
        }
    }
}

fn lock(rung: &Mutex<Rung>) -> MutexGuard<'_, Rung> {
    rung.lock().unwrap_or_else(PoisonError::into_inner)
}
