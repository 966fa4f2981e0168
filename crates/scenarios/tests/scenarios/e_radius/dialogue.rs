//! Questions and answers over several requests: S39, S40 and S42, and S23 and S25 with them.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use serde_json::json;
use vestibule_testkit::client::Client;
use vestibule_testkit::radius::{Action, Answer as Reply, Received};
use vestibule_testkit::site::Backend;

use crate::radius_stage::{
    CODE, OTP, Stage, WRONG, asks, challenges, has_no_challenge, is_wrong, state, verdict,
};
use crate::{PASSWORD, on_both_databases};

on_both_databases!(
    s39_a_server_may_ask_three_times,
    s39_no_state_is_sent_twice,
    s39_a_dialogue_has_five_requests,
    s40_a_challenge_needs_neither_state_nor_message,
    s42_a_challenge_is_answered_by_its_own_session,
    s42_a_state_that_is_none_is_refused,
    s25_an_answer_needs_a_question,
);

/// "New PIN", "again", "next code": each round is answered in its turn, with the server's own State
/// and under one handle, which the client may send along or leave out.
async fn s39_a_server_may_ask_three_times(backend: Backend) {
    let asks_on = |request: &Received| {
        let typed = request.password().unwrap_or_default();
        let reply = match (request.state(), typed.as_slice()) {
            (None, _) => Reply::challenge().state(b"1").message("New PIN"),
            (Some(b"1"), b"8642") => Reply::challenge().state(b"2").message("Again"),
            (Some(b"2"), b"8642") => Reply::challenge().state(b"3").message("Next code"),
            (Some(b"3"), _) => verdict(request),
            _ => Reply::reject(),
        };
        vec![reply.into()]
    };
    let stage = Stage::new(backend, json!({ "mode": "Challenge" }), asks_on).await;
    let client = stage.client();
    let (partial, begun) = stage.begun().await;
    assert_eq!(begun.json()["type"], "Challenge");
    assert_eq!(begun.json()["responseMessage"], "New PIN");
    let handle = state(&begun);
    asks(&client.otp(&partial, "8642").await, "Again");
    asks(
        &client.otp_with(&partial, "8642", &handle).await,
        "Next code",
    );
    client.authorize(&partial).await.is(412);
    let verified = client.otp_with(&partial, CODE, &handle).await.token();
    client.authorize(&verified).await.is(403);
    assert_eq!(stage.requests(), 4);
    // The dialogue and the token are over.
    client.otp_with(&partial, CODE, &handle).await.is(401);
    client.otp_with(&verified, CODE, &handle).await.is(401);
    assert_eq!(stage.requests(), 4);
    // An answer that was asked again about was no failure.
    stage.begun().await;
}

/// However often and however much at once a question is answered, the server gets each State back
/// once at most.
async fn s39_no_state_is_sent_twice(backend: Backend) {
    let sent_back = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&sent_back);
    let numbers = move |request: &Received| {
        let mut seen = seen.lock().unwrap();
        let reply = match request.state() {
            None => Reply::challenge().state(&request.authenticator),
            Some(state) => {
                seen.push(state.to_vec());
                verdict(request)
            }
        };
        vec![reply.into()]
    };
    let stage = Stage::new(backend, json!({ "mode": "Challenge" }), numbers).await;
    let replica = stage.site.start();
    let (partial, begun) = stage.begun().await;
    let handle = state(&begun);
    let wrong = stage.client().otp(&partial, WRONG).await;
    is_wrong(&wrong);
    assert_eq!(stage.requests(), 3, "the server is made to ask anew");
    let answers = (0..20).map(|n| {
        let client = [stage.client(), replica.client()][n % 2];
        client.otp_with(&partial, CODE, &handle)
    });
    let answers = join_all(answers).await;
    assert_eq!(Client::successes(&answers), (1, 19));
    assert!(
        answers
            .iter()
            .all(|answer| matches!(answer.status, 200 | 401))
    );

    let sent_back = sent_back.lock().unwrap();
    assert_eq!(sent_back.len(), 2);
    assert_ne!(sent_back[0], sent_back[1]);
}

/// A server that asks without end is not answered without end, nor does its asking make guesses
/// free: all answers of a dialogue are one try together, and five dialogues are all that there are.
async fn s39_a_dialogue_has_five_requests(backend: Backend) {
    let never_ends = |request: &Received| {
        let state = request.authenticator;
        let more: Action = Reply::challenge().state(&state).message("More").into();
        vec![more]
    };
    let stage = Stage::new(backend, json!({ "mode": "Challenge" }), never_ends).await;
    let client = stage.client();
    let mut guesses = 0;
    for dialogue in 1..=5 {
        let asked = stage.requests();
        let (partial, _) = stage.begun().await;
        // Every other one is abandoned after an answer.
        let answers = if dialogue % 2 == 0 { 1 } else { 3 };
        for _ in 0..answers {
            asks(&client.otp(&partial, WRONG).await, "More");
        }
        guesses += answers;
        if answers == 3 {
            is_wrong(&client.otp(&partial, WRONG).await);
            guesses += 1;
            assert_eq!(stage.requests() - asked, 5);
            let after = client.otp(&partial, WRONG).await;
            if dialogue < 5 {
                has_no_challenge(&after);
            } else {
                assert_eq!(after.is(401).json().get("failureType"), None);
            }
            assert_eq!(stage.requests() - asked, 5, "and not one more");
        }
    }
    assert_eq!(guesses, 14);
    stage.is_waiting().await;
}

