//! What many ask for at once, asked for in one statement.
//!
//! Whoever comes while a statement is under way waits for the next one, and is in it with everybody
//! else who came meanwhile: the more come, the less each costs. When nobody else comes, nobody
//! waits.

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

/// Where statements are run: a database, as a store reaches it.
pub trait Ground: Clone + Send + Sync + 'static {
    /// Why it did not do what it was asked.
    type Error: Send + Sync + 'static;

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
    /// Whether somebody works on what waits.
    at_work: bool,
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
            at_work: false,
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
        let number = {
            let mut waiting = lock(&self.waiting);
            waiting.came += 1;
            let number = waiting.came;
            waiting.items.push_back((number, item, reply));
            if !std::mem::replace(&mut waiting.at_work, true) {
                tokio::spawn(work(self.ground.clone(), Arc::clone(&self.waiting)));
            }
            number
        };
        let answered = match timeout(I::Ground::PATIENCE, &mut answer).await {
            Err(_) if self.take_back(number) => None,
            Err(_) => timeout(I::Ground::ANSWER, answer).await.ok(),
            Ok(answered) => Some(answered),
        };
        let why = match answered {
            Some(Ok(Ok(outcome))) => return Ok(outcome),
            Some(Ok(Err(error))) => Unanswered::Failed(error),
            Some(Err(_)) => Unanswered::Ended,
            None => Unanswered::Late,
        };
        Err(I::Ground::unanswered(why))
    }

    /// Whether it had not begun; now it does not.
    fn take_back(&self, number: u64) -> bool {
        let items = &mut lock(&self.waiting).items;
        let found = items.binary_search_by_key(&number, |(number, ..)| *number);
        found.is_ok_and(|at| items.remove(at).is_some())
    }
}

/// Works on what waits until nothing does.
async fn work<I: Item>(ground: I::Ground, waiting: Arc<Mutex<Waiting<I>>>) {
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
    use futures_util::future::join_all;
    use tokio::time::Instant;

    use super::*;

    /// Nothing is done there.
    #[derive(Clone)]
    struct Nowhere;

    impl Ground for Nowhere {
        /// Whether it is a refusal.
        type Error = bool;

        const PATIENCE: Duration = Duration::from_secs(2);
        const ANSWER: Duration = Duration::from_secs(3);

        fn is_refusal(error: &bool) -> bool {
            *error
        }

        fn unanswered(why: Unanswered<bool>) -> StoreError {
            StoreError::unavailable(match why {
                Unanswered::Late => "late",
                Unanswered::Ended => "ended",
                Unanswered::Failed(_) => "failed",
            })
        }
    }

    /// Somebody's, and a revision.
    #[derive(Clone, Copy)]
    struct Theirs(Uuid, i64);

    /// What a statement that has one of these in it does, whoever else is in it.
    const REFUSED: i64 = -1;
    const FAILS: i64 = -2;
    const HANGS: i64 = -3;

    impl Item for Theirs {
        type Ground = Nowhere;
        type Answer = ();

        fn rests_on(&self) -> Option<Version> {
            let Self(user, revision) = *self;
            (!user.is_nil()).then_some(Version { user, revision })
        }

        fn has_moved((): &()) -> bool {
            true
        }

        async fn run(items: &[Self], _: &Nowhere) -> Result<Vec<()>, bool> {
            for Self(_, revision) in items {
                match *revision {
                    REFUSED => return Err(true),
                    FAILS => return Err(false),
                    HANGS => std::future::pending().await,
                    _ => {}
                }
            }
            Ok(vec![(); items.len()])
        }
    }

    type Answer = oneshot::Receiver<Result<Outcome<()>, Arc<bool>>>;

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

    /// Asks for one of each of these revisions at once, of users of their own; what each hears.
    async fn asked<const N: usize>(revisions: [i64; N]) -> [String; N] {
        let together = Together::new(Nowhere);
        let users = (1..).map(Uuid::from_u128);
        let items = users.zip(revisions).map(|(user, n)| Theirs(user, n));
        let answers: Vec<_> = items.map(|item| together.ask(item)).collect();
        let answers = join_all(answers)
            .await
            .into_iter()
            .map(|answer| match answer {
                Ok(outcome) => format!("{outcome:?}"),
                Err(error) => error.to_string(),
            });
        answers.collect::<Vec<_>>().try_into().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn all_who_are_in_a_statement_hear_how_it_ended() {
        let answered = "Answered(())";
        let (refused, failed) = ("Refused", "the store is unavailable: failed");
        let late = "the store is unavailable: late";
        assert_eq!(asked([1, 2, 3]).await, [answered; 3]);
        assert_eq!(asked([1, REFUSED, 3]).await, [refused; 3]);
        assert_eq!(asked([FAILS, 2, 3]).await, [failed; 3]);
        assert_eq!(asked([1, 2, HANGS]).await, [late; 3]);
    }

    /// Who has waited too long for a statement to begin is in none afterwards, and knows it.
    #[tokio::test(start_paused = true)]
    async fn what_has_not_begun_is_taken_back() {
        let together = Together::new(Nowhere);
        let [one, other] = [1, 2].map(Uuid::from_u128);
        let start = Instant::now();
        let hangs = together.ask(Theirs(one, HANGS));
        let waits = async {
            // The first one is under way by then.
            yield_now().await;
            let waited = together.ask(Theirs(other, 1)).await;
            (
                waited.is_err(),
                start.elapsed(),
                lock(&together.waiting).items.len(),
            )
        };
        let (hangs, waits) = tokio::join!(hangs, waits);
        assert!(hangs.is_err());
        assert_eq!(start.elapsed(), Nowhere::PATIENCE + Nowhere::ANSWER);
        assert_eq!(waits, (true, Nowhere::PATIENCE, 0));
    }
}
