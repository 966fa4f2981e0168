//! Faults of the file and of its disk. What is mounted is mounted for the server alone, in a user
//! namespace, and gone with it.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use sqlx::{Connection as _, SqliteConnection, query_scalar};
use vestibule_testkit::client::Client;
use vestibule_testkit::site::{ADMIN_PASSWORD, Backend, Site};

use crate::{is_unavailable, outlived, outlives, site};

/// Octets of a page.
const PAGE: u64 = 4096;
/// Trees of the database: tables, an index, and a table that is one.
const TREES: [&str; 6] = [
    "users",
    "sqlite_autoindex_users_2",
    "tokens",
    "known_devices",
    "audit_events",
    "local_identity_provider",
];

/// Runs a program with something mounted, which a script does to a directory first.
fn mounted<'a>(script: &'a str, directory: &'a str) -> [&'a str; 8] {
    let unshare = ["unshare", "--map-root-user", "--mount", "--"];
    let [a, b, c, d] = unshare;
    [a, b, c, d, "/bin/sh", "-c", script, directory]
}

/// The disk of the database is full, and has room again.
#[tokio::test]
async fn sqlite_on_a_full_disk() {
    const SMALL: &str = r#"mount -t tmpfs -o size=6m none "$0" && exec "$@""#;
    let site = site(Backend::Sqlite);
    let disk = site.directory().join("disk");
    fs::create_dir(&disk).unwrap();
    let disk = disk.to_str().unwrap();
    let url = format!("sqlite:{disk}/vestibule.sqlite3");
    let variables = [("VESTIBULE_DATABASE_URL", url.as_str())];
    let server = site.try_start_in(&mounted(SMALL, disk), &variables);
    let server = server.unwrap();
    // The disk as the server sees it.
    let filler = format!("/proc/{}/root{disk}/filler", server.pid());
    let fill = async || {
        let mut file = File::create(&filler).unwrap();
        let full = loop {
            if let Err(error) = file.write_all(&[1; 4096]) {
                break error;
            }
        };
        assert_eq!(full.kind(), ErrorKind::StorageFull);
    };
    let make_room = async || fs::remove_file(&filler).unwrap();
    outlives(&site, &server, fill, make_room).await;
    assert!(server.log().contains("no space left"), "{}", server.log());
}

/// A disk that may not be written is no disk to start on.
#[tokio::test]
async fn sqlite_read_only_is_refused_at_start() {
    const READ_ONLY: &str =
        r#"mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@""#;
    let site = stopped().await;
    let directory = site.directory().to_str().unwrap();
    let refused = site.try_start_in(&mounted(READ_ONLY, directory), &[]);
    let (status, log) = refused.err().unwrap();
    assert!(!status.success());
    assert!(log.contains("read-only"), "{log}");
    site.start();
    outlived("refused at start");
}

/// A site that was used, and stopped as it should be.
async fn stopped() -> Site {
    let site = site(Backend::Sqlite);
    let server = site.start();
    let client = server.client();
    client.enrol("admin", ADMIN_PASSWORD, site.now()).await;
    server.terminate();
    assert!(server.wait().success());
    site
}

/// Overwrites a file from here on.
fn overwrite(file: &Path, from: u64) {
    let length = fs::metadata(file).unwrap().len();
    let file = OpenOptions::new().write(true).open(file).unwrap();
    let noise = vec![0xa5; usize::try_from(length - from).unwrap()];
    file.write_all_at(&noise, from).unwrap();
}

#[tokio::test]
async fn sqlite_corrupt_is_refused_at_start() {
    let site = stopped().await;
    let file = site.sqlite_file();
    let right = fs::read(&file).unwrap();
    for (from, reason) in [(0, "not a database"), (100, "corrupt"), (4096, "corrupt")] {
        overwrite(&file, from);
        let (status, log) = site.try_start().err().unwrap();
        assert!(!status.success());
        assert!(log.contains(reason), "{log}");
        fs::write(&file, &right).unwrap();
    }
    site.start();
    outlived("refused at start");
}

