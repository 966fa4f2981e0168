//! Pushes: S26 and S43.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use serde_json::{Value, json};
use sqlx::Connection as _;
use vestibule_testkit::client::Client;
use vestibule_testkit::radius::{Action, Answer as Reply, Received};
use vestibule_testkit::site::{Backend, Site};

use crate::on_both_databases;
use crate::radius_stage::{CODE, Stage, is_wrong, judges, retry_after};

on_both_databases!(
    s26_an_approval_before_the_deadline_is_collected_after_it,
    s26_an_approval_that_nobody_collects_is_worth_nothing,
    s26_an_approval_is_collected_from_another_replica,
    s43_nobody_is_worn_out_by_pushes,
    s43_a_session_joins_its_own_push,
    s43_one_of_two_who_wait_gets_the_token,
    s43_a_push_whose_program_died_is_not_waited_for,
);

/// How long a push may take here, on the clock of the site.
const TIMEOUT: Duration = Duration::from_mins(1);

fn push() -> Value {
    json!({ "mode": "Push", "timeout": 60, "challengeSharedSecret": CODE })
}

/// A phone that is answered when the test says so.
fn rings(_: &Received) -> Vec<Action> {
    vec![Action::Hold(Reply::accept())]
}

/// Waits until no push of the site is open.
async fn ended(site: &Site, backend: Backend) {
    let open = "SELECT count(*) FROM pushes WHERE outcome IS NULL";
    let url = site.database_url();
    let mut left = 1_i64;
    while left > 0 {
        left = match backend {
            Backend::Sqlite => {
                let mut database = sqlx::SqliteConnection::connect(&url).await.unwrap();
                sqlx::query_scalar(open).fetch_one(&mut database).await
            }
            Backend::Postgres => {
                let mut database = sqlx::PgConnection::connect(&url).await.unwrap();
                sqlx::query_scalar(open).fetch_one(&mut database).await
            }
        }
        .unwrap();
        tokio::task::yield_now().await;
    }
}

/// A push that is approved while its client is away; the partial token.
async fn approved_and_left(stage: &Stage, backend: Backend) -> String {
    let (partial, _) = stage.begun().await;
    let asked = stage.requests();
    let client = stage.client().otp_in_flight(&partial, "push");
    stage.asked_for(asked + 1).await;
    client.abort();
    assert!(client.await.unwrap_err().is_cancelled());
    stage
        .site
        .advance(TIMEOUT.saturating_sub(Duration::from_millis(100)));
    assert_eq!(stage.radius.release(), 1);
    ended(&stage.site, backend).await;
    partial
}

/// Approved in the last moment, asked for a little late, and again ten seconds late: it is there.
async fn s26_an_approval_before_the_deadline_is_collected_after_it(backend: Backend) {
    let stage = Stage::new(backend, push(), rings).await;
    for late in [Duration::from_millis(300), Duration::from_millis(9_900)] {
        let partial = approved_and_left(&stage, backend).await;
        stage.site.advance(late);
        let asked = stage.requests();
        stage.client().otp(&partial, "push").await.token();
        assert_eq!(stage.requests(), asked, "it is not asked for again");
        // Once.
        stage.client().otp(&partial, "push").await.is(401);
        stage.site.advance(TIMEOUT);
    }
}

/// Later it is nobody's, and so it is for every other session of the user all the time.
async fn s26_an_approval_that_nobody_collects_is_worth_nothing(backend: Backend) {
    let stage = Stage::new(backend, push(), rings).await;
    let partial = approved_and_left(&stage, backend).await;
    stage.radius.handle(|_| vec![Reply::reject().into()]);
    let (other, _) = stage.begun().await;
    let asked = stage.requests();
    is_wrong(&stage.client().otp(&other, "push").await);
    assert_eq!(stage.requests(), asked + 1, "it has asked for itself");
    stage.site.advance(Duration::from_secs(13));
    is_wrong(&stage.client().otp(&partial, "push").await);
    assert_eq!(stage.requests(), asked + 2, "it has asked anew");
}

/// What one replica has heard, the other one knows.
async fn s26_an_approval_is_collected_from_another_replica(backend: Backend) {
    let stage = Stage::new(backend, push(), rings).await;
    let replica = stage.site.start();
    let partial = approved_and_left(&stage, backend).await;
    stage.site.advance(Duration::from_secs(5));
    replica.client().otp(&partial, "push").await.token();
    stage.client().otp(&partial, "push").await.is(401);
    assert_eq!(stage.requests(), 1);
}

