//! What only a file can do to a store.

mod changes;
mod damage;
mod inspect;
mod snapshot;
mod upgrade;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use sqlx::{Connection as _, SqliteConnection, query};
use tempfile::TempDir;
use vestibule_store::{Accounts as _, Canary, Health as _, Keys as _, Sealed, StoreError};

use crate::SqliteStore;

struct Site {
    directory: TempDir,
}

impl Site {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { directory }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("vestibule.db")
    }

    /// A store that does not wait for others.
    async fn open(&self) -> SqliteStore {
        let busy = Duration::from_millis(1);
        SqliteStore::open_with(&self.path(), busy).await.unwrap()
    }

    /// A connection of another program.
    async fn stranger(&self) -> SqliteConnection {
        let url = format!("sqlite:{}", self.path().display());
        SqliteConnection::connect(&url).await.unwrap()
    }
}

fn canary(length: usize) -> Canary {
    Sealed {
        key_id: uuid::Uuid::nil(),
        bytes: vec![1; length],
    }
}

/// Checks that neither a write nor the health check gets through, and why.
async fn check_unavailable(store: &SqliteStore, wanted: &str) {
    let answers = [
        store.check().await,
        store.canary(&canary(1)).await.map(|_| ()),
    ];
    for answer in answers {
        check_reason(&answer.unwrap_err(), wanted);
    }
}

#[track_caller]
fn check_reason(error: &StoreError, wanted: &str) {
    let StoreError::Unavailable { reason, .. } = error else {
        panic!("{error:?}");
    };
    assert!(reason.contains(wanted), "{reason}");
}

#[tokio::test]
async fn locked_by_another_until_it_is_not() {
    let site = Site::new();
    let store = site.open().await;
    let mut stranger = site.stranger().await;
    query("BEGIN IMMEDIATE")
        .execute(&mut stranger)
        .await
        .unwrap();
    check_unavailable(&store, "locked by another").await;
    assert!(!store.has_users().await.unwrap(), "reading goes on");
    query("ROLLBACK").execute(&mut stranger).await.unwrap();
    store.check().await.unwrap();
    store.canary(&canary(1)).await.unwrap();
}

#[tokio::test]
async fn read_only_until_it_is_not() {
    let site = Site::new();
    let store = site.open().await;
    // What a read-only file answers; root may write to any.
    query("PRAGMA query_only = on")
        .execute(&store.writer.pool)
        .await
        .unwrap();
    check_reason(&store.canary(&canary(1)).await.unwrap_err(), "read-only");
    query("PRAGMA query_only = off")
        .execute(&store.writer.pool)
        .await
        .unwrap();
    store.canary(&canary(1)).await.unwrap();
}

#[tokio::test]
async fn full_until_it_is_not() {
    let site = Site::new();
    let store = site.open().await;
    query("PRAGMA max_page_count = 1")
        .execute(&store.writer.pool)
        .await
        .unwrap();
    check_reason(
        &store.canary(&canary(100_000)).await.unwrap_err(),
        "is full",
    );
    assert!(!store.has_users().await.unwrap(), "reading goes on");
    // The limit was the connection's, and the connection is another one now.
    store.canary(&canary(100_000)).await.unwrap();
    store.check().await.unwrap();
}

#[tokio::test]
async fn moved_away_until_it_is_back() {
    let site = Site::new();
    let store = site.open().await;
    let elsewhere = site.directory.path().join("elsewhere");
    fs::rename(site.path(), &elsewhere).unwrap();
    check_unavailable(&store, "deleted or moved").await;
    fs::rename(&elsewhere, site.path()).unwrap();
    store.check().await.unwrap();
    store.canary(&canary(1)).await.unwrap();
}

#[tokio::test]
async fn deleted_or_replaced() {
    let site = Site::new();
    let store = site.open().await;
    fs::remove_file(site.path()).unwrap();
    check_unavailable(&store, "deleted or moved").await;
    // So that the other file cannot get the same inode, the old one is open still.
    fs::write(site.path(), []).unwrap();
    check_unavailable(&store, "another file").await;
}

#[tokio::test]
async fn a_file_that_vanishes_during_a_write_is_not_acknowledged() {
    let site = Site::new();
    let store = site.open().await;
    let mut write = store.write().await.unwrap();
    write.run(query("DELETE FROM canary")).await.unwrap();
    fs::remove_file(site.path()).unwrap();
    check_reason(&write.commit().await.unwrap_err(), "deleted or moved");
}

#[tokio::test]
async fn a_newer_schema_is_left_alone() {
    let site = Site::new();
    site.open().await.close().await;
    let mut stranger = site.stranger().await;
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum,
        execution_time) VALUES (9998, 'newer', TRUE, x'', 0), (9999, 'newest', TRUE, x'', 0)";
    query(newer).execute(&mut stranger).await.unwrap();
    let error = SqliteStore::open(&site.path()).await.unwrap_err();
    let StoreError::SchemaTooNew { found, known } = error else {
        panic!("{error:?}");
    };
    assert_eq!(found, 9999);
    assert!((1..9998).contains(&known));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_open_a_fresh_file_at_once() {
    let site = Site::new();
    let opens: Vec<_> = (0..8)
        .map(|_| {
            let path = site.path();
            tokio::spawn(async move { SqliteStore::open(&path).await })
        })
        .collect();
    for open in opens {
        let store = open.await.unwrap().unwrap();
        assert_eq!(store.canary(&canary(3)).await.unwrap(), canary(3));
    }
}

#[tokio::test]
async fn files_are_for_their_owner_alone() {
    let site = Site::new();
    let store = site.open().await;
    store.canary(&canary(1)).await.unwrap();
    let mut seen = 0;
    for entry in fs::read_dir(site.directory.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600, "{:?}", entry.file_name());
        seen += 1;
    }
    // The database, its WAL, the memory that connections share, and the lock.
    assert_eq!(seen, 4);
}

#[tokio::test]
async fn what_is_no_database_is_refused() {
    let site = Site::new();
    fs::write(site.path(), [b'x'; 4096]).unwrap();
    check_reason(
        &SqliteStore::open(&site.path()).await.unwrap_err(),
        "not a database",
    );
    let nowhere = site.directory.path().join("no/such/directory/vestibule.db");
    check_reason(
        &SqliteStore::open(&nowhere).await.unwrap_err(),
        "does not exist",
    );
}

#[tokio::test]
async fn closed_is_unavailable_and_leaves_one_file() {
    let site = Site::new();
    let store = site.open().await;
    store.canary(&canary(1)).await.unwrap();
    store.close().await;
    check_unavailable(&store, "closed").await;
    assert!(!site.directory.path().join("vestibule.db-wal").exists());
}

#[tokio::test]
async fn a_row_that_cannot_be_is_inconsistent() {
    let site = Site::new();
    let store = site.open().await;
    let mut stranger = site.stranger().await;
    let row = "INSERT INTO users (id, name, name_key, first_name, last_name, notes, tags,
        disabled, failed_login_attempts, roles, created, updated, search)
        VALUES (zeroblob(16), 'a', 'a', '', '', '', '[]', 0, 0, json_array('no id'), 0, 0, '')";
    query(row).execute(&mut stranger).await.unwrap();
    let name = vestibule_engine::NameKey::of("a");
    let error = store.user_by_name(&name).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Inconsistent { table: "users", .. }),
        "{error:?}"
    );
}
