//! Users who sign in with all that belongs to it, each on the connection that is free next.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::{Instant, timeout_at};
use vestibule_wire::LoginResponse;

use crate::arena::is_seeded;
use crate::fault::{Fault, OrFault as _, Result};
use crate::figures::Latencies;
use crate::http::{Answer, Connection, Request};
use crate::load::Pacemaker;
use crate::site::{Crowd, Session};

/// One visitor in so many first mistypes the code, and afterwards tries what is spent.
const CLUMSY: usize = 50;
/// Faults that are told of: when all fail, there are as many as visitors.
const MOST_FAULTS: usize = 10_000;

/// All who come.
pub(super) struct Visitors {
    address: SocketAddr,
    crowd: Mutex<Crowd>,
    users: usize,
    /// Turns that were taken, and turns that there are.
    turn: AtomicUsize,
    turns: AtomicUsize,
    /// Whose turn it is, in all.
    came: AtomicUsize,
    ledger: Mutex<Ledger>,
}

/// What came of them.
#[derive(Default)]
struct Ledger {
    passed: usize,
    /// Sessions that were begun: one of most visitors, two of a clumsy one.
    sessions: usize,
    faults: Vec<String>,
    recent: Recent,
}

/// Since somebody looked.
#[derive(Default)]
pub(super) struct Recent {
    /// Of whole sign-ins, from when they were due.
    pub(super) latencies: Latencies,
    tokens: HashSet<String>,
}

impl Visitors {
    pub(super) fn new(address: SocketAddr, crowd: Crowd, users: usize) -> Self {
        Self {
            address,
            crowd: Mutex::new(crowd),
            users: users.max(1),
            turn: AtomicUsize::new(0),
            // As fast as answers come, everybody comes once.
            turns: AtomicUsize::new(users),
            came: AtomicUsize::new(0),
            ledger: Mutex::default(),
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Begins with the first of so many turns.
    pub(super) fn begin(&self, turns: usize) {
        self.turn.store(0, Ordering::Relaxed);
        self.turns.store(turns, Ordering::Relaxed);
        lock(&self.ledger).recent = Recent::default();
    }

    /// How many have signed in so far.
    pub(super) fn passed(&self) -> usize {
        lock(&self.ledger).passed
    }

    /// How many sessions they have begun so far.
    pub(super) fn sessions(&self) -> usize {
        lock(&self.ledger).sessions
    }

    pub(super) fn faults(&self) -> Vec<String> {
        lock(&self.ledger).faults.clone()
    }

    /// What happened since this was asked for.
    pub(super) fn take_recent(&self) -> Recent {
        std::mem::take(&mut lock(&self.ledger).recent)
    }

    /// Takes turns on a connection until there are none, or the time is over.
    pub(super) async fn come(
        &self,
        mut connection: Connection,
        pacemaker: Option<&Pacemaker>,
        until: Instant,
    ) -> Result<()> {
        loop {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            if turn >= self.turns.load(Ordering::Relaxed) {
                return Ok(());
            }
            let due = match pacemaker {
                Some(pacemaker) => pacemaker.turn(turn).await?,
                None => Instant::now(),
            };
            if Instant::now() >= until {
                if pacemaker.is_some() {
                    self.fault(&Fault::new("lost: somebody's turn never came"));
                }
                return Ok(());
            }
            let visit = timeout_at(until + super::PATIENCE, self.visit(&mut connection, due));
            let visited = visit.await.or_fault("lost: a visit has no end");
            if let Err(fault) = visited.and_then(|visited| visited) {
                self.fault(&fault);
                // It may be broken, or have an answer that nobody has read.
                let again = Connection::open(self.address).await;
                connection = again.or_fault("the server cannot be reached")?;
            }
        }
    }

    fn fault(&self, fault: &Fault) {
        let faults = &mut lock(&self.ledger).faults;
        if faults.len() < MOST_FAULTS {
            faults.push(fault.to_string());
        }
    }

    /// Signs somebody in, from the password to the code.
    async fn visit(&self, connection: &mut Connection, due: Instant) -> Result<()> {
        let came = self.came.fetch_add(1, Ordering::Relaxed);
        let (who, is_clumsy) = (came % self.users, came.is_multiple_of(CLUMSY));
        let code = lock(&self.crowd).fresh_code(who)?;
        let code = code.or_fault("wrong: somebody came again too early")?;
        let session = self.begin_session(connection, who).await?;
        let shown = ask(connection, &session.initialize()?).await?;
        is_seeded(Some(&shown))?;
        if is_clumsy {
            let wrong = lock(&self.crowd).wrong_code(who)?;
            refused(connection, &session.finish(&wrong)?, "a wrong code").await?;
        }
        let finish = session.finish(&code)?;
        let token = session.passed(Some(&ask(connection, &finish).await?))?;
        self.note(token, (!is_clumsy).then(|| due.elapsed()))?;
        if is_clumsy {
            refused(connection, &finish, "a spent session").await?;
            let again = self.begin_session(connection, who).await?;
            refused(connection, &again.finish(&code)?, "a spent code").await?;
        }
        Ok(())
    }

    async fn begin_session(&self, connection: &mut Connection, who: usize) -> Result<Session> {
        let password = lock(&self.crowd).passwords(who..who + 1)?.pop();
        let password = password.or_fault("there is no such user")?;
        let answer = ask(connection, &password).await?;
        lock(&self.ledger).sessions += 1;
        Session::begun(who, answer.read::<LoginResponse>()?)
    }

    fn note(&self, token: String, latency: Option<std::time::Duration>) -> Result<()> {
        let mut ledger = lock(&self.ledger);
        ledger.passed += 1;
        if let Some(latency) = latency {
            ledger.recent.latencies.push(latency);
        }
        let is_new = ledger.recent.tokens.insert(token);
        let double = || Fault::new("double: two sessions have one token");
        is_new.then_some(()).ok_or_else(double)
    }
}

async fn ask(connection: &mut Connection, request: &Request) -> Result<Answer> {
    let answer = connection.ask(request).await;
    answer.or_fault("lost: no answer came")
}

/// Sends what must not pass.
async fn refused(connection: &mut Connection, request: &Request, what: &str) -> Result<()> {
    let answer = ask(connection, request).await?;
    match answer.status {
        401 => Ok(()),
        200 => Err(Fault::new(format!("double: {what} passes"))),
        _ => Err(Fault::new(format!("wrong: {what} is told {answer}"))),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
