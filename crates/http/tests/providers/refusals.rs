//! Everything that can be wrong with a provider.

use serde_json::{Value, json};

use super::{Admin, ID, OTHER, PROVIDERS, TOTP, errors, minimal, ok, with};

#[tokio::test]
async fn all_errors_are_told_at_once() {
    let admin = Admin::start().await;
    let empty = admin.send("POST", PROVIDERS, "{}").await;
    insta::assert_snapshot!(errors(&empty).join("\n"), @"
name may not be null
type may not be null
hostnames may not be null
port may not be null
sharedSecret may not be null
challengeSharedSecret may not be null in the modes Challenge and Push, unless useUserPassword is true
");
    let everything = json!({
        "id": "x", "name": "", "type": "Ldap", "notes": "\0", "tags": [""], "inputType": "Number",
        "hostnames": ["radius://a", "b.example", "B.example", ""], "port": 0, "sharedSecret": "",
        "authenticationProtocol": "chap", "timeout": 0.5, "mode": "", "challengeSharedSecret": "",
        "nasIdentifier": "\n", "sourceAddress": "eth0",
    });
    insta::assert_snapshot!(errors(&admin.post(&with(&minimal(), &everything)).await).join("\n"), @"
id is not a UUID
name may not be empty
notes may not contain a null character
tags[0] must have 1 to 1024 bytes and no control characters
inputType must be one of Masked, Numeric, Text
type must be Radius
hostnames[0] is not a host name or an IP address
hostnames[2] is there already
hostnames[3] may not be empty
port must be a whole number from 1 to 65535
authenticationProtocol must be one of PAP, CHAP
timeout must be a whole number from 1 to 300
mode must be one of OneFactor, Challenge, Push
nasIdentifier may not contain control characters
sourceAddress is not an IP address
sharedSecret may not be empty
challengeSharedSecret may not be empty
");
    assert_eq!(admin.total().await, 2, "what is refused changes nothing");
}

#[tokio::test]
async fn one_thing_wrong() {
    let admin = Admin::start().await;
    let long = |length: usize| "x".repeat(length);
    let many: Vec<_> = (0..17).map(|n| format!("s{n}.example")).collect();
    let mut found = Vec::new();
    for change in [
        json!({ "name": long(256) }),
        json!({ "name": " R" }),
        json!({ "name": "a\nb" }),
        json!({ "notes": long(16_385) }),
        json!({ "type": null }),
        json!({ "type": "radius" }),
        json!({ "type": "Fido2" }),
        json!({ "type": "DefaultTimeBased", "hostnames": null, "port": null }),
        json!({ "hostnames": [] }),
        json!({ "hostnames": many }),
        json!({ "hostnames": [long(254)] }),
        json!({ "hostnames": ["a.example:1812"] }),
        json!({ "hostnames": ["2001:db8::1", "2001:DB8:0::1"] }),
        json!({ "port": 65_536 }),
        json!({ "port": 1812.5 }),
        json!({ "port": -1 }),
        json!({ "port": 1e300 }),
        json!({ "timeout": 301 }),
        json!({ "timeout": 0 }),
        json!({ "sharedSecret": long(257) }),
        json!({ "sharedSecret": null }),
        json!({ "challengeSharedSecret": null }),
        json!({ "challengeSharedSecret": null, "mode": "Push", "useUserPassword": false }),
        json!({ "challengeSharedSecret": long(129) }),
        json!({ "challengeSharedSecret": "a\0b" }),
        json!({ "challengeSharedSecret": "a shared secret" }),
        json!({ "nasIdentifier": long(254) }),
        json!({ "sourceAddress": "0.0.0.0" }),
    ] {
        let answer = admin.post(&with(&minimal(), &change)).await;
        assert!(!answer.text.contains("a shared secret"), "{}", answer.text);
        let errors = errors(&answer);
        assert_eq!(errors.len(), 1, "{errors:?}");
        found.extend(errors);
    }
    insta::assert_snapshot!(found.join("\n"), @"
name may not be longer than 255 bytes
name may not begin or end with white space
name may not contain control characters
notes may not be longer than 16384 bytes
type may not be null
type must be Radius
type is built in, and cannot be made
type is built in, and cannot be made
hostnames may not be empty
hostnames may not be more than 16
hostnames[0] may not be longer than 253 bytes
hostnames[0] is not a host name or an IP address
hostnames[1] is there already
port must be a whole number from 1 to 65535
port must be a whole number from 1 to 65535
port must be a whole number from 1 to 65535
port must be a whole number from 1 to 65535
timeout must be a whole number from 1 to 300
timeout must be a whole number from 1 to 300
sharedSecret may not be longer than 256 bytes
sharedSecret may not be null
challengeSharedSecret may not be null in the modes Challenge and Push, unless useUserPassword is true
challengeSharedSecret may not be null in the modes Challenge and Push, unless useUserPassword is true
challengeSharedSecret may not be longer than 128 bytes
challengeSharedSecret may not contain a null character
challengeSharedSecret may not be the sharedSecret
nasIdentifier may not be longer than 253 bytes
sourceAddress is not the address of a machine
");
    assert_eq!(admin.total().await, 2);
}

#[tokio::test]
async fn the_ends_of_what_is_fine() {
    let admin = Admin::start().await;
    let long = |length: usize| "x".repeat(length);
    let many: Vec<_> = (0..16).map(|n| format!("s{n}.example")).collect();
    for (n, change) in [
        json!({ "name": long(255), "notes": long(16_384) }),
        json!({ "hostnames": many, "port": 65_535, "timeout": 300 }),
        json!({ "port": 1, "timeout": 1.0 }),
        json!({ "sharedSecret": "x", "challengeSharedSecret": long(128) }),
        json!({ "sharedSecret": long(256), "nasIdentifier": long(253) }),
        json!({ "challengeSharedSecret": null, "useUserPassword": true }),
        json!({ "challengeSharedSecret": null, "mode": "OneFactor" }),
        json!({ "nasIdentifier": "", "sourceAddress": "" }),
        json!({ "notes": null, "tags": null, "inputType": null, "timeout": null, "mode": null }),
    ]
    .into_iter()
    .enumerate()
    {
        let mut change = change;
        change["id"] = Value::Null;
        if change.get("name").is_none() {
            change["name"] = json!(format!("Provider {n}"));
        }
        let answer = admin.post(&with(&minimal(), &change)).await;
        assert_eq!(answer.status.as_u16(), 200, "{n}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_wrong_json_type_is_a_bad_request() {
    let admin = Admin::start().await;
    ok(&admin.post(&minimal()).await);
    for change in [
        json!({ "port": "1812" }),
        json!({ "timeout": true }),
        json!({ "hostnames": "a.example" }),
        json!({ "hostnames": [null] }),
        json!({ "useUserPassword": 1 }),
        json!({ "sharedSecret": ["a"] }),
        json!({ "mode": 7 }),
        json!({ "statusServer": "true" }),
    ] {
        admin
            .post(&with(&minimal(), &change))
            .await
            .is(400, "bad request");
        admin
            .put(ID, &with(&minimal(), &change))
            .await
            .is(400, "bad request");
    }
    for body in ["", "[]", "{", "null"] {
        admin
            .send("POST", PROVIDERS, body)
            .await
            .is(400, "bad request");
    }
}

#[tokio::test]
async fn puts() {
    let admin = Admin::start().await;
    ok(&admin.post(&minimal()).await);
    let before = admin.get(ID).await.text;
    let mut found = Vec::new();
    for change in [
        json!({ "id": OTHER }),
        json!({ "id": "x" }),
        json!({ "type": null }),
        json!({ "type": "DefaultTimeBased" }),
        json!({ "type": "Managed by terraform" }),
        json!({ "sharedSecret": "" }),
        json!({ "challengeSharedSecret": "" }),
        json!({ "sharedSecret": null, "challengeSharedSecret": "a shared secret" }),
        json!({ "sharedSecret": "secretString", "challengeSharedSecret": null }),
        json!({ "hostnames": null, "sharedSecret": null }),
        json!({ "port": null }),
        json!({ "name": null }),
    ] {
        let errors = errors(&admin.put(ID, &with(&minimal(), &change)).await);
        assert_eq!(errors.len(), 1, "{errors:?}");
        found.extend(errors);
    }
    insta::assert_snapshot!(found.join("\n"), @"
id is not the id in the path
id is not a UUID
type may not be null
type may not be changed
type may not be changed
sharedSecret may not be empty
challengeSharedSecret may not be empty
challengeSharedSecret may not be the sharedSecret
sharedSecret may not be the challengeSharedSecret
hostnames may not be null
port may not be null
name may not be null
");
    assert_eq!(admin.get(ID).await.text, before);
}

#[tokio::test]
async fn a_challenge_secret_is_missed_when_it_becomes_needed() {
    let admin = Admin::start().await;
    let password = json!({ "challengeSharedSecret": null, "useUserPassword": true });
    ok(&admin.post(&with(&minimal(), &password)).await);
    let without = with(&minimal(), &json!({ "challengeSharedSecret": null }));
    let put = admin.put(ID, &without).await;
    insta::assert_snapshot!(errors(&put).join("\n"), @"challengeSharedSecret may not be null in the modes Challenge and Push, unless useUserPassword is true");
}

/// What is wrong with the body comes before the question whether there is such a provider.
#[tokio::test]
async fn puts_to_nobody() {
    let admin = Admin::start().await;
    for id in [OTHER, "nonsense", "%FF"] {
        let change = json!({ "id": null, "sharedSecret": null, "challengeSharedSecret": null });
        let good = with(&minimal(), &change);
        admin.put(id, &good).await.is(404, "not found");
        let bad = with(&good, &json!({ "port": 0, "type": "x" }));
        assert_eq!(
            errors(&admin.put(id, &bad).await),
            [
                "type must be Radius, DefaultTimeBased or Fido2",
                "port must be a whole number from 1 to 65535",
            ]
        );
        admin.delete(id).await.is(404, "not found");
        admin.get(id).await.is(404, "not found");
    }
    let by_body = async |id: Value| {
        let body = with(&minimal(), &json!({ "id": id })).to_string();
        admin.send("PUT", PROVIDERS, body).await
    };
    by_body(json!(OTHER)).await.is(404, "not found");
    assert_eq!(errors(&by_body(Value::Null).await), ["id may not be null"]);
    assert_eq!(errors(&by_body(json!("x")).await), ["id is not a UUID"]);
}

#[tokio::test]
async fn tokens_come_first() {
    let admin = Admin::start().await;
    let partial = admin.app.partial("admin").await;
    let garbage = "x".repeat(100_000);
    for (method, path) in [
        ("GET", PROVIDERS),
        ("POST", PROVIDERS),
        ("PUT", PROVIDERS),
        ("GET", &format!("{PROVIDERS}/{TOTP}")),
        ("PUT", &format!("{PROVIDERS}/{TOTP}")),
        ("DELETE", &format!("{PROVIDERS}/{TOTP}")),
        ("DELETE", &format!("{PROVIDERS}/nonsense")),
    ] {
        let nobody = admin.app.call(method, path).bytes(garbage.as_str());
        nobody.send().await.is(401, "unauthorized");
        let call = admin.app.call(method, path).bytes(garbage.as_str());
        call.bearer(&partial).send().await.is(401, "unauthorized");
    }
    let patch = admin.app.call("PATCH", PROVIDERS);
    patch.send().await.is(405, "method not allowed");
}
