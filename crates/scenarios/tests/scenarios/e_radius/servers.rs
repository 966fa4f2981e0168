//! Servers that are slow, gone, or several: S38, S41 and S44.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use vestibule_testkit::radius::{Action, Answer as Reply, RadiusSimulator, Received};
use vestibule_testkit::site::Backend;

use crate::radius_stage::{
    CODE, OTP, SECRET, Stage, WRONG, challenges, is_unanswered, is_wrong, judges, verdict,
};
use crate::{PASSWORD, on_both_databases};

on_both_databases!(
    s38_a_push_is_sent_once_however_long_it_takes,
    s38_the_server_that_asked_gets_the_answer,
    s38_a_closed_port_is_left_at_once,
    s41_an_answer_that_comes_too_late_is_none,
    s41_a_push_that_ended_is_not_approved_later,
    s44_no_server_no_entry_and_no_failure,
    s44_an_operator_lets_somebody_in_for_a_while,
);

/// The settings of a provider with a second server, at another address.
fn with_another() -> Value {
    json!({ "hostnames": ["127.0.0.1", "127.0.0.2"], "challengeSharedSecret": CODE })
}

/// The second server of a stage.
fn another(
    stage: &Stage,
    handler: impl Fn(&Received) -> Vec<Action> + Send + Sync + 'static,
) -> RadiusSimulator {
    let address = SocketAddr::from(([127, 0, 0, 2], stage.radius.address().port()));
    RadiusSimulator::start_at(address, SECRET.as_bytes(), handler)
}

/// A server that answers when the test says so.
fn holds(request: &Received) -> Vec<Action> {
    vec![Action::Hold(verdict(request))]
}

/// While somebody looks for their phone, the same octets are sent again, and no other server is
/// asked: a new request would be a second push.
async fn s38_a_push_is_sent_once_however_long_it_takes(backend: Backend) {
    let mut stage = Stage::new(backend, json!({}), holds).await;
    let other = another(&stage, holds);
    let mut settings = with_another();
    settings["mode"] = json!("Push");
    stage.change(&settings).await;
    let (partial, _) = stage.begun().await;
    let approved = stage.client().otp_in_flight(&partial, "push");
    let asked = tokio::select! {
        _ = stage.radius.wait_until(|seen| seen.retransmissions >= 1) => &stage.radius,
        _ = other.wait_until(|seen| seen.retransmissions >= 1) => &other,
    };
    assert_eq!(asked.release(), 1);
    approved.await.unwrap().token();
    let seen = [stage.radius.counters(), other.counters()];
    assert_eq!(seen[0].pushes + seen[1].pushes, 1);
    assert_eq!(seen[0].altered + seen[1].altered, 0);
    assert_eq!(seen[0].collisions + seen[1].collisions, 0);
}

/// A Challenge is no failure, and only who gave the State knows it: the answer goes there, or
/// nowhere.
async fn s38_the_server_that_asked_gets_the_answer(backend: Backend) {
    let asks_as = |name: &'static [u8]| {
        move |request: &Received| {
            let reply = match request.state() {
                None => Reply::challenge().state(name),
                Some(state) if state == name => verdict(request),
                // Whoever gives somebody else's State here is lost.
                Some(_) => Reply::reject(),
            };
            vec![reply.into()]
        }
    };
    let mut stage = Stage::new(backend, json!({ "mode": "Challenge" }), asks_as(b"one")).await;
    let other = another(&stage, asks_as(b"two"));
    stage.change(&with_another()).await;
    for _ in 0..8 {
        let (partial, _) = stage.begun().await;
        stage.client().otp(&partial, CODE).await.token();
    }
    assert_eq!(stage.requests() + other.counters().pushes, 16);

    // Only the other one is there to ask; when it is gone, the one that has come back does not know.
    stage.radius.stop().await;
    let (partial, _) = stage.begun().await;
    let asked = other.counters().pushes;
    other.stop().await;
    stage.radius.start_again();
    let before = stage.requests();
    is_unanswered(&stage.client().otp(&partial, CODE).await);
    assert_eq!(stage.requests(), before);
    assert_eq!(other.counters().pushes, asked);
    // Nobody guessed anything. The one that is there asks again.
    stage.client().initialize(&partial).await.is(200);
    stage.client().otp(&partial, CODE).await.token();
}

/// Where the system says that nobody listens, the next server is asked at once, with a push as well.
async fn s38_a_closed_port_is_left_at_once(backend: Backend) {
    for mode in ["OneFactor", "Push"] {
        let settings = json!({ "mode": mode, "timeout": 300 });
        let mut stage = Stage::new(backend, settings, judges).await;
        let other = another(&stage, judges);
        stage.change(&with_another()).await;
        stage.radius.stop().await;
        // One of the two is drawn; before long it is the one that is gone.
        for _ in 0..3 {
            let (partial, _) = stage.begun().await;
            let answer = stage.client().otp(&partial, CODE);
            let answer = tokio::time::timeout(Duration::from_secs(5), answer).await;
            answer.unwrap().token();
        }
        assert_eq!(other.counters().pushes, 3);
        assert_eq!(stage.requests(), 0);
    }
}

