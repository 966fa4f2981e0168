//! What many ask for at once, asked for in one statement.
//!
//! Whoever comes while a statement is under way waits for the next one, and is in it with everybody
//! else who came meanwhile: the more come, the less each costs. When nobody else comes, nobody
//! waits.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use scopeguard::{ScopeGuard, guard};
use tokio::sync::oneshot::{self, Sender};
use tokio::task::yield_now;
use tokio::time::timeout;
use uuid::Uuid;
use vestibule_store::StoreError;

use crate::connections::{ANSWER, Connections, PATIENCE};
use crate::error::{is_refusal, shared_error, store_error};

/// How many are in one statement at most.
const MOST: usize = 128;

/// One of many that a statement is about.
pub(crate) trait Item: Send + Sync + Sized + 'static {
    /// What becomes of it.
    type Answer: Send;

    /// Whom it is about, if two of the same must not be in one statement.
    fn rival(&self) -> Option<Uuid>;

    /// Runs the statement for all of these; an answer for each, in their order.
    fn run(
        items: &[Self],
        connections: &Connections,
    ) -> impl Future<Output = sqlx::Result<Vec<Self::Answer>>> + Send;
}

/// What becomes of one of many.
pub(crate) enum Outcome<T> {
    /// What the statement says.
    Answered(T),
    /// The statement was refused, perhaps because of somebody else who was in it. Nothing was
    /// written.
    Refused,
}

/// Those who wait for the next statement.
pub(crate) struct Together<I: Item> {
    connections: Connections,
    waiting: Arc<Mutex<Waiting<I>>>,
}

struct Waiting<I: Item> {
    /// In the order in which they came, by which they are numbered.
    items: VecDeque<(u64, I, Reply<I>)>,
    came: u64,
    /// Whether somebody works on what waits.
    at_work: bool,
}

type Reply<I> = Sender<Result<Outcome<<I as Item>::Answer>, Failure>>;

/// Why the database could not be asked: the same for everybody who was in a statement.
type Failure = Arc<sqlx::Error>;

impl<I: Item> fmt::Debug for Together<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Together").finish_non_exhaustive()
    }
}

impl<I: Item> Together<I> {
    pub(crate) fn new(connections: Connections) -> Self {
        let waiting = Waiting {
            items: VecDeque::new(),
            came: 0,
            at_work: false,
        };
        Self {
            connections,
            waiting: Arc::new(Mutex::new(waiting)),
        }
    }

    /// Asks for this together with whatever else is asked for.
    pub(crate) async fn ask(&self, item: I) -> Result<Outcome<I::Answer>, StoreError> {
        let (reply, mut answer) = oneshot::channel();
        let number = {
            let mut waiting = lock(&self.waiting);
            waiting.came += 1;
            let number = waiting.came;
            waiting.items.push_back((number, item, reply));
            if !std::mem::replace(&mut waiting.at_work, true) {
                tokio::spawn(work(self.connections.clone(), Arc::clone(&self.waiting)));
            }
            number
        };
        let answered = match timeout(PATIENCE, &mut answer).await {
            Err(_) if self.take_back(number) => None,
            Err(_) => timeout(ANSWER, answer).await.ok(),
            Ok(answered) => Some(answered),
        };
        let Some(answered) = answered else {
            return Err(store_error(sqlx::Error::PoolTimedOut));
        };
        // Nobody is left to answer when the program ends.
        let answered = answered.map_err(|_| store_error(sqlx::Error::WorkerCrashed))?;
        answered.map_err(|error| shared_error(&error))
    }

    /// Whether it had not begun; now it does not.
    fn take_back(&self, number: u64) -> bool {
        let items = &mut lock(&self.waiting).items;
        let found = items.binary_search_by_key(&number, |(number, ..)| *number);
        found.is_ok_and(|at| items.remove(at).is_some())
    }
}

