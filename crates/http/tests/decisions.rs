//! What was decided where the API is silent: each with its number, which stays its own. What is
//! about RADIUS servers (19 to 24, 26) is tried against such servers, by scenarios with these numbers.

mod app;

use std::time::Duration;

use app::colleague::{ROLES, id};
use app::{ACCEPT, Admin, App, PASSWORD, credentials, errors, ok, with};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

const USERS: &str = "/admin/local-users";
const SETTINGS: &str = "/admin/admin-mfa-settings";
const PROVIDERS: &str = "/admin/mfa-providers";
const TOTP: &str = "03542d1e-733c-4c43-a567-d28fbc4649a7";
const FIDO2: &str = "3ae98d53-c520-437f-99e4-451f936e6d2c";

fn user(name: &str) -> Value {
    json!({ "name": name, "firstName": "", "lastName": "", "password": PASSWORD })
}

/// 1: the order of checks is route, version, token, privilege, shape, values, existence.
#[tokio::test]
async fn d01_the_order_of_checks() {
    let admin = Admin::start().await;
    let call = |path: &str| admin.app.call("PUT", path);
    let of = |n| format!("{USERS}/{}", id(n));
    call("/admin/nothing")
        .accept(None)
        .send()
        .await
        .is(404, "not found");
    call(&of(1))
        .accept(None)
        .bytes("{")
        .send()
        .await
        .is(406, "not acceptable");
    call(&of(1)).bytes("{").send().await.is(401, "unauthorized");
    let viewer = admin
        .colleague(9, &[app::colleague::all("View", "LocalUser")])
        .await;
    call(&of(1))
        .bearer(&viewer.token)
        .bytes("{")
        .send()
        .await
        .is(403, "forbidden");
    admin.send("PUT", &of(1), "{").await.is(400, "bad request");
    admin
        .send("PUT", &of(1), "{}")
        .await
        .is(422, "unprocessable entity");
    admin
        .send(
            "PUT",
            &of(1),
            user("x").to_string().replace("password", "p"),
        )
        .await
        .is(404, "not found");
    admin.user(1, &json!({})).await;
    admin
        .send("PUT", &of(1), user("admin").to_string())
        .await
        .is(409, "conflict");
    // Without a token: version, shape, values, credentials.
    let sign_in = |body: &str| {
        admin
            .app
            .call("POST", "/admin/authentication")
            .bytes(body.to_owned())
    };
    sign_in("{")
        .accept(None)
        .send()
        .await
        .is(406, "not acceptable");
    sign_in("{").send().await.is(400, "bad request");
    sign_in("{}").send().await.is(422, "unprocessable entity");
    sign_in(&credentials("admin", "x").to_string())
        .send()
        .await
        .is(401, "unauthorized");
}

/// 2: tokens are 32 octets in standard base64 with padding.
#[tokio::test]
async fn d02_the_form_of_tokens() {
    let app = App::start().await;
    let token = app.partial("admin").await;
    assert_eq!(
        (
            token.len(),
            STANDARD.decode(&token).map(|bytes| bytes.len())
        ),
        (44, Ok(32))
    );
}

/// 3, 4: `expires` is the end of the session, the partial token ends earlier; it survives wrong
/// codes and dies with the right one. 5: a full token is no token for the second factor.
#[tokio::test]
async fn d03_d04_d05_the_life_of_tokens() {
    let app = App::start().await;
    let partial = app.sign_in("admin", PASSWORD).await;
    assert_eq!(partial.json()["expires"], "2026-01-02T00:00:00.000000Z");
    let partial = partial.token();
    let authenticator = app.enrol(&partial).await;
    app.otp(&partial, "000000").await.is(401, "unauthorized");
    let verified = app.otp(&partial, &app.code(&authenticator)).await.token();
    app.initialize(&partial).await.is(401, "unauthorized");
    let full = app.authorize(&verified).await.token();
    app.authorize(&full).await.token();
    app.initialize(&full).await.is(401, "unauthorized");
    app.otp(&full, "000000").await.is(401, "unauthorized");
    let partial = app.partial("admin").await;
    app.get(USERS)
        .bearer(&partial)
        .send()
        .await
        .is(401, "unauthorized");
    app.clock.advance(Duration::from_mins(16));
    app.initialize(&partial).await.is(401, "unauthorized");
}

