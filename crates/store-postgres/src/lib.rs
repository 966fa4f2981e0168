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
//!
//! What every sign-in asks for is asked for together with whatever else is asked for at that moment:
//! bearers are read, and steps claimed, acceptances redeemed and budgets stored, by one statement for
//! all who wait. [`Together`] does it, and `factors` says what becomes of those whose rows are locked.

mod accounts;
mod audit;
mod connections;
mod error;
mod factors;
mod first_factors;
mod identity_providers;
mod inspect;
mod keys;
mod lists;
mod places;
mod providers;
mod pushes;
mod roles;
mod rotations;
mod second_factors;
mod settings;
mod settlements;
mod snapshot;
mod tokens;
mod transaction;
mod url;

#[cfg(test)]
mod tests;

pub use inspect::PostgresInspection;

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{Connection as _, PgConnection, Postgres, query, query_scalar};
use tokio::sync::OnceCell;
use tokio::time::{Instant, interval, timeout};
use vestibule_store::{Health, Numbers, Pool, StoreError, Swap};
use vestibule_store_sql::Together;

use crate::connections::Connections;
use crate::error::{DISK_WAS_FULL, store_error};
use crate::factors::Waiting;
use crate::rotations::{Claiming, Redeemed};
use crate::settlements::Settling;
use crate::tokens::Asked;
use crate::transaction::Transaction;
use crate::url::Servers;

pub use crate::url::each_server;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// How long the connection for the migrations may take to open.
const CONNECTING: Duration = Duration::from_secs(3);
/// How often a server that does not listen is tried meanwhile.
const TRIED_EVERY: Duration = Duration::from_millis(200);

/// What every connection asks of the server.
const SESSION: [(&str, &str); 4] = [
    // Whatever the server, the database or the user has as a default.
    ("default_transaction_isolation", "read committed"),
    ("statement_timeout", "5s"),
    // To compile a statement takes longer than each of ours runs. Before a table was ever analysed,
    // Postgres believes otherwise of those that are about many.
    ("jit", "off"),
    // A transaction whose server is gone must not keep its locks.
    ("idle_in_transaction_session_timeout", "10s"),
];

/// A store in a Postgres database.
#[derive(Debug)]
pub struct PostgresStore {
    connections: Connections,
    bearers: Together<Asked>,
    claims: Together<Waiting<Claiming>>,
    redemptions: Together<Waiting<Redeemed>>,
    settlements: Together<Waiting<Settling>>,
    /// Of the audit trail, once something was written there.
    numbers: OnceCell<Numbers>,
}

impl PostgresStore {
    /// Opens the database with this URL; its schema is brought up to date.
    ///
    /// # Errors
    /// When the URL cannot be read, the database cannot be reached or written, or has a newer
    /// schema. The URL, which may hold a password, is in no error.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let servers = url::parse(url)?;
        migrate(servers.clone()).await?;
        let connections = Connections::open(servers.with(&SESSION))
            .await
            .map_err(store_error)?;
        Ok(Self::over(connections))
    }

    fn over(connections: Connections) -> Self {
        Self {
            bearers: Together::new(connections.clone()),
            claims: Together::new(connections.clone()),
            redemptions: Together::new(connections.clone()),
            settlements: Together::new(connections.clone()),
            connections,
            numbers: OnceCell::new(),
        }
    }

    /// Starts a transaction that writes.
    async fn write(&self) -> Result<Transaction, StoreError> {
        Transaction::begin(&self.connections, "BEGIN").await
    }

    /// Runs a write that is one statement, which gives a row when it was written.
    async fn swap(&self, statement: Statement<'_>) -> Result<Swap, StoreError> {
        let row = statement
            .fetch_optional(&self.connections)
            .await
            .map_err(store_error)?;
        Ok(if row.is_some() {
            Swap::Done
        } else {
            Swap::Moved
        })
    }
}

impl PostgresStore {
    /// Whether there is room for one more page: what is read, and what is written where there was
    /// room before, does not tell.
    async fn write_a_page(&self) -> Result<(), StoreError> {
        let mut transaction = Transaction::begin(&self.connections, "BEGIN").await?;
        let page = "CREATE TEMPORARY TABLE page ON COMMIT DROP AS SELECT 1 AS one";
        transaction.run(query(page)).await?;
        transaction.roll_back().await
    }
}

/// A connection to a server that may be starting just now, as whoever starts both at once has it.
async fn connect(servers: Servers) -> sqlx::Result<PgConnection> {
    let (start, mut tries) = (Instant::now(), interval(TRIED_EVERY));
    loop {
        tries.tick().await;
        let left = CONNECTING.saturating_sub(start.elapsed());
        let connecting = timeout(left, connections::connect(servers.clone())).await;
        let connecting = connecting.unwrap_or(Err(sqlx::Error::PoolTimedOut));
        match connecting {
            Err(sqlx::Error::Io(_)) if start.elapsed() + TRIED_EVERY < CONNECTING => {}
            done => return done,
        }
    }
}

/// Brings the schema up to date, on a connection of its own: the one who waits for the migrations
/// of another server waits as long as they take.
async fn migrate(servers: Servers) -> Result<(), StoreError> {
    let mut connection = connect(servers).await.map_err(store_error)?;
    let migrated = match MIGRATIONS.run_direct(None, &mut connection, false).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(_)) => {
            let newest = query_scalar("SELECT max(version) FROM _sqlx_migrations");
            let found = newest.fetch_one(&mut connection).await.map_err(store_error);
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
    // Also ends the lock of a migration that failed. What was migrated is, said goodbye or not.
    let _ = connection.close().await;
    migrated
}

type Statement<'q> = Query<'q, Postgres, PgArguments>;

#[async_trait]
impl Health for PostgresStore {
    async fn check(&self) -> Result<(), StoreError> {
        if self
            .connections
            .are_read_only()
            .await
            .map_err(store_error)?
        {
            return Err(StoreError::unavailable(
                "the database is read-only, or a standby",
            ));
        }
        if DISK_WAS_FULL.load(Ordering::Relaxed) {
            self.write_a_page().await?;
            DISK_WAS_FULL.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn tidy(&self) -> Result<(), StoreError> {
        self.count_places().await
    }

    fn pool(&self) -> Option<Pool> {
        Some(self.connections.count())
    }

    async fn close(&self) {
        self.connections.close().await;
    }
}
