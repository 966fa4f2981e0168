//! What only a server can do to a store.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

use vestibule_engine::NameKey;
use vestibule_store::{Accounts as _, Canary, Health as _, Keys as _, Sealed, StoreError};
use vestibule_store_postgres::PostgresStore;
use vestibule_testkit::postgres::{Cluster, Database};

fn canary(n: u8) -> Canary {
    Sealed {
        key_id: uuid::Uuid::nil(),
        bytes: vec![n],
    }
}

#[track_caller]
fn check_reason(error: &StoreError, wanted: &str) {
    let StoreError::Unavailable { reason, .. } = error else {
        panic!("{error:?}");
    };
    assert!(reason.contains(wanted), "{reason}");
}

/// Runs a statement as another program would.
fn run(cluster: &Cluster, database: &Database, statement: &str) {
    let psql = std::process::Command::new(cluster.binaries().join("psql"))
        .args([
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-c",
            statement,
            database.url(),
        ])
        .status();
    assert!(psql.unwrap().success(), "{statement}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unavailable_while_the_server_is_stopped() {
    let cluster = Cluster::start();
    let database = cluster.fresh_database();
    let store = PostgresStore::open(database.url()).await.unwrap();
    assert_eq!(store.canary(&canary(1)).await.unwrap(), canary(1));
    for _ in 0..2 {
        cluster.stop();
        for answer in [store.check().await, store.has_users().await.map(|_| ())] {
            assert!(
                matches!(answer, Err(StoreError::Unavailable { .. })),
                "{answer:?}"
            );
        }
        cluster.start_again();
        store.check().await.unwrap();
        assert_eq!(store.canary(&canary(2)).await.unwrap(), canary(1));
    }
    cluster.stop();
    let error = PostgresStore::open(database.url()).await.unwrap_err();
    check_reason(&error, "the database server cannot be reached");
}

#[tokio::test]
async fn a_newer_schema_is_left_alone() {
    let cluster = Cluster::shared();
    let database = cluster.fresh_database();
    PostgresStore::open(database.url())
        .await
        .unwrap()
        .close()
        .await;
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum,
        execution_time) VALUES (9998, 'newer', TRUE, '', 0), (9999, 'newest', TRUE, '', 0)";
    run(cluster, &database, newer);
    let error = PostgresStore::open(database.url()).await.unwrap_err();
    let StoreError::SchemaTooNew { found, known } = error else {
        panic!("{error:?}");
    };
    assert_eq!(found, 9999);
    assert!((1..9998).contains(&known));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_open_a_fresh_database_at_once() {
    let database = Cluster::shared().fresh_database();
    let opens: Vec<_> = (0..8)
        .map(|_| {
            let url = database.url().to_owned();
            tokio::spawn(async move { PostgresStore::open(&url).await })
        })
        .collect();
    for open in opens {
        let store = open.await.unwrap().unwrap();
        assert_eq!(store.canary(&canary(3)).await.unwrap(), canary(3));
        store.close().await;
    }
}

#[tokio::test]
async fn read_only_is_noticed() {
    let cluster = Cluster::shared();
    let database = cluster.fresh_database();
    let store = PostgresStore::open(database.url()).await.unwrap();
    store.close().await;
    let name = database.url().rsplit('/').next().unwrap();
    let read_only = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    // By then the schema is there, so that opening writes nothing but its lock.
    run(cluster, &database, &read_only);
    let error = PostgresStore::open(database.url()).await;
    match error {
        Ok(store) => {
            check_reason(&store.check().await.unwrap_err(), "read-only");
            check_reason(&store.canary(&canary(1)).await.unwrap_err(), "read-only");
            assert!(!store.has_users().await.unwrap(), "reading goes on");
        }
        Err(error) => check_reason(&error, "read-only"),
    }
}

#[tokio::test]
async fn no_error_shows_the_password() {
    let cluster = Cluster::shared();
    let database = cluster.fresh_database();
    let with_password = database.url().replace("vestibule@", "vestibule:hunter2@");
    let store = PostgresStore::open(&with_password).await.unwrap();
    assert!(!format!("{store:?}").contains("hunter2"));
    let missing = format!("{with_password}_is_not_there");
    let unresolvable = "postgres://u:hunter2@no.such.host.invalid/db";
    for url in [missing.as_str(), unresolvable] {
        let error = PostgresStore::open(url).await.unwrap_err();
        let mut shown = format!("{error} {error:?}");
        let mut source = std::error::Error::source(&error);
        while let Some(error) = source {
            shown.push_str(&error.to_string());
            source = error.source();
        }
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[tokio::test]
async fn closed_is_unavailable() {
    let database = Cluster::shared().fresh_database();
    let store = PostgresStore::open(database.url()).await.unwrap();
    store.close().await;
    check_reason(&store.check().await.unwrap_err(), "closed");
    let name = NameKey::of("alice");
    check_reason(&store.user_by_name(&name).await.unwrap_err(), "closed");
}
