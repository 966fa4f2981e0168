//! Another master key in the place of the one in use, while two servers sign people in.

use std::path::Path;

use futures_util::future::join_all;
use serde_json::{Value, json};
use vestibule_testkit::authenticator::Authenticator;
use vestibule_testkit::client::Client;
use vestibule_testkit::site::{Backend, Server, Site};

use crate::radius_stage::{CODE, Stage, challenges, state};
use crate::{PASSWORD, STEP, on_both_databases, with_alice};

on_both_databases!(
    a_key_is_replaced_while_people_sign_in,
    a_rotation_that_was_killed_goes_on,
    a_server_without_the_key_says_so_and_finds_it,
    secrets_and_dialogues_of_radius_survive,
);

/// Runs an operator's command that does what it is asked; what it says.
#[track_caller]
pub(crate) fn operate(site: &Site, arguments: &[&str]) -> String {
    let (exit, said) = site.operate(arguments, "");
    assert!(exit.success(), "{arguments:?}: {said} {}", site.logs());
    said
}

/// Runs an operator's command that is refused; nothing is said but why.
#[track_caller]
pub(crate) fn refused(site: &Site, arguments: &[&str], why: &str) {
    let told = || site.logs().matches(why).count();
    let before = told();
    let (exit, said) = site.operate(arguments, "");
    assert!(!exit.success(), "{arguments:?}: {said}");
    assert!(told() > before, "{why}: {}", site.logs());
}

pub(crate) fn status(site: &Site) -> Value {
    let said = operate(site, &["keys", "status", "--output", "json"]);
    serde_json::from_str(&said).unwrap()
}

pub(crate) fn key_file(site: &Site) -> std::path::PathBuf {
    site.directory().join("master.key")
}

/// Users who are enrolled, each with a seed.
pub(crate) async fn crowd(
    site: &Site,
    server: &Server,
    admin: &str,
    people: usize,
) -> Vec<(String, Authenticator)> {
    let client = server.client();
    let mut crowd = Vec::new();
    for n in 0..people {
        let name = format!("user-{n}");
        client.add_user(admin, &name, PASSWORD).await.is(200);
        let (authenticator, _) = client.enrol(&name, PASSWORD, site.now()).await;
        crowd.push((name, authenticator));
    }
    crowd
}

/// Signs all of a crowd in at once, each at one of the servers.
pub(crate) async fn sign_in(site: &Site, crowd: &[(String, Authenticator)], servers: &[&Server]) {
    site.advance(STEP);
    let now = site.now();
    let clients = servers.iter().cycle().map(|server| server.client());
    let all = crowd
        .iter()
        .zip(clients)
        .map(|((name, authenticator), client)| async move {
            let partial = client.sign_in(name, PASSWORD).await.token();
            client.otp(&partial, &authenticator.code(now)).await.token();
        });
    join_all(all).await;
}

/// Everybody signs in before, while and after the key is replaced, and new users enrol meanwhile;
/// then the old key is needed for nothing, and is of no use to anybody.
async fn a_key_is_replaced_while_people_sign_in(backend: Backend) {
    let (site, one, admin) = with_alice(backend).await;
    let two = site.start();
    let mut crowd = crowd(&site, &one, &admin, 6).await;
    operate(&site, &["audit", "verify"]);
    let old = std::fs::read(key_file(&site)).unwrap();
    let before = status(&site);
    assert_eq!(before["left"], 0, "{before}");

    let rotation = site.begin(&["keys", "rotate", "--batch", "2"]);
    let rotation = tokio::task::spawn_blocking(move || rotation.wait());
    let mut rounds = 0;
    while rounds < 3 || !rotation.is_finished() {
        rounds += 1;
        let name = format!("new-{rounds}");
        let client = one.client();
        client.add_user(&admin, &name, PASSWORD).await.is(200);
        let (authenticator, _) = client.enrol(&name, PASSWORD, site.now()).await;
        sign_in(&site, &crowd, &[&one, &two]).await;
        crowd.push((name, authenticator));
    }
    assert!(rotation.await.unwrap().success(), "{}", site.logs());
    operate(&site, &["audit", "verify"]);
    // What a server was about to seal with the old key when it heard of the new one.
    operate(&site, &["keys", "rotate"]);
    let after = status(&site);
    assert_eq!(after["left"], 0, "{after}");
    assert_eq!(after["replaced"], json!([before["inUse"]]));
    assert_ne!(after["inUse"], before["inUse"]);
    assert_eq!(after["inFile"].as_array().unwrap().len(), 2);
    sign_in(&site, &crowd, &[&one, &two]).await;

    operate(&site, &["keys", "retire"]);
    operate(&site, &["keys", "retire"]);
    let retired = status(&site);
    assert_eq!(retired["inFile"], json!([after["inUse"]]));
    assert_eq!(retired["retired"], json!([before["inUse"]]));
    assert_eq!(std::fs::read(key_file(&site)).unwrap().len(), old.len());
    operate(&site, &["audit", "verify"]);
    sign_in(&site, &crowd, &[&two, &one]).await;
    one.kill();
    two.kill();
    let again = site.start();
    sign_in(&site, &crowd, &[&again]).await;
    operate(&site, &["audit", "verify"]);
    let events = operate(&site, &["audit", "--event", "masterKeyRetired"]);
    assert!(
        events.contains(before["inUse"].as_str().unwrap()),
        "{events}"
    );
    again.kill();

    let new = std::fs::read(key_file(&site)).unwrap();
    std::fs::write(key_file(&site), old).unwrap();
    let (exit, log) = site.try_start().err().unwrap();
    assert!(!exit.success());
    assert!(log.contains(after["inUse"].as_str().unwrap()), "{log}");
    std::fs::write(key_file(&site), new).unwrap();
    site.start();
}

