//! Providers of second factors, as administrators see and make them.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod app;
#[path = "providers/changes.rs"]
mod changes;
#[path = "providers/refusals.rs"]
mod refusals;
#[path = "providers/test_route.rs"]
mod test_route;

use app::{Admin, Answer, errors, ok, with};
use serde_json::{Value, json};

const PROVIDERS: &str = "/admin/mfa-providers";
const TOTP: &str = "03542d1e-733c-4c43-a567-d28fbc4649a7";
const FIDO2: &str = "3ae98d53-c520-437f-99e4-451f936e6d2c";
const ID: &str = "11111111-2222-4333-8444-555555555555";
const OTHER: &str = "11111111-2222-4333-8444-666666666666";

/// What is done to the providers.
impl Admin {
    async fn get(&self, id: &str) -> Answer {
        self.send("GET", &format!("{PROVIDERS}/{id}"), "").await
    }

    async fn post(&self, body: &Value) -> Answer {
        self.send("POST", PROVIDERS, body.to_string()).await
    }

    async fn put(&self, id: &str, body: &Value) -> Answer {
        let path = format!("{PROVIDERS}/{id}");
        self.send("PUT", &path, body.to_string()).await
    }

    async fn delete(&self, id: &str) -> Answer {
        self.send("DELETE", &format!("{PROVIDERS}/{id}"), "").await
    }

    /// How many providers there are.
    async fn total(&self) -> Value {
        let list = self.send("GET", PROVIDERS, "").await;
        list.json()["totalCount"].clone()
    }

    /// Whether this is the secret that is stored: it may not be the challenge secret as well. If
    /// it is not, it is the challenge secret afterwards.
    async fn has_shared_secret(&self, id: &str, secret: &str) -> bool {
        let stored = self.get(id).await.json();
        let body = with(&stored, &json!({ "challengeSharedSecret": secret }));
        self.put(id, &body).await.status.as_u16() == 422
    }
}

/// What a client sends that knows only what it must.
fn minimal() -> Value {
    json!({
        "id": ID, "name": "Minimal", "type": "Radius", "hostnames": ["mfa.company.com"],
        "port": 1812, "sharedSecret": "a shared secret", "challengeSharedSecret": "secretString",
    })
}