/// 6: where no second factor is due, it cannot be begun.
#[tokio::test]
async fn d06_a_second_factor_that_is_not_due() {
    let admin = Admin::start().await;
    assert_eq!(
        admin.send("DELETE", SETTINGS, "").await.status.as_u16(),
        204
    );
    let partial = admin.app.partial("admin").await;
    admin
        .app
        .initialize(&partial)
        .await
        .is(422, "unprocessable entity");
}

/// 7: a seed that no code has verified is the session's that was shown it.
#[tokio::test]
async fn d07_unverified_seeds() {
    let app = App::start().await;
    let (one, other) = (app.partial("admin").await, app.partial("admin").await);
    let secret = async |token: &str| app.initialize(token).await.json()["secret"].clone();
    let first = secret(&one).await;
    assert_eq!(first.as_str().map(str::len), Some(32));
    assert_eq!(secret(&one).await, first);
    assert_ne!(secret(&other).await, first);
    assert_ne!(secret(&one).await, first);
}

/// 8, 9: the window, replays and the budget have tests of their own; here the bytes: wrong, spent
/// and barred codes are one answer. 37: an empty code is none.
#[tokio::test]
async fn d08_d09_d37_codes() {
    let app = App::start().await;
    let partial = app.partial("admin").await;
    let authenticator = app.enrol(&partial).await;
    let code = app.code(&authenticator);
    let spaced = format!(" {} {} ", &code[..3], &code[3..]);
    app.otp(&partial, &spaced).await.token();
    let partial = app.partial("admin").await;
    let spent = app.otp(&partial, &code).await;
    let wrong = app.otp(&partial, "no code").await;
    assert_eq!(spent.is(401, "unauthorized").text, wrong.text);
    for none in ["", &"1".repeat(257)] {
        app.otp(&partial, none)
            .await
            .is(422, "unprocessable entity");
    }
}

/// 10: locked and disabled are told as a wrong password is, and change nothing.
#[tokio::test]
async fn d10_locked_and_disabled() {
    let admin = Admin::start().await;
    let locked = json!({ "failedLoginAttempts": 5, "lockStart": "2025-12-31T23:59:59Z" });
    admin.user(1, &locked).await;
    admin.user(2, &json!({ "disabled": true })).await;
    admin
        .user(
            3,
            &json!({ "failedLoginAttempts": 30, "lockStart": "2020-04-27T09:51:03Z" }),
        )
        .await;
    let wrong = admin.app.sign_in("nobody", "password").await;
    for n in 1..=2 {
        let answer = admin.app.sign_in(&format!("user {n}"), "password").await;
        assert_eq!(answer.is(401, "unauthorized").text, wrong.text);
    }
    let path = format!("{USERS}/{}", id(1));
    assert_eq!(
        ok(&admin.send("GET", &path, "").await)["failedLoginAttempts"],
        5
    );
    admin.app.sign_in("user 3", "password").await.token();
}

/// 11, 12: the provider of administrators is not FIDO2, not unknown and not empty.
#[tokio::test]
async fn d11_d12_providers_that_cannot_serve() {
    let admin = Admin::start().await;
    for provider in [FIDO2, &id(7), "", "x"] {
        let body = json!({ "providerId": provider }).to_string();
        let told = errors(&admin.send("PUT", SETTINGS, body).await);
        assert!(
            told.iter().all(|error| error.starts_with("providerId ")),
            "{told:?}"
        );
    }
    assert_eq!(
        ok(&admin.send("GET", SETTINGS, "").await)["providerId"],
        TOTP
    );
}

