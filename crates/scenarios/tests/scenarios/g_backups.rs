//! Backups: what is in them, what is not, and what comes out of them elsewhere.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use vestibule_testkit::authenticator::Authenticator;
use vestibule_testkit::site::{ADMIN_PASSWORD, Backend, Site};

use crate::f_disclosure::audit_trail::tamper;
use crate::g_keys::{crowd, key_file, operate, refused, sign_in};
use crate::radius_stage::{CHALLENGE_SECRET, SECRET, Stage, challenges};
use crate::{PASSWORD, STEP, on_both_databases, site, with_alice};

on_both_databases!(
    a_backup_is_restored_over_both_kinds,
    a_backup_is_of_one_moment,
    what_is_damaged_or_not_empty_is_refused,
    no_secret_is_in_a_backup,
    nothing_is_lost_by_a_backup,
    no_backup_brings_a_database_up_to_date,
);

const fn other(backend: Backend) -> Backend {
    match backend {
        Backend::Sqlite => Backend::Postgres,
        Backend::Postgres => Backend::Sqlite,
    }
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Makes a backup; its file.
pub(crate) fn backup(site: &Site, name: &str) -> PathBuf {
    let file = site.directory().join(name);
    operate(site, &["backup", text(&file)]);
    file
}

/// An empty site with the master key of this one, at its time.
pub(crate) fn elsewhere(from: &Site, backend: Backend) -> Site {
    let to = site(backend).starting_at(from.now());
    std::fs::copy(key_file(from), key_file(&to)).unwrap();
    to
}

/// The rows of a backup, by table.
fn rows(file: &Path) -> BTreeMap<String, Vec<Value>> {
    let mut tables = BTreeMap::<_, Vec<_>>::new();
    for line in std::fs::read_to_string(file).unwrap().lines() {
        if let Some((table, values)) = line.split_once(' ').filter(|_| !line.starts_with('{')) {
            let values = serde_json::from_str(values).unwrap();
            tables.entry(table.to_owned()).or_default().push(values);
        }
    }
    tables
}

/// Checks that two backups hold the same, but for the trail of what was done between them, and for
/// steps that are taken for spent.
fn are_alike(one: &Path, other: &Path) {
    let (one, mut other) = (rows(one), rows(other));
    let last_step = 11;
    for (table, expected) in one {
        let found = other.remove(&table).unwrap_or_default();
        if table.starts_with("audit_") {
            let missing = expected.iter().filter(|row| !found.contains(row));
            // The chain of the last process goes on to be sealed.
            let missing = missing.filter(|_| table != "audit_chains").count();
            assert_eq!(missing, 0, "{table}");
            continue;
        }
        let mut expected = expected;
        if table == "second_factors" {
            for (expected, found) in expected.iter_mut().zip(&found) {
                let (was, is) = (expected[last_step].as_i64(), found[last_step].as_i64());
                assert!(was <= is, "a spent code was revived: {expected} {found}");
                expected[last_step] = found[last_step].clone();
            }
        }
        assert_eq!(found, expected, "{table}");
    }
    assert!(other.is_empty(), "{:?}", other.keys());
}

/// From one kind of database to the other and back: everything is there, whoever had an authenticator
/// signs in with it, and no code and no token is good for a second time.
async fn a_backup_is_restored_over_both_kinds(backend: Backend) {
    let stage = Stage::new(backend, json!({ "mode": "Challenge" }), challenges).await;
    let (from, client, admin) = (&stage.site, stage.client(), &stage.admin);
    let id = "03542d1e-733c-4c43-a567-d28fbc4649a7";
    client
        .choose_provider(admin, id, &["CN=nobody,OU=local"])
        .await;
    let people = crowd(from, &stage.server, admin, 3).await;
    let role =
        json!({ "name": "Lesende \"x\"", "privileges": [{ "type": "View", "target": "All" }] });
    client
        .post("/admin/administrative-roles", admin, &role)
        .await
        .is(200);
    let (name, phone) = &people[0];
    let guess = client.sign_in(name, PASSWORD).await.token();
    client
        .otp(&guess, &phone.wrong_code(from.now()))
        .await
        .is(401);
    let first = backup(from, "first");
    let mode = std::fs::metadata(&first).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let said = operate(from, &["backup", "--verify", text(&first)]);
    assert!(said.contains("It is whole"), "{said}");

    // A code that is used after the backup is spent after the restore as well.
    from.advance(STEP);
    let spent = phone.code(from.now());
    let partial = client.sign_in(name, PASSWORD).await.token();
    let verified = client.otp(&partial, &spent).await.token();

    let there = elsewhere(from, other(backend));
    operate(&there, &["restore", text(&first)]);
    let second = backup(&there, "second");
    are_alike(&first, &second);
    let back = elsewhere(&there, backend);
    operate(&back, &["restore", text(&second)]);
    are_alike(&second, &backup(&back, "third"));

    for site in [&there, &back] {
        let server = site.start();
        let client = server.client();
        let partial = client.sign_in(name, PASSWORD).await.token();
        client.otp(&partial, &spent).await.is(401);
        client.authorize(&verified).await.is(401);
        client.get("/admin/otp/seeds", admin).await.is(401);
        site.advance(STEP);
        sign_in(site, &people, &[&server]).await;
        operate(site, &["audit", "verify"]);
        let restored = operate(site, &["audit", "--event", "databaseRestored"]);
        assert!(restored.contains("operator"), "{restored}");
        let again = backup(site, "again");
        operate(site, &["backup", "--verify", text(&again)]);
    }
}

/// A backup that is made while people sign in and enrol is of one moment: the trail in it is whole, and
/// it can be restored.
async fn a_backup_is_of_one_moment(backend: Backend) {
    let (site, server, admin) = with_alice(backend).await;
    let people = crowd(&site, &server, &admin, 4).await;
    for round in 0..3 {
        let file = site.directory().join(format!("backup-{round}"));
        let making = site.begin(&["backup", text(&file)]);
        let making = tokio::task::spawn_blocking(move || making.wait());
        let mut busy = 0;
        while busy < 1 || !making.is_finished() {
            busy += 1;
            let name = format!("new-{round}-{busy}");
            let client = server.client();
            client.add_user(&admin, &name, PASSWORD).await.is(200);
            client.enrol(&name, PASSWORD, site.now()).await;
            sign_in(&site, &people, &[&server]).await;
        }
        assert!(making.await.unwrap().success(), "{}", site.logs());
        operate(&site, &["backup", "--verify", text(&file)]);
        // A user and the row of the trail that says so are of one transaction.
        let tables = rows(&file);
        let texts = |table: &str, column: usize| -> Vec<String> {
            let all = tables[table].iter();
            let made = all.filter(|row| table == "users" || row[4] == "userCreated");
            let mut texts: Vec<_> = made
                .map(|row| row[column].as_str().unwrap().to_owned())
                .collect();
            texts.sort();
            texts
        };
        assert_eq!(texts("users", 1), texts("audit_events", 10));
    }
    // Also afterwards, when the key that the trail began with is gone.
    operate(&site, &["keys", "rotate"]);
    operate(&site, &["keys", "retire"]);
    let file = backup(&site, "rotated");
    operate(&site, &["backup", "--verify", text(&file)]);
    let there = elsewhere(&site, other(backend));
    operate(&there, &["restore", text(&file)]);
    there.advance(STEP);
    sign_in(&there, &people, &[&there.start()]).await;
    operate(&there, &["audit", "verify"]);
    let before = site.directory().join("backup-0");
    refused(
        &site,
        &["backup", "--verify", text(&before)],
        "another master key",
    );
}

/// What cannot be restored leaves an empty database as it was, and one that is not empty is not
/// touched.
async fn what_is_damaged_or_not_empty_is_refused(backend: Backend) {
    let (from, server, admin) = with_alice(backend).await;
    let people = crowd(&from, &server, &admin, 2).await;
    let good = backup(&from, "good");
    let octets = std::fs::read(&good).unwrap();
    let there = elsewhere(&from, other(backend));
    let bad = from.directory().join("bad");
    for n in (0..octets.len()).step_by(octets.len() / 20) {
        let mut damaged = octets.clone();
        damaged[n] ^= 1 << (n % 8);
        std::fs::write(&bad, damaged).unwrap();
        refused(&there, &["restore", text(&bad)], "cannot be used");
        std::fs::write(&bad, &octets[..n]).unwrap();
        refused(&there, &["restore", text(&bad)], "cannot be used");
    }
    refused(&from, &["backup", "--verify", text(&bad)], "cut off");
    let right = std::fs::read(key_file(&there)).unwrap();
    std::fs::write(key_file(&there), STANDARD.encode([7; 32])).unwrap();
    refused(&there, &["restore", text(&good)], "another master key");
    std::fs::write(key_file(&there), right).unwrap();
    let used = site(backend);
    used.start().kill();
    std::fs::copy(key_file(&from), key_file(&used)).unwrap();
    refused(&used, &["restore", text(&good)], "used already");
    refused(&from, &["restore", text(&good)], "used already");
    // Neither a draft nor a directory is left behind.
    let left = std::fs::read_dir(from.directory()).unwrap();
    let left = left.filter(|it| text(&it.as_ref().unwrap().path()).contains(".draft"));
    assert_eq!(left.count(), 0);

    operate(&there, &["restore", text(&good)]);
    there.advance(STEP);
    sign_in(&there, &people, &[&there.start()]).await;
    sign_in(&from, &people, &[&server]).await;
}

/// Neither the key, nor the database, nor a backup that was made before; with `--force` only that.
async fn nothing_is_lost_by_a_backup(backend: Backend) {
    let (site, server, _) = with_alice(backend).await;
    let good = backup(&site, "good");
    let octets = std::fs::read(&good).unwrap();
    // As whoever has forgotten `--verify`.
    refused(&site, &["backup", text(&good)], "is there already");
    assert_eq!(std::fs::read(&good).unwrap(), octets);
    let key = std::fs::read(key_file(&site)).unwrap();
    let mut names = vec![key_file(&site)];
    if backend == Backend::Sqlite {
        let ends = ["", "-wal", "-shm", ".lock"].map(|end| format!("vestibule.sqlite3{end}"));
        names.extend(ends.map(|name| site.directory().join(name)));
    }
    for name in names {
        for arguments in [
            vec!["backup", text(&name)],
            vec!["backup", "--force", text(&name)],
        ] {
            refused(&site, &arguments, "what the server lives on");
        }
    }
    assert_eq!(std::fs::read(key_file(&site)).unwrap(), key);
    let directory = text(site.directory());
    refused(&site, &["backup", "--force", directory], "is no file");
    operate(&site, &["backup", "--force", text(&good)]);
    assert_ne!(std::fs::read(&good).unwrap(), octets);
    for no_file in ["-", "/dev/null", directory] {
        refused(&site, &["backup", "--verify", no_file], "read twice");
        refused(&site, &["restore", no_file], "read twice");
    }
    server.client().sign_in("alice", PASSWORD).await.token();
}

/// A database of another version is left as it is, by a backup and by a restore that is refused.
async fn no_backup_brings_a_database_up_to_date(backend: Backend) {
    let (from, _, _) = with_alice(backend).await;
    let good = backup(&from, "good");
    let old = elsewhere(&from, backend);
    old.start().kill();
    let last = "DELETE FROM _sqlx_migrations
        WHERE version = (SELECT max(version) FROM _sqlx_migrations)";
    tamper(&old, backend, last).await;
    let file = old.directory().join("file");
    refused(&old, &["backup", text(&file)], "is of an older version");
    refused(&old, &["restore", text(&good)], "used already");
    assert!(!file.exists());
    // Still as it was: else there would be nothing to make anew.
    refused(&old, &["backup", text(&file)], "is of an older version");
}

fn hexadecimal(octets: &[u8]) -> String {
    let digits = |octet: &u8| [octet >> 4, octet & 15].map(|it| char::from_digit(it.into(), 16));
    octets.iter().flat_map(digits).flatten().collect()
}

/// What is secret, and the key that opens it, is in no backup in any form.
async fn no_secret_is_in_a_backup(backend: Backend) {
    let stage = Stage::new(backend, json!({ "mode": "Challenge" }), challenges).await;
    let (site, client, admin) = (&stage.site, stage.client(), &stage.admin);
    let (partial, _) = stage.begun().await;
    let id = "03542d1e-733c-4c43-a567-d28fbc4649a7";
    client
        .choose_provider(admin, id, &["CN=nobody,OU=local"])
        .await;
    client
        .add_user(admin, "bob", "a planted password")
        .await
        .is(200);
    let bob = client.sign_in("bob", "a planted password").await.token();
    let shown = client.initialize(&bob).await.json();
    let secret = shown["secret"].as_str().unwrap();
    let code = Authenticator::from_base32(secret).code(site.now());
    let verified = client.otp(&bob, &code).await.token();
    let (exit, said) = site.operate(&["backup", "-"], "");
    assert!(exit.success());
    let file = std::fs::read_to_string(backup(site, "file")).unwrap();
    let key = std::fs::read_to_string(key_file(site)).unwrap();
    let key = key.trim();
    let bytes = STANDARD.decode(key).unwrap();
    let tokens = [admin, &partial, &bob, &verified];
    let mut planted: Vec<String> = tokens.into_iter().map(ToString::to_string).collect();
    planted.extend([ADMIN_PASSWORD, PASSWORD, "a planted password", secret].map(str::to_owned));
    planted.extend([SECRET, CHALLENGE_SECRET, key].map(str::to_owned));
    planted.extend([SECRET, CHALLENGE_SECRET].map(|it| hexadecimal(it.as_bytes())));
    planted.push(hexadecimal(&bytes));
    for backup in [file.to_lowercase(), said.to_lowercase()] {
        assert!(backup.contains("second_factors"), "it is a backup");
        for planted in &planted {
            assert!(!backup.contains(&planted.to_lowercase()), "{planted}");
        }
    }
}
