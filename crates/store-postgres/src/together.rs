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

    /// What it rests on, if it is a change of something.
    fn rests_on(&self) -> Option<Version>;

    /// Whether that is not there any more, for whatever else rests on it too.
    fn has_moved(answer: &Self::Answer) -> bool;

    /// Runs the statement for all of these; an answer for each, in their order.
    fn run(
        items: &[Self],
        connections: &Connections,
    ) -> impl Future<Output = sqlx::Result<Vec<Self::Answer>>> + Send;
}

/// What a change rests on: a user's second factor in a revision. There is at most one change of a
/// user in a statement.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Version {
    pub(crate) user: Uuid,
    pub(crate) revision: i64,
}

/// What becomes of one of many.
pub(crate) enum Outcome<T> {
    /// What the statement says.
    Answered(T),
    /// What it rests on was changed by another one that came first. It was not asked.
    Moved,
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
            Ok(answers) => {
                dismiss(&mut lock(&waiting), &moved(&items, &answers));
                Ok(answers.into_iter())
            }
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

/// What is not there any more, as these have found.
fn moved<I: Item>(items: &[I], answers: &[I::Answer]) -> HashSet<Version> {
    let both = items.iter().zip(answers);
    let moved = both.filter(|(_, answer)| I::has_moved(answer));
    moved.filter_map(|(item, _)| item.rests_on()).collect()
}

/// Answers those who wait in vain: however many guess at once, they do not wait for each other.
fn dismiss<I: Item>(waiting: &mut Waiting<I>, moved: &HashSet<Version>) {
    if moved.is_empty() {
        return;
    }
    let in_vain = |item: &I| {
        item.rests_on()
            .is_some_and(|version| moved.contains(&version))
    };
    let (dismissed, others) = std::mem::take(&mut waiting.items)
        .into_iter()
        .partition::<VecDeque<_>, _>(|(_, item, _)| in_vain(item));
    waiting.items = others;
    for (_, _, reply) in dismissed {
        // Who has stopped waiting does not hear of it.
        let _ = reply.send(Ok(Outcome::Moved));
    }
}

/// Takes those who are next; none is at work when there are none.
fn take<I: Item>(waiting: &mut Waiting<I>) -> Option<(Vec<I>, Vec<Reply<I>>)> {
    let (mut items, mut replies) = (Vec::new(), Vec::new());
    let mut users = HashSet::new();
    let mut later = VecDeque::new();
    while items.len() < MOST
        && let Some((number, item, reply)) = waiting.items.pop_front()
    {
        if reply.is_closed() {
            continue;
        }
        let user = item.rests_on().map(|version| version.user);
        if user.is_none_or(|user| users.insert(user)) {
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

    /// Somebody's, and a revision.
    struct Theirs(Uuid, i64);

    impl Item for Theirs {
        type Answer = ();

        fn rests_on(&self) -> Option<Version> {
            let Self(user, revision) = *self;
            (!user.is_nil()).then_some(Version { user, revision })
        }

        fn has_moved((): &()) -> bool {
            true
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
            (number, Theirs(Uuid::from_u128(whose), 1), reply)
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
    fn who_rests_on_what_has_moved_is_answered_at_once() {
        let (mut waiting, mut answers) = waiting([1, 1, 2, 1]);
        waiting.items[3].1.1 = 2;
        let (first, _) = take(&mut waiting).unwrap();
        dismiss(&mut waiting, &moved(&first, &[(), ()]));
        let answered = answers[1].try_recv();
        assert!(matches!(answered, Ok(Ok(Outcome::Moved))));
        // The last one knows of the change.
        check_taken(&mut waiting, &[1]);
        assert!(answers[3].try_recv().is_err());
    }

    #[test]
    fn nobody_asks_for_those_who_stopped_waiting() {
        let (mut waiting, mut answers) = waiting([1, 2, 3]);
        answers.remove(1);
        check_taken(&mut waiting, &[1, 3]);
        check_taken(&mut waiting, &[]);
    }
}
