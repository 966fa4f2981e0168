//! Keys that are missing, rows that do not open, and processes that died or stand still while the
//! master key is replaced.

use std::fs::{self, File};
use std::time::Duration;

use vestibule_testkit::site::{Backend, Site};

use crate::f_disclosure::audit_trail::{run, tamper, verify};
use crate::g_backups::{backup, elsewhere, text};
use crate::g_keys::{crowd, key_file, operate, readiness, refused, sign_in, status};
use crate::{PASSWORD, on_both_databases, with_alice};

on_both_databases!(
    a_key_that_is_missing_is_named,
    a_row_that_does_not_open_holds_nothing_else_up,
    what_a_killed_server_left_is_sealed_before_a_key_is_retired,
    a_key_that_is_needed_for_nothing_may_be_lost,
    one_changes_the_key_file_at_a_time,
);

/// Leaves only the last key in the file; what was there before.
fn lose_older_keys(site: &Site) -> String {
    let all = fs::read_to_string(key_file(site)).unwrap();
    let (_, newest) = all.trim().rsplit_once(' ').unwrap();
    fs::write(key_file(site), newest).unwrap();
    all
}

fn old_and_new(site: &Site) -> (String, String) {
    let status = status(site);
    let key = |key: &serde_json::Value| key.as_str().unwrap().to_owned();
    (key(&status["replaced"][0]), key(&status["inUse"]))
}

/// In the middle of a rotation both keys are needed. Whatever looks at the key file says so when one
/// is not there.
async fn a_key_that_is_missing_is_named(backend: Backend) {
    let (site, server, admin) = with_alice(backend).await;
    let people = crowd(&site, &server, &admin, 6).await;
    let mut rotation = site.begin(&["keys", "rotate", "--batch", "1"]);
    rotation.wait_until_said("are sealed anew");
    rotation.kill();
    assert!(status(&site)["left"].as_u64().unwrap() > 0);
    let (old, new) = old_and_new(&site);
    let file = site.directory().join("both");
    let said = operate(&site, &["backup", text(&file)]);
    assert!(said.contains(&old) && said.contains(&new), "{said}");
    server.kill();

    let all = lose_older_keys(&site);
    let needs = format!("needs the master key {old}, which is not in the key file");
    refused(&site, &["backup", "--verify", text(&file)], &needs);
    let there = elsewhere(&site, backend);
    refused(&there, &["restore", text(&file)], &needs);
    let (exit, said) = site.operate(&["doctor"], "");
    assert!(!exit.success());
    assert!(
        said.contains(&format!("the master key {old} is not in")),
        "{said}"
    );
    let said = operate(&site, &["keys", "status"]);
    let missing =
        format!("{old} was replaced, and is not retired yet, but it is not in the key file");
    assert!(said.contains(&missing), "{said}");
    refused(
        &site,
        &["keys", "rotate"],
        &format!("needs the master key {old}"),
    );
    let server = site.start();
    assert_eq!(readiness(server.client()).await, 503);
    while !server
        .log()
        .contains(&format!("the master key {old} is needed"))
    {
        tokio::task::yield_now().await;
    }
    // What the trail needs of it was sealed when the rotation began.
    let (whole, said) = verify(&site, &[]);
    assert!(whole, "{said}");

    fs::write(key_file(&site), &all).unwrap();
    while readiness(server.client()).await != 200 {
        tokio::task::yield_now().await;
    }
    operate(&site, &["backup", "--verify", text(&file)]);
    fs::write(key_file(&there), &all).unwrap();
    operate(&there, &["restore", text(&file)]);
    sign_in(&site, &people, &[&server]).await;
    operate(&site, &["keys", "rotate"]);
    operate(&site, &["keys", "retire"]);
}

/// Whoever may write to the database can name a key that nobody knows, and stop nothing by it.
async fn a_row_that_does_not_open_holds_nothing_else_up(backend: Backend) {
    let (site, server, admin) = with_alice(backend).await;
    let people = crowd(&site, &server, &admin, 3).await;
    tamper(
        &site,
        backend,
        match backend {
            Backend::Sqlite => {
                "UPDATE second_factors SET seed_key_id = x'00000000000000000000000000000007'
                 WHERE user_id = (SELECT id FROM users WHERE name = 'user-1')"
            }
            Backend::Postgres => {
                "UPDATE second_factors SET seed_key_id = '00000000-0000-0000-0000-000000000007'
                 WHERE user_id = (SELECT id FROM users WHERE name = 'user-1')"
            }
        },
    )
    .await;
    let reset = "`vestibule seeds reset user-1`";
    let file = backup(&site, "file");
    refused(&site, &["backup", "--verify", text(&file)], reset);
    refused(&site, &["keys", "rotate"], reset);
    let logs = site.logs();
    assert!(
        logs.contains("00000000-0000-0000-0000-000000000007"),
        "{logs}"
    );
    assert_eq!(status(&site)["left"], 1, "all others are sealed anew");
    operate(&site, &["keys", "retire"]);
    let there = elsewhere(&site, backend);
    operate(&site, &["seeds", "reset", "user-1"]);
    let mended = backup(&site, "mended");
    operate(&site, &["backup", "--verify", text(&mended)]);
    operate(&there, &["restore", text(&mended)]);
    let others: Vec<_> = people
        .into_iter()
        .filter(|(name, _)| name != "user-1")
        .collect();
    sign_in(&site, &others, &[&server]).await;
}

