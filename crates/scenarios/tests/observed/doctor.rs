//! `vestibule doctor`: each fault that it looks for is planted, and found; it changes nothing.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection, SqliteConnection};
use vestibule_testkit::site::{Backend, Site};

use super::{admin, provider, radius};

/// What the doctor found: its exit status, and each finding with its status and check.
struct Found {
    code: Option<i32>,
    findings: Vec<Value>,
}

fn doctor(site: &Site, more: &[&str]) -> Found {
    let arguments = [&["doctor", "--output", "json"], more].concat();
    let (status, output) = site.operate(&arguments, "");
    let findings = serde_json::from_str(&output);
    Found {
        code: status.code(),
        findings: findings.unwrap_or_else(|error| panic!("{error}: {output}")),
    }
}

impl Found {
    /// Checks that there is nothing to do, but for what is known of this backend.
    #[track_caller]
    fn is_well(&self, backend: Backend) {
        assert_eq!(self.code, Some(0), "{:#?}", self.findings);
        for finding in self.findings.iter().filter(|one| one["status"] != "ok") {
            // The clock of the site is not that of the machine.
            let is_known = backend == Backend::Postgres
                && finding["what"]
                    .as_str()
                    .unwrap()
                    .contains("clock of the database server");
            assert!(is_known, "{finding}");
        }
    }

    /// Checks that this was found, and what to do said with it.
    #[track_caller]
    fn has(&self, status: &str, check: &str, what: &str) -> &Self {
        let is = |one: &&Value| {
            one["status"] == status
                && one["check"] == check
                && one["what"].as_str().unwrap().contains(what)
        };
        let found = self.findings.iter().find(is);
        let found =
            found.unwrap_or_else(|| panic!("no {status} {check} {what}: {:#?}", self.findings));
        assert!(status == "ok" || !found["advice"].as_str().unwrap().is_empty());
        let has_problem = self.findings.iter().any(|one| one["status"] == "problem");
        assert_eq!(self.code, Some(i32::from(has_problem)));
        self
    }
}

/// A site in a directory of its own alone.
fn site(backend: Backend) -> Site {
    let site = super::site(backend);
    set_mode(site.directory(), 0o700);
    site
}

