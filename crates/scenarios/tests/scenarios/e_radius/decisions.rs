//! What was decided about RADIUS where the API is silent: each with its number, which stays its own.

use serde_json::{Value, json};
use vestibule_testkit::radius::{Action, Answer as Reply, Flaw, Received, Signature};
use vestibule_testkit::site::Backend;

use crate::radius_stage::{
    CODE, Stage, WRONG, asks, challenges, is_unanswered, is_wrong, judges, state,
};
use crate::{PASSWORD, on_both_databases};

on_both_databases!(
    d19_rejects_and_silence,
    d20_an_accept_without_a_question,
    d21_states,
    d22_a_push_with_the_users_password,
    d23_requests_and_answers_are_signed,
    d24_the_timeout_is_told,
    d26_a_test_says_what_it_found,
);

fn challenge() -> Value {
    json!({ "mode": "Challenge", "timeout": 1 })
}

async fn d19_rejects_and_silence(backend: Backend) {
    let stage = Stage::new(backend, challenge(), challenges).await;
    let (partial, _) = stage.begun().await;
    is_wrong(&stage.client().otp(&partial, WRONG).await);
    // At the start a refusal looks the same.
    stage.radius.handle(|_| vec![Reply::reject().into()]);
    let fresh = stage.partial().await;
    is_wrong(&stage.client().initialize(&fresh).await);
    stage.radius.handle(|_| vec![]);
    is_unanswered(&stage.client().initialize(&fresh).await);
    // Another question is no failure, and the dialogue goes on.
    stage.radius.handle(challenges);
    let (partial, _) = stage.begun().await;
    let again = Reply::challenge().state(b"asked once").message("Again?");
    stage.radius.handle(move |_| vec![again.clone().into()]);
    asks(&stage.client().otp(&partial, WRONG).await, "Again?");
    stage.radius.handle(challenges);
    stage.client().otp(&partial, CODE).await.token();
}

async fn d20_an_accept_without_a_question(backend: Backend) {
    let stage = Stage::new(backend, challenge(), |_| vec![Reply::accept().into()]).await;
    let partial = stage.partial().await;
    for _ in 0..6 {
        let answer = stage.client().initialize(&partial).await;
        let message = answer.is(500).json()["message"].to_string();
        let why = "accepted without asking for a second factor";
        assert!(message.contains(why), "{message}");
    }
    stage.client().authorize(&partial).await.is(412);
    stage.radius.handle(challenges);
    stage.has_free(5).await;
}

async fn d21_states(backend: Backend) {
    let stage = Stage::new(backend, challenge(), challenges).await;
    let (other, begun_elsewhere) = stage.begun().await;
    let foreign = state(&begun_elsewhere);
    let (partial, begun) = stage.begun().await;
    let own = state(&begun);
    assert_ne!(own, foreign);
    let client = stage.client();
    client.otp_with(&partial, CODE, &foreign).await.is(401);
    let refused = client.otp_with(&partial, CODE, "not base64!").await;
    assert_eq!(refused.is(422).json()["errors"][0]["field"], "state");
    client.otp_with(&partial, CODE, &own).await.token();
    // It may be left out.
    client.otp(&other, CODE).await.token();
}

async fn d22_a_push_with_the_users_password(backend: Backend) {
    let settings = json!({ "mode": "Push", "useUserPassword": true });
    let knows = |request: &Received| {
        let is_it = request.has_password(PASSWORD.as_bytes());
        let reply = if is_it {
            Reply::accept()
        } else {
            Reply::reject()
        };
        vec![reply.into()]
    };
    let stage = Stage::new(backend, settings, knows).await;
    let (partial, begun) = stage.begun().await;
    assert_eq!(begun.json()["type"], "Push");
    assert_eq!(begun.json()["sendPassword"], true);
    is_wrong(&stage.client().otp(&partial, "another").await);
    stage.client().otp(&partial, PASSWORD).await.token();
}

async fn d23_requests_and_answers_are_signed(backend: Backend) {
    let signed_first = |request: &Received| {
        assert_eq!(request.signature, Signature::Right { first: true });
        assert_eq!(request.user_name(), "alice");
        assert_eq!(request.attribute(32), Some(b"Vestibule".as_slice()));
        judges(request)
    };
    let stage = Stage::new(backend, json!({ "timeout": 1 }), signed_first).await;
    let (partial, _) = stage.begun().await;
    stage.client().otp(&partial, CODE).await.token();
    let unsigned = |_: &Received| {
        let reply = Reply::accept().flawed(Flaw::Unsigned);
        vec![Action::Send(reply)]
    };
    stage.radius.handle(unsigned);
    let (partial, _) = stage.begun().await;
    is_unanswered(&stage.client().otp(&partial, CODE).await);
}

async fn d24_the_timeout_is_told(backend: Backend) {
    let mut stage = Stage::new(
        backend,
        json!({ "mode": "Challenge", "timeout": 7 }),
        challenges,
    )
    .await;
    let (_, begun) = stage.begun().await;
    assert_eq!(begun.json()["timeout"], 7);
    stage
        .change(&json!({ "mode": "Push", "timeout": 300 }))
        .await;
    let (_, begun) = stage.begun().await;
    assert_eq!(begun.json()["timeout"], 300);
    let path = format!("/admin/mfa-providers/{}", stage.id);
    for timeout in [0, 301] {
        stage.provider["timeout"] = timeout.into();
        let refused = stage
            .client()
            .put(&path, &stage.admin, &stage.provider)
            .await;
        assert_eq!(refused.is(422).json()["errors"][0]["field"], "timeout");
    }
}

async fn d26_a_test_says_what_it_found(backend: Backend) {
    let stage = Stage::new(backend, json!({}), judges).await;
    let test = async |body: &Value| {
        let path = "/admin/mfa-providers/test";
        stage.client().post(path, &stage.admin, body).await
    };
    // A refusal of a user who is not there is an answer.
    let found = test(&stage.provider).await;
    assert_eq!(found.is(200).json()["success"], true);
    // Its own secret is lent to the provider as it is stored, and to no other host.
    let mut lent = stage.provider.clone();
    lent["id"] = stage.id.clone().into();
    lent.as_object_mut().unwrap().remove("sharedSecret");
    assert_eq!(test(&lent).await.is(200).json()["success"], true);
    lent["hostnames"] = json!(["127.0.0.2"]);
    let refused = test(&lent).await;
    assert_eq!(refused.is(422).json()["errors"][0]["field"], "sharedSecret");
    let mut wrong = stage.provider.clone();
    wrong["sharedSecret"] = "quite another shared secret".into();
    wrong["timeout"] = 1.into();
    let found = test(&wrong).await.is(200).json();
    assert_eq!(found["success"], false);
    assert!(found["error"].is_string());
}
