//! Who is in a statement with whom, and what each hears.

use futures_util::future::join_all;
use tokio::time::Instant;

use super::*;

/// Nothing is done there.
#[derive(Clone)]
struct Nowhere;

impl Ground for Nowhere {
    /// Whether it is a refusal.
    type Error = bool;

    const LANES: usize = 2;
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
        at_work: 1,
    };
    (waiting, answers)
}

#[track_caller]
fn check_taken(waiting: &mut Waiting<Theirs>, expected: &[u128]) {
    let taken = take(waiting).map(|(items, _)| items).unwrap_or_default();
    let taken: Vec<_> = taken.iter().map(|item| item.0.as_u128()).collect();
    assert_eq!(taken, expected);
    assert_eq!(waiting.at_work, usize::from(!expected.is_empty()));
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

/// By the clock of the test, which waits for nothing.
async fn later(by: Duration) {
    let _ = timeout(by, std::future::pending::<()>()).await;
}

#[tokio::test(start_paused = true)]
async fn a_statement_that_takes_long_keeps_nobody_waiting() {
    let together = Together::new(Nowhere);
    let [one, other] = [1, 2].map(Uuid::from_u128);
    let start = Instant::now();
    let hangs = together.ask(Theirs(one, HANGS));
    let comes = async {
        // The first one is under way by then.
        yield_now().await;
        let answered = together.ask(Theirs(other, 1)).await;
        (answered.is_ok(), start.elapsed())
    };
    let (hangs, comes) = tokio::join!(hangs, comes);
    assert!(hangs.is_err());
    assert_eq!(comes, (true, LONG));
}

/// Who has waited too long for a statement to begin is in none afterwards, and knows it.
#[tokio::test(start_paused = true)]
async fn what_has_not_begun_is_taken_back() {
    let together = Together::new(Nowhere);
    let [one, other, last] = [1, 2, 3].map(Uuid::from_u128);
    let start = Instant::now();
    let hangs = async {
        let hangs = together.ask(Theirs(one, HANGS)).await;
        (hangs.is_err(), start.elapsed())
    };
    let hangs_too = async {
        yield_now().await;
        together.ask(Theirs(other, HANGS)).await.is_err()
    };
    let waits = async {
        // Both are under way by then.
        later(LONG * 2).await;
        let asked = Instant::now();
        let waited = together.ask(Theirs(last, 1)).await;
        let items = lock(&together.waiting).items.len();
        (waited.is_err(), asked.elapsed(), items)
    };
    let (hangs, hangs_too, waits) = tokio::join!(hangs, hangs_too, waits);
    let (begin, answer) = (LONG + Nowhere::PATIENCE, Nowhere::ANSWER);
    assert_eq!(hangs, (true, begin + answer));
    assert!(hangs_too);
    assert_eq!(waits, (true, begin, 0));
}

#[tokio::test(start_paused = true)]
async fn as_many_are_at_work_as_may_be() {
    let together = Together::new(Nowhere);
    let one_after_another = (1..=5).map(|n| {
        let asked = together.ask(Theirs(Uuid::from_u128(n.into()), HANGS));
        async move {
            later(LONG * n).await;
            asked.await
        }
    });
    let looks = async {
        later(LONG * 9).await;
        lock(&together.waiting).at_work
    };
    let (_, at_work) = tokio::join!(join_all(one_after_another), looks);
    assert_eq!(at_work, Nowhere::LANES);
}
