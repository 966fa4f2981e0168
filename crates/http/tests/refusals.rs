//! Everything that a client can get wrong, in the order in which it is told.

mod app;

use app::{ACCEPT, App, PASSWORD, credentials, errors};
use serde_json::{Value, json};

#[tokio::test]
async fn version_and_accept() {
    let app = App::start().await;
    for accept in [None, Some("*/*"), Some("text/html")] {
        let version = app.get("/admin/version").accept(accept).send().await;
        assert_eq!(
            version.shown(),
            r#"200 {"peerVersion":23,"lowestPeerVersionSupported":18}"#
        );
    }
    let probe = json!({ "providerName": "", "deviceId": "x" });
    let old = app.post("/admin/authentication", &probe);
    let old = old
        .accept(Some("application/vnd.appgate.peer-v5+json"))
        .send()
        .await;
    insta::assert_snapshot!(old.shown(), @r#"406 {"id":"not acceptable","message":"Invalid 'Accept' header. Current version: application/vnd.appgate.peer-v23+json, Received: application/vnd.appgate.peer-v5+json","minSupportedVersion":18,"maxSupportedVersion":23}"#);
    assert_eq!(old.headers["content-type"], "application/json");
    for (method, path) in [
        ("GET", "/admin/identity-providers/names"),
        ("POST", "/admin/login"),
        ("GET", "/admin/authorization"),
        ("PUT", "/admin/admin-mfa-settings"),
        ("DELETE", "/admin/otp/seeds/x"),
    ] {
        for accept in [None, Some("application/json"), Some("*/*")] {
            let call = app.call(method, path).accept(accept).bytes("not json");
            call.send().await.is(406, "not acceptable");
        }
    }
}

#[tokio::test]
async fn routes_and_methods() {
    let app = App::start().await;
    for path in [
        "/",
        "/admin",
        "/admin/nothing",
        "/admin/logout",
        "/admin/otp-seeds",
        "/nothing",
    ] {
        app.get(path).accept(None).send().await.is(404, "not found");
    }
    for (method, path) in [("DELETE", "/admin/version"), ("POST", "/readyz")] {
        let answer = app.call(method, path).accept(None).send().await;
        answer.is(405, "method not allowed");
    }
    for (method, path) in [
        ("GET", "/admin/login"),
        ("PATCH", "/admin/admin-mfa-settings"),
    ] {
        let answer = app.call(method, path).accept(None).send().await;
        answer.is(406, "not acceptable");
        let answer = app.call(method, path).send().await;
        answer.is(405, "method not allowed");
    }
}

#[tokio::test]
async fn tokens_come_before_bodies() {
    let app = App::start().await;
    let garbage = "x".repeat(100_000);
    for (method, path) in [
        ("POST", "/admin/authentication/otp/initialize"),
        ("POST", "/admin/authentication/otp"),
        ("POST", "/admin/local-users"),
        ("PUT", "/admin/admin-mfa-settings"),
    ] {
        let call = app.call(method, path).bytes(garbage.as_str());
        call.send().await.is(401, "unauthorized");
    }
    let partial = app.partial("admin").await;
    let put = app
        .call("PUT", "/admin/admin-mfa-settings")
        .bearer(&partial);
    put.bytes(garbage).send().await.is(401, "unauthorized");
}

#[tokio::test]
async fn sign_in_bodies() {
    let app = App::start().await;
    let send = async |body: Vec<u8>| {
        app.call("POST", "/admin/authentication")
            .bytes(body)
            .send()
            .await
    };
    let deep = [
        b"{\"x\":".as_slice(),
        &b"[".repeat(10_000),
        &b"]".repeat(10_000),
        b"}",
    ]
    .concat();
    for bad in [
        b"".to_vec(),
        b"not json".to_vec(),
        b"[]".to_vec(),
        b"\"text\"".to_vec(),
        b"{\"username\":".to_vec(),
        b"{\"username\":\"\xff\"}".to_vec(),
        b"{\"nobody's\":\"\xff\"}".to_vec(),
        br#"{"username":7}"#.to_vec(),
        br#"{"deviceId":{}}"#.to_vec(),
        deep,
    ] {
        send(bad).await.is(400, "bad request");
    }
    send(vec![b' '; 1_000_000])
        .await
        .is(413, "payload too large");
    let empty = send(b"{}".to_vec()).await;
    assert_eq!(
        errors(&empty),
        [
            "providerName may not be null",
            "deviceId may not be null",
            "username may not be null",
            "password may not be null",
        ]
    );
    let mut odd = credentials("admin", PASSWORD);
    odd["providerName"] = json!("elsewhere");
    odd["deviceId"] = json!("mine");
    odd["username"] = Value::Null;
    assert_eq!(
        errors(&send(odd.to_string().into()).await),
        [
            "providerName is not the name of an identity provider",
            "deviceId is not a UUID",
            "username may not be null",
        ]
    );
    let mut kind = credentials("admin", PASSWORD);
    kind["samlResponse"] = json!("");
    kind["unknown"] = json!([1, 2, {"x": null}]);
    send(kind.to_string().into()).await.token();
}

#[tokio::test]
async fn a_bad_body_gives_nothing_of_itself_away() {
    let app = App::start().await;
    let body = br#"{"password": "hunter2", "username": 7}"#.to_vec();
    let answer = app.call("POST", "/admin/login").bytes(body).send().await;
    assert!(!answer.text.contains("hunter2"), "{}", answer.text);
}

#[tokio::test]
async fn otp_bodies() {
    let app = App::start().await;
    let partial = app.partial("admin").await;
    let send = async |body: Value| {
        let call = app.post("/admin/authentication/otp", &body);
        call.bearer(&partial).send().await
    };
    send(json!({ "otp": 123_456 })).await.is(400, "bad request");
    send(json!({})).await.is(422, "unprocessable entity");
    send(json!({ "otp": null }))
        .await
        .is(422, "unprocessable entity");
    send(json!({ "otp": "" }))
        .await
        .is(422, "unprocessable entity");
    send(json!({ "otp": "1".repeat(257) }))
        .await
        .is(422, "unprocessable entity");
    send(json!({ "otp": "123456" }))
        .await
        .is(401, "unauthorized");
    for body in ["", "  ", "{}", r#"{"userPassword":"x"}"#] {
        let call = app.call("POST", "/admin/authentication/otp/initialize");
        let answer = call.bearer(&partial).bytes(body).send().await;
        assert_eq!(answer.status.as_u16(), 200, "{body:?} {}", answer.text);
    }
    let call = app.call("POST", "/admin/authentication/otp/initialize");
    call.bearer(&partial)
        .bytes("[]")
        .send()
        .await
        .is(400, "bad request");
}

#[tokio::test]
async fn headers_of_bearers() {
    let app = App::start().await;
    let (admin, _) = app.admin().await;
    let get = || app.get("/admin/mfa-providers");
    for good in [format!("Bearer {admin}"), format!("bearer Bearer {admin}")] {
        let answer = get().header("authorization", &good).send().await;
        assert_eq!(answer.status.as_u16(), 200);
    }
    for bad in [
        &admin,
        "Bearer",
        "Bearer !",
        "Basic YTpi",
        &format!("Bearer {admin}x"),
    ] {
        get()
            .header("authorization", bad)
            .send()
            .await
            .is(401, "unauthorized");
    }
    let op = get()
        .bearer(&admin)
        .header("content-type", "application/json");
    assert_eq!(op.accept(Some(ACCEPT)).send().await.status.as_u16(), 200);
}

/// What was read of an administrator's token does not outlive the token while the body arrives.
#[tokio::test]
async fn a_token_that_ends_while_the_body_arrives_is_refused() {
    let app = App::start().await;
    let (admin, authenticator) = app.admin().await;
    let user = json!({ "name": "mallory", "firstName": "", "lastName": "", "password": "x" });
    for (method, path, body) in [
        ("POST", "/admin/local-users", user),
        ("PUT", "/admin/admin-mfa-settings", json!({})),
    ] {
        let session = app.admin_again(&authenticator).await;
        let (mut send, body_under_way) = app::body_in_pieces();
        let call = app
            .call(method, path)
            .bearer(&session)
            .stream(body_under_way);
        let answer = async {
            let answer = call.send();
            let revoke = async {
                send.piece(b"").await;
                // Taken: the token was looked at, and the body is being read.
                send.piece(b"").await;
                let gone = app
                    .call("POST", "/admin/authentication/logout")
                    .bearer(&session);
                assert_eq!(gone.send().await.status.as_u16(), 204);
                send.piece(body.to_string().as_bytes()).await;
                drop(send);
            };
            futures_util::join!(answer, revoke).0
        };
        answer.await.is(401, "unauthorized");
    }
    let list = app
        .get("/admin/local-users")
        .bearer(&admin)
        .send()
        .await
        .json();
    assert_eq!(list["totalCount"], 1);
    let settings = app
        .get("/admin/admin-mfa-settings")
        .bearer(&admin)
        .send()
        .await
        .json();
    assert!(settings.get("providerId").is_some());
}

#[tokio::test]
async fn paths_that_are_no_text_are_nobody() {
    let app = App::start().await;
    let (admin, _) = app.admin().await;
    for (method, path) in [
        ("GET", "/admin/mfa-providers/%FF"),
        ("DELETE", "/admin/otp/seeds/%FF"),
    ] {
        app.call(method, path).send().await.is(401, "unauthorized");
        app.call(method, path)
            .bearer(&admin)
            .send()
            .await
            .is(404, "not found");
    }
}

/// Nobody holds a request open by never finishing its body.
#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_arrive_is_given_up() {
    let app = App::start().await;
    let (_send, never) = app::body_in_pieces();
    let call = app.call("POST", "/admin/authentication").stream(never);
    call.send().await.is(408, "request timeout");
}
