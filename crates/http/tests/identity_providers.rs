//! The provider of identities, as administrators see and change it.

mod app;
#[path = "identity_providers/effects.rs"]
mod effects;
#[path = "identity_providers/refusals.rs"]
mod refusals;

use app::{Admin, Answer, errors, ok, with};
use serde_json::{Value, json};

const PROVIDERS: &str = "/admin/identity-providers";
const LOCAL: &str = "b5ea7cf0-6e75-11e4-9803-0800200c9a66";
const OTHER: &str = "11111111-2222-4333-8444-666666666666";

/// What is done to the provider.
impl Admin {
    async fn get(&self) -> Answer {
        let answer = self.send("GET", &format!("{PROVIDERS}/{LOCAL}"), "").await;
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
        answer
    }

    async fn put(&self, body: &Value) -> Answer {
        let path = format!("{PROVIDERS}/{LOCAL}");
        self.send("PUT", &path, body.to_string()).await
    }

    /// Changes some fields, as clients do: reads, and sends back everything.
    async fn change(&self, changes: &Value) -> Answer {
        self.put(&with(&self.get().await.json(), changes)).await
    }
}

/// What a client sends that knows only what it must.
fn minimal() -> Value {
    json!({ "name": "local", "type": "LocalDatabase" })
}

#[tokio::test]
async fn the_built_in_provider_is_as_clients_know_it() {
    let admin = Admin::start().await;
    let claim = |attribute: &str, claim: &str, list: bool| {
        json!({
            "attributeName": attribute, "claimName": claim, "list": list, "encrypt": false,
        })
    };
    let expected = json!({
        "id": LOCAL, "name": "local", "type": "LocalDatabase", "tags": ["builtin"],
        "notes": "Built-in Identity Provider on local database.",
        "created": "1970-01-01T00:00:00.000000Z", "updated": "1970-01-01T00:00:00.000000Z",
        "adminProvider": true, "userLockoutThreshold": 5, "userLockoutDurationMinutes": 1,
        "minPasswordLength": 0, "deviceLimitPerUser": 100_000, "inactivityTimeoutMinutes": 0,
        "networkInactivityTimeoutEnabled": false, "blockLocalDnsRequests": false,
        "enforceWindowsNetworkProfileAsDomain": false,
        "ipPoolV4": "f572b4ab-7963-4a90-9e5a-3bf033bfe2cc",
        "ipPoolV6": "6935b379-205d-4fdd-847f-a0b5f14aff53",
        "claimMappings": [
            claim("tags", "tags", true), claim("username", "username", false),
            claim("firstName", "firstName", false), claim("email", "emails", true),
            claim("lastName", "lastName", false), claim("id", "id", false),
            claim("phone", "phone", false),
        ],
    });
    assert_eq!(admin.get().await.json(), expected);
    let list = admin.send("GET", PROVIDERS, "").await;
    let envelope = json!({
        "data": [expected], "range": "0-1/1", "orderBy": "name", "descending": false,
        "queries": [], "totalCount": 1, "filterBy": [],
    });
    assert_eq!(ok(&list), envelope);
}

#[tokio::test]
async fn the_list_is_searched_and_cut_like_others() {
    let admin = Admin::start().await;
    let words = json!({ "notes": "Näh", "tags": ["Two words"] });
    ok(&admin.change(&words).await);
    for (query, found, range) in [
        ("query=local&orderBy=name&range=0-25", 1, "0-1/1"),
        ("query=LOCAL", 1, "0-1/1"),
        ("query=n%C3%A4h&query=two+words", 1, "0-1/1"),
        ("query=b5ea7cf0", 1, "0-1/1"),
        ("query=builtin", 1, "0-1/1"),
        ("query=radius", 0, "0-0/0"),
        ("query=local&query=radius", 0, "0-0/0"),
        ("range=0-0", 1, "0-0/1"),
        ("range=1-5", 0, "1-1/1"),
        ("descending=true", 1, "0-1/1"),
    ] {
        let list = ok(&admin.send("GET", &format!("{PROVIDERS}?{query}"), "").await);
        let data = list["data"].as_array().map(Vec::len);
        assert_eq!(
            (data, &list["range"]),
            (Some(found), &json!(range)),
            "{query}"
        );
        assert_eq!(list["totalCount"], 1, "{query}");
    }
}

#[tokio::test]
async fn what_was_read_can_be_put_back() {
    let admin = Admin::start().await;
    let changes = json!({
        "notes": "n", "tags": ["b", "builtin", "a"], "userLockoutThreshold": 7.0,
        "userLockoutDurationMinutes": 60, "minPasswordLength": 12,
    });
    let put = ok(&admin.change(&changes).await);
    let without_point = with(&changes, &json!({ "userLockoutThreshold": 7 }));
    assert_eq!(put, with(&put, &without_point));
    assert_eq!(put["updated"], "2026-01-01T00:00:00.000000Z");
    assert_eq!(admin.get().await.json(), put);

    admin.app.clock.advance(std::time::Duration::from_secs(1));
    let again = ok(&admin.put(&put).await);
    let updated = json!({ "updated": "2026-01-01T00:00:01.000000Z" });
    assert_eq!(again, with(&put, &updated));

    // In other words, with what only some clients know, and with what nobody may write.
    let mut claims = put["claimMappings"].as_array().cloned().expect("claims");
    claims.reverse();
    for claim in &mut claims {
        claim["encrypt"] = Value::Null;
    }
    let other_words = json!({
        "id": LOCAL.to_uppercase(), "created": "x", "updated": 7, "readOnly": true, "scope": "x",
        "ipPoolV4": "F572B4AB-7963-4A90-9E5A-3BF033BFE2CC", "ipPoolV6": null,
        "claimMappings": claims, "dnsServers": [], "dnsSearchDomains": null, "userScripts": [],
        "onDemandClaimMappings": [], "onBoarding2FA": {}, "deviceLimitPerUser": 100_000.0,
        "blockLocalDnsRequests": null,
    });
    assert_eq!(ok(&admin.put(&with(&put, &other_words)).await), again);
}

#[tokio::test]
async fn what_is_absent_has_its_default() {
    let admin = Admin::start().await;
    let built_in = admin.get().await.json();
    let changes = json!({
        "notes": "n", "tags": ["a"], "userLockoutThreshold": 7, "userLockoutDurationMinutes": 60,
        "minPasswordLength": 12,
    });
    ok(&admin.change(&changes).await);
    let put = ok(&admin.put(&minimal()).await);
    let differs = json!({ "notes": "", "updated": put["updated"] });
    assert_eq!(put, with(&built_in, &differs));
    assert_eq!(admin.get().await.json(), put);
    let tagged = ok(&admin
        .put(&with(&minimal(), &json!({ "tags": ["a"] })))
        .await);
    assert_eq!(tagged["tags"], json!(["builtin", "a"]));
}
