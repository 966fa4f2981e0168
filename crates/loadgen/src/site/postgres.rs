//! Postgres, as an operator would have it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use vestibule_testkit::postgres::Cluster;

use crate::fault::{Fault, OrFault as _, Result};

/// What differs from clusters of tests, which lose everything in a crash of the machine: the
/// settings that Postgres comes with.
const DURABLE: &str = "
    ALTER SYSTEM SET fsync = on;
    ALTER SYSTEM SET full_page_writes = on;
    ALTER SYSTEM SET synchronous_commit = on;
    ALTER SYSTEM SET shared_buffers = '128MB';
    CHECKPOINT;
";

/// A cluster that keeps what it says it has kept.
pub(crate) struct Postgres(Cluster);

impl Postgres {
    pub(crate) fn start() -> Result<Self> {
        let postgres = Self(Cluster::start());
        let database = postgres.database();
        postgres.run(&database, DURABLE)?;
        postgres.0.stop();
        postgres.0.start_again();
        match postgres.run(&database, "SHOW fsync;")?.as_str() {
            "on" => Ok(postgres),
            other => Err(Fault::new(format!("Postgres runs with fsync = {other}"))),
        }
    }

    /// The URL of a new database, over TCP.
    pub(crate) fn database(&self) -> String {
        self.0.fresh_database().url().to_owned()
    }

    /// Which Postgres it is.
    pub(crate) fn version(&self, database: &str) -> Result<String> {
        let version = self.run(database, "SHOW server_version;")?;
        Ok(format!("Postgres {version}"))
    }

    /// One of the programs that come with it.
    pub(crate) fn program(&self, name: &str) -> Command {
        Command::new(self.0.binaries().join(name))
    }

    /// Runs statements, each a transaction; what they give.
    pub(crate) fn run(&self, database: &str, statements: &str) -> Result<String> {
        let mut psql = self
            .program("psql")
            .args(["-qAtX", "-v", "ON_ERROR_STOP=1", "-f", "-", database])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .or_fault("psql cannot be run")?;
        if let Some(mut stdin) = psql.stdin.take() {
            let written = stdin.write_all(statements.as_bytes());
            written.or_fault("psql does not read")?;
        }
        let output = psql.wait_with_output().or_fault("psql")?;
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr);
            return Err(Fault::new(format!("psql: {error}")));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}
