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

use crate::audit::Note;
use crate::error::store_error;
use crate::lists::SNAPSHOT;
use crate::transaction::Transaction;
use crate::{MIGRATIONS, PostgresStore};

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
    async fn dump(
        &self,
        take: &mut dyn TakeSnapshot,
    ) -> Result<Result<(), SnapshotError>, StoreError> {
        let mut read = Transaction::begin(&self.connections, SNAPSHOT).await?;
        for patient in PATIENT {
            read.run(query(patient)).await?;
        }
        let in_use: Option<Uuid> = query_scalar("SELECT key_id FROM canary")
            .fetch_optional(read.on())
            .await
            .map_err(store_error)?;
        let keys: Vec<Uuid> = query_scalar(SNAPSHOT_KEYS)
            .fetch_all(read.on())
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
                "admin_mfa"
            } else {
                table.name
            };
            let statement = AssertSqlSafe(table.read(DIALECT, from));
            let mut rows = query_scalar::<_, String>(statement).fetch(read.on());
            while let Some(row) = rows.try_next().await.map_err(store_error)? {
                if let Err(error) = take.row(table.name, &row) {
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
        trail: Trail<'_>,
    ) -> Result<Loading, StoreError> {
        if let Err(error) = fits(snapshot.schema(), newest(&MIGRATIONS)) {
            return Ok(Loading::Broken(error));
        }
        let note = self.note(trail).await?;
        let loaded = self.try_load(snapshot, spent, &note).await;
        note.ended(loaded)
    }
}

impl PostgresStore {
    async fn try_load(
        &self,
        snapshot: &mut dyn SnapshotRows,
        spent: TotpStep,
        note: &Note,
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
            if let Err(error) = table.check(&rows.rows) {
                write.roll_back().await?;
                return Ok(Loading::Broken(error));
            }
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
        note.write(&mut write).await?;
        write.commit().await?;
        Ok(Loading::Done)
    }
}
