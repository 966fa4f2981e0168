//! What can go wrong in a store.

/// Why a store did not do what it was asked.
// Not `non_exhaustive`: a new variant must choose what it means to its readers.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be reached, is busy, full or read-only: a matter of its operator, and of
    /// trying again later. Nothing was written, or nothing is known of it.
    #[error("the store is unavailable: {reason}")]
    Unavailable {
        /// What an operator can act on. No secrets, no addresses with passwords.
        reason: &'static str,
        /// What the driver says.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// A row that cannot be.
    #[error("the row {key} of {table} is inconsistent")]
    Inconsistent {
        /// The table.
        table: &'static str,
        /// The key of the row.
        key: String,
    },
    /// The schema was made by a newer program.
    #[error("the database has a newer schema than this program knows ({found} > {known})")]
    SchemaTooNew {
        /// The newest migration in the database.
        found: i64,
        /// The newest that this program has.
        known: i64,
    },
    /// A statement that cannot work: a fault of ours.
    #[error("a statement failed")]
    Bug(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl StoreError {
    /// A row that cannot be.
    pub fn inconsistent(table: &'static str, key: &(impl ToString + ?Sized)) -> Self {
        Self::Inconsistent {
            table,
            key: key.to_string(),
        }
    }

    /// A store that is not there, for a reason of ours.
    pub const fn unavailable(reason: &'static str) -> Self {
        Self::Unavailable {
            reason,
            source: None,
        }
    }
}