/// Killed in the middle, told to wait, told to go on: nothing is lost, and the old key is not
/// retired while it is needed.
async fn a_rotation_that_was_killed_goes_on(backend: Backend) {
    let (site, server, admin) = with_alice(backend).await;
    let crowd = crowd(&site, &server, &admin, 12).await;
    let mut rotation = site.begin(&["keys", "rotate", "--batch", "1"]);
    rotation.wait_until_said("are sealed anew");
    rotation.kill();
    let killed = status(&site);
    let left = killed["left"].as_u64().unwrap();
    assert!((1..13).contains(&left), "it was in the middle: {killed}");
    sign_in(&site, &crowd, &[&server]).await;
    refused(&site, &["keys", "retire"], "is needed");
    refused(&site, &["keys", "rotate", "--prepare"], "is being replaced");
    operate(&site, &["audit", "verify"]);

    operate(&site, &["keys", "pause"]);
    refused(&site, &["keys", "rotate"], "paused, after 0 secrets");
    assert_eq!(status(&site)["left"], left);
    assert_eq!(status(&site)["paused"], true);
    server.kill();
    let server = site.start();
    assert_eq!(status(&site)["paused"], true);
    let said = operate(&site, &["keys", "resume"]);
    assert!(said.contains("none is left"), "{said}");
    assert_eq!(status(&site)["left"], 0);
    operate(&site, &["keys", "retire"]);
    sign_in(&site, &crowd, &[&server]).await;
    operate(&site, &["audit", "verify"]);
}

pub(crate) async fn readiness(client: &Client) -> u16 {
    Client::send(client.call("GET", "/readyz")).await.status
}

/// A server with a copy of the key file that lacks the new key holds the rotation up; when it could
/// not be asked it answers 503, says which key is missing, and finds it without a restart.
async fn a_server_without_the_key_says_so_and_finds_it(backend: Backend) {
    let (site, one, _) = with_alice(backend).await;
    let copy = site.directory().join("copy.key");
    std::fs::copy(key_file(&site), &copy).unwrap();
    let start = |copy: &Path| {
        site.try_start_in(
            &[],
            &[("VESTIBULE_MASTER_KEY_FILE", copy.to_str().unwrap())],
        )
    };
    let two = start(&copy).ok().unwrap();
    let (phone, _) = one.client().enrol("alice", PASSWORD, site.now()).await;
    let before = status(&site);
    refused(
        &site,
        &["keys", "rotate"],
        "these servers do not have the key",
    );
    let prepared = status(&site);
    assert_eq!(prepared["inUse"], before["inUse"], "nothing has changed");
    let next = prepared["next"].as_str().unwrap().to_owned();
    let has = |n: usize| prepared["servers"][n]["has"].as_bool().unwrap();
    assert!(has(0) != has(1), "{prepared}");

    // It is as if it were not there, until the new key is in use.
    two.stop();
    operate(&site, &["keys", "rotate"]);
    two.go_on();
    site.advance(STEP);
    let client = two.client();
    let partial = one.client().sign_in("alice", PASSWORD).await.token();
    let code = phone.code(site.now());
    for otp in [phone.wrong_code(site.now()), code.clone()] {
        let answer = client.otp(&partial, &otp).await;
        assert_eq!(answer.is(503).json()["id"], "service unavailable");
    }
    while readiness(client).await == 200 {
        tokio::task::yield_now().await;
    }
    assert!(two.log().contains(&next), "{}", two.log());
    let (exit, log) = start(&copy).err().unwrap();
    assert!(!exit.success() && log.contains(&next), "{log}");

    // What it would sign now would count as forged when the old key is retired.
    let refusal = client.sign_in("alice", "wrong").await;
    assert_eq!(refusal.is(503).json()["id"], "service unavailable");
    refused(
        &site,
        &["keys", "retire"],
        "these servers do not have the key",
    );
    let rotated = status(&site);
    let lacks = rotated["servers"].as_array().unwrap().iter();
    let lacks: Vec<_> = lacks.filter(|server| server["has"] == false).collect();
    assert_eq!((lacks.len(), &lacks[0]["key"]), (1, &rotated["inUse"]));

    std::fs::copy(key_file(&site), &copy).unwrap();
    client.otp(&partial, &code).await.token();
    while readiness(client).await != 200 {
        tokio::task::yield_now().await;
    }
    operate(&site, &["keys", "rotate"]);
    operate(&site, &["keys", "retire"]);
    operate(&site, &["audit", "verify"]);
    sign_in(&site, &[("alice".to_owned(), phone)], &[&two]).await;
}

/// A dialogue that was begun before goes on afterwards, with the secrets that were sealed anew.
async fn secrets_and_dialogues_of_radius_survive(backend: Backend) {
    let stage = Stage::new(backend, json!({ "mode": "Challenge" }), challenges).await;
    let site = &stage.site;
    let (partial, begun) = stage.begun().await;
    let sealed = status(site)["sealed"].clone();
    let counted = |what: &str| {
        sealed
            .as_array()
            .unwrap()
            .iter()
            .any(|it| it["what"] == what)
    };
    assert!(counted("dialogues") && counted("radiusSecrets"), "{sealed}");
    operate(site, &["keys", "rotate"]);
    operate(site, &["keys", "retire"]);
    let client = stage.client();
    client
        .otp_with(&partial, CODE, &state(&begun))
        .await
        .token();
    let another = site.start();
    let partial = another.client().sign_in("alice", PASSWORD).await.token();
    another.client().initialize(&partial).await.is(200);
    client.otp(&partial, CODE).await.token();
    operate(site, &["audit", "verify"]);
}
