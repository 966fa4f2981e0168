//! What SQLite's errors mean to an operator.

use sqlx::error::DatabaseError;
use vestibule_store::{RETIRED_KEY, StoreError};

use crate::damage;

/// The file is damaged.
pub(crate) const CORRUPT: &str = "the database file is corrupt; restore a backup";

/// What the driver's error is to the callers of the store.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "every other error is a fault of ours"
)]
pub(crate) fn store_error(error: sqlx::Error) -> StoreError {
    use sqlx::Error as E;
    if is_of_damage(&error) {
        damage::met();
    }
    let reason = match &error {
        E::Database(database) => database.code().and_then(|code| reason(&code)),
        E::Io(_) => Some("the database file cannot be read or written"),
        E::PoolTimedOut => Some("too many are waiting for the database"),
        E::PoolClosed => Some("the database is closed"),
        E::WorkerCrashed => Some("the connection to the database broke"),
        E::ColumnDecode { index, .. } => return StoreError::inconsistent("a column", index),
        _ => None,
    };
    match reason {
        Some(reason) => StoreError::Unavailable {
            reason,
            source: Some(Box::new(error)),
        },
        None => StoreError::Bug(Box::new(error)),
    }
}

/// A trigger refused a write: `SQLITE_CONSTRAINT_TRIGGER`. All of ours are about retired keys.
const RAISED: &str = "1811";

/// Whether the file is damaged, or looks like no database any more.
pub(crate) fn is_of_damage(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.and_then(|code| primary(&code))
        .is_some_and(|code| [11, 26].contains(&code))
}

/// The lowest octet of a result code, the others of which say more.
fn primary(code: &str) -> Option<i32> {
    Some(code.parse::<i32>().ok()? & 0xff)
}

/// The reason in a result code (<https://www.sqlite.org/rescode.html>); none if it is ours.
fn reason(code: &str) -> Option<&'static str> {
    if code == RAISED {
        return Some(RETIRED_KEY);
    }
    Some(match primary(code)? {
        3 | 23 => "the database file may not be opened",
        5 | 6 => "the database is locked by another process",
        7 => "there is no memory left for the database",
        8 => "the database is read-only",
        9 => "a statement was interrupted",
        10 => "the database file cannot be read or written",
        11 => CORRUPT,
        13 => "the database is full, or there is no space left on its disk",
        14 => "the database file cannot be opened",
        26 => "the file is not a database",
        _ => return None,
    })
}
