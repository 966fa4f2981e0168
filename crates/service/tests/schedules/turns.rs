//! Who goes next: every call of a store is a turn that somebody gives.

use std::collections::BTreeMap;
use std::fmt;
use std::future::pending;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

/// A turn that can be given.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Turn {
    /// The call happens.
    Go,
    /// The machine dies before the call.
    Die,
    /// The call happens, and the machine dies before anybody hears of it.
    GoAndDie,
}

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Happened {
    /// A client's call had its turn.
    Called(usize, &'static str, Turn),
    /// Time passed.
    Passed(u64),
    /// Time passed until somebody came.
    Rested,
}

impl fmt::Display for Happened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Called(client, call, Turn::Go) => write!(f, "{client}:{call}"),
            Self::Called(client, call, Turn::Die) => write!(f, "{client} dies before {call}"),
            Self::Called(client, call, Turn::GoAndDie) => write!(f, "{client}:{call} and dies"),
            Self::Passed(seconds) => write!(f, "{seconds} s pass"),
            Self::Rested => f.write_str("time passes until somebody comes"),
        }
    }
}

/// The calls that wait for their turn.
#[derive(Default)]
pub(crate) struct Turns {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// Clients that neither wait for a turn nor have ended.
    running: usize,
    waiting: BTreeMap<usize, (&'static str, oneshot::Sender<Turn>)>,
    /// How often somebody came to wait for a turn, or ended.
    arrivals: usize,
}

/// A client that shares its server with others: each of its calls is told by when it came.
pub(crate) const ONE_OF_MANY: usize = usize::MAX;
/// More than tasks that wake each other need until each waits for something else.
const WAKES: usize = 100;

impl Turns {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client begins.
    pub(crate) fn begin(&self) {
        self.state().running += 1;
    }

    /// A client has ended.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        state.running -= 1;
        state.arrivals += 1;
        self.changed.notify_one();
    }

    /// Does a call of a client when it is its turn. A client whose machine died never comes back.
    pub(crate) async fn call<T>(
        &self,
        client: usize,
        call: &'static str,
        work: impl Future<Output = T>,
    ) -> T {
        let (give, given) = oneshot::channel();
        {
            let mut state = self.state();
            let came = state.arrivals;
            let key = if client == ONE_OF_MANY { came } else { client };
            let before = state.waiting.insert(key, (call, give));
            assert!(before.is_none(), "client {client} does two things at once");
        }
        self.end();
        match given.await.unwrap_or(Turn::Die) {
            Turn::Go => return work.await,
            Turn::Die => {}
            Turn::GoAndDie => drop(work.await),
        }
        self.end();
        pending().await
    }

    /// The clients that wait for a turn, once none runs.
    pub(crate) async fn waiting(&self) -> Vec<usize> {
        loop {
            {
                let state = self.state();
                if state.running == 0 {
                    return state.waiting.keys().copied().collect();
                }
            }
            self.changed.notified().await;
        }
    }

    /// The clients that wait for a turn, once all others wait for time to pass; whether any does.
    pub(crate) async fn waiting_or_resting(&self) -> (Vec<usize>, bool) {
        for _ in 0..WAKES {
            tokio::task::yield_now().await;
        }
        let state = self.state();
        (state.waiting.keys().copied().collect(), state.running > 0)
    }

    /// Lets time pass until somebody comes.
    pub(crate) async fn rest(&self) {
        let before = self.state().arrivals;
        while self.state().arrivals == before {
            self.changed.notified().await;
        }
    }

    /// Gives a turn to a client that waits for one.
    pub(crate) fn give(&self, client: usize, turn: Turn) -> Happened {
        let mut state = self.state();
        let (call, give) = state.waiting.remove(&client).expect("it waits");
        state.running += 1;
        let _ = give.send(turn);
        Happened::Called(client, call, turn)
    }
}
