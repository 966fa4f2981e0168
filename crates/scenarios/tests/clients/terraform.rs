//! The Terraform provider. It signs in for every operation, reads before it changes, and puts back
//! whatever it read; its JSON has sorted keys, escaped angle brackets and a line feed at the end.

use serde_json::{Value, json};
use vestibule_testkit::client::Answer;

use super::{ADMIN_PASSWORD, Stage, decoded, newest_version};

const DEVICE: &str = "9a9f0c6e-8f1d-4f3a-9d0f-4b6d1c5b2a10";

/// The provider, configured for one server.
struct Terraform<'s> {
    stage: &'s Stage,
    accept: String,
}

impl<'s> Terraform<'s> {
    /// Finds out which version to speak, with real credentials.
    async fn configured(stage: &'s Stage) -> Self {
        let mut terraform = Self {
            stage,
            accept: "application/vnd.appgate.peer-v5+json".to_owned(),
        };
        let refused = terraform.sign_in().await;
        let newest = newest_version(&refused, &terraform.accept);
        terraform.accept = format!("application/vnd.appgate.peer-v{newest}+json");
        terraform
    }

    async fn sign_in(&self) -> Answer {
        let body = json!({
            "deviceId": DEVICE, "password": ADMIN_PASSWORD, "providerName": "local",
            "username": "admin",
        });
        let headers = [
            ("Accept", self.accept.as_str()),
            ("Content-Type", "application/json"),
        ];
        self.stage
            .send("POST", "/login", &headers, &format!("{body}\n"))
            .await
    }

    /// One operation: a sign-in, and what it is about.
    async fn call(&self, method: &str, path: &str, body: &str) -> Answer {
        let signed_in = decoded(&self.sign_in().await, 200);
        let user = &signed_in["user"];
        assert_eq!(
            (&user["name"], &user["needTwoFactorAuth"]),
            (&json!("admin"), &json!(false))
        );
        let token = format!("Bearer {}", signed_in["token"].as_str().unwrap());
        self.call_as(&token, method, path, body).await
    }

    async fn call_as(&self, token: &str, method: &str, path: &str, body: &str) -> Answer {
        let mut headers = vec![("Accept", self.accept.as_str()), ("Authorization", token)];
        if !body.is_empty() {
            headers.push(("Content-Type", "application/json"));
        }
        self.stage.send(method, path, &headers, body).await
    }

    async fn get(&self, path: &str) -> Value {
        decoded(&self.call("GET", path, "").await, 200)
    }

    async fn post(&self, path: &str, body: &str) -> Value {
        decoded(&self.call("POST", path, body).await, 200)
    }

    /// Puts back what was read, with some fields changed and nothing that is secret.
    async fn put(&self, path: &str, read: &Value, changes: &Value) -> Value {
        let mut object = read.clone();
        for (key, value) in changes.as_object().unwrap() {
            object[key] = value.clone();
        }
        decoded(&self.call("PUT", path, &format!("{object}\n")).await, 200)
    }

    async fn delete(&self, path: &str) {
        let deleted = self.call("DELETE", path, "").await;
        assert_eq!((deleted.status, deleted.text.as_str()), (204, ""));
        decoded(&self.call("GET", path, "").await, 404);
    }
}

#[tokio::test]
async fn an_mfa_provider_lives() {
    let stage = Stage::new();
    let terraform = Terraform::configured(&stage).await;
    let body = concat!(
        r#"{"authenticationProtocol":"CHAP","challengeSharedSecret":"secretString","#,
        r#""hostnames":["mfa.company.com"],"inputType":"Masked","mode":"Challenge","#,
        r#""name":"the name","notes":"Managed by \u003cterraform\u003e \u0026 me","port":1812,"#,
        r#""sharedSecret":"helloworld","tags":["api-created","developer"],"timeout":6,"type":"Radius"}"#,
        "\n"
    );
    let made = terraform.post("/mfa-providers", body).await;
    let path = format!("/mfa-providers/{}", made["id"].as_str().unwrap());
    let read = terraform.get(&path).await;
    let settled: Value = serde_json::from_str(body).unwrap();
    for field in [
        "authenticationProtocol",
        "hostnames",
        "inputType",
        "mode",
        "name",
        "notes",
        "port",
        "tags",
        "timeout",
    ] {
        assert_eq!(
            read[field], settled[field],
            "a plan never settles on {field}"
        );
    }
    assert!(read.get("sharedSecret").is_none() && read.get("challengeSharedSecret").is_none());

    let changed = terraform
        .put(
            &path,
            &read,
            &json!({ "port": 1813.0, "mode": "OneFactor" }),
        )
        .await;
    assert_eq!(
        (&changed["port"], &changed["mode"]),
        (&json!(1813), &json!("OneFactor"))
    );
    assert_eq!(terraform.get(&path).await, changed);

    // After an import the provider sends the notes as the type.
    let imported = json!({ "type": changed["notes"] });
    let mut object = changed.clone();
    object["type"] = imported["type"].clone();
    let refused = terraform.call("PUT", &path, &object.to_string()).await;
    assert_eq!(decoded(&refused, 422)["errors"][0]["field"], "type");

    let found = terraform
        .get("/mfa-providers?orderBy=name&query=the+name&range=0-10")
        .await;
    assert_eq!(
        (&found["data"][0]["name"], &found["range"]),
        (&json!("the name"), &json!("0-1/1"))
    );
    terraform.delete(&path).await;
}

