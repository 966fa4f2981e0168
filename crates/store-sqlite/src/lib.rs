//! The store in one SQLite file.
//!
//! Writes go through one connection, each as one `BEGIN IMMEDIATE` transaction: they never wait
//! for each other inside SQLite, and what a transaction has read cannot move before it commits.
//! Reads have connections of their own and see the last commit. The file is in WAL mode with
//! `synchronous = FULL`: what was acknowledged survives a crash of the machine.
//!
//! What every sign-in asks for is asked for together with whatever else is asked for at that moment:
//! bearers are read by one statement for all who wait, and steps claimed, acceptances redeemed and
//! budgets stored in one transaction. [`Together`] does it, and `changes` says how many are one.

mod accounts;
mod audit;
mod changes;
mod damage;
mod error;
mod file;
mod first_factors;
mod identity_providers;
mod inspect;
mod keys;
mod lists;
mod providers;
mod pushes;
mod readers;
mod roles;
mod second_factors;
mod settings;
mod snapshot;
mod tokens;
mod write;

#[cfg(test)]
mod tests;

pub use inspect::SqliteInspection;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use tokio::sync::OnceCell;
use vestibule_store::{Health, Numbers, Pool, StoreError, Trail};
use vestibule_store_sql::Together;

use crate::changes::Waiting;
use crate::damage::{Damage, look_into_trees};
use crate::error::store_error;
use crate::file::{DatabaseFile, OpeningLock};
use crate::readers::Readers;
use crate::tokens::Asked;
use crate::write::{Write, Writer};

static MIGRATIONS: Migrator = sqlx::migrate!();

/// Connections that read.
const READERS: u32 = 4;
/// After how many pages the log is written back into the file, by whoever commits then. Hashes and ids
/// lie anywhere, so each commit is about many pages; in a longer log more of them are there several
/// times, and go back once. This many are 16 MiB.
const LOG_PAGES: &str = "4000";
/// What the connection that writes may keep of the file in memory: so many KiB, which SQLite has as a
/// negative number. It stays true until another process writes, which SQLite notices.
const KEPT: &str = "-16384";
/// How long a write waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a caller waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// A store in an SQLite file.
pub struct SqliteStore {
    file: Arc<DatabaseFile>,
    writer: Writer,
    readers: Readers,
    bearers: Together<Asked>,
    changes: Together<Waiting>,
    /// Of the audit trail, once something was written there.
    numbers: OnceCell<Numbers>,
    damage: Damage,
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteStore")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens the database in this file, which is made, for its owner alone, if it is not there;
    /// the schema is brought up to date.
    ///
    /// # Errors
    /// When the file cannot be opened or written, is damaged, no database, or one with a newer schema.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_with(path, BUSY_TIMEOUT).await
    }

    async fn open_with(path: &Path, busy: Duration) -> Result<Self, StoreError> {
        // Held until all is set up: two processes may start at once on a fresh file, and switching
        // to WAL or migrating twice at once fails.
        let lock = OpeningLock::take(path).await?;
        let file = DatabaseFile::at(path)?;
        let options = SqliteConnectOptions::new()
            .filename(file.path())
            .foreign_keys(true)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(busy)
            .disable_statement_logging();
        let for_writes = options
            .clone()
            .journal_mode(SqliteJournalMode::Wal)
            .pragma("wal_autocheckpoint", LOG_PAGES)
            .pragma("cache_size", KEPT)
            .pragma("temp_store", "memory");
        let writer = pool(1)
            .after_connect(|connection, _| {
                Box::pin(async move { connection.execute(changes::TABLE).await.map(drop) })
            })
            .connect_with(for_writes)
            .await
            .map_err(store_error)?;
        migrate(&writer).await?;
        look_into_trees(&writer).await?;
        let readers = pool(READERS)
            .connect_with(options.pragma("query_only", "on"))
            .await
            .map_err(store_error)?;
        drop(lock);
        let store = Self::over(file, writer, readers);
        store.file.check()?;
        Ok(store)
    }

    fn over(file: DatabaseFile, writer: SqlitePool, readers: SqlitePool) -> Self {
        let file = Arc::new(file);
        let writer = Writer::new(Arc::clone(&file), writer);
        let readers = Readers {
            file: Arc::clone(&file),
            pool: readers,
        };
        Self {
            file,
            bearers: Together::new(readers.clone()),
            changes: Together::new(writer.clone()),
            writer,
            readers,
            numbers: OnceCell::new(),
            damage: Damage::none(),
        }
    }

    /// Where statements that read are run.
    fn reads(&self) -> Result<&SqlitePool, StoreError> {
        self.readers.reads()
    }

    /// Starts a write.
    async fn write(&self) -> Result<Write<'_>, StoreError> {
        self.write_with(&[]).await
    }

    /// Starts a write that leaves these rows in the audit trail when it is committed.
    async fn write_with(&self, trail: Trail<'_>) -> Result<Write<'_>, StoreError> {
        let note = self.note(trail).await?;
        self.writer.begin(note).await
    }
}

/// Connections that stay: a new one, later, could find another file under the name.
///
/// One that still seems to be in a transaction is replaced all the same. After some errors, a full
/// disk among them, SQLite has rolled back by itself, of which the driver knows nothing: its
/// rollback fails, and each later transaction would be a savepoint within one that is not there.
fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .min_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .before_acquire(|connection, _| {
            let is_clean = !connection.is_in_transaction();
            Box::pin(async move { Ok(is_clean) })
        })
}

async fn migrate(writer: &SqlitePool) -> Result<(), StoreError> {
    match MIGRATIONS.run(writer).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(_)) => {
            let newest = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations");
            Err(StoreError::SchemaTooNew {
                found: newest.fetch_one(writer).await.map_err(store_error)?,
                known: MIGRATIONS
                    .iter()
                    .map(|known| known.version)
                    .max()
                    .unwrap_or(0),
            })
        }
        Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => {
            Err(store_error(error))
        }
        Err(error) => Err(StoreError::Bug(Box::new(error))),
    }
}

#[async_trait]
impl Health for SqliteStore {
    async fn check(&self) -> Result<(), StoreError> {
        self.damage.check(self.reads()?).await?;
        let mut write = self.write().await?;
        if self.writer.is_doubted() {
            // A transaction that changes nothing writes nothing, and works on a full disk too. There
            // and back again is a change to SQLite.
            for statement in [
                "UPDATE authority SET revision = revision + 1",
                "UPDATE authority SET revision = revision - 1",
            ] {
                write.run(sqlx::query(statement)).await?;
            }
            write.commit().await?;
            self.writer.believe();
        } else {
            let _ = write.moved().await?;
        }
        self.file.check()
    }

    fn pool(&self) -> Option<Pool> {
        let pools = [&self.writer.pool, &self.readers.pool];
        let count = |count: fn(&SqlitePool) -> u32| pools.into_iter().map(count).sum::<u32>();
        let idle = count(|pool| u32::try_from(pool.num_idle()).unwrap_or(u32::MAX));
        Some(Pool {
            in_use: count(SqlitePool::size).saturating_sub(idle),
            idle,
        })
    }

    async fn close(&self) {
        // Readers first, so that the writer is the last one and leaves no WAL behind.
        self.readers.pool.close().await;
        self.writer.pool.close().await;
    }
}
