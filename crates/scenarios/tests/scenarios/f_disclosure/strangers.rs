//! What strangers learn of users: S46.

use std::collections::BTreeMap;

use serde_json::json;
use vestibule_testkit::client::{Answer, Client, DEVICE};
use vestibule_testkit::site::{Backend, Server};

use crate::radius_stage::TOTP;
use crate::{
    MEASURED, PASSWORD, STEP, measure, on_both_databases, site, with_alice, with_alice_at,
};

on_both_databases!(
    s46_every_refusal_is_the_same_work,
    s46_without_the_password_all_users_are_alike,
    s46_all_codes_that_are_no_good_are_alike,
);

const STRANGER: &str = "99999999-9999-4999-8999-999999999999";

/// All that a client sees, but for what differs in any two answers.
fn seen(answer: &Answer) -> (u16, BTreeMap<String, String>, String) {
    let differs = ["date", "x-request-id"];
    let headers = answer.headers.iter();
    let headers = headers.filter(|(name, _)| !differs.contains(&name.as_str()));
    let text = |value: &reqwest::header::HeaderValue| value.to_str().unwrap().to_owned();
    let headers = headers.map(|(name, value)| (name.to_string(), text(value)));
    (answer.status, headers.collect(), answer.text.clone())
}

/// Nobody, somebody, with a seed, without, exempt, disabled, locked: one answer.
async fn s46_without_the_password_all_users_are_alike(backend: Backend) {
    let (site, server, admin) = with_alice(backend).await;
    let client = server.client();
    for name in ["seeded", "exempt", "disabled", "locked"] {
        client.add_user(&admin, name, PASSWORD).await.is(200);
    }
    client.enrol("seeded", PASSWORD, site.now()).await;
    let exempted = ["CN=exempt,OU=local"];
    client.choose_provider(&admin, TOTP, &exempted).await;
    assert!(
        site.operate(&["user", "disable", "disabled"], "")
            .0
            .success()
    );
    for _ in 0..5 {
        client.sign_in("locked", "wrong").await.is(401);
    }
    let wrong = async |name: &str, password: &str| {
        seen(&client.sign_in_from(name, password, STRANGER).await)
    };
    let nobody = wrong("nobody", "wrong").await;
    assert_eq!(nobody.0, 401);
    for name in ["alice", "seeded", "exempt", "disabled", "locked"] {
        assert_eq!(wrong(name, "wrong").await, nobody, "{name}");
    }
    // What is locked does not say whether the password was right.
    for name in ["disabled", "locked"] {
        assert_eq!(wrong(name, PASSWORD).await, nobody, "{name}");
    }
    let login = async |name: &str| {
        let body = json!({
            "providerName": "local", "username": name, "password": "wrong", "deviceId": DEVICE,
        });
        let call = client.call("POST", "/admin/login").json(&body);
        seen(&Client::send(call).await)
    };
    assert_eq!(login("alice").await, login("nobody").await);
}

/// Wrong, spent, too old, while guessing waits, right while it waits: one answer.
async fn s46_all_codes_that_are_no_good_are_alike(backend: Backend) {
    let (site, server, _) = with_alice(backend).await;
    let client = server.client();
    let (authenticator, _) = client.enrol("alice", PASSWORD, site.now()).await;
    let spent = authenticator.code(site.now());
    site.advance(STEP);
    let now = site.now();
    let partial = client.sign_in("alice", PASSWORD).await.token();
    let refused = async |code: &str| seen(&client.otp(&partial, code).await);
    let wrong = refused(&authenticator.wrong_code(now)).await;
    assert_eq!(wrong.0, 401);
    assert_eq!(refused(&spent).await, wrong);
    assert_eq!(refused(&authenticator.code_at(now, -5)).await, wrong);
    assert_eq!(refused("no code at all").await, wrong);
    // The last of them closes the door, and says nothing of it.
    while client.initialize(&partial).await.status == 200 {
        assert_eq!(refused(&authenticator.wrong_code(now)).await, wrong);
    }
    for code in [authenticator.wrong_code(now), authenticator.code(now)] {
        let partial = client.sign_in("alice", PASSWORD).await.token();
        let waiting = seen(&client.otp(&partial, &code).await);
        assert_eq!(waiting, wrong, "while it waits");
    }
}

/// How many password hashes the server has computed.
async fn hashes(server: &Server) -> u64 {
    measure(server, "vestibule_password_hashes_total").await
}

/// Nobody learns from the work that it takes which users there are: one hash each, whatever the
/// name is, and whether or not the password is looked at.
async fn s46_every_refusal_is_the_same_work(backend: Backend) {
    let site = site(backend).with_settings(MEASURED);
    let (server, admin) = with_alice_at(&site).await;
    let client = server.client();
    for name in ["seeded", "exempt", "disabled", "locked"] {
        client.add_user(&admin, name, PASSWORD).await.is(200);
    }
    client.enrol("seeded", PASSWORD, site.now()).await;
    client
        .choose_provider(&admin, TOTP, &["CN=exempt,OU=local"])
        .await;
    assert!(
        site.operate(&["user", "disable", "disabled"], "")
            .0
            .success()
    );
    for _ in 0..5 {
        client.sign_in("locked", "wrong").await.is(401);
    }
    let names = ["nobody", "alice", "seeded", "exempt", "disabled", "locked"];
    let wrong = names.map(|name| (name, "wrong"));
    // What is locked does not look less whether the password is right.
    let right = [("disabled", PASSWORD), ("locked", PASSWORD)];
    for path in ["/admin/authentication", "/admin/login"] {
        for (name, password) in wrong.into_iter().chain(right) {
            let body = json!({
                "providerName": "local", "username": name, "password": password,
                "deviceId": STRANGER,
            });
            let before = hashes(&server).await;
            let refused = Client::send(client.call("POST", path).json(&body)).await;
            refused.is(401);
            assert_eq!(hashes(&server).await, before + 1, "{name} at {path}");
        }
    }
}
