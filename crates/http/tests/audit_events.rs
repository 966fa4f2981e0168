//! The audit trail, as those read it who may.

#![expect(
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod app;

use std::time::Duration;

use app::colleague::{ADMIN, all, id, privilege};
use app::{Admin, errors, ok};
use serde_json::{Value, json};
use uuid::Uuid;
use vestibule_engine::Timestamp;
use vestibule_engine::audit::{Entry, Event, Outcome};
use vestibule_store::Audit as _;

const EVENTS: &str = "/admin/audit-events";

/// The events of the rows that a query finds, and the whole answer.
async fn found(admin: &Admin, query: &str) -> (Vec<String>, Value) {
    let list = ok(&admin.send("GET", &format!("{EVENTS}?{query}"), "").await);
    let rows = list["data"].as_array().into_iter().flatten();
    let events = rows.map(|row| row["event"].as_str().unwrap_or("?").to_owned());
    (events.collect(), list)
}

#[tokio::test]
async fn a_sign_in_is_read_back_row_by_row() {
    let admin = Admin::start().await;
    let (events, list) = found(&admin, "").await;
    // The first two are of the program itself, in a new database.
    let signed_in = [
        "adminMfaReplaced",
        "userCreated",
        "signIn",
        "seedShown",
        "secondFactor",
        "seedVerified",
        "admission",
    ];
    assert_eq!(events, signed_in);
    assert_eq!(list["range"], "0-7/7");
    assert_eq!(list["orderBy"], "time");
    assert_eq!(list["totalCount"], 7);
    let first = &list["data"][2];
    assert_eq!(first["actor"], "admin");
    assert_eq!(first["actorId"], ADMIN);
    assert_eq!(first["outcome"], "success");
    assert_eq!(first["address"], "local");
    assert_eq!(first["time"], "2026-01-01T00:00:00.000000Z");
    let code = &list["data"][4];
    assert_eq!(code["details"]["mode"], "TOTP");
    // Reading leaves nothing.
    let (again, _) = found(&admin, "").await;
    assert_eq!(again, events);
}

#[tokio::test]
async fn a_refused_code_is_explained_to_the_auditor_only() {
    let admin = Admin::start().await;
    let token = admin.app.partial("admin").await;
    let refused = admin.app.otp(&token, "000000").await;
    refused.is(401, "unauthorized");
    let request = refused.headers["x-request-id"].to_str().unwrap_or("?");
    let (events, list) = found(&admin, &format!("requestId={request}")).await;
    assert_eq!(events, ["secondFactor"]);
    let row = &list["data"][0];
    assert_eq!(row["requestId"], request);
    assert_eq!(row["outcome"], "failure");
    assert_eq!(row["reason"], "the code is wrong");
    assert!(!refused.text.contains("the code is wrong"));
    assert_eq!(row["details"]["streak"], "1");
    assert!(!list.to_string().contains("000000\""), "{list}");
}

#[tokio::test]
async fn rows_are_filtered_and_cut() {
    let admin = Admin::start().await;
    admin.user(1, &json!({ "name": "Ada" })).await;
    admin
        .app
        .sign_in("ada", "wrong")
        .await
        .is(401, "unauthorized");
    admin.app.clock.advance(Duration::from_mins(1));
    admin.user(2, &json!({ "name": "Bob" })).await;
    for (query, expected) in [
        (
            "event=userCreated",
            vec!["userCreated", "userCreated", "userCreated"],
        ),
        ("username=ADA", vec!["userCreated", "signIn"]),
        ("username=ada&outcome=failure", vec!["signIn"]),
        ("filterBy[username]=ada&outcome=failure", vec!["signIn"]),
        ("since=2026-01-01T00:01:00Z", vec!["userCreated"]),
        ("query=bo&query=USERc", vec!["userCreated"]),
        ("range=7-8", vec!["userCreated", "signIn"]),
        ("range=0-1&descending=true", vec!["userCreated", "signIn"]),
        ("event=usercreated", vec![]),
        ("username=a", vec![]),
    ] {
        let (events, list) = found(&admin, query).await;
        assert_eq!(events, expected, "{query}");
        assert_eq!(list["totalCount"], 10, "{query}");
    }
    let (_, list) = found(&admin, "range=0-99999&username=ada").await;
    assert_eq!(list["range"], "0-2/2");
    assert_eq!(
        list["filterBy"],
        json!([{ "name": "username", "value": "ada" }])
    );
}

#[tokio::test]
async fn an_answer_has_a_thousand_rows_at_most() {
    let admin = Admin::start().await;
    let row = |n: u128| {
        let (id, at) = (Uuid::from_u128(n), Timestamp::from_unix_seconds(0));
        let entry = Entry::new(id, at, Event::Logout, Outcome::Success);
        admin.app.service.sign(entry)
    };
    let rows: Vec<_> = (1..=1_005).map(row).collect();
    assert!(admin.app.store.record(&rows).await.is_ok());
    for (query, range, rows) in [
        ("", "0-999/1012", 1_000),
        ("range=5-100000", "5-1004/1012", 1_000),
        ("range=1005-18446744073709551615", "1005-1012/1012", 7),
    ] {
        let (events, list) = found(&admin, query).await;
        assert_eq!((list["range"].as_str(), events.len()), (Some(range), rows));
    }
}

#[tokio::test]
async fn a_filter_that_says_nothing_is_refused() {
    let admin = Admin::start().await;
    let path = format!("{EVENTS}?since=yesterday&requestId=1");
    let answer = admin.send("GET", &path, "").await;
    assert_eq!(
        errors(&answer),
        [
            "since must be a date and a time of RFC 3339",
            "requestId must be a UUID"
        ]
    );
}

#[tokio::test]
async fn it_takes_the_privilege_to_view_it() {
    let admin = Admin::start().await;
    let auditor = admin.colleague(8, &[all("View", "AuditLog")]).await;
    ok(&auditor.get(EVENTS).await);
    let scoped = privilege("View", "AuditLog", &json!({}));
    ok(&admin.colleague(7, &[scoped]).await.get(EVENTS).await);
    let clerk = admin.colleague(9, &[all("All", "LocalUser")]).await;
    // Whoever may not read it does not learn that they asked for nonsense either.
    let path = format!("{EVENTS}?since=yesterday");
    clerk.get(&path).await.is(403, "forbidden");
    let (events, list) = found(&admin, "event=accessDenied").await;
    assert_eq!(events, ["accessDenied"]);
    assert_eq!(list["data"][0]["actorId"], id(9));
    assert_eq!(list["data"][0]["details"]["target"], "AuditLog");
}
