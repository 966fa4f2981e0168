//! What the errors of Postgres mean: to an operator, and to a transaction that may try again.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use vestibule_store::{RETIRED_KEY, StoreError};

/// How often a transaction is tried before its caller hears of a conflict.
const TRIES: u32 = 5;

/// Those servers that answer are read-only, or standbys.
#[derive(Debug)]
pub(crate) struct NoPrimary;

impl std::fmt::Display for NoPrimary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no server takes writes")
    }
}

impl std::error::Error for NoPrimary {}

const DISK_FULL: &str = "there is no space left on the disk of the database";

/// Whether a disk of the server was full when something was written last. Shared by all stores of a
/// program: all it costs is a look.
pub(crate) static DISK_WAS_FULL: AtomicBool = AtomicBool::new(false);

/// What the driver's error is to the callers of the store.
pub(crate) fn store_error(error: sqlx::Error) -> StoreError {
    match unavailable(&error) {
        Some(reason) => StoreError::Unavailable {
            reason,
            source: Some(Box::new(error)),
        },
        None => {
            if let sqlx::Error::ColumnDecode { index, .. } = &error {
                StoreError::inconsistent("a column", index)
            } else {
                StoreError::Bug(Box::new(error))
            }
        }
    }
}

/// The same for an error that several callers met together.
pub(crate) fn shared_error(error: &Arc<sqlx::Error>) -> StoreError {
    let source = Arc::clone(error);
    match unavailable(error) {
        Some(reason) => StoreError::Unavailable {
            reason,
            source: Some(Box::new(source)),
        },
        None => StoreError::Bug(Box::new(source)),
    }
}

/// Why the database is not there for the statement that met this error; none if the fault is ours.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "every other error is a fault of ours"
)]
fn unavailable(error: &sqlx::Error) -> Option<&'static str> {
    use sqlx::Error as E;
    let reason = match error {
        E::Database(database) => database.code().and_then(|code| reason(&code)),
        E::Io(_) | E::WorkerCrashed => Some("the database server cannot be reached"),
        E::Tls(_) => Some("no TLS connection to the database server"),
        E::Protocol(_) => Some("the database server does not answer as one should"),
        E::PoolTimedOut => Some("no connection to the database in time"),
        E::PoolClosed => Some("the database is closed"),
        E::Configuration(error) if error.is::<NoPrimary>() => {
            Some("none of the database servers takes writes: is a standby being promoted?")
        }
        E::Configuration(_) => Some("the settings of the database connection are wrong"),
        _ => None,
    };
    if reason == Some(DISK_FULL) {
        DISK_WAS_FULL.store(true, Ordering::Relaxed);
    }
    reason
}

/// Whether the database refused a statement, and wrote nothing of it; or sent a row that cannot be.
pub(crate) fn is_refusal(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(_)) || unavailable(error).is_none()
}

/// The reason in an error code (<https://www.postgresql.org/docs/current/errcodes-appendix.html>);
/// none if it is ours.
fn reason(code: &str) -> Option<&'static str> {
    let class = code.get(..2).unwrap_or_default();
    Some(match (class, code) {
        ("08", _) => "the connection to the database broke",
        (_, "25006") => "the database is read-only, or a standby",
        (_, "25P03") => "a transaction took too long",
        ("28", _) => "the database server refuses the login",
        (_, "3D000") => "the database does not exist",
        ("40", _) => "too many change the same rows at once",
        (_, "42501") => "the database user lacks a privilege",
        (_, "53100") => DISK_FULL,
        (_, "53300") => "the database server has too many connections",
        ("53", _) => "the database server is short of something",
        (_, "55P03") => "a row is locked by another for too long",
        (_, "57014") => "a statement took too long",
        ("57", _) => "the database server is shutting down or starting",
        ("58", _) => "the database server has trouble with its files",
        (_, "VK001") => RETIRED_KEY,
        (_, "XX001" | "XX002") => "the database is corrupt; restore a backup",
        _ => return None,
    })
}

/// Tries a transaction again while Postgres picks it as the victim of a deadlock, or it met a session
/// that began when the database was read-only.
pub(crate) async fn retrying<T, F>(mut transaction: impl FnMut() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    for _ in 1..TRIES {
        match transaction().await {
            Err(error) if is_conflict(&error) => {}
            answer => return answer,
        }
    }
    transaction().await
}

/// Whether nothing is wrong but the moment, or the session: 40001, 40P01 and 25006.
fn is_conflict(error: &StoreError) -> bool {
    let source = std::error::Error::source(error);
    let Some(sqlx::Error::Database(error)) = source.and_then(|source| source.downcast_ref()) else {
        return false;
    };
    matches!(error.code().as_deref(), Some("40001" | "40P01" | "25006"))
}

/// Whether a text could be in the database at all: Postgres keeps no zero octets.
pub(crate) fn is_storable(text: &str) -> bool {
    !text.contains('\0')
}
