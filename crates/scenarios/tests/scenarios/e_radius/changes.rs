//! What changes while a RADIUS server is asked, or a user is: S06 and S24.

use serde_json::json;
use vestibule_testkit::client::Answer;
use vestibule_testkit::radius::{Action, Received};
use vestibule_testkit::site::Backend;

use crate::radius_stage::{
    CODE, EXEMPTED, Stage, TOTP, challenges, has_no_challenge, is_wrong, judges, state, verdict,
};
use crate::{PASSWORD, on_both_databases};

on_both_databases!(
    s06_a_dialogue_survives_kill_9_and_goes_on_anywhere,
    s24_a_provider_that_was_changed_asks_anew,
    s24_a_provider_in_use_stays,
    s24_another_second_factor_is_asked_for_by_then,
    s24_what_changed_while_the_server_was_asked_counts,
    s24_who_changed_while_the_phone_rang_is_not_let_in,
);

/// A server that answers when the test says so.
fn holds(request: &Received) -> Vec<Action> {
    vec![Action::Hold(verdict(request))]
}

/// The question is in the database, for whoever gets the answer.
async fn s06_a_dialogue_survives_kill_9_and_goes_on_anywhere(backend: Backend) {
    let mut stage = Stage::new(backend, json!({ "mode": "Challenge" }), challenges).await;
    let (one, begun) = stage.begun().await;
    let handle = state(&begun);
    let (other, _) = stage.begun().await;
    let replica = stage.site.start();
    replica.client().otp_with(&one, CODE, &handle).await.token();
    let killed = std::mem::replace(&mut stage.server, replica);
    killed.kill();
    stage.client().otp(&other, CODE).await.token();

    let (partial, _) = stage.begun().await;
    let restarted = stage.site.start();
    std::mem::replace(&mut stage.server, restarted).kill();
    stage.client().otp(&partial, CODE).await.token();
    assert_eq!(stage.requests(), 6);
}

/// What an old server asked is not answered to a new one.
async fn s24_a_provider_that_was_changed_asks_anew(backend: Backend) {
    let mut stage = Stage::new(backend, json!({ "mode": "Challenge" }), challenges).await;
    for change in [
        json!({ "notes": "only a word" }),
        json!({ "nasIdentifier": "another" }),
        json!({ "mode": "Push" }),
        json!({ "mode": "Challenge" }),
    ] {
        let (partial, _) = stage.begun().await;
        let asked = stage.requests();
        stage.change(&change).await;
        if change["mode"] == "Push" {
            continue;
        }
        has_no_challenge(&stage.client().otp(&partial, CODE).await);
        assert_eq!(stage.requests(), asked);
        let begun = stage.client().initialize(&partial).await;
        begun.is(200);
        stage.client().otp(&partial, CODE).await.token();
    }
    stage.has_free(5).await;
}

/// Neither by the back door.
async fn s24_a_provider_in_use_stays(backend: Backend) {
    let stage = Stage::new(backend, json!({ "mode": "Challenge" }), challenges).await;
    let (partial, _) = stage.begun().await;
    let path = format!("/admin/mfa-providers/{}", stage.id);
    stage.client().delete(&path, &stage.admin).await.is(409);
    stage.client().otp(&partial, CODE).await.token();
}

/// The settings of the administrator are those of the moment in which the answer comes.
async fn s24_another_second_factor_is_asked_for_by_then(backend: Backend) {
    let stage = Stage::new(backend, json!({ "mode": "Challenge" }), challenges).await;
    let client = stage.client();
    let (partial, begun) = stage.begun().await;
    let handle = state(&begun);
    client
        .choose_provider(&stage.admin, TOTP, &[EXEMPTED])
        .await;
    client.otp_with(&partial, CODE, &handle).await.is(401);
    client.authorize(&partial).await.is(401);
    let partial = stage.partial().await;
    is_wrong(&client.otp_with(&partial, CODE, &handle).await);

    client
        .choose_provider(&stage.admin, &stage.id, &[EXEMPTED])
        .await;
    client.otp_with(&partial, CODE, &handle).await.is(401);
    let (partial, _) = stage.begun().await;
    let settings = "/admin/admin-mfa-settings";
    client.delete(settings, &stage.admin).await.is(204);
    client.otp(&partial, CODE).await.is(422);
    assert_eq!(stage.requests(), 2);
}

/// The server has accepted, and in the meantime the provider is another, or nobody is asked for.
async fn s24_what_changed_while_the_server_was_asked_counts(backend: Backend) {
    let mut stage = Stage::new(backend, json!({}), holds).await;
    let partial = stage.partial().await;
    let answer = stage.client().otp_in_flight(&partial, CODE);
    stage.asked_for(1).await;
    stage.change(&json!({ "notes": "changed" })).await;
    stage.radius.release();
    is_wrong(&answer.await.unwrap());
    stage.client().authorize(&partial).await.is(412);

    let partial = stage.partial().await;
    let answer = stage.client().otp_in_flight(&partial, CODE);
    stage.asked_for(2).await;
    let client = stage.client();
    client
        .choose_provider(&stage.admin, TOTP, &[EXEMPTED])
        .await;
    stage.radius.release();
    answer.await.unwrap().is(401);
    client.authorize(&partial).await.is(401);
}

/// Disabled, another password, deleted, or a new server for all: the approval on the phone comes
/// too late.
async fn s24_who_changed_while_the_phone_rang_is_not_let_in(backend: Backend) {
    let push = json!({ "mode": "Push", "challengeSharedSecret": CODE });
    let mut stage = Stage::new(backend, push, holds).await;
    let refused = |answer: Answer| assert_eq!(answer.is(401).json().get("token"), None);

    let (partial, _) = stage.begun().await;
    let rings = stage.client().otp_in_flight(&partial, "push");
    stage.asked_for(1).await;
    stage.operate(&["user", "disable", "alice"], "");
    stage.radius.release();
    refused(rings.await.unwrap());
    stage.operate(&["user", "enable", "alice"], "");
    stage.client().otp(&partial, "push").await.is(401);

    let (partial, _) = stage.begun().await;
    let rings = stage.client().otp_in_flight(&partial, "push");
    stage.asked_for(2).await;
    stage.operate(&["user", "passwd", "alice"], &format!("{PASSWORD}\n"));
    stage.radius.release();
    refused(rings.await.unwrap());
    stage.client().authorize(&partial).await.is(401);

    let (partial, _) = stage.begun().await;
    let rings = stage.client().otp_in_flight(&partial, "push");
    stage.asked_for(3).await;
    stage.change(&json!({ "notes": "another server" })).await;
    stage.radius.release();
    refused(rings.await.unwrap());
    stage.client().authorize(&partial).await.is(412);

    stage.site.advance(std::time::Duration::from_mins(1));
    stage.radius.handle(judges);
    stage.client().otp(&partial, "push").await.token();

    stage.radius.handle(holds);
    let (partial, _) = stage.begun().await;
    let rings = stage.client().otp_in_flight(&partial, "push");
    stage.asked_for(5).await;
    stage.operate(&["user", "remove", "alice"], "");
    stage.radius.release();
    refused(rings.await.unwrap());
}