/// 13: exemptions are kept as written and bound to whoever bears the name then.
#[tokio::test]
async fn d13_exemptions() {
    let admin = Admin::start().await;
    let names = json!([
        "CN=Nobody\\, Esq.,OU=local",
        "cn=ADMIN,ou=local",
        "CN=x,OU=ldap"
    ]);
    let body = json!({ "providerId": TOTP, "exemptedUsers": names }).to_string();
    assert_eq!(admin.send("PUT", SETTINGS, body).await.status.as_u16(), 204);
    assert_eq!(
        ok(&admin.send("GET", SETTINGS, "").await)["exemptedUsers"],
        names
    );
    let due = async |name| {
        admin.app.sign_in(name, PASSWORD).await.json()["user"]["needTwoFactorAuth"].clone()
    };
    assert_eq!(due("admin").await, false);
    admin
        .send("POST", USERS, user("Nobody, Esq.").to_string())
        .await;
    assert_eq!(
        due("Nobody, Esq.").await,
        true,
        "nobody bore the name when it was written"
    );
    let wrong = json!({ "exemptedUsers": ["admin", "CN=,OU=local"] }).to_string();
    let told = errors(&admin.send("PUT", SETTINGS, wrong).await);
    assert_eq!(told.len(), 2, "{told:?}");
}

/// 14, 15: what is built in or in use is not deleted; names and ids are taken once.
#[tokio::test]
async fn d14_d15_conflicts() {
    let admin = Admin::start().await;
    for path in [
        format!("{PROVIDERS}/{TOTP}"),
        format!("{USERS}/5e360c9d-8756-41b4-9597-601712881a5c"),
        format!("{ROLES}/b0adbc60-7ed4-11e4-b4a9-0800200c9a66"),
        "/admin/identity-providers/b5ea7cf0-6e75-11e4-9803-0800200c9a66".to_owned(),
    ] {
        admin.send("DELETE", &path, "").await.is(409, "conflict");
        ok(&admin.send("GET", &path, "").await);
    }
    admin.user(1, &json!({})).await;
    for changes in [json!({ "id": id(1) }), json!({ "name": "USER 1" })] {
        let again = with(&user("another"), &changes).to_string();
        admin.send("POST", USERS, again).await.is(409, "conflict");
    }
}

/// 16: the id of the path counts. 32: what is no UUID is nobody's in a path, and wrong in a body.
#[tokio::test]
async fn d16_d32_ids() {
    let admin = Admin::start().await;
    let made = admin.user(1, &json!({})).await;
    let path = format!("{USERS}/{}", id(1));
    for wrong in [id(2), "x".to_owned()] {
        let other = with(&made, &json!({ "id": wrong })).to_string();
        let told = errors(&admin.send("PUT", &path, other).await);
        assert!(
            told.iter().all(|error| error.starts_with("id ")),
            "{told:?}"
        );
    }
    for list in [USERS, PROVIDERS, ROLES, "/admin/identity-providers"] {
        admin
            .send("GET", &format!("{list}/x"), "")
            .await
            .is(404, "not found");
    }
}

/// 17, 18: an absent password is kept, an empty one refused, and all else goes back to its default.
#[tokio::test]
async fn d17_d18_what_a_put_leaves_out() {
    let admin = Admin::start().await;
    admin
        .user(
            1,
            &json!({ "notes": "n", "tags": ["t"], "email": "e@example.org" }),
        )
        .await;
    let path = format!("{USERS}/{}", id(1));
    let small = json!({ "name": "user 1", "firstName": "", "lastName": "" });
    let put = ok(&admin.send("PUT", &path, small.to_string()).await);
    assert_eq!(
        (&put["notes"], &put["tags"], put.get("email")),
        (&json!(""), &json!([]), None)
    );
    admin.app.sign_in("user 1", "password").await.token();
    let empty = with(&small, &json!({ "password": "" })).to_string();
    assert_eq!(errors(&admin.send("PUT", &path, empty).await).len(), 1);
}

