//! Inputs that nobody means well with: S47.

use serde_json::{Value, json};
use vestibule_testkit::client::Client;
use vestibule_testkit::figures;
use vestibule_testkit::site::Backend;

use crate::routes::routes;
use crate::{PASSWORD, on_both_databases, with_alice};

on_both_databases!(
    s47_no_body_breaks_a_route,
    s47_no_query_and_no_header_breaks_a_list,
);

/// What is no JSON, too much of it, or strange where this text should be.
fn broken_bodies(text: &str) -> Vec<Vec<u8>> {
    let nested = |open: &str, close: &str| [open.repeat(10_000), close.repeat(10_000)].concat();
    let texts = [
        nested("[", "]"),
        nested("{\"a\":", "}"),
        "[".repeat(60_000),
        "\"\\ud800\"".to_owned(),
        format!("{{\"{text}\":1e400}}"),
        format!("{{\"{text}\":{}}}", "9".repeat(5_000)),
        format!("{{\"{text}\":\"1\",\"{text}\":\"2\"}}"),
        "null".to_owned(),
        "true".to_owned(),
        "[]".to_owned(),
        "NaN".to_owned(),
        "{".to_owned(),
        String::new(),
        "\u{feff}{}".to_owned(),
    ];
    let mut bodies: Vec<Vec<u8>> = texts.into_iter().map(String::into_bytes).collect();
    bodies.push(b"{\"username\":\"\xff\xfe\"}".to_vec());
    bodies.push(vec![0; 1_000]);
    bodies.push(vec![b' '; 1_000_000]);
    bodies
}

/// The texts of a body, all of them like this.
fn filled(texts: &[String], with: &str) -> Value {
    let pairs = texts.iter().map(|text| (text.clone(), Value::from(with)));
    pairs.collect()
}

/// Each route that takes a body is given each kind of broken one, by somebody who may do
/// everything: it is refused as the sender's mistake, and nothing panics.
async fn s47_no_body_breaks_a_route(backend: Backend) {
    let (_site, server, admin) = with_alice(backend).await;
    let client = server.client();
    let partial = client.sign_in("alice", PASSWORD).await.token();
    let users =
        async || client.get("/admin/local-users", &admin).await.json()["totalCount"].clone();
    let before = users().await;
    let mut sent = 0;
    for route in routes(client)
        .await
        .iter()
        .filter(|route| route.takes_a_body())
    {
        if route.path.ends_with("/logout") {
            continue;
        }
        let token = if route.path.contains("/authentication/") {
            &partial
        } else {
            &admin
        };
        let begin = || {
            let call = route.begin(client).bearer_auth(token);
            call.header("content-type", "application/json")
        };
        for body in broken_bodies(&route.texts[0]) {
            let start = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
            let answer = Client::try_send(begin().body(body)).await;
            sent += 1;
            // A server may hang up on somebody who sends too much.
            let Ok(answer) = answer else { continue };
            let is_refused = (400..500).contains(&answer.status);
            // `{}` is what some routes need, and nothing is what it may be left out for.
            let may_be_empty = route.path.ends_with("/initialize") && start.is_empty();
            assert!(
                is_refused || may_be_empty,
                "{} {} {start}: {} {}",
                route.method,
                route.path,
                answer.status,
                answer.text
            );
        }
        for text in [
            "\0",
            "\r\nSet-Cookie: a=b",
            "\u{202e}\u{feff}",
            "{{7*7}}",
            "' OR 1=1 --",
        ] {
            let answer = Client::send(begin().json(&filled(&route.texts, text))).await;
            assert!(
                answer.status < 500,
                "{} {text:?}: {}",
                route.path,
                answer.text
            );
            sent += 1;
        }
        let long = "x".repeat(10_000);
        let answer = Client::send(begin().json(&filled(&route.texts, &long))).await;
        assert!(answer.status < 500, "{}: {}", route.path, answer.text);
    }
    assert_eq!(users().await, before, "nobody was made");
    assert!(!server.log().contains("panicked"));
    figures::note("S47", "broken bodies", sent);
}

/// Lists, and the headers of all requests, from hands that mean no good.
async fn s47_no_query_and_no_header_breaks_a_list(backend: Backend) {
    let (_site, server, admin) = with_alice(backend).await;
    let client = server.client();
    let long = "x".repeat(5_000);
    let queries = [
        "range=0-18446744073709551616",
        "range=-1--1",
        "range=9-0",
        "range=0-99999999999",
        "orderBy=password",
        "orderBy='",
        "descending=maybe",
        "query=%00",
        "query=%ff%fe",
        "query=%25",
        "filterBy=%7B",
        "filterBy=name%20eq%20'",
        "query=_%25_%5C",
        "&&&===",
        &format!("query={long}"),
    ];
    let routes = routes(client).await;
    let lists = routes
        .iter()
        .filter(|r| r.method == "GET" && !r.path.contains('{'));
    for route in lists {
        for query in queries {
            let path = format!("{}?{query}", route.path);
            let answer = client.get(&path, &admin).await;
            assert!(answer.status < 500, "{path}: {}", answer.text);
        }
        for (name, value) in [
            (
                "accept",
                "application/vnd.appgate.peer-v99999999999999999999+json",
            ),
            ("accept", ";;;,,,q=2"),
            ("authorization", "Bearer"),
            ("authorization", "Bearer \u{e4}"),
            ("authorization", "Basic YTpi"),
            ("authorization", &long),
            ("x-request-id", "not\tone"),
            ("x-forwarded-for", &long),
            ("traceparent", "00-zz-zz-zz"),
        ] {
            let call = client.call("GET", &route.path).header(name, value);
            let answer = Client::send(call).await;
            assert!(
                answer.status < 500,
                "{} {name}: {}",
                route.path,
                answer.text
            );
        }
    }
    for dn in [
        "%00",
        "CN=",
        "CN=a,OU=b,OU=c",
        "CN=%ff",
        &long,
        "%2e%2e%2f",
        "CN=\\",
    ] {
        let path = format!("/admin/otp/seeds/{dn}");
        let answer = client.delete(&path, &admin).await;
        assert!(
            (400..500).contains(&answer.status),
            "{path}: {}",
            answer.text
        );
    }
    let known = json!({ "providerId": crate::radius_stage::TOTP });
    client
        .put("/admin/admin-mfa-settings", &admin, &known)
        .await
        .is(204);
    assert!(!server.log().contains("panicked"));
}
