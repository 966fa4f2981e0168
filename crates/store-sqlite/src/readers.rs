//! Reads: each on one of the connections that do nothing else.

use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::SqlitePool;
use vestibule_store::StoreError;
use vestibule_store_sql::{Ground, Unanswered};

use crate::ACQUIRE_TIMEOUT;
use crate::error::{is_refusal, unanswered};
use crate::file::DatabaseFile;

/// The connections that read.
#[derive(Clone, Debug)]
pub(crate) struct Readers {
    pub(crate) file: Arc<DatabaseFile>,
    pub(crate) pool: SqlitePool,
}

impl Readers {
    /// Where statements that read are run.
    pub(crate) fn reads(&self) -> Result<&SqlitePool, StoreError> {
        self.file.check()?;
        Ok(&self.pool)
    }
}

impl Ground for Readers {
    type Error = StoreError;

    /// Some are left to others.
    const LANES: usize = 2;
    const PATIENCE: Duration = ACQUIRE_TIMEOUT;
    const ANSWER: Duration = ACQUIRE_TIMEOUT.saturating_mul(2);

    fn is_refusal(error: &StoreError) -> bool {
        is_refusal(error)
    }

    fn unanswered(why: Unanswered<StoreError>) -> StoreError {
        unanswered(why)
    }
}
