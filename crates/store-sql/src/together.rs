//! What many ask for at once, asked for in one statement.
//!
//! Whoever comes while a statement is under way waits for the next one, and is in it with everybody
//! else who came meanwhile: the more come, the less each costs. When nobody else comes, nobody
//! waits. When a statement takes long, or many wait, the next one does not wait for its end.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use scopeguard::{ScopeGuard, guard};
use tokio::sync::oneshot::{self, Sender};
use tokio::task::yield_now;
use tokio::time::timeout;
use uuid::Uuid;
use vestibule_store::StoreError;

/// How many are in one statement at most.
const MOST: usize = 128;
/// How many wait for one that is under way before another one is begun beside it.
const MANY: usize = 64;
/// How long somebody waits for the end of the statements that are under way before another one is
/// begun beside them.
const LONG: Duration = Duration::from_millis(5);

/// Where statements are run: a database, as a store reaches it.
pub trait Ground: Clone + Send + Sync + 'static {
    /// Why it did not do what it was asked.
    type Error: Send + Sync + 'static;

    /// How many statements of a kind may be under way at once.
    const LANES: usize;
    /// How long somebody waits for a statement to begin.
    const PATIENCE: Duration;
    /// How long an answer may take from then on.
    const ANSWER: Duration;

    /// Whether a statement was refused, and nothing of it written, perhaps because of one of those
    /// who were in it.
    fn is_refusal(error: &Self::Error) -> bool;

    /// What somebody hears who gets no answer.
    fn unanswered(why: Unanswered<Self::Error>) -> StoreError;
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Unanswered<E> {
    /// It did not come in time.
    Late,
    /// Nobody is left to answer: the program ends.
    Ended,
    /// The database could not be asked: the same for everybody who was in a statement.
    Failed(Arc<E>),
}

/// One of many that a statement is about.
pub trait Item: Send + Sync + Sized + 'static {
    /// Where the statement is run.
    type Ground: Ground;

    /// What becomes of it.
    type Answer: Send;

    /// What it rests on, if it is a change of something.
    fn rests_on(&self) -> Option<Version>;

    /// Whether that is not there any more, for whatever else rests on it too.
    fn has_moved(answer: &Self::Answer) -> bool;

    /// Runs the statement for all of these; an answer for each, in their order.
    fn run(
        items: &[Self],
        ground: &Self::Ground,
    ) -> impl Future<Output = Result<Vec<Self::Answer>, Failure<Self>>> + Send;
}

/// Why a statement about such items was not run.
pub type Failure<I> = <<I as Item>::Ground as Ground>::Error;

/// What a change rests on: a user's second factor in a revision. There is at most one change of a
/// user in a statement.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Version {
    /// Whose.
    pub user: Uuid,
    /// Which.
    pub revision: i64,
}

/// What becomes of one of many.
#[derive(Debug)]
pub enum Outcome<T> {
    /// What the statement says.
    Answered(T),
    /// What it rests on was changed by another one that came first. It was not asked.
    Moved,
    /// The statement was refused, perhaps because of somebody else who was in it. Nothing was
    /// written.
    Refused,
}

/// Those who wait for the next statement.
pub struct Together<I: Item> {
    ground: I::Ground,
    waiting: Arc<Mutex<Waiting<I>>>,
}

struct Waiting<I: Item> {
    /// In the order in which they came, by which they are numbered.
    items: VecDeque<(u64, I, Reply<I>)>,
    came: u64,
    /// How many work on what waits.
    at_work: usize,
}

type Reply<I> = Sender<Result<Outcome<<I as Item>::Answer>, Arc<Failure<I>>>>;

impl<I: Item> fmt::Debug for Together<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Together").finish_non_exhaustive()
    }
}

