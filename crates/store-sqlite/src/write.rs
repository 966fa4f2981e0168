//! Writes: transactions of the one connection that writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqlitePool};
use sqlx::{Sqlite, Transaction};
use vestibule_store::{StoreError, Swap};
use vestibule_store_sql::{Ground, Unanswered};

use crate::ACQUIRE_TIMEOUT;
use crate::audit::Note;
use crate::error::{is_refusal, store_error, unanswered};
use crate::file::DatabaseFile;

/// The connection that writes, and what is known of its writes.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    pub(crate) file: Arc<DatabaseFile>,
    pub(crate) pool: SqlitePool,
    /// Whether a write has ended otherwise than it should, and none was tried since.
    doubted: Arc<AtomicBool>,
}

impl Writer {
    pub(crate) fn new(file: Arc<DatabaseFile>, pool: SqlitePool) -> Self {
        Self {
            file,
            pool,
            doubted: Arc::default(),
        }
    }

    /// Starts a write that leaves these rows in the audit trail when it is committed.
    pub(crate) async fn begin(&self, note: Option<Note>) -> Result<Write<'_>, StoreError> {
        self.file.check()?;
        let begun = self.pool.begin_with("BEGIN IMMEDIATE").await;
        Ok(Write {
            file: &self.file,
            transaction: begun.map_err(store_error)?,
            note,
            doubt: Doubt(Some(&self.doubted)),
        })
    }

    pub(crate) fn is_doubted(&self) -> bool {
        self.doubted.load(Ordering::Relaxed)
    }

    /// A write has ended as it should.
    pub(crate) fn believe(&self) {
        self.doubted.store(false, Ordering::Relaxed);
    }
}

impl Ground for Writer {
    type Error = StoreError;

    /// One writes at a time.
    const LANES: usize = 1;
    const PATIENCE: Duration = ACQUIRE_TIMEOUT;
    /// As long as it takes: whoever left earlier would give up the numbers of rows of the audit trail
    /// that are perhaps written yet, and a seal could pass them over.
    const ANSWER: Duration = Duration::MAX;

    fn is_refusal(error: &StoreError) -> bool {
        is_refusal(error)
    }

    fn unanswered(why: Unanswered<StoreError>) -> StoreError {
        unanswered(why)
    }
}

/// A write under way. Dropped without a commit it never was.
pub(crate) struct Write<'a> {
    file: &'a DatabaseFile,
    transaction: Transaction<'static, Sqlite>,
    note: Option<Note>,
    doubt: Doubt<'a>,
}

/// Remembers of a write that it neither was committed nor gave up by itself.
struct Doubt<'a>(Option<&'a AtomicBool>);

impl Doubt<'_> {
    fn dispel(mut self) {
        self.0 = None;
    }
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        if let Some(doubted) = self.0 {
            doubted.store(true, Ordering::Relaxed);
        }
    }
}

impl Write<'_> {
    /// Where statements are run.
    pub(crate) fn on(&mut self) -> &mut SqliteConnection {
        &mut self.transaction
    }

    /// Runs a statement; how many rows it wrote.
    pub(crate) async fn run(
        &mut self,
        statement: Query<'_, Sqlite, SqliteArguments>,
    ) -> Result<u64, StoreError> {
        let done = statement.execute(self.on()).await.map_err(store_error)?;
        Ok(done.rows_affected())
    }

    /// Commits. The file is looked at once more: had it been taken away meanwhile, the commit
    /// would have gone into a file that nobody finds again, and may not be acknowledged.
    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        if let Some(note) = &self.note {
            note.write(&mut self.transaction).await?;
        }
        self.transaction.commit().await.map_err(store_error)?;
        self.file.check()?;
        self.doubt.dispel();
        if let Some(note) = self.note {
            note.end();
        }
        Ok(())
    }

    /// Commits, and says so.
    pub(crate) async fn done(self) -> Result<Swap, StoreError> {
        self.commit().await?;
        Ok(Swap::Done)
    }

    /// Gives up, having written nothing.
    pub(crate) async fn moved(self) -> Result<Swap, StoreError> {
        self.refused(Swap::Moved).await
    }

    /// Gives up, having written nothing, for this reason.
    pub(crate) async fn refused<R>(self, reason: R) -> Result<R, StoreError> {
        self.transaction.rollback().await.map_err(store_error)?;
        self.doubt.dispel();
        if let Some(note) = self.note {
            note.end();
        }
        Ok(reason)
    }
}
