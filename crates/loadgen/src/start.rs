//! P9: a server that starts over many users, what it takes of memory then, and how large it is.

use std::fs;
use std::time::Duration;

use tokio::time::{Instant, interval_at};

use crate::args::Args;
use crate::fault::{OrFault as _, Result};
use crate::figures::{Spread, milliseconds};
use crate::progress;
use crate::report::{Line, Target, Value};
use crate::rows::Row;
use crate::site::{Crowd, Database, Site};

/// Users, each with a seed.
const USERS: usize = 100_000;
/// Starts of a round: each is over soon.
const STARTS: usize = 5;
/// How long nobody asks for anything before the memory is looked at.
const IDLE: Duration = Duration::from_secs(5);

/// Milliseconds until it is ready.
const LONGEST_START: f64 = 100.0;
const MOST_MEMORY: u64 = 25 << 20;
const LARGEST: u64 = 25 << 20;

/// Measures the row, over SQLite.
pub(crate) async fn run(args: &Args) -> Result<Vec<Line>> {
    let site = Site::start(&args.server, Database::in_file()?, "").await?;
    progress(format_args!("{USERS} users on SQLite"));
    Crowd::settle(&site.database, USERS).await?;
    site.database.fill().await?;
    site.database.tidy().await?;
    let Site {
        mut server,
        database,
        ..
    } = site;
    let expected = database.count(SEEDS).await?;
    let (mut starts, mut memory, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=args.rounds {
        for _ in 0..STARTS {
            server = server.stop().await?.start()?;
            starts.push(milliseconds(server.started_in()));
        }
        interval_at(Instant::now() + IDLE, IDLE).tick().await;
        let resident = server.resident()?;
        memory.push(resident);
        let last = starts.last().copied().unwrap_or_default();
        progress(format_args!(
            "round {round}: started in {last:.0} ms, {} KiB when idle",
            resident >> 10
        ));
        let found = database.count(SEEDS).await?;
        if found != expected || found <= USERS {
            faults.push(format!("lost: {found} seeds of {expected} are left"));
        }
    }
    let starts = Spread::of(starts).or_fault("there was no round")?;
    let memory = memory.into_iter().max().unwrap_or_default();
    let program = fs::metadata(&args.server)
        .or_fault("there is no server")?
        .len();
    let start = line(
        "start over 100,000 users, on SQLite",
        Value::Milliseconds(starts),
        Target::Milliseconds(LONGEST_START),
    );
    Ok(vec![
        Line { faults, ..start },
        line(
            "resident memory when idle then",
            Value::Octets(memory),
            Target::Octets(MOST_MEMORY),
        ),
        line(
            "the program",
            Value::Octets(program),
            Target::Octets(LARGEST),
        ),
    ])
}

const SEEDS: &str = "SELECT count(*) FROM second_factors WHERE verified;";

fn line(title: &str, value: Value, target: Target) -> Line {
    Line::alone(Row::P9, title, value, target)
}
