//! Pages of long lists: as fast in the middle as at the beginning.

use std::time::Duration;

use serde_json::Value as Json;
use tokio::time::{Instant, interval};

use super::MILLION;
use crate::args::Args;
use crate::fault::{Fault, OrFault as _, Result};
use crate::figures::{Latencies, Spread, milliseconds};
use crate::report::{Line, Target, Value};
use crate::rows::Row;
use crate::site::{Database, Site};

/// Asked for each page.
const REQUESTS: usize = 50;
/// What a page may take.
const MOST: Duration = Duration::from_millis(50);
/// The server counts what has changed once a minute.
const PATIENCE: Duration = Duration::from_mins(4);

const PAGES: [(&str, &str, usize); 4] = [
    ("first page of users", "/admin/local-users", 0),
    ("middle page of users", "/admin/local-users", MILLION / 2),
    ("first page of seeds", "/admin/otp/seeds", 0),
    ("middle page of seeds", "/admin/otp/seeds", MILLION / 2),
];

/// Measures the pages.
pub(super) async fn run(args: &Args, site: &Site<'_>) -> Result<Vec<Line>> {
    wait_until_counted(&site.database).await?;
    let mut lines = Vec::new();
    for (title, path, first) in PAGES {
        lines.push(page(site, args.rounds, title, path, first).await?);
    }
    Ok(lines)
}

async fn wait_until_counted(database: &Database<'_>) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    let mut looks = interval(Duration::from_secs(1));
    while Instant::now() < until {
        looks.tick().await;
        if database.count("SELECT count(*) FROM list_changes;").await? == 0 {
            return Ok(());
        }
    }
    Err(Fault::new("the server does not count what is in its lists"))
}

async fn page(
    site: &Site<'_>,
    rounds: usize,
    title: &str,
    path: &str,
    first: usize,
) -> Result<Line> {
    let last = first + 10;
    let path = format!("{path}?range={first}-{last}");
    let mut all = Latencies::default();
    let mut medians = Vec::new();
    let mut faults = Vec::new();
    for _ in 0..rounds {
        let mut latencies = Latencies::default();
        for _ in 0..REQUESTS {
            let asked = Instant::now();
            let answer = site.administrator.get(&path).await?;
            let latency = asked.elapsed();
            latencies.push(latency);
            all.push(latency);
            let page: Json = answer.read()?;
            let items = page.get("data").and_then(Json::as_array).map(Vec::len);
            let range = page.get("range").and_then(Json::as_str).unwrap_or_default();
            // The administrator is one more user, and has a seed too.
            if items != Some(11) || range != format!("{first}-{last}/{}", MILLION + 1) {
                faults.push(format!("{title}: {items:?} objects, {range}"));
            }
        }
        medians.extend(latencies.percentile(50).map(milliseconds));
    }
    let median = Spread::of(medians).or_fault("there was no round")?;
    let title = format!("{title}, of a million");
    let (value, target) = (Value::Milliseconds(median), Target::Within(MOST));
    Ok(Line {
        p50: all.percentile(50),
        p99: all.percentile(99),
        faults,
        ..Line::alone(Row::P8, title, value, target)
    })
}
