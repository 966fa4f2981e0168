//! The audit trail: S01, S30, S46, S47 and S48, as an operator sees them.

use serde_json::Value;
use sqlx::{Connection as _, Executor as _};
use vestibule_testkit::client::Answer;
use vestibule_testkit::site::{ADMIN_PASSWORD, Backend, Site};

use crate::{PASSWORD, STEP, admin, on_both_databases, site, with_alice};

on_both_databases!(
    s01_a_spent_code_is_written_down_as_such,
    s30_whoever_is_shown_a_seed_is_written_down_with_the_address,
    s46_the_true_reason_is_written_down,
    s47_every_sign_in_is_written_down_and_no_secret_is,
    s48_every_change_of_the_trail_is_found,
    s48_a_trail_without_its_end_is_found_by_its_head,
    changes_are_written_down_with_who_made_them,
    what_cannot_be_written_down_is_not_answered,
);

/// The rows of a site, from the first to the last.
pub(crate) fn trail(site: &Site, arguments: &[&str]) -> Vec<Value> {
    let all = ["audit", "--output", "json", "--limit", "10000"];
    let (exit, said) = site.operate(&[all.as_slice(), arguments].concat(), "");
    assert!(exit.success(), "{said}");
    let rows: Value = serde_json::from_str(&said).unwrap();
    rows.as_array().unwrap().clone()
}

/// The rows of one request.
pub(crate) fn of(site: &Site, answer: &Answer) -> Vec<Value> {
    let id = answer.headers["x-request-id"].to_str().unwrap();
    trail(site, &["--request", id])
}

/// What an operator is told of one request.
pub(crate) fn explained(site: &Site, answer: &Answer) -> String {
    let id = answer.headers["x-request-id"].to_str().unwrap();
    let (exit, said) = site.operate(&["explain", id], "");
    assert!(exit.success(), "{said}");
    said
}

#[track_caller]
pub(crate) fn check(row: &Value, event: &str, outcome: &str, actor: &str, reason: Option<&str>) {
    let expected = (Some(event), Some(outcome), Some(actor), reason);
    let text = |key: &str| row[key].as_str();
    let found = (
        text("event"),
        text("outcome"),
        text("actor"),
        text("reason"),
    );
    assert_eq!(found, expected, "{row}");
}

/// The answer to a spent code is that to a wrong one; the trail tells them apart.
async fn s01_a_spent_code_is_written_down_as_such(backend: Backend) {
    let (site, server, _) = with_alice(backend).await;
    let client = server.client();
    let (authenticator, _) = client.enrol("alice", PASSWORD, site.now()).await;
    let partial = client.sign_in("alice", PASSWORD).await.token();
    let code = authenticator.code(site.now());
    let spent = client.otp(&partial, &code).await;
    let rows = of(&site, &spent);
    let why = Some("the code was used before");
    check(&rows[0], "secondFactor", "failure", "alice", why);
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["details"]["step"], rows[0]["details"]["lastStep"]);
    assert!(explained(&site, &spent).contains("Because the code was used before."));
    let wrong = client
        .otp(&partial, &authenticator.wrong_code(site.now()))
        .await;
    let rows = of(&site, &wrong);
    let why = Some("the code is wrong");
    check(&rows[0], "secondFactor", "failure", "alice", why);
    assert_eq!(rows[0]["details"]["streak"], "1");
    site.advance(STEP);
    let right = authenticator.code(site.now());
    let passed = client.otp(&partial, &right).await;
    let rows = of(&site, &passed);
    check(&rows[0], "secondFactor", "success", "alice", None);
    assert_eq!(rows[0]["details"]["offset"], "0");
    let admitted = client.authorize(&passed.token()).await;
    let why = Some("the user has no privileges");
    check(
        &of(&site, &admitted)[0],
        "admission",
        "denied",
        "alice",
        why,
    );
    let (exit, _) = site.operate(&["explain", "00000000-0000-4000-8000-000000000000"], "");
    assert!(!exit.success());
}

