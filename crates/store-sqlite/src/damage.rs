//! Damage to the file: a disk that lost a page, or somebody who wrote over one. It is looked for when
//! the file is opened, and when a statement has met some.

use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, SqlitePool, query, query_as, query_scalar};
use tokio::sync::Mutex;
use vestibule_store::StoreError;

use crate::error::{CORRUPT, is_of_damage, store_error};

/// How often statements of this process have met damage. An error does not say in which file, so
/// each store looks at its own: with several in one process that is once too often, and no harm.
static MET: AtomicU64 = AtomicU64::new(0);

/// Notes that a statement has met damage.
pub(crate) fn met() {
    MET.fetch_add(1, Ordering::Relaxed);
}

/// What is known of a file that was found well when it was opened.
#[derive(Debug)]
pub(crate) struct Damage(Mutex<Known>);

#[derive(Debug)]
enum Known {
    /// It was well when damage had been met this often.
    Well { met: u64 },
    /// It is not, and will not be again: another file takes its place by a restart.
    Damaged,
}

impl Damage {
    /// Of a file whose trees were just looked into.
    pub(crate) fn none() -> Self {
        Self(Mutex::new(Known::Well {
            met: MET.load(Ordering::Relaxed),
        }))
    }

    /// Whether the file is well. All of it is looked at, by one connection that reads, if damage was
    /// met since it was found well last.
    pub(crate) async fn check(&self, readers: &SqlitePool) -> Result<(), StoreError> {
        let mut known = self.0.lock().await;
        let met = MET.load(Ordering::Relaxed);
        match *known {
            Known::Well { met: then } if then == met => return Ok(()),
            Known::Well { .. } => {}
            Known::Damaged => return Err(StoreError::unavailable(CORRUPT)),
        }
        let mut reader = readers.acquire().await.map_err(store_error)?;
        // What this connection remembers of pages may be better than what is left of them.
        let forget = query("PRAGMA shrink_memory").execute(&mut *reader).await;
        forget.map_err(store_error)?;
        if let Some(found) = look_through(&mut reader).await? {
            *known = Known::Damaged;
            return Err(StoreError::Unavailable {
                reason: CORRUPT,
                source: Some(found.into()),
            });
        }
        *known = Known::Well { met };
        Ok(())
    }
}

/// Looks at every page. What is damaged, as SQLite says it, if something is.
pub(crate) async fn look_through(
    connection: &mut SqliteConnection,
) -> Result<Option<String>, StoreError> {
    let said = query_scalar::<_, String>("PRAGMA quick_check(1)");
    match said.fetch_one(connection).await {
        Ok(said) if said == "ok" => Ok(None),
        Ok(said) => Ok(Some(said)),
        Err(error) if is_of_damage(&error) => Ok(Some(error.to_string())),
        Err(error) => Err(store_error(error)),
    }
}

/// Every tree of the database, with the condition on its rows if it is an index of some rows only.
const TREES: &str = "
    SELECT type = 'index', name, tbl_name,
        CASE WHEN instr(sql, ' WHERE ') THEN substr(sql, instr(sql, ' WHERE ') + 7) ELSE 'TRUE' END
    FROM sqlite_schema WHERE rootpage > 0";

/// Reads the first row of every tree, and so its root and the way down to that row. That is as quick
/// over many rows as over few, and finds what would fail at each sign-in.
pub(crate) async fn look_into_trees(writer: &SqlitePool) -> Result<(), StoreError> {
    let mut connection = writer.acquire().await.map_err(store_error)?;
    let trees: Vec<(bool, String, String, String)> = query_as(TREES)
        .fetch_all(&mut *connection)
        .await
        .map_err(store_error)?;
    for (is_index, name, table, condition) in trees {
        let (name, table) = (quoted(&name), quoted(&table));
        let statement = if is_index {
            format!("SELECT 1 FROM {table} INDEXED BY {name} WHERE {condition} LIMIT 1")
        } else {
            format!("SELECT * FROM {table} NOT INDEXED LIMIT 1")
        };
        let first = query(AssertSqlSafe(statement)).persistent(false);
        match first.execute(&mut *connection).await.map_err(store_error) {
            // Somebody's own index may be one that cannot be asked like that.
            Ok(_) | Err(StoreError::Bug(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
