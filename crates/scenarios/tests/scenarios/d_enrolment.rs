//! Enrolment, its end, and who needs none: S28 to S30 and S33 to S35.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_testkit::client::{Answer, Client, DEVICE};
use vestibule_testkit::site::Backend;

use crate::f_disclosure::audit_trail::run;
use crate::radius_stage::TOTP;
use crate::{PASSWORD, STEP, on_both_databases, with_alice, with_alice_at};

on_both_databases!(
    s28_a_password_alone_neither_shows_nor_replaces_a_seed,
    s29_a_seed_that_was_abandoned_is_no_second_key,
    s29_a_seed_that_nobody_verified_expires,
    s30_who_enrols_too_late_is_not_shown_a_seed,
    s33_an_exemption_is_of_a_user_and_not_of_a_name,
    s34_a_broken_list_of_the_exempt_lets_nobody_off,
    s35_a_reset_ends_the_login_in_flight,
);

/// Whoever has only the password of a user with a verified seed learns nothing of it, and cannot
/// get rid of it.
async fn s28_a_password_alone_neither_shows_nor_replaces_a_seed(backend: Backend) {
    let (site, server, _) = with_alice(backend).await;
    let client = server.client();
    let (authenticator, _) = client.enrol("alice", PASSWORD, site.now()).await;
    let thief = client.sign_in("alice", PASSWORD).await.token();
    for _ in 0..2 {
        let shown = client.initialize(&thief).await;
        assert_eq!(
            shown.text,
            r#"{"type":"AlreadySeeded","inputType":"Numeric"}"#
        );
        client
            .delete("/admin/otp/seeds/CN=alice,OU=local", &thief)
            .await
            .is(401);
    }
    site.advance(STEP);
    let partial = client.sign_in("alice", PASSWORD).await.token();
    client
        .otp(&partial, &authenticator.code(site.now()))
        .await
        .token();
}

/// After an administrator's reset the old authenticator is worth nothing, for whoever was half in
/// as well.
async fn s35_a_reset_ends_the_login_in_flight(backend: Backend) {
    let (site, server, admin) = with_alice(backend).await;
    let client = server.client();
    let (old, verified) = client.enrol("alice", PASSWORD, site.now()).await;
    site.advance(STEP);
    let partial = client.sign_in("alice", PASSWORD).await.token();
    client.initialize(&partial).await.is(200);
    client
        .delete("/admin/otp/seeds/CN=alice,OU=local", &admin)
        .await
        .is(204);
    client.otp(&partial, &old.code(site.now())).await.is(401);
    client.authorize(&verified).await.is(403);

    let partial = client.sign_in("alice", PASSWORD).await.token();
    client.otp(&partial, &old.code(site.now())).await.is(401);
    let new = client.set_up(&partial).await;
    client.otp(&partial, &old.code(site.now())).await.is(401);
    client.otp(&partial, &new.code(site.now())).await.token();
}

/// A seed that was shown and left is worth nothing once another is verified, to whoever has it.
async fn s29_a_seed_that_was_abandoned_is_no_second_key(backend: Backend) {
    let (site, server, _) = with_alice(backend).await;
    let client = server.client();
    let thief = client.sign_in("alice", PASSWORD).await.token();
    let abandoned = client.set_up(&thief).await;
    let (authenticator, _) = client.enrol("alice", PASSWORD, site.now()).await;
    site.advance(STEP);
    let code = abandoned.code(site.now());
    client.otp(&thief, &code).await.is(401);
    let again = client.sign_in("alice", PASSWORD).await.token();
    client.otp(&again, &code).await.is(401);
    let shown = client.initialize(&thief).await.json();
    assert_eq!(shown["type"], "AlreadySeeded");
    client
        .otp(&again, &authenticator.code(site.now()))
        .await
        .token();
}

/// Nobody may take days to verify a seed: it is gone, and the next sign-in is shown another.
async fn s29_a_seed_that_nobody_verified_expires(backend: Backend) {
    let tokens = "[tokens]\npartial = \"36h\"\nsession = \"48h\"\n";
    let site = crate::site(backend).with_settings(tokens);
    let (server, _) = with_alice_at(&site).await;
    let client = server.client();
    let partial = client.sign_in("alice", PASSWORD).await.token();
    let old = client.set_up(&partial).await;
    site.advance(Duration::from_hours(24));
    client.otp(&partial, &old.code(site.now())).await.is(401);
    let new = client.set_up(&partial).await;
    assert_ne!(old.code(site.now()), new.code(site.now()));
    client.otp(&partial, &old.code(site.now())).await.is(401);
    client.otp(&partial, &new.code(site.now())).await.token();
}