/// A new seed leaves a row with the address; one that is verified is only read.
async fn s30_whoever_is_shown_a_seed_is_written_down_with_the_address(backend: Backend) {
    let (site, server, _) = with_alice(backend).await;
    let client = server.client();
    let partial = client.sign_in("alice", PASSWORD).await.token();
    let shown = client.initialize(&partial).await;
    let rows = of(&site, &shown);
    check(&rows[0], "seedShown", "success", "alice", None);
    assert_eq!(rows[0]["address"], "local");
    assert!(rows[0]["actorId"].is_string());
    let (_, verified) = client.enrol("alice", PASSWORD, site.now()).await;
    let verifying = trail(&site, &["--event", "seedVerified", "--user", "ALICE"]);
    assert_eq!(verifying.len(), 1);
    let again = client.sign_in("alice", PASSWORD).await.token();
    let seeded = client.initialize(&again).await;
    assert_eq!(of(&site, &seeded), Vec::<Value>::new());
    let refused = client.get("/admin/local-users", &verified).await;
    let why = Some("the token is not good for this");
    check(
        &of(&site, &refused)[0],
        "tokenRefused",
        "denied",
        "alice",
        why,
    );
}

/// What is one and the same answer outside is not in the trail.
async fn s46_the_true_reason_is_written_down(backend: Backend) {
    let (site, server, _) = with_alice(backend).await;
    let client = server.client();
    let nobody = client.sign_in("mallory", PASSWORD).await;
    let why = Some("there is no such user");
    check(&of(&site, &nobody)[0], "signIn", "failure", "mallory", why);
    for n in 1..=5 {
        let wrong = client.sign_in("alice", "wrong").await;
        assert_eq!(wrong.text, nobody.text);
        let rows = of(&site, &wrong);
        let why = Some("the password is wrong");
        check(&rows[0], "signIn", "failure", "alice", why);
        assert_eq!(rows[0]["details"]["passwordFailures"], n.to_string());
        assert_eq!(rows.len(), if n == 5 { 2 } else { 1 });
        if n == 5 {
            check(&rows[1], "passwordLocked", "success", "alice", None);
            let said = explained(&site, &wrong);
            assert!(
                said.contains("Passwords are not looked at until 20"),
                "{said}"
            );
        }
    }
    let locked = client.sign_in("alice", PASSWORD).await;
    assert_eq!(locked.text, nobody.text);
    let why = Some("locked after wrong passwords");
    check(&of(&site, &locked)[0], "signIn", "failure", "alice", why);
    site.operate(&["user", "unlock", "alice"], "");
    site.operate(&["user", "disable", "alice"], "");
    let disabled = client.sign_in("alice", PASSWORD).await;
    let why = Some("the user is disabled");
    check(&of(&site, &disabled)[0], "signIn", "failure", "alice", why);
    site.operate(&["user", "enable", "alice"], "");
    let right = client.sign_in("alice", PASSWORD).await;
    check(&of(&site, &right)[0], "signIn", "success", "alice", None);
    let due = client.authorize(&right.token()).await;
    due.is(412);
    let why = Some("a second factor is due");
    check(&of(&site, &due)[0], "admission", "denied", "alice", why);
}

/// Names of ten thousand letters, and such that would be lines of their own, leave a row; what is
/// secret leaves nothing of itself.
async fn s47_every_sign_in_is_written_down_and_no_secret_is(backend: Backend) {
    let (site, server, token) = with_alice(backend).await;
    let client = server.client();
    let long = client
        .sign_in(&"ä".repeat(10_000), "planted-password-1")
        .await;
    let name = of(&site, &long)[0]["actor"].as_str().unwrap().to_owned();
    assert_eq!(name, format!("{}…", "ä".repeat(256)));
    let forged = client
        .sign_in("x\r\nadmin signIn success\u{1b}[2J", "planted-password-2")
        .await;
    let rows = of(&site, &forged);
    let name = rows[0]["actor"].as_str().unwrap();
    assert!(!name.chars().any(char::is_control), "{name:?}");
    let (_, lines) = site.operate(&["audit", "--limit", "1"], "");
    assert_eq!(lines.lines().count(), 1);

    let (authenticator, verified) = client.enrol("alice", PASSWORD, site.now()).await;
    let partial = client.sign_in("alice", PASSWORD).await.token();
    let wrong = authenticator.wrong_code(site.now());
    client.otp(&partial, &wrong).await.is(401);
    let code = authenticator.code(site.now());
    client.otp(&partial, &code).await.is(401);
    let all = without_times(trail(&site, &[]));
    for secret in [
        "planted-password",
        PASSWORD,
        ADMIN_PASSWORD,
        &wrong,
        &code,
        &partial,
        &verified,
        &token,
    ] {
        assert!(!all.contains(secret), "{secret} is in the trail");
    }
}