/// Runs a statement in the database.
async fn run(site: &Site, backend: Backend, statement: &'static str) {
    let url = site.database_url();
    match backend {
        Backend::Sqlite => {
            let mut connection = SqliteConnection::connect(&url).await.unwrap();
            sqlx::raw_sql(statement)
                .execute(&mut connection)
                .await
                .unwrap();
            connection.close().await.unwrap();
        }
        Backend::Postgres => {
            let mut connection = PgConnection::connect(&url).await.unwrap();
            sqlx::raw_sql(statement)
                .execute(&mut connection)
                .await
                .unwrap();
            connection.close().await.unwrap();
        }
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The files of a site with what is in them; logs of commands apart.
fn files(site: &Site) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(site.directory()).unwrap();
    let named = entries.map(|entry| entry.unwrap());
    let named = named.map(|entry| (entry.file_name().into_string().unwrap(), entry.path()));
    let kept = named.filter(|(name, _)| !name.starts_with("log-") && name != "vestibule.toml");
    kept.map(|(name, path)| (name, fs::read(path).unwrap()))
        .collect()
}

/// Before the first start, beside a server that runs, and after one that was stopped or killed,
/// nothing is wrong, and nothing is changed by looking.
async fn looks_and_changes_nothing(backend: Backend) {
    let site = site(backend);
    doctor(&site, &[]).is_well(backend);
    assert!(files(&site).is_empty(), "nothing is made");
    let server = site.start();
    admin(&site, &server).await;
    doctor(&site, &[]).is_well(backend);
    doctor(&site, &[]).has("ok", "key", "opens what is sealed");
    server.client().authorize("nobody").await.is(401);
    server.terminate();
    assert!(server.wait().success());
    let before = files(&site);
    doctor(&site, &[]).is_well(backend);
    assert!(files(&site) == before, "the files are as they were");
    let killed = site.start();
    killed.kill();
    doctor(&site, &[]).is_well(backend);
    let (status, text) = site.operate(&["doctor"], "");
    assert!(status.success());
    assert!(text.starts_with("ok       settings"), "{text}");
    site.start().client().authorize("nobody").await.is(401);
}

/// The files, the key, the clock and the audit trail.
async fn faults_on_the_machine_are_found(backend: Backend) {
    let site = site(backend);
    let server = site.start();
    admin(&site, &server).await;
    server.terminate();
    server.wait();
    let file = |name: &str| site.directory().join(name);

    let key = file("master.key");
    let right = fs::read(&key).unwrap();
    set_mode(&key, 0o644);
    doctor(&site, &[])
        .has(
            "problem",
            "files",
            "master.key is open to others (mode 0644)",
        )
        .has("problem", "key", "open to others");
    set_mode(&key, 0o600);
    fs::write(&key, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n").unwrap();
    doctor(&site, &[]).has("problem", "key", "does not open this database");
    fs::write(&key, "no key").unwrap();
    doctor(&site, &[]).has("problem", "key", "must be one line");
    fs::remove_file(&key).unwrap();
    doctor(&site, &[]).has("problem", "key", "is not there");
    assert!(!key.exists(), "no key is made");
    fs::write(&key, right).unwrap();
    set_mode(&key, 0o600);

    set_mode(site.directory(), 0o755);
    doctor(&site, &[]).has("warning", "files", "is open to others (mode 0755)");
    set_mode(site.directory(), 0o770);
    doctor(&site, &[]).has("problem", "files", "can be changed by others (mode 0770)");
    set_mode(site.directory(), 0o700);
    let first = file("initial-admin-password");
    fs::write(&first, "the first one\n").unwrap();
    set_mode(&first, 0o600);
    doctor(&site, &[]).has("warning", "password", "still the first one");
    fs::remove_file(&first).unwrap();

    run(
        &site,
        backend,
        "UPDATE audit_chains SET sealed = sealed - 1",
    )
    .await;
    doctor(&site, &[]).has("ok", "audit", "sealed");
    site.advance(Duration::from_mins(5));
    doctor(&site, &[]).has("warning", "audit", "no seal for 5 minutes");
    run(
        &site,
        backend,
        "UPDATE audit_chains SET sealed = sealed + 1",
    )
    .await;
    site.set_back(Duration::from_mins(5) + Duration::from_secs(10));
    doctor(&site, &[]).has("warning", "clock", "10 s before");
    site.set_back(Duration::from_mins(1));
    doctor(&site, &[]).has("problem", "clock", "70 s before");
    site.set_forward(Duration::from_secs(70));
    doctor(&site, &[]).is_well(backend);
}

/// The database: its schema, and whether it can be reached and written.
async fn faults_of_the_database_are_found(backend: Backend) {
    let site = site(backend);
    let server = site.start();
    server.terminate();
    server.wait();
    run(
        &site,
        backend,
        "CREATE TABLE kept AS SELECT * FROM _sqlx_migrations;
         DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM kept)",
    )
    .await;
    doctor(&site, &[]).has("warning", "database", "lacks 1 changes");
    run(
        &site,
        backend,
        "UPDATE _sqlx_migrations SET checksum = checksum || checksum",
    )
    .await;
    doctor(&site, &[]).has("problem", "database", "is not the one of this program");
    run(
        &site,
        backend,
        "DELETE FROM _sqlx_migrations; INSERT INTO _sqlx_migrations SELECT * FROM kept;
         UPDATE _sqlx_migrations SET version = 99990101000000
            WHERE version = (SELECT max(version) FROM kept)",
    )
    .await;
    doctor(&site, &[]).has("problem", "database", "was made by a newer version");
    run(
        &site,
        backend,
        "DELETE FROM _sqlx_migrations; INSERT INTO _sqlx_migrations SELECT * FROM kept;
         DROP TABLE kept",
    )
    .await;
    doctor(&site, &[]).is_well(backend);

    match backend {
        Backend::Sqlite => {
            let garbage = site.directory().join("garbage");
            fs::write(&garbage, vec![b'x'; 8192]).unwrap();
            let url = format!("sqlite:{}", garbage.display());
            doctor(&site, &["--database-url", &url]).has("problem", "database", "not a database");
            let none = format!("sqlite:{}", site.directory().join("none").display());
            doctor(&site, &["--database-url", &none]).has(
                "problem",
                "database",
                "but a master key",
            );
        }
        Backend::Postgres => {
            let nowhere = "postgres://nobody@127.0.0.1:1/none";
            let found = doctor(&site, &["--database-url", nowhere]);
            found.has("problem", "database", "cannot be reached");
            run(
                &site,
                backend,
                "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on',
                    current_database()); END $$",
            )
            .await;
            doctor(&site, &[]).has("problem", "database", "read-only");
        }
    }
    let memory = doctor(&site, &["--database-url", "memory:"]);
    memory.has("warning", "database", "ends with the server");
}

