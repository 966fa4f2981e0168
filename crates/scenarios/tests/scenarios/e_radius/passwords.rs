//! What goes where a password goes: S45.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use serde_json::json;
use sqlx::Connection as _;
use vestibule_testkit::radius::attribute::{CHAP_CHALLENGE, CHAP_PASSWORD};
use vestibule_testkit::radius::{Action, Answer as Reply, Received};
use vestibule_testkit::site::{Backend, Site};

use crate::radius_stage::{CHALLENGE_SECRET, CODE, SECRET, Stage, WRONG, state};
use crate::{on_both_databases, site};

on_both_databases!(
    s45_passwords_arrive_octet_by_octet,
    s45_the_users_password_goes_where_it_is_wanted,
    s45_chap_never_repeats_a_challenge,
    s45_nothing_of_it_is_kept,
);

/// The lengths at which RFC 2865 section 5.2 begins another block, the longest, and those that no
/// client thinks of.
fn passwords() -> Vec<String> {
    let mut all: Vec<String> = [1, 15, 16, 17, 31, 32, 33, 127, 128]
        .map(|length| ('!'..='~').cycle().take(length).collect())
        .into();
    all.push("пароль 密码 🔑".to_owned());
    all.push("é".repeat(64));
    all.push(" leading, trailing and inner  spaces ".to_owned());
    all.push("\t\r\n\u{7f}\u{1b}\"'\\".to_owned());
    all
}

/// What RADIUS cannot carry.
fn impossible() -> Vec<String> {
    vec![
        "x".repeat(129),
        "é".repeat(65),
        "x".repeat(256),
        "a\0b".to_owned(),
        "\0".to_owned(),
        String::new(),
    ]
}

/// Accepts this password and no other.
fn expects(password: &str) -> impl Fn(&Received) -> Vec<Action> + Send + Sync + 'static {
    let password = password.to_owned();
    move |request: &Received| {
        let is_it = request.has_password(password.as_bytes());
        let reply = if is_it {
            Reply::accept()
        } else {
            Reply::reject()
        };
        vec![reply.into()]
    }
}

/// As it was typed, by PAP and by CHAP; and what cannot be sent is cut nowhere, but refused.
async fn s45_passwords_arrive_octet_by_octet(backend: Backend) {
    let mut stage = Stage::new(backend, json!({}), expects("")).await;
    for protocol in ["PAP", "CHAP"] {
        stage
            .change(&json!({ "authenticationProtocol": protocol }))
            .await;
        let mut partial = stage.partial().await;
        for password in impossible() {
            let asked = stage.requests();
            let refused = stage.client().otp(&partial, &password).await;
            let errors = &refused.is(422).json()["errors"];
            assert_eq!(errors[0]["field"], "otp", "{password:?}");
            assert_eq!(stage.requests(), asked);
        }
        for password in passwords() {
            stage.radius.handle(expects(&password));
            let answer = stage.client().otp(&partial, &password).await;
            assert_eq!(answer.status, 200, "{protocol} {password:?}");
            partial = stage.partial().await;
        }
        // Which of the two forms somebody's keyboard makes is not for them to know.
        stage.radius.handle(expects("\u{e9}"));
        stage.client().otp(&partial, "e\u{301}").await.token();
    }
}

/// `useUserPassword`: at the start in `Challenge`, as `otp` in `Push`; never compared with the
/// password that was checked here.
async fn s45_the_users_password_goes_where_it_is_wanted(backend: Backend) {
    let theirs = "another password: пароль";
    let asks = move |request: &Received| {
        let reply = match request.state() {
            None if request.has_password(theirs.as_bytes()) => {
                Reply::challenge().state(b"asked").message("Code?")
            }
            Some(b"asked") if request.has_password(CODE.as_bytes()) => Reply::accept(),
            _ => Reply::reject(),
        };
        vec![reply.into()]
    };
    let settings = json!({ "mode": "Challenge", "useUserPassword": true });
    let mut stage = Stage::new(backend, settings, asks).await;
    for protocol in ["PAP", "CHAP"] {
        stage.radius.handle(asks);
        let change = json!({ "mode": "Challenge", "authenticationProtocol": protocol });
        stage.change(&change).await;
        let client = stage.client();
        let partial = stage.partial().await;
        let asked = stage.requests();
        let missing = client.initialize(&partial).await;
        assert_eq!(missing.is(422).json()["errors"][0]["field"], "userPassword");
        for password in impossible() {
            let refused = client.initialize_with(&partial, &password).await;
            let errors = &refused.is(422).json()["errors"];
            assert_eq!(errors[0]["field"], "userPassword", "{password:?}");
        }
        assert_eq!(stage.requests(), asked);
        client
            .initialize_with(&partial, crate::PASSWORD)
            .await
            .is(401);
        let begun = client.initialize_with(&partial, theirs).await;
        assert_eq!(begun.is(200).json()["responseMessage"], "Code?");
        client
            .otp_with(&partial, CODE, &state(&begun))
            .await
            .token();

        stage.radius.handle(expects(theirs));
        stage.change(&json!({ "mode": "Push" })).await;
        let client = stage.client();
        let partial = stage.partial().await;
        let begun = client.initialize_with(&partial, "not looked at").await;
        assert_eq!(begun.is(200).json()["type"], "Push");
        assert_eq!(begun.json()["sendPassword"], true);
        for password in impossible() {
            client.otp(&partial, &password).await.is(422);
        }
        client.otp(&partial, theirs).await.token();
    }
}

