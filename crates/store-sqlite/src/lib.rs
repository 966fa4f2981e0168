//! The store in one SQLite file.
//!
//! Writes go through one connection, each as one `BEGIN IMMEDIATE` transaction: they never wait
//! for each other inside SQLite, and what a transaction has read cannot move before it commits.
//! Reads have connections of their own and see the last commit. The file is in WAL mode with
//! `synchronous = FULL`: what was acknowledged survives a crash of the machine.

mod accounts;
mod audit;
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
mod roles;
mod second_factors;
mod settings;
mod snapshot;
mod tokens;

#[cfg(test)]
mod tests;

pub use inspect::SqliteInspection;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _, Sqlite, Transaction};
use tokio::sync::OnceCell;
use vestibule_store::{Health, Numbers, Pool, StoreError, Swap, Trail};

use crate::audit::Note;
use crate::damage::{Damage, look_into_trees};
use crate::error::store_error;
use crate::file::{DatabaseFile, OpeningLock};

static MIGRATIONS: Migrator = sqlx::migrate!();

/// Connections that read.
const READERS: u32 = 4;
/// How long a write waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a caller waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// A store in an SQLite file.
pub struct SqliteStore {
    file: DatabaseFile,
    writer: SqlitePool,
    readers: SqlitePool,
    /// Of the audit trail, once something was written there.
    numbers: OnceCell<Numbers>,
    /// Whether a write has ended otherwise than it should, and none was tried since.
    doubted: AtomicBool,
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
        let writer = pool(1)
            .connect_with(options.clone().journal_mode(SqliteJournalMode::Wal))
            .await
            .map_err(store_error)?;
        migrate(&writer).await?;
        look_into_trees(&writer).await?;
        let readers = pool(READERS)
            .connect_with(options.pragma("query_only", "on"))
            .await
            .map_err(store_error)?;
        drop(lock);
        let store = Self {
            file,
            writer,
            readers,
            numbers: OnceCell::new(),
            doubted: AtomicBool::new(false),
            damage: Damage::none(),
        };
        store.file.check()?;
        Ok(store)
    }

    /// Where statements that read are run.
    fn reads(&self) -> Result<&SqlitePool, StoreError> {
        self.file.check()?;
        Ok(&self.readers)
    }

    /// Starts a write.
    async fn write(&self) -> Result<Write<'_>, StoreError> {
        self.write_with(&[]).await
    }

    /// Starts a write that leaves these rows in the audit trail when it is committed.
    async fn write_with(&self, trail: Trail<'_>) -> Result<Write<'_>, StoreError> {
        self.file.check()?;
        let note = self.note(trail).await?;
        let begun = self.writer.begin_with("BEGIN IMMEDIATE").await;
        Ok(Write {
            store: self,
            transaction: begun.map_err(store_error)?,
            note,
            doubt: Doubt(Some(&self.doubted)),
        })
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

/// A write under way. Dropped without a commit it never was.
struct Write<'a> {
    store: &'a SqliteStore,
    transaction: Transaction<'static, Sqlite>,
    note: Option<Note>,
    doubt: Doubt<'a>,
}

/// Remembers of a write that it neither was committed nor gave up by itself.
struct Doubt<'a>(Option<&'a AtomicBool>);

impl Doubt<'_> {
    fn dispel(mut self) {
        self.0 = None;
    }
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        if let Some(doubted) = self.0 {
            doubted.store(true, Ordering::Relaxed);
        }
    }
}

impl Write<'_> {
    /// Where statements are run.
    fn on(&mut self) -> &mut sqlx::SqliteConnection {
        &mut self.transaction
    }

    /// Runs a statement; how many rows it wrote.
    async fn run(
        &mut self,
        statement: sqlx::query::Query<'_, Sqlite, sqlx::sqlite::SqliteArguments>,
    ) -> Result<u64, StoreError> {
        let done = statement.execute(self.on()).await.map_err(store_error)?;
        Ok(done.rows_affected())
    }

    /// Commits. The file is looked at once more: had it been taken away meanwhile, the commit
    /// would have gone into a file that nobody finds again, and may not be acknowledged.
    async fn commit(mut self) -> Result<(), StoreError> {
        if let Some(note) = &self.note {
            note.write(&mut self.transaction).await?;
        }
        self.transaction.commit().await.map_err(store_error)?;
        self.store.file.check()?;
        self.doubt.dispel();
        if let Some(note) = self.note {
            note.end();
        }
        Ok(())
    }

    /// Commits, and says so.
    async fn done(self) -> Result<Swap, StoreError> {
        self.commit().await?;
        Ok(Swap::Done)
    }

    /// Gives up, having written nothing.
    async fn moved(self) -> Result<Swap, StoreError> {
        self.refused(Swap::Moved).await
    }

    /// Gives up, having written nothing, for this reason.
    async fn refused<R>(self, reason: R) -> Result<R, StoreError> {
        self.transaction.rollback().await.map_err(store_error)?;
        self.doubt.dispel();
        if let Some(note) = self.note {
            note.end();
        }
        Ok(reason)
    }
}

#[async_trait]
impl Health for SqliteStore {
    async fn check(&self) -> Result<(), StoreError> {
        self.damage.check(self.reads()?).await?;
        let mut write = self.write().await?;
        if self.doubted.load(Ordering::Relaxed) {
            // A transaction that changes nothing writes nothing, and works on a full disk too. There
            // and back again is a change to SQLite.
            for statement in [
                "UPDATE authority SET revision = revision + 1",
                "UPDATE authority SET revision = revision - 1",
            ] {
                write.run(sqlx::query(statement)).await?;
            }
            write.commit().await?;
            self.doubted.store(false, Ordering::Relaxed);
        } else {
            let _ = write.moved().await?;
        }
        self.file.check()
    }

    fn pool(&self) -> Option<Pool> {
        let pools = [&self.writer, &self.readers];
        let count = |count: fn(&SqlitePool) -> u32| pools.into_iter().map(count).sum::<u32>();
        let idle = count(|pool| u32::try_from(pool.num_idle()).unwrap_or(u32::MAX));
        Some(Pool {
            in_use: count(SqlitePool::size).saturating_sub(idle),
            idle,
        })
    }

    async fn close(&self) {
        // Readers first, so that the writer is the last one and leaves no WAL behind.
        self.readers.close().await;
        self.writer.close().await;
    }
}
