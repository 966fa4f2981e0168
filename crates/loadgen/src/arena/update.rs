//! The reference of a finish: what Postgres can do of the one write that it cannot do without.

use std::fs;
use std::time::Duration;

use tempfile::TempDir;

use super::Heat;
use crate::fault::{Fault, OrFault as _, Result};
use crate::figures::Latencies;
use crate::site::{Postgres, PostgresDatabase};

const TABLE: &str = include_str!("../../pgbench/table.sql");
const SCRIPT: &str = include_str!("../../pgbench/claim.sql");

/// Seconds of a heat.
const SECONDS: &str = "4";
/// More than the steps that a client claims in a heat.
const STEPS: u64 = 1_000_000_000;

/// A database for pgbench, in the cluster of the server and reached as the server reaches its own.
pub(super) struct Update<'a> {
    cluster: &'a Postgres,
    database: PostgresDatabase<'a>,
    directory: TempDir,
    heats: u64,
}

impl<'a> Update<'a> {
    pub(super) fn prepare(cluster: &'a Postgres) -> Result<Self> {
        let database = cluster.database();
        database.run(TABLE)?;
        let directory = TempDir::new().or_fault("no scratch directory")?;
        let written = fs::write(directory.path().join("claim.sql"), SCRIPT);
        written.or_fault("the script cannot be written")?;
        Ok(Self {
            cluster,
            database,
            directory,
            heats: 0,
        })
    }

    pub(super) fn heat(&mut self) -> Result<Heat> {
        self.heats += 1;
        let output = self
            .cluster
            .program("pgbench")
            .args([
                "--no-vacuum",
                "--protocol=prepared",
                "--client=32",
                "--jobs=2",
            ])
            .args(["--time", SECONDS, "--file", "claim.sql"])
            .arg(format!("--define=step={}", self.heats * STEPS))
            .arg(self.database.url())
            .current_dir(self.directory.path())
            .output()
            .or_fault("pgbench cannot be run")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let figures = output
            .status
            .success()
            .then(|| Figures::read(&text))
            .flatten();
        let Some(figures) = figures else {
            let error = String::from_utf8_lossy(&output.stderr);
            return Err(Fault::new(format!("pgbench: {text}{error}")));
        };
        let mut latencies = Latencies::default();
        latencies.push(figures.average);
        let failed = figures.failed;
        Ok(Heat {
            per_second: figures.per_second,
            latencies,
            faults: match failed {
                0 => Vec::new(),
                _ => vec![format!("pgbench: {failed} transactions failed")],
            },
        })
    }
}

/// What pgbench says at its end.
#[derive(Debug, PartialEq)]
struct Figures {
    per_second: f64,
    average: Duration,
    failed: u64,
}

impl Figures {
    fn read(text: &str) -> Option<Self> {
        let word = |name: &str| {
            let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
            rest.split_whitespace().next()
        };
        let average: f64 = word("latency average = ")?.parse().ok()?;
        Some(Self {
            per_second: word("tps = ")?.parse().ok()?,
            average: Duration::from_secs_f64(average / 1e3),
            // Versions that do not tell end at the first failure.
            failed: word("number of failed transactions: ").map_or(Some(0), |n| n.parse().ok())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pgbench_says_is_read() {
        let text = "number of transactions actually processed: 59194\n\
            number of failed transactions: 3 (0.005%)\n\
            latency average = 2.162 ms\n\
            initial connection time = 41.1 ms\n\
            tps = 14800.123456 (without initial connection time)\n";
        let figures = Figures {
            per_second: 14_800.123_456,
            average: Duration::from_micros(2162),
            failed: 3,
        };
        assert_eq!(Figures::read(text), Some(figures));
        assert_eq!(Figures::read("pgbench: error"), None);
    }
}
