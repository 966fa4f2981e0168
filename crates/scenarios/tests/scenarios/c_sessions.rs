//! Half-authenticated tokens and sessions: S22 to S25, S27. S21 is in `every_route`.

use serde_json::json;
use vestibule_testkit::client::{Answer, Client};
use vestibule_testkit::site::Backend;

use crate::{ADMIN_PASSWORD, PASSWORD, STEP, on_both_databases, site, with_alice};

on_both_databases!(
    s22_the_old_token_is_dead_when_the_new_one_exists,
    s23_what_one_session_began_no_other_finishes,
    s24_what_changed_since_the_password_counts,
    s25_finishing_needs_no_start_and_a_start_gives_nothing,
    s27_no_full_token_before_the_second_factor,
);

const TOTP: &str = "03542d1e-733c-4c43-a567-d28fbc4649a7";

/// Token values change with what they are worth.
async fn s22_the_old_token_is_dead_when_the_new_one_exists(backend: Backend) {
    let (site, server, _) = with_alice(backend).await;
    let client = server.client();
    let partial = client.sign_in("alice", PASSWORD).await.token();
    let authenticator = client.set_up(&partial).await;
    let verified = client
        .otp(&partial, &authenticator.code(site.now()))
        .await
        .token();
    assert_ne!(partial, verified);
    client.initialize(&partial).await.is(401);
    client.authorize(&partial).await.is(401);
    site.advance(STEP);
    client
        .otp(&partial, &authenticator.code(site.now()))
        .await
        .is(401);
}

/// A seed that was shown to one session is not verified by a code from another.
async fn s23_what_one_session_began_no_other_finishes(backend: Backend) {
    let (site, server, _) = with_alice(backend).await;
    let client = server.client();
    let one = client.sign_in("alice", PASSWORD).await.token();
    let other = client.sign_in("alice", PASSWORD).await.token();
    let shown_to_one = client.set_up(&one).await;
    let code = shown_to_one.code(site.now());
    client.otp(&other, &code).await.is(401);
    let shown_to_other = client.set_up(&other).await;
    client.otp(&one, &code).await.is(401);
    client
        .otp(&one, &shown_to_other.code(site.now()))
        .await
        .is(401);
    client
        .otp(&other, &shown_to_other.code(site.now()))
        .await
        .token();
}

/// Deleted, disabled, another password, let off, switched off: the answer goes by what is true when
/// the code arrives.
async fn s24_what_changed_since_the_password_counts(backend: Backend) {
    let (site, server, admin) = with_alice(backend).await;
    let client = server.client();
    let settings = "/admin/admin-mfa-settings";
    let (authenticator, _) = client.enrol("alice", PASSWORD, site.now()).await;
    let begin = async || {
        site.advance(STEP);
        client.sign_in("alice", PASSWORD).await.token()
    };
    let finish = async |partial: &str| client.otp(partial, &authenticator.code(site.now())).await;
    let operate = |arguments: &[&str], input: &str| {
        let (status, output) = site.operate(arguments, input);
        assert!(status.success(), "{arguments:?} {output}");
    };

    let partial = begin().await;
    operate(&["user", "disable", "alice"], "");
    finish(&partial).await.is(401);
    operate(&["user", "enable", "alice"], "");
    finish(&partial).await.is(401);

    let partial = begin().await;
    operate(&["user", "passwd", "alice"], &format!("{PASSWORD}\n"));
    finish(&partial).await.is(401);

    let partial = begin().await;
    let exempt = json!({ "providerId": TOTP, "exemptedUsers": ["CN=alice,OU=local"] });
    client.put(settings, &admin, &exempt).await.is(204);
    finish(&partial).await.is(422);
    client
        .put(settings, &admin, &json!({ "providerId": TOTP }))
        .await
        .is(204);

    let partial = begin().await;
    client.delete(settings, &admin).await.is(204);
    finish(&partial).await.is(422);
    client
        .put(settings, &admin, &json!({ "providerId": TOTP }))
        .await
        .is(204);
    finish(&partial).await.is(401);

    let partial = begin().await;
    finish(&partial).await.token();
    let partial = begin().await;
    operate(&["user", "remove", "alice"], "");
    finish(&partial).await.is(401);
    client.sign_in("alice", PASSWORD).await.is(401);
}

/// For a verified seed the start is a read; a seed that this session was not shown is no use.
async fn s25_finishing_needs_no_start_and_a_start_gives_nothing(backend: Backend) {
    let (site, server, _) = with_alice(backend).await;
    let client = server.client();
    let partial = client.sign_in("alice", PASSWORD).await.token();
    client.otp(&partial, "123456").await.is(401);
    let first = client.initialize(&partial).await;
    let second = client.initialize(&partial).await;
    assert_eq!(
        first.text, second.text,
        "the same seed for the same session"
    );
    let authenticator = client.set_up(&partial).await;
    let body = json!({ "otp": "", "state": "c3RhdGU=", "userPassword": PASSWORD });
    client
        .post("/admin/authentication/otp", &partial, &body)
        .await
        .is(422);
    let code = authenticator.code(site.now());
    let body = json!({ "otp": code, "state": "c3RhdGU=" });
    client
        .post("/admin/authentication/otp", &partial, &body)
        .await
        .token();

    site.advance(STEP);
    let partial = client.sign_in("alice", PASSWORD).await.token();
    client
        .otp(&partial, &authenticator.code(site.now()))
        .await
        .token();
}

/// Nothing that a password yields is worth more than a partial token.
async fn s27_no_full_token_before_the_second_factor(backend: Backend) {
    let site = site(backend);
    let server = site.start();
    let client = server.client();
    let no_token = |answer: Answer| {
        answer.is(412);
        assert!(answer.json().get("token").is_none(), "{}", answer.text);
        assert_eq!(answer.json()["otpRequired"], true);
    };
    let login = json!({
        "providerName": "local", "username": "admin", "password": ADMIN_PASSWORD,
        "deviceId": vestibule_testkit::client::DEVICE,
    });
    no_token(Client::send(client.call("POST", "/admin/login").json(&login)).await);
    let first = client.sign_in("admin", ADMIN_PASSWORD).await;
    assert_eq!(first.json()["user"]["needTwoFactorAuth"], true);
    assert_eq!(first.json()["user"]["privileges"], json!([]));
    let partial = first.token();
    no_token(client.authorize(&partial).await);
    client.set_up(&partial).await;
    no_token(client.authorize(&partial).await);
    client.get("/admin/otp/seeds", &partial).await.is(401);
}