/// One page of a tree: the server would not start, and one that runs would be no use.
#[tokio::test]
async fn a_damaged_page_is_found() {
    let site = site(Backend::Sqlite);
    let server = site.start();
    admin(&site, &server).await;
    server.terminate();
    server.wait();
    let mut connection = SqliteConnection::connect(&site.database_url())
        .await
        .unwrap();
    let root = "SELECT rootpage FROM sqlite_schema WHERE name = 'tokens_expires'";
    let root: u64 = sqlx::query_scalar(root)
        .fetch_one(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    let file = OpenOptions::new().write(true).open(site.sqlite_file());
    file.unwrap()
        .write_all_at(&[0xa5; 4096], (root - 1) * 4096)
        .unwrap();
    doctor(&site, &[]).has("problem", "database", "is damaged");
}

/// What is ours and lies elsewhere is looked at there, even before there is a data directory.
#[test]
fn secrets_elsewhere_are_looked_at() {
    let site = super::site(Backend::Sqlite);
    let at = |name: &str| site.directory().join(name).display().to_string();
    for open in ["keys", "databases"] {
        fs::create_dir(at(open)).unwrap();
        set_mode(Path::new(&at(open)), 0o777);
    }
    fs::write(at("certificate"), "").unwrap();
    fs::write(at("key"), "").unwrap();
    set_mode(Path::new(&at("key")), 0o644);
    let settings = format!("master_key_file = \"{}\"\n", at("keys/master.key"));
    let url = format!("sqlite:{}", at("databases/vestibule.db"));
    let (nowhere, certificate, key) = (at("nowhere"), at("certificate"), at("key"));
    let site = site.with_settings(&settings);
    let found = doctor(
        &site,
        &[
            "--data-dir",
            &nowhere,
            "--database-url",
            &url,
            "--tls-cert",
            &certificate,
            "--tls-key",
            &key,
        ],
    );
    found.has("warning", "files", "nowhere is not there yet");
    found.has("problem", "files", "key is open to others (mode 0644)");
    found.has(
        "problem",
        "files",
        "keys can be changed by others (mode 0777)",
    );
    found.has(
        "problem",
        "files",
        "databases can be changed by others (mode 0777)",
    );
}

/// Without a database nobody knows what a key opens, but whether it is one can be seen.
#[test]
fn the_key_is_looked_at_without_a_database() {
    let site = site(Backend::Sqlite);
    let key = site.directory().join("master.key");
    let unreachable = ["--database-url", "postgres://nobody@127.0.0.1:1/none"];
    doctor(&site, &unreachable).has("ok", "key", "the first start makes it");
    fs::write(&key, "no key").unwrap();
    set_mode(&key, 0o600);
    doctor(&site, &unreachable).has("problem", "key", "must be one line");
    fs::write(&key, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n").unwrap();
    doctor(&site, &unreachable).has("ok", "key", "was not tried");
    doctor(&site, &["--database-url", "memory:"]).has("ok", "key", "was not tried");
}

/// Who is let off, and RADIUS servers that cannot be believed, or do not answer.
async fn faults_of_the_second_factor_are_found(backend: Backend) {
    let site = site(backend);
    let server = site.start();
    let (client, token) = (server.client(), admin(&site, &server).await);
    doctor(&site, &[]).has("ok", "factor", "of everybody");
    let radius = radius();
    let mut lax = provider(&radius);
    lax["requireMessageAuthenticator"] = json!(false);
    let id = client.add_provider(&token, &lax).await;
    client
        .choose_provider(&token, &id, &["CN=admin,OU=local"])
        .await;
    doctor(&site, &[])
        .has(
            "warning",
            "factor",
            "CN=admin,OU=local needs no second factor",
        )
        .has("warning", "radius", "ANYBODY ON THE WAY");
    let path = format!("/admin/mfa-providers/{id}");
    let mut strict = provider(&radius);
    strict["requireMessageAuthenticator"] = json!(true);
    client.put(&path, &token, &strict).await.is(200);
    doctor(&site, &[]).has("ok", "radius", "the servers of RADIUS answer");
    radius.stop().await;
    let found = doctor(&site, &[]);
    found.has("problem", "radius", "nothing listens at that port");
    client
        .delete("/admin/admin-mfa-settings", &token)
        .await
        .is(204);
    let found = doctor(&site, &[]);
    found.has("warning", "factor", "no second factor is due of anybody");
    found.has("warning", "radius", "nothing listens at that port");
}

/// Settings that are wrong are all that is looked at.
#[tokio::test]
async fn faults_of_the_settings_are_found() {
    let wrong = site(Backend::Sqlite).with_settings("listen = 3\nlisten_to = \"x\"\n");
    let found = doctor(&wrong, &[]);
    found.has("problem", "settings", "must be a text");
    found.has("problem", "settings", "is not a setting");
    let trusting = site(Backend::Sqlite).with_settings("[proxies]\ntrusted = [\"0.0.0.0/0\"]\n");
    doctor(&trusting, &[]).has("problem", "proxies", "is everybody");
    let halves = "[proxies]\ntrusted = [\"0.0.0.0/1\", \"128.0.0.0/1\"]\n";
    let halves = site(Backend::Sqlite).with_settings(halves);
    doctor(&halves, &[]).has("problem", "proxies", "together are everybody");
}

/// Whoever runs a command waits for it: the RADIUS servers go on in other threads.
macro_rules! on_both {
    ($($test:ident),+ $(,)?) => {
        mod sqlite { $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(super::Backend::Sqlite).await;
            }
        )+ }
        mod postgres { $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(super::Backend::Postgres).await;
            }
        )+ }
    };
}

on_both!(
    looks_and_changes_nothing,
    faults_on_the_machine_are_found,
    faults_of_the_database_are_found,
    faults_of_the_second_factor_are_found,
);
