//! Guesses that a RADIUS server judges are counted as all others are: S11, S12, S13, S16, S17, S18
//! and S20.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use vestibule_testkit::client::Client;
use vestibule_testkit::radius::{Action, Answer as Reply, Received};
use vestibule_testkit::site::Backend;

use crate::radius_stage::{
    CODE, EXEMPTED, OTP, Stage, TOTP, WRONG, challenges, is_wrong, judges, verdict,
};
use crate::{PASSWORD, on_both_databases};

on_both_databases!(
    s11_s16_five_rejects_over_all_sessions_and_the_token_is_dead,
    s12_a_guess_counts_although_the_program_died,
    s12_who_hangs_up_before_the_verdict_pays_for_it,
    s12_who_hangs_up_on_a_silent_server_pays_nothing,
    s13_of_many_guesses_at_once_five_are_sent,
    s17_asking_for_a_challenge_is_no_guess,
    s17_the_users_password_is_a_guess,
    s18_all_second_factors_have_one_budget,
    s20_a_new_challenge_buys_no_new_guesses,
    s20_an_accept_before_the_question_lets_nobody_in,
);

/// Nobody gets more guesses by signing in again; the token of the last one is worth nothing any
/// more; and who waits cannot tell a right code from a wrong one.
async fn s11_s16_five_rejects_over_all_sessions_and_the_token_is_dead(backend: Backend) {
    let stage = Stage::new(backend, json!({}), judges).await;
    let client = stage.client();
    let (first, _) = stage.begun().await;
    for _ in 0..2 {
        is_wrong(&client.otp(&first, WRONG).await);
    }
    let (second, _) = stage.begun().await;
    for _ in 0..3 {
        is_wrong(&client.otp(&second, WRONG).await);
    }
    let dead = client.otp(&second, CODE).await;
    assert_eq!(dead.is(401).json().get("failureType"), None);
    is_wrong(&client.otp(&first, CODE).await);
    stage.is_waiting().await;
    assert_eq!(stage.requests(), 5);

    stage.site.advance(Duration::from_secs(29));
    stage.is_waiting().await;
    stage.site.advance(Duration::from_secs(1));
    client.otp(&second, CODE).await.is(401);
    // One more, and the wait is twice as long.
    stage.has_free(1).await;
    stage.site.advance(Duration::from_secs(59));
    stage.is_waiting().await;
    stage.site.advance(Duration::from_secs(1));
    client.otp(&first, CODE).await.token();
    stage.has_free(5).await;
    assert_eq!(stage.requests(), 5 + 1 + 1 + 5);
}

/// `kill -9` while the server judges: what it said was never heard, and may have been "wrong".
async fn s12_a_guess_counts_although_the_program_died(backend: Backend) {
    let holds = |request: &Received| {
        if request.has_password(b"held") {
            vec![Action::Hold(Reply::accept())]
        } else {
            judges(request)
        }
    };
    let mut stage = Stage::new(backend, json!({}), holds).await;
    let (partial, _) = stage.begun().await;
    let held = stage.client().call("POST", OTP).bearer_auth(&partial);
    let held = Client::try_send(held.json(&json!({ "otp": "held" })));
    let held = tokio::spawn(held);
    stage.asked_for(1).await;
    let fresh = stage.site.start();
    std::mem::replace(&mut stage.server, fresh).kill();
    assert!(held.await.unwrap().is_err(), "nobody has answered");
    // The server's answer is to nobody.
    assert_eq!(stage.radius.release(), 1);
    stage.client().authorize(&partial).await.is(412);
    stage.has_free(4).await;
}

/// Hanging up makes no guess free: the verdict counts, though nobody hears of it.
async fn s12_who_hangs_up_before_the_verdict_pays_for_it(backend: Backend) {
    let stage = Stage::new(backend, json!({}), |_| vec![Action::Hold(Reply::reject())]).await;
    let (partial, _) = stage.begun().await;
    for n in 1..=5 {
        let leaves = stage.client().otp_in_flight(&partial, WRONG);
        stage.asked_for(n).await;
        leaves.abort();
        assert_eq!(stage.radius.release(), 1);
        stage.has_logged("Second factor refused", n).await;
    }
    stage.is_waiting().await;
    assert_eq!(stage.requests(), 5);
}