/// Works on what waits until nothing does.
async fn work<I: Item>(connections: Connections, waiting: Arc<Mutex<Waiting<I>>>) {
    let waiting = guard(waiting, |waiting| lock(&waiting).at_work = false);
    let mut came_together = 0;
    loop {
        if came_together > 1 {
            // Those who were answered just now may have asked again.
            yield_now().await;
        }
        let next = take(&mut lock(&waiting));
        let Some((items, replies)) = next else {
            // Whoever came since has begun to work.
            ScopeGuard::into_inner(waiting);
            return;
        };
        came_together = items.len();
        let answered = I::run(&items, &connections).await;
        let mut answers = match answered {
            Ok(answers) => Ok(answers.into_iter()),
            Err(error) => Err(Arc::new(error)),
        };
        for reply in replies {
            let answer = match &mut answers {
                Ok(answers) => answers.next().map(Outcome::Answered).map(Ok),
                Err(error) if is_refusal(error) => Some(Ok(Outcome::Refused)),
                Err(error) => Some(Err(Arc::clone(error))),
            };
            if let Some(answer) = answer {
                // Who has stopped waiting does not hear of it.
                let _ = reply.send(answer);
            }
        }
    }
}

/// Takes those who are next; none is at work when there are none.
fn take<I: Item>(waiting: &mut Waiting<I>) -> Option<(Vec<I>, Vec<Reply<I>>)> {
    let (mut items, mut replies) = (Vec::new(), Vec::new());
    let mut rivals = HashSet::new();
    let mut later = VecDeque::new();
    while items.len() < MOST
        && let Some((number, item, reply)) = waiting.items.pop_front()
    {
        if reply.is_closed() {
            continue;
        }
        if item.rival().is_none_or(|rival| rivals.insert(rival)) {
            items.push(item);
            replies.push(reply);
        } else {
            later.push_back((number, item, reply));
        }
    }
    later.append(&mut waiting.items);
    waiting.items = later;
    waiting.at_work = !items.is_empty();
    waiting.at_work.then_some((items, replies))
}

fn lock<I: Item>(waiting: &Mutex<Waiting<I>>) -> MutexGuard<'_, Waiting<I>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Somebody's.
    struct Theirs(Uuid);

    impl Item for Theirs {
        type Answer = ();

        fn rival(&self) -> Option<Uuid> {
            (!self.0.is_nil()).then_some(self.0)
        }

        async fn run(items: &[Self], _: &Connections) -> sqlx::Result<Vec<()>> {
            Ok(vec![(); items.len()])
        }
    }

    type Answer = oneshot::Receiver<Result<Outcome<()>, Failure>>;

    fn waiting(whose: impl IntoIterator<Item = u128>) -> (Waiting<Theirs>, Vec<Answer>) {
        let mut answers = Vec::new();
        let items = (1..).zip(whose).map(|(number, whose)| {
            let (reply, answer) = oneshot::channel();
            answers.push(answer);
            (number, Theirs(Uuid::from_u128(whose)), reply)
        });
        let waiting = Waiting {
            items: items.collect(),
            came: 0,
            at_work: true,
        };
        (waiting, answers)
    }

    #[track_caller]
    fn check_taken(waiting: &mut Waiting<Theirs>, expected: &[u128]) {
        let taken = take(waiting).map(|(items, _)| items).unwrap_or_default();
        let taken: Vec<_> = taken.iter().map(|item| item.0.as_u128()).collect();
        assert_eq!(taken, expected);
        assert_eq!(waiting.at_work, !expected.is_empty());
    }

    #[test]
    fn of_two_about_one_user_the_second_waits() {
        let (mut waiting, _answers) = waiting([1, 2, 1, 3, 2, 1]);
        check_taken(&mut waiting, &[1, 2, 3]);
        check_taken(&mut waiting, &[1, 2]);
        check_taken(&mut waiting, &[1]);
        check_taken(&mut waiting, &[]);
    }

    #[test]
    fn those_about_nobody_are_no_rivals() {
        let (mut waiting, _answers) = waiting([0, 0, 0]);
        check_taken(&mut waiting, &[0, 0, 0]);
        check_taken(&mut waiting, &[]);
    }

    #[test]
    fn a_statement_has_an_end() {
        let everybody: Vec<u128> = (1..=MOST as u128 + 1).collect();
        let (mut waiting, _answers) = waiting(everybody.iter().copied());
        let (first, last) = everybody.split_at(MOST);
        check_taken(&mut waiting, first);
        check_taken(&mut waiting, last);
    }

    #[test]
    fn nobody_asks_for_those_who_stopped_waiting() {
        let (mut waiting, mut answers) = waiting([1, 2, 3]);
        answers.remove(1);
        check_taken(&mut waiting, &[1, 3]);
        check_taken(&mut waiting, &[]);
    }
}
