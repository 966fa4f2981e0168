//! The provider of identities.

use sqlx::FromRow;
use sqlx::types::Json;
use vestibule_engine::identity::MinPasswordLength;
use vestibule_engine::password::LockoutPolicy;
use vestibule_engine::{LocalProvider, Timestamp};
use vestibule_store::StoreError;

/// The columns of a [`LocalProviderRow`], of a table or alias `l`.
#[macro_export]
macro_rules! local_provider_columns {
    () => {
        concat!(
            $crate::lockout_columns!(),
            ", l.notes, l.tags, l.min_password_length, l.updated"
        )
    };
}

/// The columns that say when wrong passwords lock, of a table or alias `l`.
#[macro_export]
macro_rules! lockout_columns {
    () => {
        "l.lockout_threshold, l.lockout_minutes"
    };
}

/// The row is always there; one that is not is a row that cannot be.
fn wrong() -> StoreError {
    StoreError::inconsistent("local_identity_provider", "one")
}

/// When wrong passwords lock.
#[derive(FromRow)]
pub(crate) struct LockoutRow {
    lockout_threshold: Option<i64>,
    lockout_minutes: Option<i64>,
}

impl LockoutRow {
    pub(crate) fn read(self) -> Result<LockoutPolicy, StoreError> {
        let number = |column: Option<i64>| u32::try_from(column?).ok();
        number(self.lockout_threshold)
            .zip(number(self.lockout_minutes))
            .and_then(|(threshold, minutes)| LockoutPolicy::new(threshold, minutes))
            .ok_or_else(wrong)
    }
}

/// The provider of identities.
#[derive(FromRow)]
pub struct LocalProviderRow {
    notes: String,
    tags: Json<Vec<String>>,
    #[sqlx(flatten)]
    lockout: LockoutRow,
    min_password_length: i64,
    updated: i64,
}

impl LocalProviderRow {
    /// What a read of the row that is always there yields.
    ///
    /// # Errors
    /// When there is none, or one that cannot be.
    pub fn read(row: Option<Self>) -> Result<LocalProvider, StoreError> {
        let row = row.ok_or_else(wrong)?;
        let length = u32::try_from(row.min_password_length).ok();
        Ok(LocalProvider {
            notes: row.notes,
            tags: row.tags.0,
            lockout: row.lockout.read()?,
            min_password_length: length.and_then(MinPasswordLength::new).ok_or_else(wrong)?,
            updated: Timestamp::from_micros(row.updated),
        })
    }
}