/// CHAP is as good as its challenge is fresh: sixteen octets, and new for each request.
async fn s45_chap_never_repeats_a_challenge(backend: Backend) {
    let seen: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let keeps = Arc::clone(&seen);
    let rejects = move |request: &Received| {
        let challenge = request.attribute(CHAP_CHALLENGE).unwrap();
        assert_eq!(challenge.len(), 16);
        assert_eq!(request.attribute(CHAP_PASSWORD).map(<[u8]>::len), Some(17));
        assert_eq!(request.password(), None, "one of the two");
        let both = [challenge, &request.authenticator].map(<[u8]>::to_vec);
        keeps.lock().unwrap().extend(both);
        vec![Action::from(Reply::reject())]
    };
    let settings = json!({ "authenticationProtocol": "CHAP" });
    let stage = Stage::new(backend, settings, rejects).await;
    let partial = stage.partial().await;
    for _ in 0..5 {
        stage.client().otp(&partial, CODE).await.is(401);
    }
    let mut seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 10);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 10, "none came twice");
}

/// Neither the passwords, nor the secrets, nor the server's State are in the log at any level, or
/// in the database, where the dialogue waits.
async fn s45_nothing_of_it_is_kept(backend: Backend) {
    const TYPED: &str = "typed-canary-3141592653";
    const WRONGLY: &str = "wrong-canary-8979323846";
    const STATE: &str = "state-canary-2643383279";
    let asks = |request: &Received| {
        let reply = match request.state() {
            None => Reply::challenge().state(STATE.as_bytes()),
            Some(_) if request.has_password(TYPED.as_bytes()) => Reply::accept(),
            Some(_) => Reply::reject(),
        };
        vec![reply.into()]
    };
    let site = site(backend).with_log("trace");
    let settings = json!({ "mode": "Challenge", "useUserPassword": true });
    let mut stage = Stage::at(site, settings, asks).await;
    let users = "user-canary-5028841971";
    let partial = stage.partial().await;
    let mut canaries = vec![users, WRONGLY, TYPED, STATE, SECRET, CHALLENGE_SECRET];
    let begun = stage.client().initialize_with(&partial, users).await;
    begun.is(200);
    stage.client().otp(&partial, WRONGLY).await.is(401);
    stage
        .client()
        .initialize_with(&partial, users)
        .await
        .is(200);
    nothing_kept(&stage.site, backend, &canaries).await;
    stage.client().otp(&partial, TYPED).await.token();

    stage.radius.handle(expects(users));
    stage.change(&json!({ "mode": "Push" })).await;
    let pushed = stage.partial().await;
    stage.client().otp(&pushed, users).await.token();
    // And when all goes wrong.
    stage.change(&json!({ "timeout": 1 })).await;
    stage.radius.stop().await;
    let silent = stage.partial().await;
    stage.client().otp(&silent, users).await.is(503);
    stage.client().otp(&silent, WRONG).await.is(503);
    nothing_kept(&stage.site, backend, &canaries).await;

    canaries.extend([partial.as_str(), &pushed]);
    let logs = stage.site.logs();
    assert!(logs.contains("Second factor passed"), "the log is there");
    for canary in canaries {
        assert!(!logs.contains(canary), "{canary} is in the log");
        let listed = format!("{:?}", canary.as_bytes());
        let listed = listed.trim_matches(['[', ']']);
        assert!(!logs.contains(listed), "{canary} is in the log");
    }
}

/// Checks that the database holds none of these.
async fn nothing_kept(site: &Site, backend: Backend, canaries: &[&str]) {
    let contents = match backend {
        Backend::Sqlite => files(site),
        Backend::Postgres => rows(site).await,
    };
    assert!(contents.contains("alice"), "it is the database");
    for canary in canaries {
        assert!(!contents.contains(canary), "{canary} is in the database");
        let mut hex = String::new();
        for octet in canary.bytes() {
            write!(hex, "{octet:02x}").unwrap();
        }
        assert!(!contents.contains(&hex), "{canary} is in the database");
    }
}

/// The database, and what is not yet in it.
fn files(site: &Site) -> String {
    let file = site.sqlite_file();
    let mut octets = std::fs::read(&file).unwrap();
    octets.extend(std::fs::read(file.with_extension("sqlite3-wal")).unwrap());
    String::from_utf8_lossy(&octets).into_owned()
}

/// All rows of all tables.
async fn rows(site: &Site) -> String {
    let mut database = sqlx::PgConnection::connect(&site.database_url())
        .await
        .unwrap();
    let hex = sqlx::raw_sql("SET xmlbinary = hex").execute(&mut database);
    hex.await.unwrap();
    sqlx::query_scalar("SELECT database_to_xml(true, false, '')::text")
        .fetch_one(&mut database)
        .await
        .unwrap()
}
