//! What RADIUS servers decide, in the audit trail; and the trail of a program that died.

use serde_json::{Value, json};
use vestibule_testkit::radius::{Action, Answer as Reply};
use vestibule_testkit::site::Backend;

use super::audit_trail::{check, explained, of, trail, verify, without_times};
use crate::radius_stage::{CHALLENGE_SECRET, CODE, Stage, WRONG, challenges, judges};
use crate::{PASSWORD, on_both_databases, with_alice};

on_both_databases!(
    what_a_radius_server_said_is_written_down,
    the_wait_after_wrong_answers_is_written_down,
    a_silent_server_is_written_down_as_an_error,
    a_push_is_written_down_by_whoever_ends_it,
    a_push_that_nobody_waits_for_is_written_down,
    the_rows_of_a_program_that_died_are_sealed_by_another,
);

const REFUSED: Option<&str> = Some("the RADIUS server refused");

fn events(rows: &[Value]) -> Vec<&str> {
    let events = rows.iter().map(|row| row["event"].as_str());
    events.map(Option::unwrap_or_default).collect()
}

async fn what_a_radius_server_said_is_written_down(backend: Backend) {
    let stage = Stage::new(backend, json!({ "mode": "Challenge" }), challenges).await;
    let (partial, begun) = stage.begun().await;
    let rows = of(&stage.site, &begun);
    check(&rows[0], "secondFactorBegun", "success", "alice", None);
    assert_eq!(rows[0]["details"]["reply"], "Access-Challenge");
    let wrong = stage.client().otp(&partial, WRONG).await;
    // The server is asked for a new question at once.
    let rows = of(&stage.site, wrong.is(401));
    assert_eq!(events(&rows), ["secondFactor", "secondFactorBegun"]);
    check(&rows[0], "secondFactor", "failure", "alice", REFUSED);
    let details = &rows[0]["details"];
    assert_eq!(details["mode"], "Challenge");
    assert_eq!(details["provider"], stage.id);
    assert_eq!(details["reply"], "Access-Reject");
    assert_eq!(details["streak"], "1");
    let server = stage.radius.address().to_string();
    assert_eq!(details["server"], server);
    let said = explained(&stage.site, &wrong);
    let answered = format!("RADIUS server {server} answered Access-Reject");
    assert!(said.contains(&answered), "{said}");
    let right = stage.client().otp(&partial, CODE).await;
    let rows = of(&stage.site, right.is(200));
    check(&rows[0], "secondFactor", "success", "alice", None);
    assert_eq!(rows[0]["details"]["reply"], "Access-Accept");
    let all = without_times(trail(&stage.site, &[]));
    for secret in [CODE, WRONG, PASSWORD, CHALLENGE_SECRET, "asked once"] {
        assert!(!all.contains(secret), "{secret}");
    }
}

async fn the_wait_after_wrong_answers_is_written_down(backend: Backend) {
    let stage = Stage::new(backend, json!({}), judges).await;
    for n in 1..=5 {
        let (partial, _) = stage.begun().await;
        let wrong = stage.client().otp(&partial, WRONG).await;
        let rows = of(&stage.site, wrong.is(401));
        check(&rows[0], "secondFactor", "failure", "alice", REFUSED);
        if n == 5 {
            check(&rows[1], "guessesWait", "success", "alice", None);
            let said = explained(&stage.site, &wrong);
            assert!(said.contains("The guess budget waits until 20"), "{said}");
        }
    }
    let (partial, _) = stage.begun().await;
    let barred = stage.client().otp(&partial, CODE).await;
    let why = Some("the second factor waits after wrong codes");
    let rows = of(&stage.site, barred.is(401));
    check(&rows[0], "secondFactor", "failure", "alice", why);
    assert_eq!(rows.len(), 1);
}

async fn a_silent_server_is_written_down_as_an_error(backend: Backend) {
    let stage = Stage::new(backend, json!({ "timeout": 1 }), judges).await;
    let (partial, _) = stage.begun().await;
    stage.radius.handle(|_| vec![]);
    let silent = stage.client().otp(&partial, CODE).await;
    let rows = of(&stage.site, &silent);
    let why = Some("no RADIUS server answered");
    check(&rows[0], "secondFactor", "error", "alice", why);
}

fn push() -> Value {
    json!({ "mode": "Push", "timeout": 60, "challengeSharedSecret": CODE })
}

async fn a_push_is_written_down_by_whoever_ends_it(backend: Backend) {
    let stage = Stage::new(backend, push(), |_| vec![Action::Send(Reply::accept())]).await;
    let (partial, _) = stage.begun().await;
    let passed = stage.client().otp(&partial, "push").await;
    let rows = of(&stage.site, passed.is(200));
    assert_eq!(events(&rows), ["pushStarted", "pushEnded", "secondFactor"]);
    for row in &rows {
        assert_eq!(
            (&row["outcome"], &row["actor"]),
            (&"success".into(), &"alice".into())
        );
    }
    assert_eq!(rows[0]["details"]["push"], rows[1]["details"]["push"]);
    stage.radius.handle(|_| vec![Action::Send(Reply::reject())]);
    let (partial, _) = stage.begun().await;
    let denied = stage.client().otp(&partial, "push").await;
    let rows = of(&stage.site, denied.is(401));
    assert_eq!(events(&rows), ["pushStarted", "pushEnded", "secondFactor"]);
    check(&rows[1], "pushEnded", "failure", "alice", REFUSED);
    check(&rows[2], "secondFactor", "failure", "alice", REFUSED);
}

async fn a_push_that_nobody_waits_for_is_written_down(backend: Backend) {
    let stage = Stage::new(backend, push(), |_| vec![Action::Hold(Reply::reject())]).await;
    let (partial, _) = stage.begun().await;
    let asked = stage.requests();
    let client = stage.client().otp_in_flight(&partial, "push");
    stage.asked_for(asked + 1).await;
    client.abort();
    assert!(client.await.unwrap_err().is_cancelled());
    assert_eq!(stage.radius.release(), 1);
    let mut ended = Vec::new();
    while ended.is_empty() {
        ended = trail(&stage.site, &["--event", "pushEnded"]);
        tokio::task::yield_now().await;
    }
    check(&ended[0], "pushEnded", "failure", "alice", REFUSED);
}

/// `kill -9`: what was answered is there, and nothing is missing from the trail.
async fn the_rows_of_a_program_that_died_are_sealed_by_another(backend: Backend) {
    let (site, server, _) = with_alice(backend).await;
    let wrong = server.client().sign_in("alice", "wrong").await;
    server.kill();
    let rows = of(&site, wrong.is(401));
    check(
        &rows[0],
        "signIn",
        "failure",
        "alice",
        Some("the password is wrong"),
    );
    let (whole, said) = verify(&site, &[]);
    assert!(whole, "{said}");
    let other = site.start();
    while !verify(&site, &[]).1.contains(", 0 are younger") {
        site.advance(std::time::Duration::from_mins(1));
        tokio::task::yield_now().await;
    }
    drop(other);
    let (whole, said) = verify(&site, &[]);
    assert!(whole, "{said}");
}
