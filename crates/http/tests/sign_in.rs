//! A sign-in from the password to administration, as clients see it.

mod app;

use std::time::Duration;

use app::{App, DEVICE, PASSWORD, credentials};
use serde_json::json;
use vestibule_http::Site;
use vestibule_service::{Clock as _, Policy};

#[tokio::test]
async fn from_the_password_to_administration() {
    let app = App::start().await;
    let first = app.sign_in("admin", PASSWORD).await;
    assert_eq!(
        first.json()["user"],
        json!({
            "name": "admin", "needTwoFactorAuth": true, "canAccessAuditLogs": false,
            "privileges": [],
        })
    );
    assert_eq!(first.json()["expires"], "2026-01-02T00:00:00.000000Z");
    let partial = first.token();
    insta::assert_snapshot!(app.authorize(&partial).await.shown(), @r#"412 {"id":"precondition failed","message":"Administrative authorization requires two-factor authentication.","otpRequired":true,"username":"admin"}"#);

    let shown = app.initialize(&partial).await.json();
    assert_eq!(shown["type"], "Secret");
    assert_eq!(shown["inputType"], "Numeric");
    let secret = shown["secret"].as_str().unwrap();
    assert_eq!(
        shown["otpAuthUrl"],
        format!("otpauth://totp/admin@local@localhost?secret={secret}&issuer=Vestibule")
    );
    assert!(shown["barcode"].as_str().unwrap().starts_with("/9j/"));
    let again = app.initialize(&partial).await.json();
    assert_eq!(
        again["secret"], shown["secret"],
        "the same session sees the same seed"
    );

    let authenticator = vestibule_testkit::authenticator::Authenticator::from_base32(secret);
    let wrong = authenticator.wrong_code(app.clock.wall());
    insta::assert_snapshot!(app.otp(&partial, &wrong).await.shown(), @r#"401 {"id":"unauthorized","message":"Invalid one-time password. Please make sure the time on your device is correct.","failureType":"Mfa","reason":"Invalid one-time password. Please make sure the time on your device is correct."}"#);
    let verified = app.otp(&partial, &app.code(&authenticator)).await;
    assert_eq!(verified.json()["user"]["needTwoFactorAuth"], false);
    assert_eq!(verified.json()["expires"], "2026-01-02T00:00:00.000000Z");

    let admin = app.authorize(&verified.token()).await;
    assert_eq!(
        admin.json()["user"],
        json!({
            "name": "admin", "needTwoFactorAuth": false, "canAccessAuditLogs": true,
            "privileges": [{
                "type": "All", "target": "All", "scope": {"all": true, "ids": [], "tags": []},
            }],
        })
    );
    let again = app.authorize(&admin.token()).await;
    assert_eq!(
        again.token(),
        admin.token(),
        "a full token is good for authorization as well"
    );

    app.otp(&partial, &wrong).await.is(401, "unauthorized");
    app.initialize(&verified.token())
        .await
        .is(401, "unauthorized");
    let tomorrow = app.partial("admin").await;
    insta::assert_snapshot!(app.initialize(&tomorrow).await.shown(), @r#"200 {"type":"AlreadySeeded","inputType":"Numeric"}"#);
}

#[tokio::test]
async fn logout_ends_everything_of_its_session_and_nothing_else() {
    let app = App::start().await;
    let (admin, _) = app.admin().await;
    let other = app.partial("admin").await;
    let gone = app
        .call("POST", "/admin/authentication/logout")
        .bearer(&admin)
        .send()
        .await;
    assert_eq!((gone.status.as_u16(), gone.text.as_str()), (204, ""));
    app.authorize(&admin).await.is(401, "unauthorized");
    app.authorize(&other).await.is(412, "precondition failed");
}

#[tokio::test]
async fn wrong_user_and_wrong_password_are_one_answer() {
    let app = App::start().await;
    let unknown = app.sign_in("nobody", PASSWORD).await;
    insta::assert_snapshot!(unknown.shown(), @r#"401 {"id":"unauthorized","message":"Invalid username or password.","failureType":"Login","reason":"Invalid username or password."}"#);
    let hashes = app.service.hasher().hashes();
    for n in 0..7 {
        let wrong = app.sign_in("admin", "wrong").await;
        assert_eq!(wrong.shown(), unknown.shown(), "try {n}");
        assert_eq!(
            app.service.hasher().hashes(),
            hashes + n + 1,
            "one hash each"
        );
    }
    let locked = app.sign_in("admin", PASSWORD).await;
    assert_eq!(locked.shown(), unknown.shown(), "locked");
    app.clock.advance(Duration::from_mins(1));
    app.sign_in("admin", PASSWORD).await.token();
}

#[tokio::test]
async fn login_is_for_whom_no_second_factor_is_due() {
    let app = App::start().await;
    let login = async |password: &str| {
        let body = credentials("admin", password);
        app.post("/admin/login", &body).send().await
    };
    login("wrong").await.is(401, "unauthorized");
    login(PASSWORD).await.is(412, "precondition failed");
    let (admin, _) = app.admin().await;
    let exempt = json!({
        "providerId": "03542d1e-733c-4c43-a567-d28fbc4649a7",
        "exemptedUsers": ["CN=admin,OU=local"],
    });
    let put = app.call("PUT", "/admin/admin-mfa-settings").json(&exempt);
    assert_eq!(put.bearer(&admin).send().await.status.as_u16(), 204);
    let token = login(PASSWORD).await.token();
    assert_eq!(
        app.get("/admin/otp/seeds")
            .bearer(&token)
            .send()
            .await
            .status
            .as_u16(),
        200
    );

    let partial = app.partial("admin").await;
    app.initialize(&partial)
        .await
        .is(422, "unprocessable entity");
    app.otp(&partial, "123456")
        .await
        .is(422, "unprocessable entity");
    let first = app.authorize(&partial).await.token();
    let second = app.authorize(&partial).await.token();
    assert_ne!(first, second, "the partial token survives");
}

#[tokio::test]
async fn a_user_without_privileges_gets_no_further_than_the_second_factor() {
    let app = App::start().await;
    let (admin, _) = app.admin().await;
    assert_eq!(app.add_user(&admin, "alice").await.status.as_u16(), 200);
    let partial = app.partial("alice").await;
    let authenticator = app.enrol(&partial).await;
    let verified = app.otp(&partial, &app.code(&authenticator)).await.token();
    insta::assert_snapshot!(app.authorize(&verified).await.shown(), @r#"403 {"id":"forbidden","message":"You don't have permission to access this resource."}"#);
}

#[tokio::test]
async fn tokens_expire() {
    let app = App::start().await;
    let (admin, authenticator) = app.admin().await;
    let partial = app.partial("admin").await;
    app.clock
        .advance(Duration::from_mins(15) - Duration::from_micros(1));
    app.initialize(&partial).await.json();
    app.clock.advance(Duration::from_micros(1));
    app.otp(&partial, &app.code(&authenticator))
        .await
        .is(401, "unauthorized");
    app.clock
        .advance(Duration::from_hours(24) - Duration::from_mins(16));
    app.authorize(&admin).await.token();
    app.clock.advance(Duration::from_mins(1));
    app.authorize(&admin).await.is(401, "unauthorized");
}

#[tokio::test]
async fn the_time_to_enrol_can_be_limited() {
    let policy = Policy {
        enrol_within: Some(Duration::from_hours(1)),
        ..Policy::default()
    };
    let app = App::start_with(policy, Site::default()).await;
    let partial = app.partial("admin").await;
    assert_eq!(app.initialize(&partial).await.json()["type"], "Secret");
    app.clock.advance(Duration::from_hours(1));
    let partial = app.partial("admin").await;
    app.initialize(&partial).await.is(403, "forbidden");
}

#[tokio::test]
async fn an_address_that_fails_too_often_is_told_to_wait() {
    let policy = Policy {
        sign_in_failures_per_minute: 3,
        ..Policy::default()
    };
    let app = App::start_with(policy, Site::default()).await;
    let attempt = async |peer: &str| {
        let body = credentials("nobody", "wrong");
        app.post("/admin/login", &body).from(peer).send().await
    };
    for _ in 0..3 {
        attempt("192.0.2.1:7").await.is(401, "unauthorized");
    }
    let limited = attempt("192.0.2.1:8").await;
    assert_eq!(
        limited.is(429, "too many requests").headers["retry-after"],
        "60"
    );
    attempt("192.0.2.2:7").await.is(401, "unauthorized");
    for _ in 0..5 {
        attempt("127.0.0.1:7").await.is(401, "unauthorized");
    }
}

#[tokio::test]
async fn what_the_operator_says_is_told() {
    let site = Site {
        message_of_the_day: Some("Welcome".to_owned()),
        banner: Some("Authorised use only".to_owned()),
        ztp_collective_type: Some("hosted".to_owned()),
        ztp_account_type: Some("demo".to_owned()),
        crl_enabled: Some(false),
    };
    let app = App::start_with(Policy::default(), site).await;
    let answer = app.sign_in("admin", PASSWORD).await.json();
    assert_eq!(answer["messageOfTheDay"], "Welcome");
    assert_eq!(answer["ztpCollectiveType"], "hosted");
    assert_eq!(answer["ztpAccountType"], "demo");
    assert_eq!(answer["crlEnabled"], false);
    insta::assert_snapshot!(app.get("/admin/identity-providers/names").send().await.shown(), @r#"200 {"data":[{"name":"local","displayName":"local","type":"Credentials","certificatePriorities":[]}],"bannerMessage":"Authorised use only"}"#);
    let silent = App::start().await.sign_in("admin", PASSWORD).await.json();
    assert!(silent.get("messageOfTheDay").is_none());
}

#[tokio::test]
async fn the_device_id_may_lack_its_dashes() {
    let app = App::start().await;
    let mut body = credentials("admin", PASSWORD);
    body["deviceId"] = json!(DEVICE.replace('-', ""));
    app.post("/admin/authentication", &body)
        .send()
        .await
        .token();
}
