//! The test of a provider: asked of simulated servers.

use serde_json::{Value, json};
use vestibule_testkit::radius::{Action, Answer, Flaw, RadiusSimulator};

use super::{Admin, ID, OTHER, PROVIDERS, TOTP, errors, minimal, ok, with};

const SECRET: &str = "a shared secret";
/// A port of this machine that no service has had for decades (`tcpmux`).
const NOBODY_LISTENS: u16 = 1;

fn rejecting() -> RadiusSimulator {
    RadiusSimulator::start(SECRET.as_bytes(), |_| vec![Action::Send(Answer::reject())])
}

/// A provider with this server and a short patience.
fn of(server: &RadiusSimulator) -> Value {
    let (address, port) = (server.address().ip().to_string(), server.address().port());
    with(
        &minimal(),
        &json!({ "hostnames": [address], "port": port, "timeout": 1 }),
    )
}

impl Admin {
    async fn test(&self, body: &Value) -> super::Answer {
        let path = format!("{PROVIDERS}/test");
        self.send("POST", &path, body.to_string()).await
    }

    /// Why a test fails.
    async fn error(&self, body: &Value) -> String {
        let found = ok(&self.test(body).await);
        assert_eq!(found["success"], false, "{found}");
        let error = found["error"].as_str().expect("a text").to_owned();
        assert!(!error.contains(SECRET), "{error}");
        error
    }
}

#[tokio::test]
async fn a_reject_of_nobody_is_a_success() {
    let admin = Admin::start().await;
    let server = rejecting();
    let found = admin.test(&of(&server)).await;
    assert_eq!(found.shown(), r#"200 {"success":true}"#);
    assert_eq!(server.counters().unsigned, 0);
    assert_eq!(admin.total().await, 2, "nothing is stored");

    let short = RadiusSimulator::start(b"helloworld", |_| vec![Action::Send(Answer::reject())]);
    let body = with(&of(&short), &json!({ "sharedSecret": "helloworld" }));
    let found = ok(&admin.test(&body).await);
    assert_eq!(found["success"], true);
    let warning = found["warning"].as_str().expect("a text");
    assert!(warning.contains("fewer than 12 bytes"), "{warning}");
}

#[tokio::test]
async fn a_failure_says_what_to_do() {
    let admin = Admin::start().await;
    let server = rejecting();
    let body = of(&server);
    let address = server.address().to_string();
    let wrong = with(&body, &json!({ "sharedSecret": "another secret" }));
    server.trust_all_requests(true);
    let error = admin.error(&wrong).await;
    assert!(error.contains(&address), "{error}");
    assert!(error.contains("another secret:"), "{error}");
    assert!(error.contains("127.0.0.1"), "{error}");

    server.trust_all_requests(false);
    let error = admin.error(&wrong).await;
    assert!(error.contains("register 127.0.0.1"), "{error}");

    server.handle(|_| {
        let bare = Answer::reject().flawed(Flaw::Unsigned);
        vec![Action::Send(bare)]
    });
    let error = admin.error(&body).await;
    assert!(error.contains("requireMessageAuthenticator"), "{error}");
    let lax = with(&body, &json!({ "requireMessageAuthenticator": false }));
    let found = ok(&admin.test(&lax).await);
    assert_eq!(found["success"], true);
    let warning = found["warning"].as_str().expect("a text");
    assert!(warning.contains("CVE-2024-3596"), "{warning}");

    let error = admin
        .error(&with(&body, &json!({ "port": NOBODY_LISTENS })))
        .await;
    assert!(error.contains("nothing listens"), "{error}");
    let nowhere = with(&body, &json!({ "hostnames": ["nowhere.invalid"] }));
    let error = admin.error(&nowhere).await;
    assert!(error.contains("nowhere.invalid has no address"), "{error}");
}

/// Stored secrets sign packets to the stored servers only.
#[tokio::test]
async fn stored_secrets_are_lent_to_the_same_servers_only() {
    let admin = Admin::start().await;
    let server = rejecting();
    let none = json!({ "sharedSecret": null, "challengeSharedSecret": null });
    ok(&admin.post(&of(&server)).await);
    let same = with(&of(&server), &none);
    assert_eq!(ok(&admin.test(&same).await), json!({ "success": true }));
    let port = server.address().port();
    for elsewhere in [
        json!({ "port": if port == 1 { 2 } else { port - 1 } }),
        json!({ "hostnames": ["localhost"] }),
        json!({ "hostnames": ["127.0.0.1", "localhost"] }),
        json!({ "id": OTHER }),
        json!({ "id": null }),
    ] {
        let before = server.counters().datagrams;
        let answer = admin.test(&with(&same, &elsewhere)).await;
        let errors = errors(&answer);
        assert_eq!(errors.len(), 2, "{errors:?}");
        assert_eq!(errors[0], "sharedSecret may not be null");
        assert_eq!(server.counters().datagrams, before);
    }
    assert!(admin.has_shared_secret(ID, SECRET).await);
}

#[tokio::test]
async fn tests_that_are_refused() {
    let admin = Admin::start().await;
    let path = format!("{PROVIDERS}/test");
    let nobody = admin.app.call("POST", &path).bytes("garbage");
    nobody.send().await.is(401, "unauthorized");
    let bad = admin.send("POST", &path, r#"{"port":"1812"}"#).await;
    bad.is(400, "bad request");
    let bad = with(&minimal(), &json!({ "type": "Fido2", "port": 0 }));
    assert_eq!(
        errors(&admin.test(&bad).await),
        ["type is built in, and has nothing to test"]
    );
    let built_in = json!({ "id": TOTP, "name": "x", "type": "DefaultTimeBased" });
    assert_eq!(
        errors(&admin.test(&built_in).await),
        ["type is built in, and has nothing to test"]
    );
    let bad = with(&minimal(), &json!({ "port": 0 }));
    assert_eq!(
        errors(&admin.test(&bad).await),
        ["port must be a whole number from 1 to 65535"]
    );
    let get = admin.get("test").await;
    get.is(405, "method not allowed");
}
