//! Snapshots of the database.

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use sqlx::{AssertSqlSafe, query, query_scalar};
use vestibule_engine::TotpStep;
use vestibule_store::{Loading, SnapshotError, SnapshotRows, Snapshots, StoreError, TakeRow};
use vestibule_store_sql::{Dialect, SETTINGS, TABLES, integer, table};

use crate::PostgresStore;
use crate::error::store_error;
use crate::lists::SNAPSHOT;
use crate::transaction::Transaction;

const DIALECT: Dialect = Dialect::Postgres;

/// It takes as long as it takes.
const PATIENT: [&str; 2] = [
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
];

/// Nobody begins to use the database meanwhile.
const HOLD: &str = "LOCK TABLE canary, users IN ACCESS EXCLUSIVE MODE";

const IS_USED: &str = "
    SELECT EXISTS (SELECT 1 FROM users) OR EXISTS (SELECT 1 FROM canary)
        OR EXISTS (SELECT 1 FROM audit_events) OR EXISTS (SELECT 1 FROM audit_seals)";

/// What every new database holds, and the snapshot has as well.
const BUILT_IN: [&str; 4] = [
    "DELETE FROM admin_mfa",
    "DELETE FROM mfa_providers",
    "DELETE FROM administrative_roles",
    "DELETE FROM local_identity_provider",
];

const SPENT: &str = "UPDATE second_factors SET last_step = $1 WHERE verified AND last_step < $1";

#[async_trait]
impl Snapshots for PostgresStore {
    async fn dump(&self, take: TakeRow<'_>) -> Result<Result<(), SnapshotError>, StoreError> {
        let mut read = Transaction::begin(&self.connections, SNAPSHOT).await?;
        for patient in PATIENT {
            read.run(query(patient)).await?;
        }
        for table in TABLES {
            let from = if table.name == SETTINGS {
                "admin_mfa"
            } else {
                table.name
            };
            let statement = AssertSqlSafe(table.read(DIALECT, from));
            let mut rows = query_scalar::<_, String>(statement).fetch(read.on());
            while let Some(row) = rows.try_next().await.map_err(store_error)? {
                if let Err(error) = take(table.name, &row) {
                    return Ok(Err(error));
                }
            }
        }
        read.roll_back().await?;
        Ok(Ok(()))
    }

    async fn load(
        &self,
        snapshot: &mut dyn SnapshotRows,
        spent: TotpStep,
    ) -> Result<Loading, StoreError> {
        let mut write = self.write().await?;
        for patient in PATIENT {
            write.run(query(patient)).await?;
        }
        write.run(query(HOLD)).await?;
        let is_used: bool = query_scalar(IS_USED)
            .fetch_one(write.on())
            .await
            .map_err(store_error)?;
        if is_used {
            write.roll_back().await?;
            return Ok(Loading::NotEmpty);
        }
        for remove in BUILT_IN {
            write.run(query(remove)).await?;
        }
        loop {
            let rows = match snapshot.next() {
                Ok(Some(rows)) => rows,
                Ok(None) => break,
                Err(error) => {
                    write.roll_back().await?;
                    return Ok(Loading::Broken(error));
                }
            };
            let Some(table) = table(&rows.table) else {
                write.roll_back().await?;
                let error = format!("there is no table {}", rows.table);
                return Ok(Loading::Broken(error.into()));
            };
            let statement = if table.name == SETTINGS {
                let (names, values) = (table.names(), table.values(DIALECT));
                format!("INSERT INTO admin_mfa ({names}) {values}")
            } else {
                table.write(DIALECT)
            };
            let insert = query(AssertSqlSafe(statement)).bind(rows.rows);
            write.run(insert).await?;
        }
        write
            .run(query(SPENT).bind(integer(spent.number())?))
            .await?;
        write.commit().await?;
        Ok(Loading::Done)
    }
}
