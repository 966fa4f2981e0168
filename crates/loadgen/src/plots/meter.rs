//! What requests cost: CPU time of all who work on them, and what Postgres writes.

use std::collections::HashMap;
use std::time::Duration;

use crate::fault::{OrFault as _, Result};
use crate::site::{Site, cpu_of};

/// Where the log of Postgres ends, how many transactions have written, and its processes.
const POSTGRES: &str = "
    SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint, txid_current(),
        (SELECT string_agg(pid::text, ' ') FROM pg_stat_activity WHERE pid <> pg_backend_pid())";

/// What was spent so far.
pub(super) struct Meter {
    server: Duration,
    /// Of each process, as some end meanwhile and others begin.
    postgres: HashMap<u32, Duration>,
    ours: Duration,
    log: u64,
    commits: u64,
}

/// What each of many requests has cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    /// Microseconds of a core, of the server.
    pub(super) server: f64,
    /// The same of Postgres.
    pub(super) postgres: f64,
    /// The same of this program.
    pub(super) ours: f64,
    /// Octets of the log of Postgres.
    pub(super) log: f64,
    /// Transactions that wrote something.
    pub(super) commits: f64,
}

impl Cost {
    /// As columns of a [`Record`](super::Record), in the order of [`Cost::row`].
    pub(super) const COLUMNS: usize = 5;

    pub(super) fn row(self) -> [f64; Self::COLUMNS] {
        let Self {
            server,
            postgres,
            ours,
            log,
            commits,
        } = self;
        [server, postgres, ours, log, commits]
    }
}

impl Meter {
    pub(super) async fn read(site: &Site<'_>) -> Result<Self> {
        let told = site.database.ask_postgres(POSTGRES).await?;
        let (log, commits, processes) = columns(&told).or_fault("Postgres tells nothing")?;
        let spent = |process: u32| Some((process, cpu_of(process)?));
        Ok(Self {
            server: site.server.cpu()?,
            postgres: processes.into_iter().filter_map(spent).collect(),
            ours: cpu_of(std::process::id()).or_fault("this program has no time")?,
            log,
            commits,
        })
    }

    /// What each of so many requests has cost since.
    pub(super) async fn since(&self, site: &Site<'_>, requests: usize) -> Result<Cost> {
        let now = Self::read(site).await?;
        let requests = f64::from(u32::try_from(requests.max(1)).or_fault("too many requests")?);
        let each = |spent: Duration| spent.as_secs_f64() * 1e6 / requests;
        let postgres = now.postgres.iter().map(|(process, spent)| {
            let before = self.postgres.get(process).copied();
            spent.saturating_sub(before.unwrap_or_default())
        });
        // The reading before is itself one of the transactions.
        let commits = now.commits.saturating_sub(self.commits).saturating_sub(1);
        let number = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        Ok(Cost {
            server: each(now.server.saturating_sub(self.server)),
            postgres: each(postgres.sum()),
            ours: each(now.ours.saturating_sub(self.ours)),
            log: number(now.log.saturating_sub(self.log)) / requests,
            commits: number(commits) / requests,
        })
    }
}

/// The two numbers and the processes of an answer.
fn columns(told: &str) -> Option<(u64, u64, Vec<u32>)> {
    let mut columns = told.split('|');
    let log = columns.next()?.parse().ok()?;
    let commits = columns.next()?.parse().ok()?;
    let processes = columns.next()?.split(' ');
    let processes = processes.map(|process| process.parse().ok());
    Some((log, commits, processes.collect::<Option<_>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_postgres_tells_is_read() {
        assert_eq!(columns("12|7|3 4"), Some((12, 7, vec![3, 4])));
        assert_eq!(columns("12|7"), None);
        assert_eq!(columns("12|7|x"), None);
        assert_eq!(columns(""), None);
    }
}
