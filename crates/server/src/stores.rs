//! Opens the store that the settings name.

use std::path::Path;
use std::sync::Arc;

use vestibule_store::{Inspect, LastingStore, Store, StoreError};
use vestibule_store_memory::MemoryStore;
use vestibule_store_postgres::{PostgresInspection, PostgresStore};
use vestibule_store_sqlite::{SqliteInspection, SqliteStore};

use crate::config::Database;

/// Opens a store; makes it if there is none.
///
/// # Errors
/// What the store says.
pub async fn open(database: &Database) -> Result<Arc<dyn Store>, StoreError> {
    match open_lasting(database).await? {
        Some(store) => Ok(store),
        None => Ok(Arc::new(MemoryStore::new())),
    }
}

/// Opens a store that lasts, if the settings name one; makes it if there is none.
///
/// # Errors
/// What the store says.
pub async fn open_lasting(
    database: &Database,
) -> Result<Option<Arc<dyn LastingStore>>, StoreError> {
    Ok(match database {
        Database::Memory => None,
        Database::Sqlite(file) => Some(Arc::new(SqliteStore::open(file).await?)),
        Database::Postgres(url) => Some(Arc::new(PostgresStore::open(url.expose()).await?)),
    })
}

/// Why there is no store to act on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoStore {
    /// It is within another process.
    #[error("the database is `memory:`, which only the server itself can reach")]
    Memory,
    /// It was never made.
    #[error(
        "there is no database at {0}: name the data directory of the server with --data-dir, or start the server once"
    )]
    Missing(String),
    /// It does not work.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Opens the store of a server that runs, or ran.
///
/// # Errors
/// There is none.
pub async fn open_existing(database: &Database) -> Result<Arc<dyn Store>, NoStore> {
    Ok(open_existing_lasting(database).await?)
}

/// Opens the store of a server that runs, or ran, for what only stores that last can do.
///
/// # Errors
/// There is none.
pub async fn open_existing_lasting(database: &Database) -> Result<Arc<dyn LastingStore>, NoStore> {
    match database {
        Database::Sqlite(file) if !Path::new(file).exists() => {
            return Err(NoStore::Missing(file.display().to_string()));
        }
        Database::Memory | Database::Sqlite(_) | Database::Postgres(_) => {}
    }
    open_lasting(database).await?.ok_or(NoStore::Memory)
}

/// Looks at a store as it is: nothing is made, brought up to date or written.
///
/// # Errors
/// There is none, or it does not work.
pub async fn look(database: &Database) -> Result<Box<dyn Inspect>, NoStore> {
    Ok(match database {
        Database::Memory => return Err(NoStore::Memory),
        Database::Sqlite(file) if !Path::new(file).exists() => {
            return Err(NoStore::Missing(file.display().to_string()));
        }
        Database::Sqlite(file) => Box::new(SqliteInspection::open(file).await?),
        Database::Postgres(url) => Box::new(PostgresInspection::open(url.expose()).await?),
    })
}