/// Rows as text, without the times: those may hold the digits of a code.
pub(crate) fn without_times(mut rows: Vec<Value>) -> String {
    for row in &mut rows {
        row.as_object_mut().unwrap().remove("time");
    }
    Value::from(rows).to_string()
}

pub(crate) async fn tamper(site: &Site, backend: Backend, statement: &'static str) {
    let changed = run(site, backend, statement).await;
    assert!(changed > 0, "{statement}");
}

/// Runs a statement past the program; how many rows it changed.
pub(crate) async fn run(site: &Site, backend: Backend, statement: &'static str) -> u64 {
    let url = site.database_url();
    match backend {
        Backend::Sqlite => {
            let url = format!("sqlite:{}", site.sqlite_file().display());
            let mut database = sqlx::SqliteConnection::connect(&url).await.unwrap();
            database.execute(statement).await.unwrap().rows_affected()
        }
        Backend::Postgres => {
            let mut database = sqlx::PgConnection::connect(&url).await.unwrap();
            database.execute(statement).await.unwrap().rows_affected()
        }
    }
}

/// Whether the trail is found to be whole, and what is said of it.
pub(crate) fn verify(site: &Site, arguments: &[&str]) -> (bool, String) {
    let (exit, said) = site.operate(&[&["audit", "verify"], arguments].concat(), "");
    (exit.success(), said)
}

/// Whoever may write to the database, but has no key, changes nothing unnoticed.
async fn s48_every_change_of_the_trail_is_found(backend: Backend) {
    let (site, server, _) = with_alice(backend).await;
    for _ in 0..3 {
        server.client().sign_in("alice", "wrong").await.is(401);
    }
    server.terminate();
    assert!(server.wait().success());
    let (whole, said) = verify(&site, &[]);
    assert!(whole && said.contains("0 are younger"), "{said}");

    let edit = "UPDATE audit_events SET outcome = 'success' WHERE reason = 'the password is wrong'";
    tamper(&site, backend, edit).await;
    let (whole, said) = verify(&site, &[]);
    let altered = said.matches("was altered, or forged").count();
    assert!(!whole && altered == 3, "{said}");
    let back = "UPDATE audit_events SET outcome = 'failure' WHERE reason = 'the password is wrong'";
    tamper(&site, backend, back).await;
    assert!(verify(&site, &[]).0);

    let number = "UPDATE audit_events SET number = number + 1000 WHERE event = 'admission'";
    tamper(&site, backend, number).await;
    let (whole, said) = verify(&site, &[]);
    assert!(
        !whole && said.contains("covers rows that were removed"),
        "{said}"
    );
    let back = "UPDATE audit_events SET number = number - 1000 WHERE event = 'admission'";
    tamper(&site, backend, back).await;
    assert!(verify(&site, &[]).0);

    let stray = "UPDATE audit_chains SET sealed = sealed - 1";
    tamper(&site, backend, stray).await;
    assert!(
        verify(&site, &[]).0,
        "what is sealed is known from the seals"
    );
    tamper(
        &site,
        backend,
        "UPDATE audit_chains SET sealed = sealed + 1",
    )
    .await;

    let seal = "UPDATE audit_seals SET at = at + 1 WHERE number = 1";
    tamper(&site, backend, seal).await;
    let (whole, said) = verify(&site, &[]);
    assert!(!whole && said.contains("seal 1 "), "{said}");
    tamper(
        &site,
        backend,
        "UPDATE audit_seals SET at = at - 1 WHERE number = 1",
    )
    .await;
    assert!(verify(&site, &[]).0);

    let remove = "DELETE FROM audit_events WHERE reason = 'the password is wrong'";
    tamper(&site, backend, remove).await;
    let (whole, said) = verify(&site, &[]);
    assert!(
        !whole && said.contains("covers rows that were removed"),
        "{said}"
    );
    tamper(&site, backend, "DELETE FROM audit_seals WHERE number = 1").await;
    let (whole, said) = verify(&site, &[]);
    assert!(!whole, "{said}");
}