impl<I: Item> Together<I> {
    /// Nobody waits yet for statements that are run there.
    pub fn new(ground: I::Ground) -> Self {
        let waiting = Waiting {
            items: VecDeque::new(),
            came: 0,
            at_work: 0,
        };
        Self {
            ground,
            waiting: Arc::new(Mutex::new(waiting)),
        }
    }

    /// Asks for this together with whatever else is asked for.
    ///
    /// # Errors
    /// When the statement failed, or did not end in time.
    pub async fn ask(&self, item: I) -> Result<Outcome<I::Answer>, StoreError> {
        let (reply, mut answer) = oneshot::channel();
        let (number, begins) = {
            let mut waiting = lock(&self.waiting);
            waiting.came += 1;
            let number = waiting.came;
            waiting.items.push_back((number, item, reply));
            let others = match waiting.items.len() {
                ..MANY => 0,
                _ => I::Ground::LANES - 1,
            };
            (number, waiting.begins(others))
        };
        if begins {
            self.begin();
        }
        let mut answered = timeout(LONG, &mut answer).await.ok();
        if answered.is_none() {
            if self.may_help(number) {
                self.begin();
            }
            answered = timeout(I::Ground::PATIENCE, &mut answer).await.ok();
        }
        if answered.is_none() && !self.take_back(number) {
            answered = timeout(I::Ground::ANSWER, answer).await.ok();
        }
        let why = match answered {
            Some(Ok(Ok(outcome))) => return Ok(outcome),
            Some(Ok(Err(error))) => Unanswered::Failed(error),
            Some(Err(_)) => Unanswered::Ended,
            None => Unanswered::Late,
        };
        Err(I::Ground::unanswered(why))
    }

    /// Whether it has not begun, and another one may work beside those who do.
    fn may_help(&self, number: u64) -> bool {
        let mut waiting = lock(&self.waiting);
        waiting.place_of(number).is_some() && waiting.begins(I::Ground::LANES - 1)
    }

    /// Somebody who was counted begins to work.
    fn begin(&self) {
        let waiting = guard(Arc::clone(&self.waiting), |waiting| {
            lock(&waiting).at_work -= 1;
        });
        tokio::spawn(work(self.ground.clone(), waiting));
    }

    /// Whether it had not begun; now it does not.
    fn take_back(&self, number: u64) -> bool {
        let mut waiting = lock(&self.waiting);
        let place = waiting.place_of(number);
        place.is_some_and(|place| waiting.items.remove(place).is_some())
    }
}

impl<I: Item> Waiting<I> {
    /// Whether at most so many are at work; then there is one more.
    fn begins(&mut self, others: usize) -> bool {
        let begins = self.at_work <= others;
        self.at_work += usize::from(begins);
        begins
    }

    /// Where this one waits, if it does.
    fn place_of(&self, number: u64) -> Option<usize> {
        let place = self
            .items
            .binary_search_by_key(&number, |(number, ..)| *number);
        place.ok()
    }
}

/// Works on what waits until nothing does.
async fn work<I: Item>(
    ground: I::Ground,
    waiting: ScopeGuard<Arc<Mutex<Waiting<I>>>, impl FnOnce(Arc<Mutex<Waiting<I>>>)>,
) {
    let mut came_together = 0;
    loop {
        if came_together > 1 {
            // Those who were answered just now may have asked again.
            yield_now().await;
        }
        let next = take(&mut lock(&waiting));
        let Some((items, replies)) = next else {
            // It was counted down under the same lock: whoever came since has begun to work.
            ScopeGuard::into_inner(waiting);
            return;
        };
        came_together = items.len();
        let answered = I::run(&items, &ground).await;
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
                Err(error) if I::Ground::is_refusal(error) => Some(Ok(Outcome::Refused)),
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

/// Takes those who are next; one less is at work when there are none.
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
    if items.is_empty() {
        waiting.at_work -= 1;
        return None;
    }
    Some((items, replies))
}

fn lock<I: Item>(waiting: &Mutex<Waiting<I>>) -> MutexGuard<'_, Waiting<I>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
