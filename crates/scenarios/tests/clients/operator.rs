//! The Kubernetes operator. It reads whole lists of every kind that it is configured for, finds
//! objects by their names, and puts what it could not post to the list.

use serde_json::{Value, json};
use vestibule_testkit::client::Answer;

use super::{ADMIN_PASSWORD, Stage, decoded};

const ACCEPT: &str = "application/vnd.appgate.peer-v20+json";

/// The operator, signed in.
struct Operator<'s> {
    stage: &'s Stage,
    token: String,
}

impl<'s> Operator<'s> {
    async fn signed_in(stage: &'s Stage) -> Self {
        let body = json!({
            "providerName": "local", "username": "admin", "password": ADMIN_PASSWORD,
            "deviceId": "6b8a4b0e-3d3c-4a40-8b6e-f2a4e1a10c55",
        });
        let headers = [("Accept", ACCEPT), ("Content-Type", "application/json")];
        let answer = stage
            .send("POST", "/login", &headers, &body.to_string())
            .await;
        let signed_in = decoded(&answer, 200);
        // It cuts the fraction off, and fails without one.
        let expires = signed_in["expires"].as_str().unwrap();
        assert!(expires.contains('.') && expires.ends_with('Z'), "{expires}");
        let token = signed_in["token"].as_str().unwrap().to_owned();
        Self { stage, token }
    }

    /// Every request says that it has a JSON body, also without any.
    async fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        let token = format!("Bearer {}", self.token);
        let headers = [
            ("Accept", ACCEPT),
            ("Authorization", token.as_str()),
            ("Content-Type", "application/json"),
        ];
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.stage.send(method, path, &headers, &body).await
    }

    async fn get(&self, path: &str) -> Value {
        decoded(&self.call("GET", path, &Value::Null).await, 200)
    }
}

/// One empty answer, or one that fails, and it gives up.
#[tokio::test]
async fn it_starts() {
    let stage = Stage::new();
    let operator = Operator::signed_in(&stage).await;
    for list in [
        "/mfa-providers",
        "/local-users",
        "/identity-providers",
        "/administrative-roles",
    ] {
        let read = operator.get(list).await;
        assert!(
            read["data"].as_array().is_some_and(|data| !data.is_empty()),
            "{list}"
        );
        for object in read["data"].as_array().unwrap() {
            assert!(
                object["name"].is_string()
                    && object["tags"]
                        .as_array()
                        .unwrap()
                        .contains(&json!("builtin"))
            );
        }
    }
    assert_ne!(operator.get("/admin-mfa-settings").await, json!({}));
}

#[tokio::test]
async fn an_object_is_created_changed_and_deleted() {
    let stage = Stage::new();
    let operator = Operator::signed_in(&stage).await;
    let id = "5f1ee1b2-52a5-4c53-9a0d-0b1d5ba5d7a3";
    let provider = json!({
        "id": id, "name": "radius", "notes": "", "tags": ["one"], "type": "Radius",
        "hostnames": ["radius.example"], "port": 1812, "inputType": "Masked",
        "sharedSecret": "a secret between two", "authenticationProtocol": "PAP", "timeout": 6, "mode": "OneFactor",
    });
    decoded(
        &operator.call("POST", "/mfa-providers", &provider).await,
        200,
    );
    // It posts once more what it believes is not there, and then puts it to the list.
    decoded(
        &operator.call("POST", "/mfa-providers", &provider).await,
        409,
    );
    let mut changed = provider.clone();
    changed["tags"] = json!(["two"]);
    let put = decoded(&operator.call("PUT", "/mfa-providers", &changed).await, 200);
    assert_eq!((&put["id"], &put["tags"]), (&json!(id), &json!(["two"])));
    changed["timeout"] = json!(9);
    let path = format!("/mfa-providers/{id}");
    decoded(&operator.call("PUT", &path, &changed).await, 200);
    let read = operator.get("/mfa-providers").await;
    let mut named = read["data"].as_array().unwrap().iter();
    let radius = named.find(|one| one["name"] == "radius").unwrap();
    assert_eq!(radius["timeout"], 9);
    assert_eq!(
        operator.call("DELETE", &path, &Value::Null).await.status,
        204
    );

    let settings = json!({ "exemptedUsers": ["CN=admin,OU=local"], "providerId": "03542d1e-733c-4c43-a567-d28fbc4649a7" });
    let put = operator.call("PUT", "/admin-mfa-settings", &settings).await;
    assert_eq!(put.status, 204);
    assert_eq!(operator.get("/admin-mfa-settings").await, settings);
}