/// Where an operator says so, whoever finds the password of an account that nobody uses comes too
/// late to enrol.
async fn s30_who_enrols_too_late_is_not_shown_a_seed(backend: Backend) {
    let within = "[enrollment]\nwithin = \"1h\"\n";
    let site = crate::site(backend).with_settings(within);
    let (server, admin) = with_alice_at(&site).await;
    let client = server.client();
    client.add_user(&admin, "bob", PASSWORD).await.is(200);
    site.advance(Duration::from_mins(59));
    let (authenticator, _) = client.enrol("bob", PASSWORD, site.now()).await;
    site.advance(Duration::from_mins(1));
    let late = client.sign_in("alice", PASSWORD).await.token();
    let refused = client.initialize(&late).await;
    assert!(refused.is(403).json().get("secret").is_none());
    // Who has a seed already goes on.
    let partial = client.sign_in("bob", PASSWORD).await.token();
    let code = authenticator.code(site.now());
    client.otp(&partial, &code).await.token();
}

/// An exemption is of a user, not of a name: no other spelling has it, no other provider's user,
/// and nobody who is given the name later.
async fn s33_an_exemption_is_of_a_user_and_not_of_a_name(backend: Backend) {
    let (_site, server, admin) = with_alice(backend).await;
    let client = server.client();
    let exempted = ["CN=alice,OU=local"];
    client.choose_provider(&admin, TOTP, &exempted).await;
    let due = |answer: &Answer| answer.is(200).json()["user"]["needTwoFactorAuth"].clone();
    for spelling in ["alice", "ALICE"] {
        assert_eq!(due(&client.sign_in(spelling, PASSWORD).await), false);
    }
    for (n, other) in ["alice ", " alice", "alice\u{200b}", "a\u{301}lice"]
        .iter()
        .enumerate()
    {
        client.sign_in(other, PASSWORD).await.is(401);
        let made = client.add_user(&admin, other, PASSWORD).await;
        if made.status == 200 {
            let signed_in = client.sign_in(other, PASSWORD).await;
            assert_eq!(due(&signed_in), true, "{n}");
        }
    }
    let elsewhere = json!({
        "providerName": "other", "username": "alice", "password": PASSWORD, "deviceId": DEVICE,
    });
    let call = client
        .call("POST", "/admin/authentication")
        .json(&elsewhere);
    Client::send(call).await.is(422);

    let users = client
        .get("/admin/local-users?query=alice", &admin)
        .await
        .json();
    let alice = users["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|user| user["name"] == "alice");
    let path = format!(
        "/admin/local-users/{}",
        alice.unwrap()["id"].as_str().unwrap()
    );
    client.delete(&path, &admin).await.is(204);
    client.add_user(&admin, "alice", PASSWORD).await.is(200);
    assert_eq!(due(&client.sign_in("alice", PASSWORD).await), true);
}

/// However the list of the exempt is broken, nobody is let off by that.
async fn s34_a_broken_list_of_the_exempt_lets_nobody_off(backend: Backend) {
    let (site, server, admin) = with_alice(backend).await;
    let client = server.client();
    let exempted = ["CN=alice,OU=local"];
    let outcome = async || {
        let signed_in = client.sign_in("alice", PASSWORD).await;
        let due = signed_in.json()["user"]["needTwoFactorAuth"].clone();
        (signed_in.status, due)
    };
    let let_off = (200, Value::from(false));
    let asked = (200, Value::from(true));
    for broken in [
        "DELETE FROM admin_mfa_exemptions",
        "UPDATE admin_mfa_exemptions SET text = '*', user_id = NULL",
        "UPDATE admin_mfa_exemptions SET user_id = NULL",
    ] {
        client.choose_provider(&admin, TOTP, &exempted).await;
        assert_eq!(outcome().await, let_off);
        run(&site, backend, broken).await;
        assert_eq!(outcome().await, asked, "{broken}");
    }
    // Where it cannot be told who is exempt, or of whom anything is due, nobody gets in.
    client.choose_provider(&admin, TOTP, &exempted).await;
    for table in ["admin_mfa", "admin_mfa_exemptions"] {
        let (away, back) = match table {
            "admin_mfa" => (
                "ALTER TABLE admin_mfa RENAME TO elsewhere",
                "ALTER TABLE elsewhere RENAME TO admin_mfa",
            ),
            _ => (
                "ALTER TABLE admin_mfa_exemptions RENAME TO elsewhere",
                "ALTER TABLE elsewhere RENAME TO admin_mfa_exemptions",
            ),
        };
        run(&site, backend, away).await;
        let signed_in = client.sign_in("alice", PASSWORD).await;
        let bearer = client.authorize(&admin).await;
        for answer in [signed_in, bearer] {
            assert!(answer.status >= 500, "{table}: {}", answer.text);
            assert!(answer.json().get("token").is_none());
        }
        run(&site, backend, back).await;
        assert_eq!(outcome().await, let_off, "{table}");
    }
    run(&site, backend, "DELETE FROM admin_mfa").await;
    client.sign_in("alice", PASSWORD).await.is(500);
    client.authorize(&admin).await.is(500);
}
