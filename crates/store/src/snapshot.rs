//! All that a database holds, as of one moment, in a form that no backend has for itself.
//!
//! Tokens and pushes are left out: what was restored must not admit anybody by a token that has
//! ended since.

use async_trait::async_trait;
use uuid::Uuid;
use vestibule_engine::TotpStep;

use crate::{Store, StoreError, Trail};

/// The table with what shows which master key is the right one: its id, what it has sealed, and whether
/// sealing anew is paused.
pub const CANARY: &str = "canary";

/// What a snapshot says of itself before its rows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct About {
    /// The newest change of the schema that its rows are of.
    pub schema: i64,
    /// The master key in use; none in a database that nobody has used.
    pub in_use: Option<Uuid>,
    /// All master keys that it needs: the one in use, and those that it replaces and that something
    /// in it is sealed with.
    pub keys: Vec<Uuid>,
}

/// Where a snapshot is written.
pub trait TakeSnapshot: Send {
    /// Comes first, and once.
    ///
    /// # Errors
    /// When it cannot be written.
    fn begin(&mut self, about: &About) -> Result<(), SnapshotError>;

    /// A row: which table it is of, and its values as a JSON array.
    ///
    /// # Errors
    /// When it cannot be written.
    fn row(&mut self, table: &'static str, values: &str) -> Result<(), SnapshotError>;
}

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
    /// The newest change of the schema that its rows are of.
    fn schema(&self) -> i64;

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
    async fn dump(
        &self,
        take: &mut dyn TakeSnapshot,
    ) -> Result<Result<(), SnapshotError>, StoreError>;

    /// Puts the rows of a snapshot into a database that nobody has used, in one transaction, and the
    /// trail after them.
    ///
    /// No code of a step up to `spent` is accepted afterwards: it may have been used after the
    /// snapshot was made.
    async fn load(
        &self,
        rows: &mut dyn SnapshotRows,
        spent: TotpStep,
        trail: Trail<'_>,
    ) -> Result<Loading, StoreError>;
}

/// A store that lasts.
pub trait LastingStore: Store + Snapshots {}

impl<T: Store + Snapshots> LastingStore for T {}