/// Where there is no verdict, there is nothing to pay for.
async fn s12_who_hangs_up_on_a_silent_server_pays_nothing(backend: Backend) {
    let stage = Stage::new(backend, json!({ "timeout": 1 }), |_| vec![]).await;
    let (partial, _) = stage.begun().await;
    for n in 1..=2 {
        let leaves = stage.client().otp_in_flight(&partial, WRONG);
        stage.asked_for(n).await;
        leaves.abort();
        stage.has_logged("No answer from a RADIUS server", n).await;
    }
    stage.radius.handle(judges);
    stage.has_free(5).await;
}

/// Fifty sessions, two replicas, one moment: five guesses reach the server, and five it is until
/// the wait is over.
async fn s13_of_many_guesses_at_once_five_are_sent(backend: Backend) {
    let stage = Stage::new(backend, json!({}), judges).await;
    let replica = stage.site.start();
    let partials = join_all((0..10).map(|_| stage.partial())).await;
    let guesses = (0..50).map(|n| {
        let client = [stage.client(), replica.client()][n % 2];
        client.otp(&partials[n % 10], WRONG)
    });
    let answers = join_all(guesses).await;
    assert!(
        answers
            .iter()
            .all(|answer| matches!(answer.status, 401 | 503))
    );
    assert!((1..=5).contains(&stage.requests()), "{}", stage.requests());
    // Those that came too close to one another may have counted for nothing.
    let left = 5 - stage.requests();
    if left > 0 {
        stage.has_free(left).await;
    }
    stage.is_waiting().await;
    assert_eq!(stage.requests(), 5);
}

/// The first request of `Challenge` carries nothing of the user's.
async fn s17_asking_for_a_challenge_is_no_guess(backend: Backend) {
    let stage = Stage::new(backend, json!({ "mode": "Challenge" }), challenges).await;
    let (partial, _) = stage.begun().await;
    for _ in 0..50 {
        stage.client().initialize(&partial).await.is(200);
    }
    stage.client().otp(&partial, CODE).await.token();
    // Refused before anybody typed anything: nobody has guessed.
    stage.radius.handle(|_| vec![Reply::reject().into()]);
    let partial = stage.partial().await;
    for _ in 0..6 {
        is_wrong(&stage.client().initialize(&partial).await);
    }
    stage.radius.handle(challenges);
    stage.has_free(5).await;
}

/// With `useUserPassword` the first request carries what can be guessed.
async fn s17_the_users_password_is_a_guess(backend: Backend) {
    let asks = |request: &Received| {
        let reply = match request.state() {
            None if request.has_password(b"right") => Reply::challenge().state(b"asked"),
            Some(_) => verdict(request),
            None => Reply::reject(),
        };
        vec![reply.into()]
    };
    let settings = json!({ "mode": "Challenge", "useUserPassword": true });
    let stage = Stage::new(backend, settings, asks).await;
    let client = stage.client();
    let partial = stage.partial().await;
    // The right one is none, however often.
    for _ in 0..6 {
        client.initialize_with(&partial, "right").await.is(200);
    }
    for _ in 0..5 {
        is_wrong(&client.initialize_with(&partial, "wrong").await);
    }
    client.initialize_with(&partial, "right").await.is(401);
    let asked = stage.requests();
    let next = stage.partial().await;
    is_wrong(&client.initialize_with(&next, "right").await);
    assert_eq!(stage.requests(), asked);
    stage.site.advance(Duration::from_secs(30));
    client.initialize_with(&next, "right").await.is(200);
    client.otp(&next, CODE).await.token();
}