/// The root page of a tree of a database that nobody uses, in octets of the file.
async fn root(file: &Path, tree: &str) -> u64 {
    let url = format!("sqlite:{}?mode=ro", file.display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    let page = query_scalar("SELECT rootpage FROM sqlite_schema WHERE name = ?1");
    let page: u64 = page.bind(tree).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    (page - 1) * PAGE
}

/// Overwrites one page of a file.
fn overwrite_page(file: &Path, at: u64) {
    let file = OpenOptions::new().write(true).open(file).unwrap();
    let noise = [0xa5; 4096];
    file.write_all_at(&noise, at).unwrap();
}

/// One page is enough, wherever it is: else every sign-in would fail on a server that says it is ready.
#[tokio::test]
async fn sqlite_with_one_corrupt_page_is_refused_at_start() {
    let site = stopped().await;
    let file = site.sqlite_file();
    let right = fs::read(&file).unwrap();
    for tree in TREES {
        overwrite_page(&file, root(&file, tree).await);
        let (status, log) = site.try_start().err().unwrap();
        assert!(!status.success());
        assert!(log.contains("corrupt; restore a backup"), "{tree}: {log}");
        fs::write(&file, &right).unwrap();
    }
    site.start();
    outlived("refused at start");
}

/// Once damage was met the server is not ready, even when the page is back: what else is damaged
/// nobody knows before another start.
#[tokio::test]
async fn sqlite_with_a_corrupt_page_while_it_is_used_is_not_ready() {
    let site = stopped().await;
    let file = site.sqlite_file();
    let right = fs::read(&file).unwrap();
    let mut roots = Vec::new();
    for tree in TREES {
        roots.push(root(&file, tree).await);
    }
    let server = site.start();
    let client = server.client();
    let ready = async || Client::send(client.call("GET", "/readyz")).await.status;
    assert_eq!(ready().await, 200);
    for page in roots {
        overwrite_page(&file, page);
    }
    is_unavailable(&client.sign_in("admin", ADMIN_PASSWORD).await);
    assert_eq!(ready().await, 503);
    Client::send(client.call("GET", "/livez")).await.is(200);
    fs::write(&file, &right).unwrap();
    assert_eq!(ready().await, 503);
    server.kill();
    let server = site.start();
    server
        .client()
        .sign_in("admin", ADMIN_PASSWORD)
        .await
        .token();
    outlived("not ready until a restart");
}

fn log_of_writes(site: &Site) -> PathBuf {
    site.directory().join("vestibule.sqlite3-wal")
}

/// Whatever is still in memory may be used, but nobody gets in who should not.
#[tokio::test]
async fn sqlite_corrupt_while_it_is_used_lets_nobody_in() {
    let site = site(Backend::Sqlite);
    let server = site.start();
    let client = server.client();
    let (authenticator, _) = client.enrol("admin", ADMIN_PASSWORD, site.now()).await;
    let partial = client.sign_in("admin", ADMIN_PASSWORD).await.token();
    overwrite(&site.sqlite_file(), 100);
    overwrite(&log_of_writes(&site), 32);
    let mut told = 0;
    for _ in 0..5 {
        let wrong = authenticator.wrong_code(site.now());
        for answer in [
            client.otp(&partial, &wrong).await,
            client.sign_in("admin", "a wrong password").await,
            client.sign_in("nobody", ADMIN_PASSWORD).await,
            client.get("/admin/local-users", "no token").await,
        ] {
            if answer.status != 401 {
                is_unavailable(&answer);
                told += 1;
            }
        }
    }
    assert!(told > 0, "nobody has noticed");
    let ready = Client::send(client.call("GET", "/readyz")).await;
    ready.is(503);
    let live = Client::send(client.call("GET", "/livez")).await;
    live.is(200);
    let log = server.log();
    let reasons = ["the file is not a database", "the database file is corrupt"];
    assert!(reasons.iter().any(|reason| log.contains(reason)), "{log}");
    outlived("nobody let in");
}

/// The file that SQLite keeps beside the database is a part of it: without it what was written last
/// is gone, and nothing can tell by itself. Who has noted the head of the audit trail finds out.
#[tokio::test]
async fn sqlite_without_its_log_of_writes_is_found_by_the_head_of_the_trail() {
    let site = site(Backend::Sqlite);
    let server = site.start();
    let client = server.client();
    client.enrol("admin", ADMIN_PASSWORD, site.now()).await;
    let head = loop {
        let (exit, said) = site.operate(&["audit", "verify"], "");
        assert!(exit.success(), "{said}");
        let is_head = |word: &&str| {
            let parts = word.split_once(':');
            parts.is_some_and(|(number, hash)| number.parse::<u64>().is_ok() && hash.len() == 64)
        };
        let words = said.split(|c: char| c.is_whitespace() || ",.;()`'\"".contains(c));
        if let Some(head) = words.clone().find(is_head) {
            break head.to_owned();
        }
    };
    let verify = ["audit", "verify", "--head", &head];
    let (exit, said) = site.operate(&verify, "");
    assert!(exit.success(), "{said}");
    server.kill();
    fs::remove_file(log_of_writes(&site)).unwrap();
    let server = site.start();
    let (exit, said) = site.operate(&verify, "");
    assert!(!exit.success(), "{said}");
    drop(server);
    outlived("found by a noted head");
}
