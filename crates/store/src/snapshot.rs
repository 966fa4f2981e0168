//! All that a database holds, as of one moment, in a form that no backend has for itself.
//!
//! Tokens and pushes are left out: what was restored must not admit anybody by a token that has
//! ended since.

use async_trait::async_trait;
use vestibule_engine::TotpStep;

use crate::{Store, StoreError};

/// The table with what shows which master key is the right one: its id, what it has sealed, and whether
/// sealing anew is paused.
pub const CANARY: &str = "canary";

/// A row: which table it is of, and its values as a JSON array.
pub type TakeRow<'a> = &'a mut (dyn FnMut(&'static str, &str) -> Result<(), SnapshotError> + Send);

/// Why a snapshot cannot be written or read, as those who write and read it say.
pub type SnapshotError = Box<dyn std::error::Error + Send + Sync>;

/// Rows that follow each other, of one table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rows {
    /// The table.
    pub table: String,
    /// A JSON array of rows, each of which is an array of values.
    pub rows: String,
}

/// A snapshot, as it is read again.
pub trait SnapshotRows: Send {
    /// The rows that follow; `None` at the end.
    ///
    /// # Errors
    /// When the snapshot is not what it should be.
    fn next(&mut self) -> Result<Option<Rows>, SnapshotError>;
}

/// What became of a snapshot that was to be loaded.
#[derive(Debug)]
#[must_use]
pub enum Loading {
    /// All of it is there.
    Done,
    /// Somebody has used the database already; nothing is written.
    NotEmpty,
    /// The snapshot is not what it should be; nothing is written.
    Broken(SnapshotError),
}

/// Databases of which there are snapshots.
#[async_trait]
pub trait Snapshots: Send + Sync {
    /// Hands over every row, as of one moment, table after table. Nobody waits for it. The inner
    /// error is that of `take`, which ends it.
    async fn dump(&self, take: TakeRow<'_>) -> Result<Result<(), SnapshotError>, StoreError>;

    /// Puts the rows of a snapshot into a database that nobody has used, in one transaction.
    ///
    /// No code of a step up to `spent` is accepted afterwards: it may have been used after the
    /// snapshot was made.
    async fn load(
        &self,
        rows: &mut dyn SnapshotRows,
        spent: TotpStep,
    ) -> Result<Loading, StoreError>;
}

/// A store that lasts.
pub trait LastingStore: Store + Snapshots {}

impl<T: Store + Snapshots> LastingStore for T {}
