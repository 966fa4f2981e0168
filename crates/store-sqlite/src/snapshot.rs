//! Snapshots of the database.

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use sqlx::{AssertSqlSafe, query, query_scalar};
use vestibule_engine::TotpStep;
use vestibule_store::{Loading, SnapshotError, SnapshotRows, Snapshots, StoreError, TakeRow};
use vestibule_store_sql::{Dialect, SETTINGS, TABLES, integer, table};

use crate::SqliteStore;
use crate::error::store_error;

const DIALECT: Dialect = Dialect::Sqlite;

/// The row of the settings.
const SETTINGS_ROW: &str = "
    (SELECT m.written, m.provider, a.revision AS authority FROM authority a JOIN admin_mfa m)";

const IS_USED: &str = "
    SELECT EXISTS (SELECT 1 FROM users) OR EXISTS (SELECT 1 FROM canary)
        OR EXISTS (SELECT 1 FROM audit_events) OR EXISTS (SELECT 1 FROM audit_seals)";

/// What every new database holds, and the snapshot has as well.
const BUILT_IN: [&str; 5] = [
    "DELETE FROM admin_mfa",
    "DELETE FROM mfa_providers",
    "DELETE FROM administrative_roles",
    "DELETE FROM local_identity_provider",
    "DELETE FROM authority",
];

const SPENT: &str = "UPDATE second_factors SET last_step = ?1 WHERE verified AND last_step < ?1";

#[async_trait]
impl Snapshots for SqliteStore {
    async fn dump(&self, take: TakeRow<'_>) -> Result<Result<(), SnapshotError>, StoreError> {
        // All statements of a transaction see the same commit.
        let mut read = self.reads()?.begin().await.map_err(store_error)?;
        for table in TABLES {
            let from = if table.name == SETTINGS {
                SETTINGS_ROW
            } else {
                table.name
            };
            let statement = AssertSqlSafe(table.read(DIALECT, from));
            let mut rows = query_scalar::<_, String>(statement).fetch(&mut *read);
            while let Some(row) = rows.try_next().await.map_err(store_error)? {
                if let Err(error) = take(table.name, &row) {
                    return Ok(Err(error));
                }
            }
        }
        read.rollback().await.map_err(store_error)?;
        Ok(Ok(()))
    }

    async fn load(
        &self,
        snapshot: &mut dyn SnapshotRows,
        spent: TotpStep,
    ) -> Result<Loading, StoreError> {
        let mut write = self.write().await?;
        let is_used: bool = query_scalar(IS_USED)
            .fetch_one(write.on())
            .await
            .map_err(store_error)?;
        if is_used {
            return write.refused(Loading::NotEmpty).await;
        }
        for remove in BUILT_IN {
            write.run(query(remove)).await?;
        }
        loop {
            let rows = match snapshot.next() {
                Ok(Some(rows)) => rows,
                Ok(None) => break,
                Err(error) => return write.refused(Loading::Broken(error)).await,
            };
            let Some(table) = table(&rows.table) else {
                let error = format!("there is no table {}", rows.table);
                return write.refused(Loading::Broken(error.into())).await;
            };
            let statements = if table.name == SETTINGS {
                let values = table.values(DIALECT);
                vec![
                    format!("INSERT INTO authority (revision) SELECT authority FROM ({values})"),
                    format!(
                        "INSERT INTO admin_mfa (one, provider, written)
                         SELECT 1, provider, written FROM ({values})"
                    ),
                ]
            } else {
                vec![table.write(DIALECT)]
            };
            for statement in statements {
                let insert = query(AssertSqlSafe(statement)).bind(&rows.rows);
                write.run(insert).await?;
            }
        }
        write
            .run(query(SPENT).bind(integer(spent.number())?))
            .await?;
        write.commit().await?;
        Ok(Loading::Done)
    }
}