/// Whoever cuts off the end leaves a trail that is whole; the head that was noted down is gone.
async fn s48_a_trail_without_its_end_is_found_by_its_head(backend: Backend) {
    let (site, server, _) = with_alice(backend).await;
    server.terminate();
    assert!(server.wait().success());
    site.operate(&["user", "disable", "alice"], "");
    let (whole, said) = verify(&site, &[]);
    assert!(whole, "{said}");
    let head = said.lines().find_map(|line| line.strip_prefix("Head: "));
    let head = head.unwrap().to_owned();
    site.operate(&["user", "enable", "alice"], "");
    assert!(verify(&site, &["--head", &head]).0);

    for cut in [
        "DELETE FROM audit_events WHERE event IN ('userDisabled', 'userEnabled')",
        "DELETE FROM audit_seals WHERE chain NOT IN (SELECT chain FROM audit_events)",
    ] {
        tamper(&site, backend, cut).await;
    }
    let (whole, said) = verify(&site, &[]);
    assert!(whole, "{said}");
    let (whole, said) = verify(&site, &["--head", &head]);
    assert!(!whole && said.contains("is not in the trail"), "{said}");
}

/// Changes, by administrators and by operators, are there with whom they were made to.
async fn changes_are_written_down_with_who_made_them(backend: Backend) {
    let site = site(backend);
    let server = site.start();
    let (token, _) = admin(&site, &server).await;
    let client = server.client();
    let made = client.add_user(&token, "bob", PASSWORD).await;
    let rows = of(&site, &made);
    check(&rows[0], "userCreated", "success", "admin", None);
    assert_eq!((&rows[0]["object"], rows.len()), (&"bob".into(), 1));
    let again = client.add_user(&token, "BOB", PASSWORD).await;
    let why = Some("a user with this name exists already");
    let rows = of(&site, again.is(409));
    check(&rows[0], "userCreated", "failure", "admin", why);
    assert_eq!(rows.len(), 1);
    client.enrol("bob", PASSWORD, site.now()).await;
    let off = client.delete("/admin/admin-mfa-settings", &token).await;
    check(
        &of(&site, &off)[0],
        "adminMfaReplaced",
        "success",
        "admin",
        None,
    );
    let reset = client
        .delete("/admin/otp/seeds/CN=bob,OU=local", &token)
        .await;
    check(&of(&site, &reset)[0], "seedReset", "success", "admin", None);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let gone = client
        .delete(&format!("/admin/local-users/{id}"), &token)
        .await;
    check(
        &of(&site, &gone)[0],
        "userDeleted",
        "success",
        "admin",
        None,
    );
    let out = client
        .post(
            "/admin/authentication/logout",
            &token,
            &serde_json::json!({}),
        )
        .await;
    check(&of(&site, &out)[0], "logout", "success", "admin", None);

    for (arguments, event) in [
        (["user", "passwd", "admin"].as_slice(), "passwordSet"),
        (&["user", "unlock", "admin"], "userUnlocked"),
        (
            &["user", "exempt", "admin", "--until", "2200-01-01T00:00:00Z"],
            "userExempted",
        ),
        (&["seeds", "reset", "admin"], "seedReset"),
    ] {
        let (exit, said) = site.operate(arguments, "another password\n");
        assert!(exit.success(), "{said}");
        let rows = trail(&site, &["--event", event]);
        let mut rows = rows.iter();
        let last = rows.find(|row| row["actor"] == "operator").unwrap();
        check(last, event, "success", "operator", None);
        assert_eq!(last["object"], "admin");
    }
}

/// While there is nowhere to write it down, nobody is told that they are not let in.
async fn what_cannot_be_written_down_is_not_answered(backend: Backend) {
    let (site, server, _) = with_alice(backend).await;
    let client = server.client();
    let (_, verified) = client.enrol("alice", PASSWORD, site.now()).await;
    client.authorize(&verified).await.is(403);
    let away = "ALTER TABLE audit_events RENAME TO elsewhere";
    run(&site, backend, away).await;
    client.authorize(&verified).await.is(503);
    let back = "ALTER TABLE elsewhere RENAME TO audit_events";
    run(&site, backend, back).await;
    let denied = client.authorize(&verified).await;
    let why = Some("the user has no privileges");
    check(
        &of(&site, denied.is(403))[0],
        "admission",
        "denied",
        "alice",
        why,
    );
}
