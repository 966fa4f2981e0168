//! The command-line client. It learns the version from a sign-in without credentials, asks for
//! administration before and after the second factor, and tries a code three times.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_testkit::authenticator::Authenticator;
use vestibule_testkit::client::Answer;

use super::{ADMIN_PASSWORD, Stage, decoded, newest_version};

const DEVICE: &str = "f2b8a5d0-0a7b-4b1d-8bcd-7c7b6d3a9a41";

struct CommandLine<'s> {
    stage: &'s Stage,
    accept: String,
}

impl<'s> CommandLine<'s> {
    async fn started(stage: &'s Stage) -> Self {
        let probe = json!({ "providerName": "", "deviceId": DEVICE });
        let sent = "application/vnd.appgate.peer-v5+json";
        let headers = [
            ("Accept", sent),
            ("Content-Type", "application/json"),
            ("User-Agent", "sdpctl/1"),
        ];
        let refused = stage
            .send("POST", "/authentication", &headers, &format!("{probe}\n"))
            .await;
        let newest = newest_version(&refused, sent);
        Self {
            stage,
            accept: format!("application/vnd.appgate.peer-v{newest}+json"),
        }
    }

    async fn call(&self, method: &str, path: &str, token: &str, body: &Value) -> Answer {
        let authorization = format!("Bearer {token}");
        let mut headers = vec![("Accept", self.accept.as_str()), ("User-Agent", "sdpctl/1")];
        if !token.is_empty() {
            headers.push(("Authorization", authorization.as_str()));
        }
        let body = if body.is_null() {
            String::new()
        } else {
            format!("{body}\n")
        };
        self.stage.send(method, path, &headers, &body).await
    }

    async fn sign_in(&self, name: &str, password: &str) -> Value {
        let names = self
            .call("GET", "/identity-providers/names", "", &Value::Null)
            .await;
        let names = decoded(&names, 200);
        let only = &names["data"].as_array().unwrap()[..];
        assert_eq!(only.len(), 1, "it would ask which one");
        assert_eq!(
            (&only[0]["type"], &only[0]["displayName"]),
            (&json!("Credentials"), &json!("local"))
        );
        let body = json!({
            "providerName": only[0]["name"], "deviceId": DEVICE, "username": name, "password": password,
        });
        decoded(&self.call("POST", "/authentication", "", &body).await, 200)
    }

    async fn authorize(&self, token: &str) -> Answer {
        self.call("GET", "/authorization", token, &Value::Null)
            .await
    }

    async fn otp(&self, token: &str, code: &str) -> Answer {
        self.call(
            "POST",
            "/authentication/otp",
            token,
            &json!({ "otp": code }),
        )
        .await
    }
}

fn token(answer: &Value) -> String {
    answer["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_user_signs_in_with_a_second_factor() {
    let stage = Stage::new();
    let client = CommandLine::started(&stage).await;
    let admin = client.sign_in("admin", ADMIN_PASSWORD).await;
    // Where none is due, the same partial token asks twice.
    let first = decoded(&client.authorize(&token(&admin)).await, 200);
    let again = decoded(&client.authorize(&token(&admin)).await, 200);
    let alice = json!({
        "name": "alice", "firstName": "Alice", "lastName": "A", "password": "a password",
        "administrativeRoles": ["b0adbc60-7ed4-11e4-b4a9-0800200c9a66"],
    });
    let made = client
        .call("POST", "/local-users", &token(&again), &alice)
        .await;
    decoded(&made, 200);

    let signed_in = client.sign_in("alice", "a password").await;
    let partial = token(&signed_in);
    let due = decoded(&client.authorize(&partial).await, 412);
    assert_eq!(
        (&due["otpRequired"], &due["username"]),
        (&json!(true), &json!("alice"))
    );
    let begin = json!({ "userPassword": "a password" });
    let answer = client
        .call("POST", "/authentication/otp/initialize", &partial, &begin)
        .await;
    let answer = decoded(&answer, 200);
    assert_eq!(
        (&answer["type"], &answer["inputType"]),
        (&json!("Secret"), &json!("Numeric"))
    );
    assert!(!answer["barcode"].as_str().unwrap().contains('\n'));
    let authenticator = Authenticator::from_base32(answer["secret"].as_str().unwrap());
    for wrong in ["000000", "wrong"] {
        let refused = decoded(&client.otp(&partial, wrong).await, 401);
        assert_eq!(refused["failureType"], "Mfa");
    }
    let code = authenticator.code(stage.now());
    let passed = decoded(&client.otp(&partial, &code).await, 200);
    let verified = token(&passed);
    assert_ne!(verified, partial);
    let authorized = decoded(&client.authorize(&verified).await, 200);
    let expected = json!([{ "type": "All", "target": "All", "scope": { "all": true, "ids": [], "tags": [] } }]);
    assert_eq!(authorized["user"]["privileges"], expected);
    assert!(token(&authorized).len() > 10);

    // The next run: the stored token, and as long as the first answer said.
    assert!(signed_in["expires"].as_str().unwrap() >= authorized["expires"].as_str().unwrap());
    decoded(&client.authorize(&token(&authorized)).await, 200);
    decoded(&client.authorize(&token(&first)).await, 200);

    // Another day, another code of the same authenticator.
    stage.advance(Duration::from_hours(25));
    decoded(&client.authorize(&token(&authorized)).await, 401);
    let partial = token(&client.sign_in("alice", "a password").await);
    let answer = client
        .call("POST", "/authentication/otp/initialize", &partial, &begin)
        .await;
    assert_eq!(
        decoded(&answer, 200),
        json!({ "type": "AlreadySeeded", "inputType": "Numeric" })
    );
    decoded(
        &client.otp(&partial, &authenticator.code(stage.now())).await,
        200,
    );
}

/// What it shows is the message, and each error of a field.
#[tokio::test]
async fn a_wrong_password_is_told() {
    let stage = Stage::new();
    let client = CommandLine::started(&stage).await;
    let body = json!({ "providerName": "local", "deviceId": DEVICE, "username": "admin", "password": "x" });
    let refused = decoded(
        &client.call("POST", "/authentication", "", &body).await,
        401,
    );
    assert_eq!(refused["message"], "Invalid username or password.");
    let other = json!({ "providerName": "ldap", "deviceId": "x" });
    let invalid = decoded(
        &client.call("POST", "/authentication", "", &other).await,
        422,
    );
    assert_eq!(invalid["errors"].as_array().unwrap().len(), 4);
}
