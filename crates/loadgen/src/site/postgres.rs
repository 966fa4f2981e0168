//! Postgres, as an operator would have it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use vestibule_testkit::postgres::Cluster;

use super::database::Settlers;
use crate::disk::is_on_disk;
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

/// A database of such a cluster.
pub(crate) struct PostgresDatabase<'a> {
    cluster: &'a Postgres,
    url: String,
}

impl Postgres {
    pub(crate) fn start() -> Result<Self> {
        let postgres = Self(Cluster::start());
        if !is_on_disk(postgres.0.socket_directory()) {
            let fault = "Postgres would write into memory: set TMPDIR to a directory on a disk";
            return Err(Fault::new(fault));
        }
        let database = postgres.database();
        database.run(DURABLE)?;
        postgres.0.stop();
        postgres.0.start_again();
        match database.run("SHOW fsync;")?.as_str() {
            "on" => Ok(postgres),
            other => Err(Fault::new(format!("Postgres runs with fsync = {other}"))),
        }
    }

    /// A new database, reached over TCP.
    pub(crate) fn database(&self) -> PostgresDatabase<'_> {
        PostgresDatabase {
            cluster: self,
            url: self.0.fresh_database().url().to_owned(),
        }
    }

    /// Which Postgres it is.
    pub(crate) fn version(&self) -> Result<String> {
        let version = self.database().run("SHOW server_version;")?;
        Ok(format!("Postgres {version}"))
    }

    /// One of the programs that come with it.
    pub(crate) fn program(&self, name: &str) -> Command {
        Command::new(self.0.binaries().join(name))
    }
}

impl PostgresDatabase<'_> {
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// What a query counts.
    pub(crate) fn count(&self, query: &str) -> Result<usize> {
        self.run(query)?.parse().or_fault("a count")
    }

    /// Runs statements, each a transaction; what they give.
    pub(crate) fn run(&self, statements: &str) -> Result<String> {
        let mut psql = self
            .cluster
            .program("psql")
            .args(["-qAtX", "-v", "ON_ERROR_STOP=1", "-f", "-", &self.url])
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

    /// What a query gives, without keeping other tasks of this thread waiting.
    pub(super) async fn ask(&self, query: &str) -> Result<String> {
        let psql = self.cluster.program("psql");
        let output = tokio::process::Command::from(psql)
            .args(["-qAtX", "-v", "ON_ERROR_STOP=1", "-c", query, &self.url])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .or_fault("psql cannot be run")?;
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr);
            return Err(Fault::new(format!("psql: {error}")));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    pub(super) fn add(&self, settlers: &Settlers) -> Result<()> {
        let Settlers { prefix, size, hash } = settlers;
        let added = self.run(&format!(
            "INSERT INTO users (id, name, name_key, first_name, last_name, notes, tags, disabled,
                password_hash, failed_login_attempts, roles, created, updated, search, fields)
             SELECT id, name, name, 'L', 'G', '', '[]', FALSE, {hash}, 0, '[]', now, now,
                name || E'\\n\\n' || id || E'\\ncn=' || name || ',ou=local',
                jsonb_build_object('id', id::text, 'name', name, 'username', name)
             FROM (
                SELECT gen_random_uuid() AS id, '{prefix}-' || lpad(n::text, 6, '0') AS name,
                    (extract(epoch FROM now()) * 1000000)::bigint AS now
                FROM generate_series(0, {size} - 1) AS n
             ) AS made;
             VACUUM ANALYZE;"
        ));
        added.map(drop)
    }
}