#[tokio::test]
async fn a_local_user_lives() {
    let stage = Stage::new();
    let terraform = Terraform::configured(&stage).await;
    let body = concat!(
        r#"{"disabled":false,"email":"john.doe@test.com","failedLoginAttempts":30,"firstName":"john","#,
        r#""lastName":"doe","lockStart":"2020-04-27T09:51:03Z","name":"the user","notes":"Managed by terraform","#,
        r#""password":"hunter2","phone":"+1-202-555-0172","tags":["developer","terraform"]}"#,
        "\n"
    );
    let made = terraform.post("/local-users", body).await;
    let path = format!("/local-users/{}", made["id"].as_str().unwrap());
    let read = terraform.get(&path).await;
    assert_eq!(
        (&read["failedLoginAttempts"], &read["lockStart"]),
        (&json!(30), &json!("2020-04-27T09:51:03.000000Z"))
    );
    assert!(read.get("password").is_none());
    let changed = terraform
        .put(&path, &read, &json!({ "lastName": "Doe" }))
        .await;
    assert_eq!(changed["lastName"], "Doe");
    // The password is as it was.
    let login = json!({
        "deviceId": DEVICE, "password": "hunter2", "providerName": "local", "username": "the user",
    });
    let headers = [("Accept", terraform.accept.as_str())];
    let signed_in = stage
        .send("POST", "/authentication", &headers, &login.to_string())
        .await;
    assert_eq!(decoded(&signed_in, 200)["user"]["needTwoFactorAuth"], true);
    // Programs have no second factor: one that is due is told apart from a wrong password.
    let due = stage
        .send("POST", "/login", &headers, &login.to_string())
        .await;
    assert_eq!(decoded(&due, 412)["id"], "precondition failed");
    terraform.delete(&path).await;
}

#[tokio::test]
async fn the_settings_for_administrators_live() {
    let stage = Stage::new();
    let terraform = Terraform::configured(&stage).await;
    let path = "/admin-mfa-settings";
    let read = terraform.get(path).await;
    assert!(read["exemptedUsers"].is_array());
    let mut object = read.clone();
    object["exemptedUsers"] = json!(["CN=JohnDoe,OU=local"]);
    let put = terraform.call("PUT", path, &format!("{object}\n")).await;
    assert_eq!((put.status, put.text.as_str()), (204, ""));
    assert_eq!(terraform.get(path).await, object);
    object["providerId"] = json!("");
    let refused = terraform.call("PUT", path, &object.to_string()).await;
    assert_eq!(decoded(&refused, 422)["errors"][0]["field"], "providerId");
    assert_eq!(terraform.call("DELETE", path, "").await.status, 204);
    assert_eq!(terraform.get(path).await, json!({ "exemptedUsers": [] }));
}

#[tokio::test]
async fn an_administrative_role_lives() {
    let stage = Stage::new();
    let terraform = Terraform::configured(&stage).await;
    let body = concat!(
        r#"{"id":"f5d2a4c8-52b4-4e3f-9d4c-0c2e37a5a0b1","name":"the role","notes":"hello world","privileges":["#,
        r#"{"defaultTags":["cc","dd"],"target":"Entitlement","type":"Create"},"#,
        r#"{"scope":{"all":false,"ids":[],"tags":["aa","bb"]},"target":"Appliance","type":"View"}],"tags":["terraform"]}"#,
        "\n"
    );
    let made = terraform.post("/administrative-roles", body).await;
    let path = "/administrative-roles/f5d2a4c8-52b4-4e3f-9d4c-0c2e37a5a0b1";
    let read = terraform.get(path).await;
    assert_eq!(read, made);
    let scope = json!({ "all": false, "ids": [], "tags": [] });
    assert_eq!(
        (
            &read["privileges"][0]["scope"],
            &read["privileges"][0]["defaultTags"]
        ),
        (&scope, &json!(["cc", "dd"]))
    );
    let changed = terraform
        .put(path, &read, &json!({ "notes": "changed" }))
        .await;
    assert_eq!(changed["privileges"], read["privileges"]);
    terraform.delete(path).await;
}

#[tokio::test]
async fn the_local_identity_provider_is_found_and_changed() {
    let stage = Stage::new();
    let terraform = Terraform::configured(&stage).await;
    let found = terraform
        .get("/identity-providers?orderBy=name&query=local&range=0-25")
        .await;
    let local = &found["data"][0];
    assert_eq!(
        (&local["name"], &local["type"]),
        (&json!("local"), &json!("LocalDatabase"))
    );
    let path = format!("/identity-providers/{}", local["id"].as_str().unwrap());
    let read = terraform.get(&path).await;
    let changed = terraform
        .put(&path, &read, &json!({ "userLockoutThreshold": 7 }))
        .await;
    assert_eq!(changed["userLockoutThreshold"], 7);
}

/// A configured token gets its prefix twice, and is never asked for again.
#[tokio::test]
async fn a_configured_token_is_enough() {
    let stage = Stage::new();
    let mut terraform = Terraform::configured(&stage).await;
    let token = decoded(&terraform.sign_in().await, 200)["token"]
        .as_str()
        .unwrap()
        .to_owned();
    terraform.accept = "application/vnd.appgate.peer-v18+json".to_owned();
    let twice = format!("Bearer Bearer {token}");
    decoded(
        &terraform.call_as(&twice, "GET", "/mfa-providers", "").await,
        200,
    );
}
