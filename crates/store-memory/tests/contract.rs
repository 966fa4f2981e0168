//! The contract, kept by the store in memory.

use std::sync::Arc;

use vestibule_store::Store;
use vestibule_store::contract::Fixture;
use vestibule_store_memory::MemoryStore;

struct Fresh(Arc<MemoryStore>);

impl Fixture for Fresh {
    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.0) as Arc<dyn Store>
    }
}

async fn fresh() -> Fresh {
    Fresh(Arc::new(MemoryStore::new()))
}

vestibule_store::store_contract!(fresh);