/// Rows that are under no seal.
async fn has_unsealed(site: &Site, backend: Backend) -> bool {
    // It changes nothing, and so finds how many there are.
    let rows = "UPDATE audit_chains SET sealed = sealed
        WHERE sealed < (SELECT max(number) FROM audit_events e WHERE e.chain = audit_chains.chain)";
    run(site, backend, rows).await > 0
}

/// What a process that died has left without a seal was signed with the key of then. However late
/// it is sealed, nobody takes it for forged.
async fn what_a_killed_server_left_is_sealed_before_a_key_is_retired(backend: Backend) {
    let (site, mut server, _) = with_alice(backend).await;
    loop {
        server.client().sign_in("alice", "wrong").await.is(401);
        server.kill();
        if has_unsealed(&site, backend).await {
            break;
        }
        server = site.start();
    }
    operate(&site, &["keys", "rotate"]);
    assert!(has_unsealed(&site, backend).await);
    let mut retirement = site.begin(&["keys", "retire"]);
    retirement.wait_until_said("Waiting for the seals");
    site.advance(Duration::from_secs(61));
    assert!(retirement.wait().success(), "{}", site.logs());
    assert!(!has_unsealed(&site, backend).await);

    site.advance(Duration::from_mins(11));
    let server = site.start();
    server.client().sign_in("alice", "wrong").await.is(401);
    site.advance(Duration::from_secs(61));
    while has_unsealed(&site, backend).await {
        tokio::task::yield_now().await;
    }
    let (whole, said) = verify(&site, &[]);
    assert!(whole, "{said}");
}

/// When nothing is left that the old key has sealed, the file with it may be lost.
async fn a_key_that_is_needed_for_nothing_may_be_lost(backend: Backend) {
    let (site, server, admin) = with_alice(backend).await;
    let people = crowd(&site, &server, &admin, 2).await;
    operate(&site, &["keys", "rotate"]);
    let (old, new) = old_and_new(&site);
    let file = site.directory().join("file");
    let said = operate(&site, &["backup", text(&file)]);
    assert!(said.contains(&new) && !said.contains(&old), "{said}");
    lose_older_keys(&site);
    operate(&site, &["backup", "--verify", text(&file)]);
    operate(&site, &["keys", "retire"]);
    assert_eq!(status(&site)["retired"][0], old.as_str());
    let (whole, said) = verify(&site, &[]);
    assert!(whole, "{said}");
    sign_in(&site, &people, &[&server]).await;
    assert_eq!(readiness(server.client()).await, 200);

    // Without what the old key has left nobody can say what was forged.
    let lost = match backend {
        Backend::Sqlite => {
            "UPDATE master_keys SET audit_key_id = x'00000000000000000000000000000007'"
        }
        Backend::Postgres => {
            "UPDATE master_keys SET audit_key_id = '00000000-0000-0000-0000-000000000007'"
        }
    };
    tamper(&site, backend, lost).await;
    let named = "the master key 00000000-0000-0000-0000-000000000007 is needed";
    refused(&site, &["audit", "verify"], named);
    assert!(!site.logs().contains("forged"), "{}", site.logs());
}

/// Two rotations at once would each write what they have read, and one would lose the key of the
/// other.
async fn one_changes_the_key_file_at_a_time(backend: Backend) {
    let (site, server, _) = with_alice(backend).await;
    let (phone, _) = server.client().enrol("alice", PASSWORD, site.now()).await;
    let before = fs::read(key_file(&site)).unwrap();
    let lock = File::create(site.directory().join("master.key.lock")).unwrap();
    lock.lock().unwrap();
    for command in [["keys", "rotate"], ["keys", "retire"]] {
        refused(&site, &command, "being changed by somebody else");
    }
    assert_eq!(fs::read(key_file(&site)).unwrap(), before);
    drop(lock);
    operate(&site, &["keys", "rotate"]);
    operate(&site, &["keys", "retire"]);
    sign_in(&site, &[("alice".to_owned(), phone)], &[&server]).await;
}
