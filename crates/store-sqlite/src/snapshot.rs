//! Snapshots of the database.

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use sqlx::{AssertSqlSafe, query, query_scalar};
use uuid::Uuid;
use vestibule_engine::TotpStep;
use vestibule_store::{
    About, Loading, SnapshotError, SnapshotRows, Snapshots, StoreError, TakeSnapshot, Trail,
};
use vestibule_store_sql::{Dialect, SETTINGS, SNAPSHOT_KEYS, TABLES, fits, integer, newest, table};

use crate::error::store_error;
use crate::{MIGRATIONS, SqliteStore};

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
    async fn dump(
        &self,
        take: &mut dyn TakeSnapshot,
    ) -> Result<Result<(), SnapshotError>, StoreError> {
        // All statements of a transaction see the same commit.
        let mut read = self.reads()?.begin().await.map_err(store_error)?;
        let in_use: Option<Uuid> = query_scalar("SELECT key_id FROM canary")
            .fetch_optional(&mut *read)
            .await
            .map_err(store_error)?;
        let keys: Vec<Uuid> = query_scalar(SNAPSHOT_KEYS)
            .fetch_all(&mut *read)
            .await
            .map_err(store_error)?;
        let about = About {
            schema: newest(&MIGRATIONS),
            in_use,
            keys,
        };
        if let Err(error) = take.begin(&about) {
            return Ok(Err(error));
        }
        for table in TABLES {
            let from = if table.name == SETTINGS {
                SETTINGS_ROW
            } else {
                table.name
            };
            let statement = AssertSqlSafe(table.read(DIALECT, from));
            let mut rows = query_scalar::<_, String>(statement).fetch(&mut *read);
            while let Some(row) = rows.try_next().await.map_err(store_error)? {
                if let Err(error) = take.row(table.name, &row) {
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
        trail: Trail<'_>,
    ) -> Result<Loading, StoreError> {
        if let Err(error) = fits(snapshot.schema(), newest(&MIGRATIONS)) {
            return Ok(Loading::Broken(error));
        }
        let mut write = self.write_with(trail).await?;
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
            if let Err(error) = table.check(&rows.rows) {
                return write.refused(Loading::Broken(error)).await;
            }
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
