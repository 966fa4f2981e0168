//! What SQLite's errors mean to an operator.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use sqlx::error::DatabaseError;
use vestibule_store::{RETIRED_KEY, StoreError};
use vestibule_store_sql::Unanswered;

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

/// What a caller hears who asked together with others and gets no answer.
pub(crate) fn unanswered(why: Unanswered<StoreError>) -> StoreError {
    match why {
        Unanswered::Late => store_error(sqlx::Error::PoolTimedOut),
        Unanswered::Ended => store_error(sqlx::Error::WorkerCrashed),
        Unanswered::Failed(error) => shared_error(error),
    }
}

/// The same error for several callers who met it together.
fn shared_error(error: Arc<StoreError>) -> StoreError {
    match &*error {
        StoreError::Unavailable { reason, .. } => StoreError::Unavailable {
            reason,
            source: Some(Box::new(Shared(error))),
        },
        StoreError::Inconsistent { table, key } => StoreError::inconsistent(table, key),
        StoreError::SchemaTooNew { .. } | StoreError::Bug(_) => {
            StoreError::Bug(Box::new(Shared(error)))
        }
    }
}

/// What the driver said to several callers.
#[derive(Debug)]
struct Shared(Arc<StoreError>);

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.source() {
            Some(source) => fmt::Display::fmt(source, f),
            None => fmt::Display::fmt(&self.0, f),
        }
    }
}

impl Error for Shared {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source().and_then(Error::source)
    }
}

/// Whether a transaction was refused for what is in it, and nothing of it written. When the file
/// cannot be written just now, that is nobody's fault.
pub(crate) fn is_refusal(error: &StoreError) -> bool {
    match error {
        StoreError::Bug(_) | StoreError::Inconsistent { .. } => true,
        StoreError::Unavailable { reason, .. } => [RETIRED_KEY, CORRUPT].contains(reason),
        StoreError::SchemaTooNew { .. } => false,
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
