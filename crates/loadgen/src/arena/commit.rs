//! The reference of a finish on SQLite: one writer, one update a commit.

use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, query_as, raw_sql};
use tempfile::TempDir;
use tokio::time::Instant;

use super::Heat;
use crate::disk;
use crate::fault::{Fault, OrFault as _, Result};
use crate::figures::{Latencies, per_second};

/// How long a heat takes.
const TIME: Duration = Duration::from_secs(4);
/// Rows, each of which is written in turn.
const ROWS: i64 = 32_000;
/// From one row to the next: shares no factor with their number, so that all are written, and each
/// on another page than the one before.
const STRIDE: i64 = 7_919;

/// What is written to, and a log that is long already: it begins anew after a thousand pages, and
/// until then each commit would make its file longer, which takes the disk much longer.
const TABLE: &str = "
    CREATE TABLE claims (id INTEGER NOT NULL PRIMARY KEY, last_step INTEGER NOT NULL) STRICT;
    INSERT INTO claims
    WITH RECURSIVE ids (id) AS (SELECT 0 UNION ALL SELECT id + 1 FROM ids WHERE id + 1 < 32000)
    SELECT id, 0 FROM ids;
    CREATE TABLE filler (octets BLOB NOT NULL) STRICT;
    INSERT INTO filler
    WITH RECURSIVE pages (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM pages WHERE n < 2000)
    SELECT zeroblob(4000) FROM pages;
    DROP TABLE filler;
    PRAGMA wal_checkpoint(RESTART);";

/// Updates that are asked for at once, each a transaction all the same: going to the driver's thread
/// and back costs half as much as an update, without the disk.
const AT_ONCE: u32 = 100;

/// A file of its own, on a disk as the server's is, and written as durably.
pub(super) struct Commit {
    connection: SqliteConnection,
    updates: i64,
    _directory: TempDir,
}

impl Commit {
    pub(super) async fn prepare() -> Result<Self> {
        let directory = disk::scratch_directory()?;
        let options = SqliteConnectOptions::new()
            .filename(directory.path().join("claims.sqlite3"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .disable_statement_logging();
        let mut connection = options.connect().await.or_fault("SQLite")?;
        let table = raw_sql(TABLE).execute(&mut connection).await;
        table.or_fault("SQLite")?;
        let settings =
            "SELECT journal_mode, synchronous FROM pragma_journal_mode, pragma_synchronous";
        let settings = query_as(settings).fetch_one(&mut connection).await;
        let (mode, synchronous): (String, i64) = settings.or_fault("SQLite")?;
        if (mode.as_str(), synchronous) != ("wal", 2) {
            let fault = format!("SQLite writes with {mode}, synchronous = {synchronous}");
            return Err(Fault::new(fault));
        }
        Ok(Self {
            connection,
            updates: 0,
            _directory: directory,
        })
    }

    /// Updates for a while.
    pub(super) async fn heat(&mut self) -> Result<Heat> {
        let (start, mut lost) = (Instant::now(), 0);
        let mut latencies = Latencies::default();
        while start.elapsed() < TIME {
            let claims: String = (0..AT_ONCE).map(|_| self.claim()).collect();
            let begun = Instant::now();
            let claims = raw_sql(AssertSqlSafe(claims));
            let done = claims.execute(&mut self.connection).await;
            let each = begun.elapsed() / AT_ONCE;
            (0..AT_ONCE).for_each(|_| latencies.push(each));
            let done = done.or_fault("SQLite")?.rows_affected();
            lost += u64::from(AT_ONCE).saturating_sub(done);
        }
        Ok(Heat {
            per_second: per_second(latencies.len(), start.elapsed()),
            latencies,
            faults: match lost {
                0 => Vec::new(),
                _ => vec![format!("SQLite: {lost} updates did nothing")],
            },
        })
    }

    /// The next update: each row in turn, with a step that it has not had. By itself it is a
    /// transaction, and nothing is cheaper.
    fn claim(&mut self) -> String {
        let id = (self.updates * STRIDE) % ROWS;
        let step = 1 + self.updates / ROWS;
        self.updates += 1;
        format!("UPDATE claims SET last_step = {step} WHERE id = {id} AND last_step < {step};")
    }
}
