//! The contract, kept by the store in an SQLite file.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tempfile::TempDir;
use vestibule_store::Store;
use vestibule_store::contract::{Durable, Fixture};
use vestibule_store_sqlite::SqliteStore;

struct Fresh {
    store: Mutex<Option<Arc<SqliteStore>>>,
    directory: TempDir,
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
        Arc::new(open(&self.directory).await)
    }
}

async fn open(directory: &TempDir) -> SqliteStore {
    let path = directory.path().join("vestibule.db");
    SqliteStore::open(&path).await.unwrap()
}

async fn fresh() -> Fresh {
    let directory = tempfile::tempdir().unwrap();
    let store = Mutex::new(Some(Arc::new(open(&directory).await)));
    Fresh { store, directory }
}

vestibule_store::store_contract!(fresh);
vestibule_store::durable_store_contract!(fresh);

mod snapshots {
    use std::sync::Arc;

    use vestibule_store::contract::snapshots;

    #[tokio::test]
    async fn a_snapshot_is_loaded_as_it_was() {
        let (one, two) = (super::fresh().await, super::fresh().await);
        let (from, into) = (super::open(&one.directory), super::open(&two.directory));
        let (from, into) = (Arc::new(from.await), Arc::new(into.await));
        snapshots::a_snapshot_is_loaded_as_it_was(from, into).await;
    }

    #[tokio::test]
    async fn a_snapshot_names_the_keys_that_it_needs() {
        let one = super::fresh().await;
        let store = Arc::new(super::open(&one.directory).await);
        snapshots::a_snapshot_names_the_keys_that_it_needs(store).await;
    }

    #[tokio::test]
    async fn a_broken_snapshot_leaves_nothing() {
        let (one, two) = (super::fresh().await, super::fresh().await);
        let (from, into) = (super::open(&one.directory), super::open(&two.directory));
        let (from, into) = (Arc::new(from.await), Arc::new(into.await));
        snapshots::a_broken_snapshot_leaves_nothing(from, into).await;
    }
}
