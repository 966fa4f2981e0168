//! What the settings of the provider do.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Admin, errors, ok};
use crate::app::{App, PASSWORD, credentials};

const MINUTE: Duration = Duration::from_mins(1);

/// An administrator, and the user `alice`.
async fn with_alice() -> Admin {
    let admin = Admin::start().await;
    ok(&admin.app.add_user(&admin.token, "alice").await);
    admin
}

/// Checks whether the right password opens, or is not looked at.
async fn check(app: &App, opens: bool) {
    let answer = app.sign_in("alice", PASSWORD).await;
    let expected = if opens { 200 } else { 401 };
    assert_eq!(answer.status.as_u16(), expected, "{}", answer.text);
}

async fn guess(app: &App, times: u32) {
    for _ in 0..times {
        app.sign_in("alice", "wrong").await.is(401, "unauthorized");
    }
}

#[tokio::test]
async fn a_threshold_locks_after_that_many() {
    let admin = with_alice().await;
    let app = &admin.app;
    for threshold in [2, 1, 9] {
        let lockout = json!({ "userLockoutThreshold": threshold });
        ok(&admin.change(&lockout).await);
        guess(app, threshold - 1).await;
        check(app, true).await;
        guess(app, threshold).await;
        check(app, false).await;
        app.clock.advance(MINUTE);
        guess(app, 1).await;
        check(app, false).await;
        app.clock.advance(MINUTE);
        check(app, true).await;
    }
}

#[tokio::test]
async fn a_lock_lasts_as_long_as_was_set() {
    let admin = with_alice().await;
    let app = &admin.app;
    ok(&admin
        .change(&json!({ "userLockoutDurationMinutes": 10 }))
        .await);
    guess(app, 5).await;
    app.clock.advance(Duration::from_secs(10 * 60 - 1));
    check(app, false).await;
    // Locks that are there last as long as is set now.
    ok(&admin
        .change(&json!({ "userLockoutDurationMinutes": 11 }))
        .await);
    app.clock.advance(Duration::from_secs(1));
    check(app, false).await;
    ok(&admin
        .change(&json!({ "userLockoutDurationMinutes": 10 }))
        .await);
    check(app, true).await;
}

/// Nothing is remembered in a process: the next wrong password counts by what was set last,
/// wherever that was.
#[tokio::test]
async fn every_replica_goes_by_the_same_settings_at_once() {
    let admin = with_alice().await;
    let there = admin.app.replica().await;
    guess(&there, 2).await;
    check(&there, true).await;
    guess(&there, 2).await;
    ok(&admin.change(&json!({ "userLockoutThreshold": 3 })).await);
    check(&there, true).await;
    guess(&there, 2).await;
    guess(&admin.app, 1).await;
    check(&there, false).await;
    check(&admin.app, false).await;
    let alice = admin
        .send("GET", "/admin/local-users?query=alice", "")
        .await;
    assert_eq!(alice.json()["data"][0]["failedLoginAttempts"], 3);
}

#[tokio::test]
async fn known_devices_have_the_same_threshold() {
    let admin = Admin::start().await;
    ok(&admin.change(&json!({ "userLockoutThreshold": 2 })).await);
    let sign_in = async |password: &str, device: Option<&str>| {
        let mut body = credentials("admin", password);
        if let Some(device) = device {
            body["deviceId"] = json!(device);
        }
        let answer = admin.app.post("/admin/authentication", &body).send().await;
        answer.status.as_u16()
    };
    let elsewhere = Some("00000000-0000-4000-8000-000000000001");
    for _ in 0..2 {
        assert_eq!(sign_in("wrong", elsewhere).await, 401);
    }
    assert_eq!(sign_in(PASSWORD, elsewhere).await, 401, "locked");
    assert_eq!(sign_in("wrong", None).await, 401);
    assert_eq!(sign_in(PASSWORD, None).await, 200, "tries of its own");
    for _ in 0..2 {
        assert_eq!(sign_in("wrong", None).await, 401);
    }
    assert_eq!(sign_in(PASSWORD, None).await, 401, "as many as all others");
    assert_eq!(sign_in(PASSWORD, elsewhere).await, 200);
}

#[tokio::test]
async fn new_passwords_have_the_least_length() {
    let admin = with_alice().await;
    ok(&admin.change(&json!({ "minPasswordLength": 20 })).await);
    let post = async |name: &str, password: &str| {
        let user = json!({ "name": name, "firstName": "", "lastName": "", "password": password });
        let body = user.to_string();
        admin.send("POST", "/admin/local-users", body).await
    };
    let short = "password must have at least 20 characters";
    assert_eq!(errors(&post("bob", &"ä".repeat(19)).await), [short]);
    let both = errors(&post(" bob", "x").await);
    assert_eq!(both, ["name may not begin or end with white space", short]);
    ok(&post("bob", &"ä".repeat(20)).await);
    let signed_in = admin.app.sign_in("bob", &"ä".repeat(20)).await;
    assert_eq!(signed_in.status.as_u16(), 200);
    // No password is none that is too short, and one that is there stays good.
    ok(&post("nopass", "").await);
    admin
        .app
        .sign_in("nopass", "")
        .await
        .is(401, "unauthorized");
    check(&admin.app, true).await;
    let least: Value = admin
        .change(&json!({ "minPasswordLength": 0 }))
        .await
        .json();
    assert_eq!(least["minPasswordLength"], 0);
    ok(&post("carol", "x").await);
}
