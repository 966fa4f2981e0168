//! Thousands of users, each written to from two replicas at once by a seeded plan, several users at a
//! time: the writes to each fit into one order.
//!
//! `VESTIBULE_STRESS` says how many users; the plan of a user is the same in each run.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;

use futures_util::future::join_all;
use vestibule_store::Store;
use vestibule_store::contract::stress::stress;
use vestibule_store_postgres::PostgresStore;
use vestibule_store_sqlite::SqliteStore;
use vestibule_testkit::figures;
use vestibule_testkit::postgres::Cluster;

/// Users, unless told otherwise.
const USERS: u64 = 80;
/// Of whom so many are written to at a time.
const AT_ONCE: u64 = 8;

async fn writes_fit_into_one_order(id: &str, stores: [Arc<dyn Store>; 2]) {
    let users = std::env::var("VESTIBULE_STRESS").map_or(USERS, |users| users.parse().unwrap());
    let each = users.div_ceil(AT_ONCE);
    let lanes = (0..AT_ONCE).map(|lane| stress(&stores, lane * each..(lane + 1) * each));
    let (mut done, mut moved) = (0, 0);
    for tried in join_all(lanes).await {
        let tried = tried.unwrap();
        done += tried.done;
        moved += tried.moved;
    }
    assert!(done > 0 && moved > 0, "{done} done, {moved} moved");
    figures::note(id, "writes done", done.try_into().unwrap());
    figures::note(id, "refused", moved.try_into().unwrap());
    for store in stores {
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_at_once_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vestibule.db");
    let one = Arc::new(SqliteStore::open(&path).await.unwrap());
    let two = Arc::new(SqliteStore::open(&path).await.unwrap());
    writes_fit_into_one_order("orders", [one, two]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_at_once_on_postgres() {
    let database = Cluster::shared().fresh_database();
    let one = Arc::new(PostgresStore::open(database.url()).await.unwrap());
    let two = Arc::new(PostgresStore::open(database.url()).await.unwrap());
    writes_fit_into_one_order("orders", [one, two]).await;
}
