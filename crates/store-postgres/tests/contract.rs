//! The contract, kept by the store in a Postgres database.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

use std::any::Any;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use vestibule_engine::UserId;
use vestibule_store::Store;
use vestibule_store::contract::locks::{self, Lockable};
use vestibule_store::contract::{Durable, Fixture};
use vestibule_store_postgres::PostgresStore;
use vestibule_testkit::postgres::{Cluster, Database};

struct Fresh {
    store: Mutex<Option<Arc<PostgresStore>>>,
    database: Database,
}

impl Fixture for Fresh {
    fn store(&self) -> Arc<dyn Store> {
        self.store.lock().unwrap().clone().unwrap()
    }
}

#[async_trait]
impl Durable for Fresh {
    fn abandon(&self) {
        let store = self.store.lock().unwrap().take();
        assert_eq!(
            store.map(Arc::into_inner).map(|last| last.is_some()),
            Some(true)
        );
    }

    async fn reopen(&self) -> Arc<dyn Store> {
        Arc::new(PostgresStore::open(self.database.url()).await.unwrap())
    }
}

async fn fresh() -> Fresh {
    let database = Cluster::shared().fresh_database();
    let store = Arc::new(PostgresStore::open(database.url()).await.unwrap());
    let store = Mutex::new(Some(store));
    Fresh { store, database }
}

vestibule_store::store_contract!(fresh);
vestibule_store::durable_store_contract!(fresh);

#[async_trait]
impl Lockable for Fresh {
    async fn lock(&self, table: &str, column: &str, user: UserId) -> Box<dyn Any + Send> {
        let mut other = PgConnection::connect(self.database.url()).await.unwrap();
        let lock = format!("BEGIN; SELECT 1 FROM {table} WHERE {column} = '{user}' FOR UPDATE");
        other
            .execute(sqlx::raw_sql(AssertSqlSafe(lock)))
            .await
            .unwrap();
        Box::new(other)
    }
}

#[tokio::test]
async fn a_locked_row_keeps_nobody_else_waiting() {
    locks::a_locked_row_keeps_nobody_else_waiting(fresh().await).await;
}

mod snapshots {
    use std::sync::Arc;

    use vestibule_store::contract::snapshots;
    use vestibule_store_postgres::PostgresStore;
    use vestibule_testkit::postgres::{Cluster, Database};

    async fn open(database: &Database) -> Arc<PostgresStore> {
        Arc::new(PostgresStore::open(database.url()).await.unwrap())
    }

    #[tokio::test]
    async fn a_snapshot_is_loaded_as_it_was() {
        let cluster = Cluster::shared();
        let (from, into) = (cluster.fresh_database(), cluster.fresh_database());
        let (from, into) = (open(&from).await, open(&into).await);
        snapshots::a_snapshot_is_loaded_as_it_was(from, into).await;
    }

    #[tokio::test]
    async fn a_snapshot_names_the_keys_that_it_needs() {
        let database = Cluster::shared().fresh_database();
        let store = open(&database).await;
        snapshots::a_snapshot_names_the_keys_that_it_needs(store).await;
    }

    #[tokio::test]
    async fn a_broken_snapshot_leaves_nothing() {
        let cluster = Cluster::shared();
        let (from, into) = (cluster.fresh_database(), cluster.fresh_database());
        let (from, into) = (open(&from).await, open(&into).await);
        snapshots::a_broken_snapshot_leaves_nothing(from, into).await;
    }
}
