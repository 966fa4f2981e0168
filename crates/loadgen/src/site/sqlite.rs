//! SQLite: a file on a disk.

use std::path::PathBuf;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection as _, query_scalar, raw_sql};
use tempfile::TempDir;

use super::database::Settlers;
use crate::disk;
use crate::fault::{OrFault as _, Result};

/// How long a server may keep this program from writing.
const PATIENCE: Duration = Duration::from_secs(30);

/// A database in a file, which a server makes when it starts.
pub(crate) struct SqliteDatabase {
    directory: TempDir,
}

impl SqliteDatabase {
    pub(super) fn new() -> Result<Self> {
        let directory = disk::scratch_directory()?;
        Ok(Self { directory })
    }

    pub(super) fn url(&self) -> String {
        format!("sqlite:{}", self.file().display())
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("vestibule.sqlite3")
    }

    /// A connection of one's own, as a server that runs keeps the file open as well.
    async fn connect(&self) -> Result<SqliteConnection> {
        let options = SqliteConnectOptions::new()
            .filename(self.file())
            .busy_timeout(PATIENCE)
            .foreign_keys(true);
        let connection = SqliteConnection::connect_with(&options).await;
        connection.or_fault("SQLite")
    }

    pub(super) async fn run(&self, statements: &str) -> Result<()> {
        let mut connection = self.connect().await?;
        let statements = raw_sql(AssertSqlSafe(statements));
        let run = statements.execute(&mut connection).await;
        run.or_fault("SQLite")?;
        connection.close().await.or_fault("SQLite")
    }

    pub(super) async fn count(&self, query: &str) -> Result<usize> {
        let mut connection = self.connect().await?;
        let count = query_scalar::<_, i64>(AssertSqlSafe(query));
        let count = count.fetch_one(&mut connection).await.or_fault("SQLite")?;
        connection.close().await.or_fault("SQLite")?;
        usize::try_from(count).or_fault("a count")
    }

    /// No statistics are made, as no server makes any: taken before there are tokens, they would have
    /// SQLite read all of them instead of an index.
    pub(super) async fn add(&self, settlers: &Settlers) -> Result<()> {
        let Settlers { prefix, size, hash } = settlers;
        self.run(&format!(
            "INSERT INTO users (id, name, name_key, first_name, last_name, notes, tags, disabled,
                password_hash, failed_login_attempts, roles, created, updated, search, fields)
             WITH RECURSIVE
                numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < {size}),
                named AS MATERIALIZED (
                    SELECT randomblob(16) AS id, printf('{prefix}-%06d', n) AS name,
                        CAST(unixepoch('subsec') * 1000000 AS INTEGER) AS now
                    FROM numbers
                ),
                made AS (
                    SELECT *, lower(substr(hex(id), 1, 8) || '-' || substr(hex(id), 9, 4) || '-'
                        || substr(hex(id), 13, 4) || '-' || substr(hex(id), 17, 4) || '-'
                        || substr(hex(id), 21)) AS text
                    FROM named
                )
             SELECT id, name, name, 'L', 'G', '', '[]', 0, {hash}, 0, '[]', now, now,
                name || char(10, 10) || text || char(10) || 'cn=' || name || ',ou=local',
                json_object('id', text, 'name', name, 'username', name)
             FROM made;"
        ))
        .await
    }
}