/// 25: `null` is absent. 31: another JSON type is 400, a number or a word that makes no sense 422.
#[tokio::test]
async fn d25_d31_values() {
    let admin = Admin::start().await;
    let nulls =
        json!({ "notes": null, "tags": null, "email": null, "disabled": null, "lockStart": null });
    let made = admin.user(1, &nulls).await;
    assert_eq!(
        (&made["notes"], &made["disabled"], made.get("email")),
        (&json!(""), &json!(false), None)
    );
    let post = async |changes: &Value| {
        let body = with(&user("x"), changes).to_string();
        admin.send("POST", USERS, body).await.status.as_u16()
    };
    assert_eq!(post(&json!({ "disabled": "yes" })).await, 400);
    assert_eq!(post(&json!({ "tags": "a" })).await, 400);
    assert_eq!(post(&json!({ "failedLoginAttempts": 1.5 })).await, 422);
    assert_eq!(post(&json!({ "failedLoginAttempts": -1 })).await, 422);
    assert_eq!(post(&json!({ "failedLoginAttempts": 30.0 })).await, 200);
}

/// 27: an order that is unknown is the usual one. 29: the versions are 18 to 23.
#[tokio::test]
async fn d30_what_is_not_configured_is_left_out() {
    let app = App::start().await;
    let signed_in = ok(&app.sign_in("admin", PASSWORD).await);
    for field in [
        "crlEnabled",
        "ztpCollectiveType",
        "ztpAccountType",
        "messageOfTheDay",
    ] {
        assert_eq!(signed_in.get(field), None, "{field}");
    }
}

#[tokio::test]
async fn d27_d29_orders_and_versions() {
    let admin = Admin::start().await;
    let list = ok(&admin
        .send("GET", &format!("{USERS}?orderBy=shoe&descending=TRUE"), "")
        .await);
    assert_eq!(
        (&list["orderBy"], &list["descending"]),
        (&json!("name"), &json!(false))
    );
    for (version, status) in [("17", 406), ("18", 200), ("23", 200), ("24", 406)] {
        let accept = ACCEPT.replace("23", version);
        let call = admin
            .app
            .call("GET", USERS)
            .accept(None)
            .header("accept", &accept);
        assert_eq!(
            call.bearer(&admin.token).send().await.status.as_u16(),
            status,
            "{version}"
        );
    }
}

/// 28: other methods are 405, other paths 404, both with a body. 33: what tells of the versions, of
/// health and of the API asks for neither version nor token. 34: every answer has a request id.
#[tokio::test]
async fn d28_d33_d34_what_is_not_of_the_api() {
    let app = App::start().await;
    let ask = async |method, path| app.call(method, path).accept(None).send().await;
    ask("GET", "/other").await.is(404, "not found");
    app.call("PATCH", USERS)
        .send()
        .await
        .is(405, "method not allowed");
    for path in [
        "/admin/version",
        "/admin/openapi.json",
        "/admin/docs",
        "/livez",
        "/readyz",
    ] {
        let answer = ask("GET", path).await;
        assert_eq!(answer.status.as_u16(), 200, "{path}");
        assert!(answer.headers.contains_key("x-request-id"));
    }
}

/// 35: a second factor is due whatever the privileges. 36: a reset ends partial tokens, a new
/// password all of the user's.
#[tokio::test]
async fn d35_d36_who_and_what_ends() {
    let admin = Admin::start().await;
    admin.user(1, &json!({})).await;
    let answer = admin.app.sign_in("user 1", "password").await;
    assert_eq!(answer.json()["user"]["needTwoFactorAuth"], true);
    let partial = answer.token();
    let authenticator = admin.app.enrol(&partial).await;
    let verified = admin
        .app
        .otp(&partial, &admin.app.code(&authenticator))
        .await
        .token();
    let partial = admin.app.sign_in("user 1", "password").await.token();
    let reset = admin
        .send("DELETE", "/admin/otp/seeds/CN=user%201%2COU=local", "")
        .await;
    assert_eq!(reset.status.as_u16(), 204);
    admin.app.initialize(&partial).await.is(401, "unauthorized");
    admin.app.authorize(&verified).await.is(403, "forbidden");
    let body = with(&user("user 1"), &json!({ "password": "another one" })).to_string();
    ok(&admin.send("PUT", &format!("{USERS}/{}", id(1)), body).await);
    admin.app.authorize(&verified).await.is(401, "unauthorized");
}