/// The Accept comes when the client was told already that nobody answered; and when the next
/// request waits for its own answer.
async fn s41_an_answer_that_comes_too_late_is_none(backend: Backend) {
    let stage = Stage::new(backend, json!({ "timeout": 1 }), holds).await;
    let client = stage.client();
    let (partial, _) = stage.begun().await;
    is_unanswered(&client.otp(&partial, CODE).await);
    let next = client.otp_in_flight(&partial, WRONG);
    stage.asked_for(2).await;
    // The late one first.
    assert_eq!(stage.radius.release(), 2);
    is_wrong(&next.await.unwrap());
    client.authorize(&partial).await.is(412);

    stage.radius.handle(judges);
    client.otp(&partial, CODE).await.token();
    stage.has_free(5).await;
}

/// The same with a push that nobody waits for any more: the next one is another.
async fn s41_a_push_that_ended_is_not_approved_later(backend: Backend) {
    let settings = json!({ "mode": "Push", "timeout": 1, "challengeSharedSecret": CODE });
    let stage = Stage::new(backend, settings, holds).await;
    let client = stage.client();
    let (partial, _) = stage.begun().await;
    is_unanswered(&client.otp(&partial, "push").await);
    assert_eq!(stage.radius.release(), 1);
    stage.radius.wait_until(|seen| seen.sent == 1).await;
    client.authorize(&partial).await.is(412);
    let denies = |_: &Received| vec![Action::from(Reply::reject())];
    stage.radius.handle(denies);
    is_wrong(&client.otp(&partial, "push").await);
    stage.radius.handle(judges);
    client.otp(&partial, "push").await.token();
    assert_eq!(stage.requests(), 3);
}

/// Nobody gets in because the second factor cannot be asked for, and nobody pays for it.
async fn s44_no_server_no_entry_and_no_failure(backend: Backend) {
    let mut stage = Stage::new(backend, json!({ "timeout": 1 }), judges).await;
    let partials = join_all((0..4).map(|_| stage.begun())).await;
    let all = async |stage: &Stage, otp: &str| {
        let answers = partials.iter();
        let answers = answers.map(|(partial, _)| stage.client().otp(partial, otp));
        join_all(answers).await
    };
    stage.radius.stop().await;
    for _ in 0..2 {
        all(&stage, CODE).await.iter().for_each(is_unanswered);
    }
    for (partial, _) in &partials {
        stage.client().authorize(partial).await.is(412);
    }
    // In the other modes the same, where it is noticed first.
    stage.change(&json!({ "mode": "Challenge" })).await;
    let client = stage.client();
    let begins = (0..12).map(|n| client.initialize(&partials[n % 4].0));
    join_all(begins).await.iter().for_each(is_unanswered);
    stage.change(&json!({ "mode": "Push" })).await;
    is_unanswered(&stage.client().otp(&partials[0].0, "push").await);

    stage.radius.start_again();
    stage.change(&json!({ "mode": "OneFactor" })).await;
    stage.client().otp(&partials[0].0, CODE).await.token();
    stage.has_free(5).await;
}

/// For the day on which the servers are gone: `user exempt`, which ends by itself.
async fn s44_an_operator_lets_somebody_in_for_a_while(backend: Backend) {
    let settings = json!({ "mode": "Challenge", "timeout": 1 });
    let stage = Stage::new(backend, settings, challenges).await;
    let client = stage.client();
    stage.radius.stop().await;
    let partial = stage.partial().await;
    client.authorize(&partial).await.is(412);
    let exempt = ["user", "exempt", "alice", "--until", "2026-01-01T01:00:00Z"];
    stage.operate(&exempt, "");

    let exempted = client.sign_in("alice", PASSWORD).await;
    assert_eq!(exempted.json()["user"]["needTwoFactorAuth"], false);
    let token = exempted.token();
    // In, without the rights that this user does not have.
    client.authorize(&token).await.is(403);
    client
        .post(OTP, &token, &json!({ "otp": CODE }))
        .await
        .is(422);

    stage.site.advance(Duration::from_hours(1));
    let due = client.sign_in("alice", PASSWORD).await;
    assert_eq!(due.json()["user"]["needTwoFactorAuth"], true);
    client.authorize(&due.token()).await.is(412);
    is_unanswered(&client.initialize(&due.token()).await);
    stage.radius.start_again();
    client.initialize(&due.token()).await.is(200);
    client.otp(&due.token(), CODE).await.token();
}
