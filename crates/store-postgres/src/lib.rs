//! The store in a Postgres database, for one server or many.
//!
//! Transactions run at READ COMMITTED, so that each statement sees what was committed before it
//! began, and no more. Three habits make that safe:
//!
//! * What rests on an earlier read is one statement that compares and sets. When it meets a row
//!   that another is changing it waits, and compares again with what it finds then.
//! * Who ends tokens locks the user first, in a statement of its own; who makes one holds that lock
//!   shared. So a deletion never overlooks a token that is made while it runs.
//! * Locks are taken in one order: settings, providers, users, tokens, second factors, pushes,
//!   devices, exemptions. Should Postgres find a deadlock all the same, the transaction is tried
//!   again.

mod accounts;
mod error;
mod first_factors;
mod lists;
mod providers;
mod pushes;
mod rotations;
mod second_factors;
mod settings;
mod settlements;
mod tokens;
mod url;

#[cfg(test)]
mod tests;

use std::time::Duration;

use async_trait::async_trait;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::query::Query;
use sqlx::{PgConnection, Postgres, Transaction, query_scalar};
use vestibule_store::{Health, StoreError, Swap};

use crate::error::store_error;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// Connections of one server.
const CONNECTIONS: u32 = 16;
/// How long a caller waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// What every connection asks of the server.
const SESSION: [(&str, &str); 2] = [
    ("statement_timeout", "5s"),
    // A transaction whose server is gone must not keep its locks.
    ("idle_in_transaction_session_timeout", "10s"),
];

/// A store in a Postgres database.
pub struct PostgresStore {
    pool: PgPool,
}

impl std::fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The pool would print the password.
        f.debug_struct("PostgresStore").finish_non_exhaustive()
    }
}

impl PostgresStore {
    /// Opens the database with this URL; its schema is brought up to date.
    ///
    /// # Errors
    /// When the URL cannot be read, the database cannot be reached or written, or has a newer
    /// schema. The URL, which may hold a password, is in no error.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let options = url::parse(url)?;
        migrate(options.clone()).await?;
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(options.options(SESSION))
            .await
            .map_err(store_error)?;
        Ok(Self { pool })
    }

    /// Starts a transaction that writes.
    async fn write(&self) -> Result<Write, StoreError> {
        let transaction = self.pool.begin().await.map_err(store_error)?;
        Ok(Write { transaction })
    }

    /// Runs a write that is one statement, which gives a row when it was written.
    async fn swap(&self, statement: Statement<'_>) -> Result<Swap, StoreError> {
        let row = statement
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)?;
        Ok(if row.is_some() {
            Swap::Done
        } else {
            Swap::Moved
        })
    }
}

/// Brings the schema up to date, on a connection of its own: the one who waits for the migrations
/// of another server waits as long as they take.
async fn migrate(options: PgConnectOptions) -> Result<(), StoreError> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options)
        .await
        .map_err(store_error)?;
    let migrated = match MIGRATIONS.run(&pool).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(_)) => {
            let newest = query_scalar("SELECT max(version) FROM _sqlx_migrations");
            let found = newest.fetch_one(&pool).await.map_err(store_error);
            Err(
                found.map_or_else(std::convert::identity, |found| StoreError::SchemaTooNew {
                    found,
                    known: MIGRATIONS
                        .iter()
                        .map(|known| known.version)
                        .max()
                        .unwrap_or(0),
                }),
            )
        }
        Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => {
            Err(store_error(error))
        }
        Err(error) => Err(StoreError::Bug(Box::new(error))),
    };
    // Also ends the lock of a migration that failed.
    pool.close().await;
    migrated
}

type Statement<'q> = Query<'q, Postgres, PgArguments>;

/// A transaction under way. Dropped without a commit it never was.
struct Write {
    transaction: Transaction<'static, Postgres>,
}

impl Write {
    /// Where statements are run.
    fn on(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }

    /// Runs a statement; how many rows it wrote or locked.
    async fn run(&mut self, statement: Statement<'_>) -> Result<u64, StoreError> {
        let done = statement.execute(self.on()).await.map_err(store_error)?;
        Ok(done.rows_affected())
    }

    async fn commit(self) -> Result<(), StoreError> {
        self.transaction.commit().await.map_err(store_error)
    }

    /// Gives up, having written nothing.
    async fn roll_back(self) -> Result<(), StoreError> {
        self.transaction.rollback().await.map_err(store_error)
    }
}

#[async_trait]
impl Health for PostgresStore {
    async fn check(&self) -> Result<(), StoreError> {
        let read_only = "
            SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean";
        let read_only: bool = query_scalar(read_only)
            .fetch_one(&self.pool)
            .await
            .map_err(store_error)?;
        if read_only {
            return Err(StoreError::unavailable(
                "the database is read-only, or a standby",
            ));
        }
        Ok(())
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}
