//! The Kubernetes injector, which learns the version from the names of identity providers.

use serde_json::json;

use super::{ADMIN_PASSWORD, Stage, decoded, newest_version};

#[tokio::test]
async fn it_signs_in() {
    let stage = Stage::new();
    let sent = "application/vnd.appgate.peer-v0+json";
    let names = "/identity-providers/names";
    let refused = stage.send("GET", names, &[("Accept", sent)], "").await;
    let newest = newest_version(&refused, sent);
    let accept = format!("application/vnd.appgate.peer-v{newest}+json");
    let headers = [
        ("Accept", accept.as_str()),
        ("Content-Type", "application/json"),
    ];
    let body = json!({
        "providerName": "local", "username": "admin", "password": ADMIN_PASSWORD,
        "deviceId": "0d4c9e61-95c1-45b8-a33b-4ea4a3f2f0a7",
    });
    let signed_in = stage
        .send("POST", "/login", &headers, &body.to_string())
        .await;
    let signed_in = decoded(&signed_in, 200);
    let user = &signed_in["user"];
    assert!(user["name"].is_string() && signed_in["expires"].is_string());
    assert!(user["needTwoFactorAuth"].is_boolean() && user["canAccessAuditLogs"].is_boolean());
}
