//! Connections that are used again, whatever happened to whoever had them.

use futures_util::FutureExt as _;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, query_scalar};
use vestibule_engine::{Timestamp, UserId};
use vestibule_store::{Accounts as _, Creation, Health as _, NewUser};
use vestibule_testkit::people::user;
use vestibule_testkit::postgres::{Cluster, Database};

use crate::connections::{Connections, Left};
use crate::{PostgresStore, url};

const LOCK: &str = "SELECT pg_advisory_xact_lock(1)";

async fn open() -> (Database, Connections) {
    let database = Cluster::shared().fresh_database();
    let options = url::parse(database.url()).unwrap();
    let connections = Connections::open(options).await.unwrap();
    (database, connections)
}

/// Which connection answers.
async fn pid(connections: &Connections) -> sqlx::Result<i32> {
    query_scalar("SELECT pg_backend_pid()")
        .fetch_one(connections)
        .await
}

#[tokio::test]
async fn one_connection_serves_one_after_the_other() {
    let (_database, connections) = open().await;
    let first = pid(&connections).await.unwrap();
    for _ in 0..20 {
        assert_eq!(pid(&connections).await.unwrap(), first);
    }
}

#[tokio::test]
async fn an_interrupted_transaction_keeps_no_locks() {
    let (database, connections) = open().await;
    let mut lent = connections.lend(Left::Transaction).await.unwrap();
    lent.on().execute("BEGIN").await.unwrap();
    lent.on().execute(LOCK).await.unwrap();
    drop(lent);
    // Waits until the lock is free.
    let mut stranger = PgConnection::connect(database.url()).await.unwrap();
    stranger.execute(LOCK).await.unwrap();
}

#[tokio::test]
async fn nobody_gets_the_answer_to_what_another_asked() {
    let (database, connections) = open().await;
    let first = pid(&connections).await.unwrap();
    let mut stranger = PgConnection::connect(database.url()).await.unwrap();
    stranger.execute("BEGIN").await.unwrap();
    stranger.execute(LOCK).await.unwrap();
    let mut asked = Box::pin(
        query_scalar::<_, i32>("SELECT 7 FROM (SELECT pg_advisory_xact_lock(1)) AS locked")
            .fetch_one(&connections),
    );
    let waiting = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    loop {
        assert!((&mut asked).now_or_never().is_none(), "it does not wait");
        let waiting = query_scalar::<_, i64>(waiting).fetch_one(&mut stranger);
        if waiting.await.unwrap() == 1 {
            break;
        }
    }
    drop(asked);
    stranger.execute("COMMIT").await.unwrap();
    // When all others are lent there is only the first, which is waited for until it is clean.
    let mut others = Vec::new();
    loop {
        let mut lent = connections.lend(Left::Answer).await.unwrap();
        let answer = query_scalar::<_, i32>("SELECT 8").fetch_one(lent.on());
        assert_eq!(answer.await.unwrap(), 8);
        let pid = query_scalar::<_, i32>("SELECT pg_backend_pid()");
        if pid.fetch_one(lent.on()).await.unwrap() == first {
            break;
        }
        others.push(lent);
    }
}

#[tokio::test]
async fn connections_that_the_server_ended_are_replaced() {
    let (database, connections) = open().await;
    let mut stranger = PgConnection::connect(database.url()).await.unwrap();
    let all = futures_util::future::join_all((0..8).map(|_| pid(&connections))).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    let ended = query_scalar::<_, i64>(
        "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    .fetch_one(&mut stranger)
    .await
    .unwrap();
    assert!(ended > 0);
    for _ in 0..8 {
        let pids = futures_util::future::join_all((0..4).map(|_| pid(&connections))).await;
        assert!(pids.iter().all(Result::is_ok), "{pids:?}");
    }
}

#[tokio::test]
async fn none_is_lent_when_all_are_closed() {
    let (_database, connections) = open().await;
    connections.close().await;
    let error = pid(&connections).await.unwrap_err();
    assert!(matches!(error, sqlx::Error::PoolClosed), "{error}");
}

/// Sessions that began while the database was read-only stay so, and are not kept.
#[tokio::test]
async fn a_database_that_was_read_only_is_written_to_again() {
    let database = Cluster::shared().fresh_database();
    let store = PostgresStore::open(database.url()).await.unwrap();
    let mut stranger = PgConnection::connect(database.url()).await.unwrap();
    let name = query_scalar::<_, String>("SELECT current_database()");
    let name = name.fetch_one(&mut stranger).await.unwrap();
    let set = |read_only: bool| {
        let set = "SET default_transaction_read_only =";
        AssertSqlSafe(format!("ALTER DATABASE \"{name}\" {set} {read_only}"))
    };
    stranger.execute(set(true)).await.unwrap();
    // The first one was open before.
    let mut lent = Vec::new();
    for _ in 0..4 {
        lent.push(store.connections.lend(Left::Answer).await.unwrap());
    }
    for connection in lent {
        connection.put_back();
    }
    assert!(store.check().await.is_err());
    stranger.execute(set(false)).await.unwrap();
    let id = UserId::from_random([1; 16]);
    let new = NewUser {
        user: user(id, "one", Timestamp::from_micros(0)),
        password: None,
        authority: None,
    };
    let added = store.add_user(&new, &[]).await.unwrap();
    assert_eq!(added, Creation::Created);
    for _ in 0..8 {
        if store.check().await.is_ok() {
            return;
        }
    }
    panic!("it is not ready again");
}