/// RFC 2865 section 4.4 asks for neither. A first answer without State goes back without State.
async fn s40_a_challenge_needs_neither_state_nor_message(backend: Backend) {
    let terse = |request: &Received| {
        let typed = request.password().unwrap_or_default();
        let reply = match typed.as_slice() {
            _ if request.state().is_some() => Reply::reject(),
            b"again" | b"please ask" => Reply::challenge(),
            _ => verdict(request),
        };
        vec![reply.into()]
    };
    let stage = Stage::new(backend, json!({ "mode": "Challenge" }), terse).await;
    let (partial, begun) = stage.begun().await;
    let shown = begun.json();
    assert_eq!(shown["type"], "Challenge");
    assert_eq!(shown.get("responseMessage"), None);
    assert!(!begun.text.contains("null"), "{}", begun.text);
    let handle = state(&begun);
    // Nothing to show but what every client shows.
    is_wrong(&stage.client().otp(&partial, "again").await);
    let passed = stage.client().otp_with(&partial, CODE, &handle).await;
    passed.token();
    assert_eq!(stage.requests(), 3);
}

/// Neither another session of the user nor another user answers what somebody was asked, and their
/// trying changes nothing for either.
async fn s42_a_challenge_is_answered_by_its_own_session(backend: Backend) {
    let stage = Stage::new(backend, json!({ "mode": "Challenge" }), challenges).await;
    let client = stage.client();
    stage.add_user("bob").await;
    let (one, begun) = stage.begun().await;
    let handle_of_one = state(&begun);
    let (other, begun) = stage.begun().await;
    let handle_of_other = state(&begun);
    let bob = client.sign_in("bob", PASSWORD).await.token();
    let begun = client.initialize(&bob).await;
    let handle_of_bob = state(&begun);
    let nobody = stage.partial().await;
    assert_ne!(handle_of_one, handle_of_other);

    let asked = stage.requests();
    for (partial, handle) in [
        (&one, &handle_of_other),
        (&other, &handle_of_one),
        (&bob, &handle_of_one),
        (&one, &handle_of_bob),
    ] {
        is_wrong(&client.otp_with(partial, CODE, handle).await);
    }
    for _ in 0..2 {
        has_no_challenge(&client.otp_with(&nobody, CODE, &handle_of_one).await);
    }
    assert_eq!(stage.requests(), asked, "nothing was sent");
    // Six were refused, and none was a guess.
    client.otp_with(&one, CODE, &handle_of_one).await.token();
    client
        .otp_with(&other, CODE, &handle_of_other)
        .await
        .token();
    client.otp(&bob, CODE).await.token();
}

/// Not base64, of another length, nobody's, or the octets of the server's own State.
async fn s42_a_state_that_is_none_is_refused(backend: Backend) {
    let stage = Stage::new(backend, json!({ "mode": "Challenge" }), challenges).await;
    let client = stage.client();
    let (partial, begun) = stage.begun().await;
    let handle = state(&begun);
    assert!(!begun.text.contains(&STANDARD.encode("asked once")));
    for bad in ["*", "AAE", "AAE=A", &handle[1..]] {
        let refused = client.otp_with(&partial, CODE, bad).await;
        assert_eq!(refused.is(422).json()["errors"][0]["field"], "state");
    }
    let octets = STANDARD.decode(&handle).unwrap();
    let longer = [octets.as_slice(), &[0]].concat();
    for foreign in [&[7; 16][..], &octets[..15], &longer, b"asked once"] {
        let foreign = STANDARD.encode(foreign);
        is_wrong(&client.otp_with(&partial, CODE, &foreign).await);
    }
    assert_eq!(stage.requests(), 1);
    // As good as none: some clients send it.
    let body = json!({ "otp": CODE, "state": "" });
    client.post(OTP, &partial, &body).await.token();
}

/// Without a start there is nothing to answer; a second start is another question.
async fn s25_an_answer_needs_a_question(backend: Backend) {
    let stage = Stage::new(backend, json!({ "mode": "Challenge" }), challenges).await;
    let client = stage.client();
    let partial = stage.partial().await;
    for _ in 0..6 {
        has_no_challenge(&client.otp(&partial, CODE).await);
    }
    assert_eq!(stage.requests(), 0);

    let first = state(&client.initialize(&partial).await);
    let second = state(&client.initialize(&partial).await);
    assert_ne!(first, second);
    is_wrong(&client.otp_with(&partial, CODE, &first).await);
    client.otp_with(&partial, CODE, &second).await.token();

    // A question is not open for ever.
    let (partial, _) = stage.begun().await;
    stage.site.advance(std::time::Duration::from_mins(2));
    let asked = stage.requests();
    has_no_challenge(&client.otp(&partial, CODE).await);
    assert_eq!(stage.requests(), asked);
    client.initialize(&partial).await.is(200);
    client.otp(&partial, CODE).await.token();
}
