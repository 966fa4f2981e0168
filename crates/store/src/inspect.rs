//! A look at a database as it is: nothing is made, brought up to date or written.

use std::sync::Arc;

use async_trait::async_trait;
use vestibule_engine::Timestamp;

use crate::{Canary, Store, StoreError};

/// How the schema of a database stands to this program.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Schema {
    /// It has none: no server was ever started over it.
    Missing,
    /// It lacks this many changes, which the next start of a server makes.
    Behind(usize),
    /// It is the one that this program knows.
    UpToDate,
    /// It was made by a newer program.
    TooNew {
        /// The newest change in the database.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// A change of this number was made otherwise than this program would make it, or not to its
    /// end.
    Altered(i64),
}

impl Schema {
    /// Compares what was done to a database, each change with whether it was done as this program
    /// does it and to the end, with the changes that this program knows.
    pub fn compare(done: &[(i64, bool)], known: &[i64]) -> Self {
        let newest_known = known.iter().copied().max().unwrap_or(0);
        let newest = done.iter().map(|(number, _)| *number).max();
        let Some(found) = newest else {
            return Self::Missing;
        };
        if found > newest_known {
            return Self::TooNew {
                found,
                known: newest_known,
            };
        }
        if let Some((number, _)) = done.iter().find(|(_, as_known)| !as_known) {
            return Self::Altered(*number);
        }
        let is_done = |number: &&i64| done.iter().any(|(done, _)| done == *number);
        match known.iter().filter(|number| !is_done(number)).count() {
            0 => Self::UpToDate,
            missing => Self::Behind(missing),
        }
    }
}

/// A database that is only looked at. Whatever would write to it fails.
#[async_trait]
pub trait Inspect: Send + Sync {
    /// What can be asked of it, if its schema is up to date.
    fn store(&self) -> Arc<dyn Store>;

    /// How its schema stands.
    async fn schema(&self) -> Result<Schema, StoreError>;

    /// What shows that a master key is the right one; `None` if none was ever used.
    async fn canary(&self) -> Result<Option<Canary>, StoreError>;

    /// Whether a server could write to it.
    async fn check_writable(&self) -> Result<(), StoreError>;

    /// What is damaged in it, by a look at all of it, if this kind of database leaves that to us.
    async fn damage(&self) -> Result<Option<String>, StoreError> {
        Ok(None)
    }

    /// What time it is where the database is, if that has a clock of its own.
    async fn time(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(done: &[(i64, bool)], expected: Schema) {
        assert_eq!(Schema::compare(done, &[1, 2, 3]), expected);
    }

    #[test]
    fn a_schema_is_compared() {
        check(&[], Schema::Missing);
        check(&[(1, true)], Schema::Behind(2));
        check(&[(1, true), (2, true), (3, true)], Schema::UpToDate);
        check(&[(1, true), (2, false)], Schema::Altered(2));
        let too_new = Schema::TooNew { found: 4, known: 3 };
        check(&[(1, true), (2, true), (3, true), (4, false)], too_new);
    }
}
