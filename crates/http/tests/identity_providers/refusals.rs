//! Everything that can be wrong with a change of the provider.

use serde_json::{Value, json};
use vestibule_engine::token::admit;
use vestibule_engine::{NewToken, Token};
use vestibule_store::{Swap, Tokens as _};

use super::{Admin, LOCAL, OTHER, PROVIDERS, errors, minimal, with};

#[tokio::test]
async fn all_errors_are_told_at_once() {
    let admin = Admin::start().await;
    let before = admin.get().await.text;
    let empty = admin.put(&json!({})).await;
    assert_eq!(
        errors(&empty),
        ["name may not be null", "type may not be null"]
    );
    let everything = json!({
        "id": "x", "name": "Local", "type": "Ldap", "notes": "\0", "tags": [""],
        "adminProvider": false, "userLockoutThreshold": 0, "userLockoutDurationMinutes": 0.5,
        "minPasswordLength": -1, "ipPoolV4": "x", "ipPoolV6": OTHER, "deviceLimitPerUser": 100,
        "inactivityTimeoutMinutes": 1, "networkInactivityTimeoutEnabled": true,
        "blockLocalDnsRequests": true, "enforceWindowsNetworkProfileAsDomain": true,
        "claimMappings": [], "onDemandClaimMappings": [{}], "userScripts": [OTHER],
        "dnsServers": ["192.0.2.1"], "dnsSearchDomains": ["example"],
        "onBoarding2FA": { "mfaProviderId": OTHER },
    });
    insta::assert_snapshot!(errors(&admin.put(&everything).await).join("\n"), @"
id is not a UUID
notes may not contain a null character
tags[0] must have 1 to 1024 bytes and no control characters
userLockoutThreshold must be a whole number from 1 to 1000
userLockoutDurationMinutes must be a whole number from 1 to 525600
minPasswordLength must be a whole number from 0 to 256
name may not be changed: it is built in
type may not be changed
adminProvider must be true: administrators sign in with nothing else
ipPoolV4 may not be changed: it is not supported
ipPoolV6 may not be changed: it is not supported
deviceLimitPerUser may not be changed: it is not supported
inactivityTimeoutMinutes may not be changed: it is not supported
claimMappings may not be changed: it is not supported
networkInactivityTimeoutEnabled is not supported
blockLocalDnsRequests is not supported
enforceWindowsNetworkProfileAsDomain is not supported
onDemandClaimMappings is not supported
userScripts is not supported
dnsServers is not supported
dnsSearchDomains is not supported
onBoarding2FA is not supported
");
    assert_eq!(
        admin.get().await.text,
        before,
        "what is refused changes nothing"
    );
}

#[tokio::test]
async fn one_thing_wrong() {
    let admin = Admin::start().await;
    let before = admin.get().await;
    let mut claims = before.json()["claimMappings"].clone();
    claims[0]["encrypt"] = json!(true);
    for change in [
        json!({ "id": OTHER }),
        json!({ "name": null }),
        json!({ "name": "" }),
        json!({ "type": "localdatabase" }),
        json!({ "notes": "x".repeat(16_385) }),
        json!({ "userLockoutThreshold": 1_001 }),
        json!({ "userLockoutThreshold": 5.5 }),
        json!({ "userLockoutThreshold": 1e300 }),
        json!({ "userLockoutDurationMinutes": 525_601 }),
        json!({ "userLockoutDurationMinutes": -1 }),
        json!({ "minPasswordLength": 257 }),
        json!({ "minPasswordLength": 0.1 }),
        json!({ "claimMappings": claims }),
        json!({ "claimMappings": [{}] }),
        json!({ "deviceLimitPerUser": 100_000.5 }),
    ] {
        let found = errors(&admin.put(&with(&before.json(), &change)).await);
        assert_eq!(found.len(), 1, "{change} {found:?}");
    }
    for change in [
        json!({ "userLockoutThreshold": "5" }),
        json!({ "adminProvider": "true" }),
        json!({ "claimMappings": {} }),
        json!({ "dnsServers": "192.0.2.1" }),
        json!({ "tags": [null] }),
    ] {
        let bad = admin.put(&with(&before.json(), &change)).await;
        bad.is(400, "bad request");
    }
    assert_eq!(admin.get().await.text, before.text);
}

/// What is wrong with the body comes before the question whether there is such a provider.
#[tokio::test]
async fn there_is_no_other() {
    let admin = Admin::start().await;
    for id in [OTHER, "nonsense", "%FF"] {
        let path = format!("{PROVIDERS}/{id}");
        let send =
            async |method: &str, body: &Value| admin.send(method, &path, body.to_string()).await;
        send("GET", &json!({})).await.is(404, "not found");
        send("DELETE", &json!({})).await.is(404, "not found");
        send("PUT", &minimal()).await.is(404, "not found");
        let bad = with(&minimal(), &json!({ "minPasswordLength": 1.5, "id": "x" }));
        let bad = errors(&send("PUT", &bad).await);
        assert_eq!(bad.len(), 2, "{bad:?}");
    }
}

#[tokio::test]
async fn none_is_made_and_none_deleted() {
    let admin = Admin::start().await;
    let before = admin.get().await.text;
    let post = async |body: Value| admin.send("POST", PROVIDERS, body.to_string()).await;
    let refusal = "type cannot be made: only the built-in provider exists";
    for kind in ["LocalDatabase", "Ldap", "Radius", "x"] {
        let new = json!({ "name": "new", "type": kind, "hostnames": ["ldap.example"] });
        assert_eq!(errors(&post(new).await), [refusal]);
    }
    let bad = json!({ "type": "Saml", "userLockoutThreshold": 0 });
    assert_eq!(
        errors(&post(bad).await),
        [
            "name may not be null",
            "userLockoutThreshold must be a whole number from 1 to 1000",
            refusal,
        ]
    );
    assert_eq!(
        errors(&post(json!({ "name": "x" })).await),
        ["type may not be null"]
    );
    let path = format!("{PROVIDERS}/{LOCAL}");
    let deleted = admin.send("DELETE", &path, "").await;
    insta::assert_snapshot!(deleted.shown(), @r#"409 {"id":"conflict","message":"The identity provider is built in and cannot be deleted."}"#);
    assert_eq!(admin.get().await.text, before);
}

/// An administrator without the privilege is stopped before the body is looked at, and whoever is
/// no administrator before that.
#[tokio::test]
async fn privileges_come_first() {
    let admin = Admin::start().await;
    let app = &admin.app;
    app.add_user(&admin.token, "nobody").await.json();
    let partial = app.partial("nobody").await;
    // Nobody is given such a token, as there are no roles that hold some privileges only.
    let hash = Token::parse(&partial).expect("a token").hash();
    let bearer = app.store.bearer(&hash).await;
    let bearer = bearer.expect("a store").expect("a bearer");
    let admission = admit(&bearer.token, None).expect("nothing is due");
    let token = Token::from_bytes([9; 32]);
    let new = NewToken::admin(&token, &admission);
    let minted = app.store.mint(&hash, &new, None, &[]).await;
    assert_eq!(minted.expect("a store"), Swap::Done);
    let without = token.reveal().expose().clone();

    let path = format!("{PROVIDERS}/{LOCAL}");
    let garbage = "x".repeat(100_000);
    for (method, path) in [
        ("GET", PROVIDERS),
        ("POST", PROVIDERS),
        ("GET", &path),
        ("PUT", &path),
        ("DELETE", &path),
        ("DELETE", &format!("{PROVIDERS}/nonsense")),
    ] {
        let call = || app.call(method, path).bytes(garbage.as_str());
        call().send().await.is(401, "unauthorized");
        let call_as = |token: &str| call().bearer(token).send();
        call_as(&partial).await.is(401, "unauthorized");
        call_as(&without).await.is(403, "forbidden");
    }
    let put = app.call("PUT", PROVIDERS).send().await;
    put.is(405, "method not allowed");
}
