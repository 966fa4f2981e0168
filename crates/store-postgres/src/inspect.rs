//! A look at a database as it is.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::{Connection as _, query_as, query_scalar};
use tokio::time::timeout;
use uuid::Uuid;
use vestibule_engine::Timestamp;
use vestibule_store::{Canary, Inspect, Schema, Sealed, Store, StoreError};
use vestibule_store_sql::{MIGRATION_ROWS, MigrationRow, schema};

use crate::connections::{self, Connections};
use crate::error::store_error;
use crate::url::Servers;
use crate::{CONNECTING, MIGRATIONS, PostgresStore, SESSION, url};

/// What the server of the database refuses writes by.
const READ_ONLY: [(&str, &str); 1] = [("default_transaction_read_only", "on")];

/// A database that is only looked at.
pub struct PostgresInspection {
    store: Arc<PostgresStore>,
    /// What a server would connect with.
    servers: Servers,
}

impl std::fmt::Debug for PostgresInspection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What a server would connect with holds the password.
        f.debug_struct("PostgresInspection").finish_non_exhaustive()
    }
}

impl PostgresInspection {
    /// Looks at the database with this URL.
    ///
    /// # Errors
    /// When the URL cannot be read, or the database cannot be reached.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let servers = url::parse(url)?;
        let mut reading = servers.clone().with(&SESSION).with(&READ_ONLY);
        // None of them takes writes in such a session; to look, each is as good.
        reading.must_write = false;
        let connections = Connections::open(reading).await.map_err(store_error)?;
        Ok(Self {
            store: Arc::new(PostgresStore::over(connections)),
            servers,
        })
    }
}

#[async_trait]
impl Inspect for PostgresInspection {
    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store) as _
    }

    async fn schema(&self) -> Result<Schema, StoreError> {
        let connections = &self.store.connections;
        let is_there: bool = query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
            .fetch_one(connections)
            .await
            .map_err(store_error)?;
        if !is_there {
            return Ok(Schema::Missing);
        }
        let done: Vec<MigrationRow> = query_as(MIGRATION_ROWS)
            .fetch_all(connections)
            .await
            .map_err(store_error)?;
        Ok(schema(&done, &MIGRATIONS))
    }

    async fn canary(&self) -> Result<Option<Canary>, StoreError> {
        let row: Option<(Uuid, Vec<u8>)> = query_as("SELECT key_id, sealed FROM canary")
            .fetch_optional(&self.store.connections)
            .await
            .map_err(store_error)?;
        Ok(row.map(|(key_id, bytes)| Sealed { key_id, bytes }))
    }

    /// On a connection as a server would have it, which could write and does not.
    async fn check_writable(&self) -> Result<(), StoreError> {
        let connecting = connections::connect(self.servers.clone());
        let connected = timeout(CONNECTING, connecting).await;
        let connected = connected.unwrap_or(Err(sqlx::Error::PoolTimedOut));
        let mut connection = connected.map_err(store_error)?;
        let question = "
            SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean,
                (SELECT bool_and(has_table_privilege(c.oid, 'INSERT')) FROM pg_class c
                    WHERE c.oid IN (to_regclass('users'), to_regclass('audit_events')))";
        let asked = query_as(question).fetch_one(&mut connection).await;
        let (read_only, privileged): (bool, Option<bool>) = asked.map_err(store_error)?;
        // It says goodbye, so that the server's log has nothing to complain about.
        let _ = timeout(CONNECTING, connection.close()).await;
        if read_only {
            return Err(StoreError::unavailable(
                "the database is read-only, or a standby",
            ));
        }
        if privileged == Some(false) {
            return Err(StoreError::unavailable(
                "the database user lacks a privilege",
            ));
        }
        Ok(())
    }

    async fn time(&self) -> Result<Option<Timestamp>, StoreError> {
        let now = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
        let now: i64 = query_scalar(now)
            .fetch_one(&self.store.connections)
            .await
            .map_err(store_error)?;
        Ok(Some(Timestamp::from_micros(now)))
    }
}