/// What was guessed at one second factor is missing at the other, in every mode.
async fn s18_all_second_factors_have_one_budget(backend: Backend) {
    let mut stage = Stage::new(backend, json!({}), judges).await;
    let choose = async |stage: &Stage, id: &str| {
        let client = stage.client();
        client.choose_provider(&stage.admin, id, &[EXEMPTED]).await;
    };
    choose(&stage, TOTP).await;
    let client = stage.client();
    let (authenticator, _) = client.enrol("alice", PASSWORD, stage.site.now()).await;
    stage.site.advance(crate::STEP);
    let partial = stage.partial().await;
    let wrong = authenticator.wrong_code(stage.site.now());
    for _ in 0..3 {
        is_wrong(&client.otp(&partial, &wrong).await);
    }
    choose(&stage, &stage.id).await;
    stage.has_free(2).await;

    for (mode, secret) in [("Push", CODE), ("Challenge", "please ask")] {
        stage
            .radius
            .handle(if mode == "Push" { judges } else { challenges });
        stage
            .change(&json!({ "mode": mode, "challengeSharedSecret": secret }))
            .await;
        stage.is_waiting().await;
    }
    choose(&stage, TOTP).await;
    let (partial, _) = stage.begun().await;
    let right = authenticator.code(stage.site.now());
    is_wrong(&stage.client().otp(&partial, &right).await);
    stage.operate(&["user", "unlock", "alice"], "");
    stage.client().otp(&partial, &right).await.token();
}

/// The limit is the user's, not the challenge's.
async fn s20_a_new_challenge_buys_no_new_guesses(backend: Backend) {
    let stage = Stage::new(backend, json!({ "mode": "Challenge" }), challenges).await;
    let client = stage.client();
    let (partial, _) = stage.begun().await;
    for _ in 0..3 {
        // The server is made to ask anew each time.
        is_wrong(&client.otp(&partial, WRONG).await);
    }
    assert_eq!(stage.requests(), 1 + 3 * 2);
    client.initialize(&partial).await.is(200);
    is_wrong(&client.otp(&partial, WRONG).await);
    let asked = stage.requests();
    is_wrong(&client.otp(&partial, WRONG).await);
    assert_eq!(stage.requests(), asked + 1, "a dead token is asked nothing");
    client.initialize(&partial).await.is(401);

    let (fresh, _) = stage.begun().await;
    let asked = stage.requests();
    for _ in 0..3 {
        is_wrong(&client.otp(&fresh, CODE).await);
    }
    assert_eq!(stage.requests(), asked);
    stage.site.advance(Duration::from_secs(30));
    // The question is still open, for nothing was answered.
    client.otp(&fresh, CODE).await.token();
}

/// A server that accepts what everybody sends, or what was checked already, has asked for no second
/// factor.
async fn s20_an_accept_before_the_question_lets_nobody_in(backend: Backend) {
    let accepts = |_: &Received| vec![Action::from(Reply::accept())];
    let mut stage = Stage::new(backend, json!({ "mode": "Challenge" }), accepts).await;
    for with_password in [false, true] {
        stage
            .change(&json!({ "useUserPassword": with_password }))
            .await;
        let client = stage.client();
        let partial = stage.partial().await;
        for _ in 0..6 {
            let accepted = client.initialize_with(&partial, PASSWORD).await;
            let said = accepted.is(500).json();
            assert_eq!(said["id"], "internal server error");
            let message = said["message"].as_str().unwrap();
            assert!(message.contains("without asking for a second factor"));
            assert_eq!(said.get("token"), None);
            crate::radius_stage::has_no_challenge(&client.otp(&partial, CODE).await);
            client.authorize(&partial).await.is(412);
        }
    }
    assert_eq!(stage.requests(), 12);
    let log = stage.server.log();
    assert!(log.contains("A RADIUS server is not set up for its provider"));
    stage.radius.handle(challenges);
    stage.change(&json!({ "useUserPassword": false })).await;
    stage.has_free(5).await;
}
