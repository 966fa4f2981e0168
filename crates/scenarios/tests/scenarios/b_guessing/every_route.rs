//! Every route that there is, by the document that the routes themselves make: S18 and S21.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use vestibule_testkit::client::Client;
use vestibule_testkit::figures;
use vestibule_testkit::radius::RadiusSimulator;
use vestibule_testkit::site::{ADMIN_PASSWORD, Backend};

use crate::radius_stage::{CODE, EXEMPTED, SECRET, TOTP, judges, provider};
use crate::routes::{OPEN, Route, SECOND_FACTOR, routes};
use crate::{PASSWORD, STEP, admin, on_both_databases, site, with_alice};

on_both_databases!(
    s18_while_guessing_waits_no_route_takes_a_code,
    s21_a_partial_token_opens_no_route_but_the_second_factor,
    s21_nothing_is_open_to_those_who_have_no_token,
);

/// With a token that is worth a password, and with one that is worth a code but not admission,
/// every route is closed but those of the second factor, whatever the body is.
async fn s21_a_partial_token_opens_no_route_but_the_second_factor(backend: Backend) {
    let site = site(backend);
    let server = site.start();
    let client = server.client();
    let (full, authenticator) = admin(&site, &server).await;
    let listed = async || client.get("/admin/local-users", &full).await.text;
    let before = listed().await;
    site.advance(STEP);
    let partial = client.sign_in("admin", ADMIN_PASSWORD).await.token();
    let verified = client.sign_in("admin", ADMIN_PASSWORD).await.token();
    let code = authenticator.code(site.now());
    let verified = client.otp(&verified, &code).await.token();
    let routes = routes(client).await;
    let closed = routes.iter().filter(|route| !route.is_among(&OPEN));
    let closed: Vec<_> = closed
        .filter(|route| !route.is_among(&SECOND_FACTOR))
        .collect();
    for route in &closed {
        for token in [&partial, &verified] {
            for body in [json!({}), json!({ "providerId": null, "name": "x" })] {
                let answer = route.call(client, Some(token), &body).await;
                let Route { method, path, .. } = route;
                assert_eq!(answer.status, 401, "{method} {path} {}", answer.text);
            }
        }
    }
    // The base path is all there is: nothing answers an upgrade, or another spelling of a path.
    for path in [
        "/admin//local-users",
        "/admin/local-users/",
        "/ADMIN/local-users",
        "/local-users",
    ] {
        let call = client.call("GET", path).bearer_auth(&partial);
        let call = call
            .header("connection", "upgrade")
            .header("upgrade", "websocket");
        Client::send(call).await.is(404);
    }
    client.authorize(&partial).await.is(412);
    assert_eq!(listed().await, before, "nothing has happened");
    figures::note("S21", "routes", closed.len());
}

/// A route that is open is one of those that are meant to be; all others know their callers.
async fn s21_nothing_is_open_to_those_who_have_no_token(backend: Backend) {
    let site = site(backend);
    let server = site.start();
    let client = server.client();
    let zeros = "A".repeat(43) + "=";
    for route in routes(client).await {
        if route.is_among(&OPEN) {
            continue;
        }
        for token in [None, Some("x"), Some(&*zeros)] {
            let answer = route.call(client, token, &json!({})).await;
            let Route { method, path, .. } = &route;
            assert_eq!(answer.status, 401, "{method} {path} {}", answer.text);
        }
    }
}

/// Whatever takes a partial token is tried with the right code in each of its texts, and under each
/// second factor that could judge it, while guessing waits: nobody gets a token.
async fn s18_while_guessing_waits_no_route_takes_a_code(backend: Backend) {
    let (site, server, admin) = with_alice(backend).await;
    let client = server.client();
    let exempt = json!({ "providerId": TOTP, "exemptedUsers": [EXEMPTED] });
    let settings = "/admin/admin-mfa-settings";
    client.put(settings, &admin, &exempt).await.is(204);
    let (authenticator, _) = client.enrol("alice", PASSWORD, site.now()).await;
    site.advance(STEP);
    let partial = client.sign_in("alice", PASSWORD).await.token();
    for _ in 0..5 {
        let wrong = authenticator.wrong_code(site.now());
        client.otp(&partial, &wrong).await.is(401);
    }

    let asked = Arc::new(AtomicBool::new(false));
    let was_asked = Arc::clone(&asked);
    let radius = RadiusSimulator::start(SECRET.as_bytes(), move |request| {
        was_asked.fetch_or(request.has_password(CODE.as_bytes()), Ordering::Relaxed);
        judges(request)
    });
    let one_factor = client
        .add_provider(&admin, &provider(&radius, &json!({})))
        .await;
    let push = json!({ "name": "Push", "mode": "Push" });
    let push = client.add_provider(&admin, &provider(&radius, &push)).await;
    let routes = routes(client).await;
    let mut tried = 0;
    for factor in [TOTP, &one_factor, &push] {
        client.choose_provider(&admin, factor, &[EXEMPTED]).await;
        for route in &routes {
            let partial = client.sign_in("alice", PASSWORD).await.token();
            for code in [authenticator.code(site.now()), CODE.to_owned()] {
                let every = |text: &String| (text.clone(), Value::from(code.clone()));
                let body: Value = route.texts.iter().map(every).collect();
                let only = json!({ "otp": code });
                for body in [body, only] {
                    let answer = route.call(client, Some(&partial), &body).await;
                    assert!(answer.json().get("token").is_none(), "{}", route.path);
                    tried += 1;
                }
            }
        }
    }
    assert!(!asked.load(Ordering::Relaxed), "none was sent");
    figures::note("S18", "codes tried", tried);
    // It was the wait, and nothing else.
    client.choose_provider(&admin, TOTP, &[EXEMPTED]).await;
    site.advance(STEP);
    let partial = client.sign_in("alice", PASSWORD).await.token();
    let code = authenticator.code(site.now());
    client.otp(&partial, &code).await.token();
}
