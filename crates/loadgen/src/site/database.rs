//! The database below a site, whichever it is: what is written into it in advance, and what is
//! counted in it afterwards.

use super::postgres::{Postgres, PostgresDatabase};
use super::sqlite::SqliteDatabase;
use crate::fault::{Fault, Result};

/// A database that one server uses, and this program beside it.
pub(crate) enum Database<'a> {
    Postgres(PostgresDatabase<'a>),
    Sqlite(SqliteDatabase),
}

/// Users that are to be written into a database, who have no authenticators.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settlers {
    /// What their names begin with; a number of six digits follows.
    pub(super) prefix: &'static str,
    pub(super) size: usize,
    /// An expression for the hash of their password, the same in all kinds of SQL.
    pub(super) hash: &'static str,
}

/// The row of somebody who has enrolled is the model of the others. The administrator always has.
const ALIKE: &str = "
    INSERT INTO second_factors (user_id, revision, recent, seed_id, seed_key_id, seed_sealed,
        verified, last_step, budget_row)
    SELECT users.id, model.revision, model.recent, users.id, model.seed_key_id, model.seed_sealed,
        model.verified, 1, model.budget_row
    FROM users CROSS JOIN (SELECT * FROM second_factors WHERE verified LIMIT 1) AS model
    WHERE NOT EXISTS (SELECT 1 FROM second_factors AS own WHERE own.user_id = users.id);
    INSERT INTO known_devices (user_id, device_id, last_completed, failures)
    SELECT id, id, created, 0 FROM users
    WHERE NOT EXISTS (SELECT 1 FROM known_devices AS own WHERE own.user_id = users.id);";

impl<'a> Database<'a> {
    /// A new one in a cluster.
    pub(crate) fn in_cluster(postgres: &'a Postgres) -> Self {
        Self::Postgres(postgres.database())
    }

    /// A new file, on a disk.
    pub(crate) fn in_file() -> Result<Self> {
        Ok(Self::Sqlite(SqliteDatabase::new()?))
    }

    /// What a server is told of it.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Postgres(database) => database.url().to_owned(),
            Self::Sqlite(database) => database.url(),
        }
    }

    /// What a query counts.
    pub(crate) async fn count(&self, query: &str) -> Result<usize> {
        match self {
            Self::Postgres(database) => database.count(query),
            Self::Sqlite(database) => database.count(query).await,
        }
    }

    /// What a query gives that only Postgres understands, its columns divided by `|`.
    pub(crate) async fn ask_postgres(&self, query: &str) -> Result<String> {
        match self {
            Self::Postgres(database) => database.ask(query).await,
            Self::Sqlite(_) => Err(Fault::new("this is not Postgres")),
        }
    }

    /// Runs statements that both understand, each a transaction.
    pub(crate) async fn run(&self, statements: &str) -> Result<()> {
        match self {
            Self::Postgres(database) => database.run(statements).map(drop),
            Self::Sqlite(database) => database.run(statements).await,
        }
    }

    /// Writes users.
    pub(super) async fn add(&self, settlers: &Settlers) -> Result<()> {
        match self {
            Self::Postgres(database) => database.add(settlers),
            Self::Sqlite(database) => database.add(settlers).await,
        }
    }

    /// Gives everybody a seed who has none: rows as long as those of real ones, which nobody can sign
    /// in with. And a device, as those have who have signed in.
    pub(crate) async fn fill(&self) -> Result<()> {
        self.run(ALIKE).await
    }

    /// Lets what was prepared be found as it would be after a while, and not be written down during
    /// what is measured.
    pub(crate) async fn tidy(&self) -> Result<()> {
        match self {
            Self::Postgres(database) => database.run("VACUUM ANALYZE; CHECKPOINT;").map(drop),
            // The log keeps its length, which no commit has to give it again then.
            Self::Sqlite(database) => database.run("PRAGMA wal_checkpoint(RESTART);").await,
        }
    }
}
