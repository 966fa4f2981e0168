//! The schema of a database, by what sqlx has noted of it.

use sqlx::FromRow;
use sqlx::migrate::Migrator;
use vestibule_store::Schema;

/// The statement for all [`MigrationRow`]s.
pub const MIGRATION_ROWS: &str = "SELECT version, checksum, success FROM _sqlx_migrations";

/// A change that was made to the schema, or begun.
#[derive(Debug, FromRow)]
pub struct MigrationRow {
    version: i64,
    checksum: Vec<u8>,
    success: bool,
}

/// The newest change that a program knows.
pub fn newest(known: &Migrator) -> i64 {
    known.iter().map(|one| one.version).max().unwrap_or(0)
}

/// How a schema to which this was done stands to the changes that a program knows.
pub fn schema(done: &[MigrationRow], known: &Migrator) -> Schema {
    let done: Vec<_> = done
        .iter()
        .map(|row| {
            let mut known = known.iter();
            let is_known =
                known.any(|one| one.version == row.version && *one.checksum == *row.checksum);
            (row.version, is_known && row.success)
        })
        .collect();
    let known: Vec<_> = known.iter().map(|one| one.version).collect();
    Schema::compare(&done, &known)
}
