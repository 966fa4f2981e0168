//! What can be done with providers, and what becomes of them.

use serde_json::json;

use super::{Admin, FIDO2, ID, OTHER, PROVIDERS, TOTP, errors, minimal, ok, with};

const SETTINGS: &str = "/admin/admin-mfa-settings";

#[tokio::test]
async fn one_is_made_with_defaults() {
    let admin = Admin::start().await;
    let made = admin.post(&minimal()).await;
    insta::assert_snapshot!(made.shown(), @r#"200 {"id":"11111111-2222-4333-8444-555555555555","name":"Minimal","notes":"","created":"2026-01-01T00:00:00.000000Z","updated":"2026-01-01T00:00:00.000000Z","tags":[],"type":"Radius","inputType":"Masked","hostnames":["mfa.company.com"],"port":1812,"authenticationProtocol":"CHAP","timeout":6,"mode":"Challenge","useUserPassword":false,"requireMessageAuthenticator":true,"statusServer":false}"#);
    assert_eq!(admin.get(ID).await.text, made.text);
}

#[tokio::test]
async fn one_is_made_with_everything() {
    let admin = Admin::start().await;
    let full = json!({
        "id": "ABCDEF01-2222-4333-8444-555555555555", "name": "Full", "type": "Radius",
        "notes": "n", "tags": ["b", "a"], "hostnames": ["MFA.company.com", "192.0.2.1", "::1"],
        "port": 1645.0, "inputType": "Text", "sharedSecret": "helloworld", "timeout": 300.0,
        "authenticationProtocol": "PAP", "mode": "Push", "useUserPassword": true,
        "requireMessageAuthenticator": false, "nasIdentifier": "nas", "sourceAddress": "192.0.2.7",
        "statusServer": true, "created": "x", "updated": 7, "readOnly": true, "unknown": {},
    });
    let made = admin.post(&full).await;
    insta::assert_snapshot!(made.shown(), @r#"200 {"id":"abcdef01-2222-4333-8444-555555555555","name":"Full","notes":"n","created":"2026-01-01T00:00:00.000000Z","updated":"2026-01-01T00:00:00.000000Z","tags":["b","a"],"type":"Radius","inputType":"Text","hostnames":["MFA.company.com","192.0.2.1","::1"],"port":1645,"authenticationProtocol":"PAP","timeout":300,"mode":"Push","useUserPassword":true,"requireMessageAuthenticator":false,"nasIdentifier":"nas","sourceAddress":"192.0.2.7","statusServer":true}"#);
    assert!(!made.text.contains("helloworld"));
    let without_id = with(&minimal(), &json!({ "id": null, "name": "Third" }));
    let third = ok(&admin.post(&without_id).await);
    let id = third["id"].as_str().unwrap_or_default();
    assert_eq!(ok(&admin.get(id).await), third);

    let search = format!("{PROVIDERS}?query=FULL&query=abcdef01");
    let list = ok(&admin.send("GET", &search, "").await);
    assert_eq!(
        (&list["range"], &list["totalCount"]),
        (&json!("0-1/1"), &json!(4))
    );
    let list = ok(&admin.send("GET", PROVIDERS, "").await);
    let names: Vec<_> = list["data"].as_array().into_iter().flatten().collect();
    let names: Vec<_> = names.iter().map(|one| &one["name"]).collect();
    assert_eq!(
        names,
        [
            "Default FIDO2 Provider",
            "Default Time-Based OTP Provider",
            "Full",
            "Third"
        ]
    );
}

#[tokio::test]
async fn names_and_ids_are_taken_once() {
    let admin = Admin::start().await;
    ok(&admin.post(&minimal()).await);
    for (taken, says) in [
        (json!({ "name": "New" }), "id"),
        (json!({ "id": OTHER }), "name"),
        (json!({ "id": OTHER, "name": "MINIMAL" }), "name"),
        (
            json!({ "id": OTHER, "name": "default fido2 provider" }),
            "name",
        ),
        (json!({ "id": TOTP, "name": "New" }), "id"),
    ] {
        let answer = admin.post(&with(&minimal(), &taken)).await;
        let message = format!("An MFA provider with this {says} exists already.");
        assert_eq!(answer.is(409, "conflict").json()["message"], message);
    }
    ok(&admin
        .post(&with(&minimal(), &json!({ "id": OTHER, "name": "Other" })))
        .await);
    let renamed = with(&minimal(), &json!({ "name": "other" }));
    admin.put(ID, &renamed).await.is(409, "conflict");
    let respelt = with(&minimal(), &json!({ "name": "MINIMAL" }));
    assert_eq!(ok(&admin.put(ID, &respelt).await)["name"], "MINIMAL");
}

#[tokio::test]
async fn a_put_replaces_all_but_the_extensions_and_the_secrets() {
    let admin = Admin::start().await;
    let rich = json!({
        "notes": "n", "tags": ["a"], "inputType": "Text", "authenticationProtocol": "PAP",
        "timeout": 60, "mode": "Push", "useUserPassword": true, "nasIdentifier": "nas",
        "requireMessageAuthenticator": false, "sourceAddress": "192.0.2.7", "statusServer": true,
    });
    let created = ok(&admin.post(&with(&minimal(), &rich)).await)["created"].clone();
    admin.app.clock.advance(std::time::Duration::from_secs(1));
    let bare = json!({ "name": "Bare", "type": "Radius", "hostnames": ["a.example"], "port": 1 });
    let put = admin.put(ID, &bare).await;
    insta::assert_snapshot!(put.shown(), @r#"200 {"id":"11111111-2222-4333-8444-555555555555","name":"Bare","notes":"","created":"2026-01-01T00:00:00.000000Z","updated":"2026-01-01T00:00:01.000000Z","tags":[],"type":"Radius","inputType":"Masked","hostnames":["a.example"],"port":1,"authenticationProtocol":"CHAP","timeout":6,"mode":"Challenge","useUserPassword":false,"requireMessageAuthenticator":false,"nasIdentifier":"nas","sourceAddress":"192.0.2.7","statusServer":true}"#);
    assert_eq!(put.json()["created"], created);
    assert!(admin.has_shared_secret(ID, "a shared secret").await);

    let cleared = json!({ "nasIdentifier": "", "sourceAddress": "", "statusServer": false });
    let put = ok(&admin.put(ID, &with(&bare, &cleared)).await);
    assert_eq!(put.get("nasIdentifier"), None);
    assert_eq!(put.get("sourceAddress"), None);
    assert_eq!(put["statusServer"], false);
    assert_eq!(put["requireMessageAuthenticator"], false, "it is kept");
}

/// What was read can be sent back as it is, as one client does whenever it changes something.
#[tokio::test]
async fn what_was_got_can_be_put() {
    let admin = Admin::start().await;
    let made = ok(&admin.post(&minimal()).await);
    for id in [ID, TOTP, FIDO2] {
        let got = ok(&admin.get(id).await);
        let put = ok(&admin.put(id, &got).await);
        assert_eq!(with(&put, &json!({ "updated": got["updated"] })), got);
        let by_body = ok(&admin.send("PUT", PROVIDERS, got.to_string()).await);
        assert_eq!(with(&by_body, &json!({ "updated": got["updated"] })), got);
    }
    assert!(admin.has_shared_secret(ID, "a shared secret").await);
    assert_eq!(made["id"], ID);
}

#[tokio::test]
async fn secrets_change_only_when_they_are_sent() {
    let admin = Admin::start().await;
    ok(&admin.post(&minimal()).await);
    let stored = ok(&admin.get(ID).await);
    let moved = with(
        &stored,
        &json!({ "hostnames": ["elsewhere.example"], "port": 1645, "mode": "OneFactor",
            "requireMessageAuthenticator": false, "sourceAddress": "192.0.2.7" }),
    );
    ok(&admin.put(ID, &moved).await);
    assert!(admin.has_shared_secret(ID, "a shared secret").await);
    assert!(!admin.has_shared_secret(ID, "another").await);
    // That was a change: the challenge secret is `another` now.
    let same = with(&stored, &json!({ "sharedSecret": "another" }));
    insta::assert_snapshot!(admin.put(ID, &same).await.shown(), @r#"422 {"id":"unprocessable entity","message":"Validation failed.","errors":[{"field":"sharedSecret","message":"may not be the challengeSharedSecret"}]}"#);
    ok(&admin
        .put(
            ID,
            &with(&stored, &json!({ "sharedSecret": "a third one" })),
        )
        .await);
    assert!(admin.has_shared_secret(ID, "a third one").await);
    assert!(!admin.has_shared_secret(ID, "a shared secret").await);
}

/// Whoever changes notes while somebody changes the secret does not bring the old secret back.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_secret_that_is_changed_meanwhile_is_not_lost() {
    let admin = std::sync::Arc::new(Admin::start().await);
    let stored = ok(&admin.post(&minimal()).await);
    for round in 0..200 {
        let secret = format!("the secret of round {round}");
        let bodies = [
            with(&stored, &json!({ "notes": round.to_string() })),
            with(&stored, &json!({ "sharedSecret": secret })),
            with(&stored, &json!({ "port": 1 + round })),
        ];
        let puts = bodies.map(|body| {
            let admin = std::sync::Arc::clone(&admin);
            tokio::spawn(async move { admin.put(ID, &body).await.status.as_u16() })
        });
        for put in puts {
            assert_eq!(put.await.expect("an answer"), 200);
        }
        assert!(admin.has_shared_secret(ID, &secret).await, "round {round}");
    }
}

#[tokio::test]
async fn what_is_built_in_can_be_labelled() {
    let admin = Admin::start().await;
    let put = json!({
        "name": "Default Time-Based OTP Provider", "type": "DefaultTimeBased", "notes": "ours",
        "tags": ["a"], "inputType": "Masked", "hostnames": [], "port": 99_999, "sharedSecret": "",
    });
    let changed = ok(&admin.put(TOTP, &put).await);
    assert_eq!(changed["tags"], json!(["builtin", "a"]));
    assert_eq!(
        (&changed["notes"], &changed["inputType"]),
        (&json!("ours"), &json!("Masked"))
    );
    assert_eq!(changed.get("hostnames"), None);
    let renamed = json!({ "name": "x", "type": "Radius" });
    insta::assert_snapshot!(admin.put(TOTP, &renamed).await.shown(), @r#"422 {"id":"unprocessable entity","message":"Validation failed.","errors":[{"field":"type","message":"may not be changed"},{"field":"name","message":"may not be changed: it is built in"}]}"#);
    insta::assert_snapshot!(admin.put(FIDO2, &json!({})).await.shown(), @r#"422 {"id":"unprocessable entity","message":"Validation failed.","errors":[{"field":"name","message":"may not be null"},{"field":"type","message":"may not be null"}]}"#);
    for id in [TOTP, FIDO2] {
        admin.delete(id).await.is(409, "conflict");
    }
}

#[tokio::test]
async fn one_that_administrators_need_is_not_deleted() {
    let admin = Admin::start().await;
    ok(&admin.post(&minimal()).await);
    let choose = async |provider: &str| {
        let body = json!({ "providerId": provider, "exemptedUsers": [] });
        admin.send("PUT", SETTINGS, body.to_string()).await
    };
    assert_eq!(choose(ID).await.status.as_u16(), 204);
    assert_eq!(ok(&admin.send("GET", SETTINGS, "").await)["providerId"], ID);
    insta::assert_snapshot!(admin.delete(ID).await.shown(), @r#"409 {"id":"conflict","message":"The MFA provider is the providerId of the admin MFA settings. Choose another one there first."}"#);
    assert_eq!(choose(TOTP).await.status.as_u16(), 204);
    let gone = admin.delete(ID).await;
    assert_eq!((gone.status.as_u16(), gone.text.as_str()), (204, ""));
    admin.delete(ID).await.is(404, "not found");
    admin.get(ID).await.is(404, "not found");
    insta::assert_snapshot!(choose(ID).await.shown(), @r#"422 {"id":"unprocessable entity","message":"Validation failed.","errors":[{"field":"providerId","message":"is not the id of an MFA provider"}]}"#);
    let wrong = json!({ "providerId": ID, "exemptedUsers": ["alice"] }).to_string();
    assert_eq!(
        errors(&admin.send("PUT", SETTINGS, wrong).await),
        [
            "providerId is not the id of an MFA provider",
            "exemptedUsers[0] must have the form CN=user,OU=provider",
        ]
    );
    assert_eq!(
        ok(&admin.send("GET", SETTINGS, "").await)["providerId"],
        TOTP
    );
}