/// A thief of the password rings the phone until its owner has had enough: one push at a time, and
/// three in a minute, over any number of sessions.
async fn s43_nobody_is_worn_out_by_pushes(backend: Backend) {
    let denies_later = |_: &Received| vec![Action::Hold(Reply::reject())];
    let stage = Stage::new(backend, push(), denies_later).await;
    let replica = stage.site.start();
    let partials = join_all((0..20).map(|_| stage.partial())).await;
    for n in 1..=3 {
        let mut answers: FuturesUnordered<_> = partials
            .iter()
            .enumerate()
            .map(|(n, partial)| {
                let client = [stage.client(), replica.client()][n % 2];
                client.otp(partial, "push")
            })
            .collect();
        for _ in 1..20 {
            let answer = answers.next().await.unwrap();
            assert_eq!(answer.is(429).json()["id"], "too many requests");
            assert!((1..=62).contains(&retry_after(&answer)));
        }
        assert_eq!(stage.requests(), n);
        assert_eq!(stage.radius.release(), 1);
        is_wrong(&answers.next().await.unwrap());
        stage.site.advance(Duration::from_secs(10));
    }
    for partial in &partials {
        let answer = stage.client().otp(partial, "push").await;
        assert_eq!((answer.status, retry_after(&answer)), (429, 30));
    }
    assert_eq!(stage.requests(), 3);
    stage.site.advance(Duration::from_secs(29));
    stage.client().otp(&partials[0], "push").await.is(429);
    // A minute after the first of them there may be another. The denied ones were no guesses.
    stage.site.advance(Duration::from_secs(1));
    stage.radius.handle(judges);
    stage.client().otp(&partials[0], "push").await.token();
    assert_eq!(stage.requests(), 4);
}

/// After a reload, in a second window, on another replica: it is the same push.
async fn s43_a_session_joins_its_own_push(backend: Backend) {
    let stage = Stage::new(backend, push(), rings).await;
    let replica = stage.site.start();
    let (partial, _) = stage.begun().await;
    let first = stage.client().otp_in_flight(&partial, "push");
    stage.asked_for(1).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    let joined = replica.client().otp_in_flight(&partial, "push");
    let (other, _) = stage.begun().await;
    for client in [stage.client(), replica.client()] {
        let turned_away = client.otp(&other, "push").await;
        assert_eq!(turned_away.status, 429);
    }
    assert_eq!(stage.radius.release(), 1);
    let verified = joined.await.unwrap().token();
    stage.client().authorize(&verified).await.is(403);
    assert_eq!(stage.requests(), 1);
}

/// However many wait for one approval, wherever they wait.
async fn s43_one_of_two_who_wait_gets_the_token(backend: Backend) {
    let stage = Stage::new(backend, push(), rings).await;
    let replica = stage.site.start();
    let (partial, _) = stage.begun().await;
    let clients = [stage.client(), replica.client(), stage.client()];
    let waiting = clients.map(|client| client.otp_in_flight(&partial, "push"));
    stage.asked_for(1).await;
    assert_eq!(stage.radius.release(), 1);
    let answers = join_all(waiting).await;
    let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    assert_eq!(Client::successes(&answers), (1, 2));
    assert!(
        answers
            .iter()
            .all(|answer| matches!(answer.status, 200 | 401))
    );
    assert_eq!(stage.requests(), 1);
}

/// Nobody will write down how it ended: it ends at its deadline, and counts for nothing.
async fn s43_a_push_whose_program_died_is_not_waited_for(backend: Backend) {
    let mut stage = Stage::new(backend, push(), rings).await;
    let (partial, _) = stage.begun().await;
    let lost = stage.client().otp_in_flight(&partial, "push");
    stage.asked_for(1).await;
    lost.abort();
    let fresh = stage.site.start();
    std::mem::replace(&mut stage.server, fresh).kill();
    let (other, _) = stage.begun().await;
    let turned_away = stage.client().otp(&other, "push").await;
    assert_eq!((turned_away.status, retry_after(&turned_away)), (429, 62));

    let joined = stage.client().otp_in_flight(&partial, "push");
    stage.radius.handle(judges);
    // Whether it has looked at the push already or not.
    stage.site.advance(Duration::from_secs(62));
    crate::radius_stage::is_unanswered(&joined.await.unwrap());
    stage.client().otp(&partial, "push").await.token();
    assert_eq!(stage.requests(), 2);
}
