//! A look at a database file as it is.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{ConnectOptions as _, query_as, query_scalar};
use uuid::Uuid;
use vestibule_store::{Canary, Inspect, Schema, Sealed, Store, StoreError};
use vestibule_store_sql::{MIGRATION_ROWS, MigrationRow, schema};

use crate::damage::look_through;
use crate::error::store_error;
use crate::file::DatabaseFile;
use crate::{ACQUIRE_TIMEOUT, BUSY_TIMEOUT, MIGRATIONS, SqliteStore};

/// A database file that is only looked at.
#[derive(Debug)]
pub struct SqliteInspection {
    store: Arc<SqliteStore>,
}

impl SqliteInspection {
    /// Looks at the database in this file, whether or not a server uses it.
    ///
    /// # Errors
    /// When it is not there, cannot be read, or is no database.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let file = DatabaseFile::existing(path)?;
        let mut log = file.path().as_os_str().to_owned();
        log.push("-wal");
        let options = SqliteConnectOptions::new()
            .filename(file.path())
            .read_only(true)
            // Without a log beside it nobody has the file open. SQLite would make one, which might
            // then belong to whoever looks, and no server could open it.
            .immutable(!Path::new(&log).exists())
            .busy_timeout(BUSY_TIMEOUT)
            .disable_statement_logging();
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(options)
            .await
            .map_err(store_error)?;
        Ok(Self {
            store: Arc::new(SqliteStore::over(file, pool.clone(), pool)),
        })
    }
}

#[async_trait]
impl Inspect for SqliteInspection {
    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store) as _
    }

    async fn schema(&self) -> Result<Schema, StoreError> {
        let readers = self.store.reads()?;
        let table = "SELECT count(*) FROM sqlite_master WHERE name = '_sqlx_migrations'";
        let tables: i64 = query_scalar(table)
            .fetch_one(readers)
            .await
            .map_err(store_error)?;
        if tables == 0 {
            return Ok(Schema::Missing);
        }
        let done: Vec<MigrationRow> = query_as(MIGRATION_ROWS)
            .fetch_all(readers)
            .await
            .map_err(store_error)?;
        Ok(schema(&done, &MIGRATIONS))
    }

    async fn canary(&self) -> Result<Option<Canary>, StoreError> {
        let row: Option<(Uuid, Vec<u8>)> = query_as("SELECT key_id, sealed FROM canary")
            .fetch_optional(self.store.reads()?)
            .await
            .map_err(store_error)?;
        Ok(row.map(|(key_id, bytes)| Sealed { key_id, bytes }))
    }

    async fn damage(&self) -> Result<Option<String>, StoreError> {
        let mut connection = self.store.reads()?.acquire().await.map_err(store_error)?;
        look_through(&mut connection).await
    }

    /// The system decides that, by the modes of the files.
    async fn check_writable(&self) -> Result<(), StoreError> {
        self.store.file.check()
    }
}
