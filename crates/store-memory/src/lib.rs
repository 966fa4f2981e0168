//! The store in memory: the reference for what the others do, and the store of tests and of
//! programs that embed the service.
//!
//! All of it is one `Tables` behind a lock that is never held over an await, so that each method
//! is a transaction by construction. Nothing outlives the process.

mod accounts;
mod audit;
mod first_factors;
mod keys;
mod lists;
mod providers;
mod pushes;
mod roles;
mod second_factors;
mod settings;
mod tables;
mod tokens;

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use vestibule_store::{Health, StoreError};

use crate::tables::Tables;

/// A store that is gone with its process.
#[derive(Debug, Default)]
pub struct MemoryStore {
    tables: Mutex<Tables>,
}

impl MemoryStore {
    /// A new store.
    pub fn new() -> Self {
        Self::default()
    }

    /// The tables, for one transaction. Every method decides first and then writes without
    /// anything that could panic, so what a poisoned lock guards is whole.
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Health for MemoryStore {
    async fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn close(&self) {}
}
