//! What a server and its database look like, now and then.

use std::time::Duration;

use super::visits::Visitors;
use crate::fault::{OrFault as _, Result};
use crate::figures::milliseconds;
use crate::plots::record::Record;
use crate::site::Site;

const COLUMNS: [&str; 9] = [
    "minutes",
    "resident_mib",
    "p50_ms",
    "p99_ms",
    "files",
    "threads",
    "token_rows",
    "tokens_mib",
    "audit_mib",
];

/// Rows of tokens, and the room that they and the audit trail take with their indexes.
const DATABASE: &str = "
    SELECT (SELECT count(*) FROM tokens), pg_total_relation_size('tokens'),
        pg_total_relation_size('audit_events')";

/// One look.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sample {
    /// Since the soak began.
    pub(super) seconds: f64,
    pub(super) resident: u64,
    /// Milliseconds, of sign-ins since the look before.
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) files: usize,
    pub(super) threads: usize,
    pub(super) token_rows: usize,
    pub(super) tokens: u64,
    pub(super) audit: u64,
}

impl Sample {
    pub(super) async fn take(site: &Site<'_>, visitors: &Visitors, at: Duration) -> Result<Self> {
        let latencies = visitors.take_recent().latencies;
        let percentile = |percent| latencies.percentile(percent).map(milliseconds);
        let told = site.database.ask_postgres(DATABASE).await?;
        let [rows, tokens, audit] = columns(&told).or_fault("the database tells nothing")?;
        Ok(Self {
            seconds: at.as_secs_f64(),
            resident: site.server.resident()?,
            p50: percentile(50).or_fault("lost: nobody has signed in meanwhile")?,
            p99: percentile(99).or_fault("lost: nobody has signed in meanwhile")?,
            files: site.server.open_files()?,
            threads: site.server.threads()?,
            token_rows: usize::try_from(rows).or_fault("too many tokens")?,
            tokens,
            audit,
        })
    }
}

fn columns(told: &str) -> Option<[u64; 3]> {
    let columns: Option<Vec<_>> = told.split('|').map(|text| text.parse().ok()).collect();
    columns?.try_into().ok()
}

/// All looks as figures.
pub(super) fn record(samples: &[Sample]) -> Record {
    let mut record = Record::new(&COLUMNS);
    for sample in samples {
        record.push([
            sample.seconds / 60.0,
            mebibytes(sample.resident),
            sample.p50,
            sample.p99,
            count(sample.files),
            count(sample.threads),
            count(sample.token_rows),
            mebibytes(sample.tokens),
            mebibytes(sample.audit),
        ]);
    }
    record
}

fn mebibytes(octets: u64) -> f64 {
    let hundredths = u32::try_from(octets.saturating_mul(100) >> 20);
    f64::from(hundredths.unwrap_or(u32::MAX)) / 100.0
}

pub(super) fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_database_tells_is_read() {
        assert_eq!(columns("1|2|3"), Some([1, 2, 3]));
        assert_eq!(columns("1|2"), None);
        assert_eq!(columns("1|2|x"), None);
    }
}
