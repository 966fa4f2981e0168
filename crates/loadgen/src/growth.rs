//! P8: what a million users cost that a thousand do not.
//!
//! The same number of sign-ins is finished by a server with a thousand users and by one with a
//! million, in turns. Pages of the million are asked for afterwards.

mod lists;

use std::time::Duration;

use crate::arena::{Heat, Venue};
use crate::args::Args;
use crate::contest::{Round, line, tell};
use crate::fault::{OrFault as _, Result};
use crate::figures::{Latencies, per_second};
use crate::progress;
use crate::report::Line;
use crate::rows::{Contender, GROWTH, Row};
use crate::site::{Database, Postgres};

const THOUSAND: usize = 1_000;
const MILLION: usize = 1_000_000;
/// Of the million, one in so many has a seed that a server can open, and signs in.
const ONE_IN: usize = 500;
/// Sign-ins of a lap: one of each of those, or two of each of the thousand.
pub(crate) const FINISHES: usize = MILLION / ONE_IN;
/// Laps of a heat.
const LAPS: usize = 3;

/// Nobody waits for the time of a step that was not used: those that were are put back by so many.
const STEPS: u64 = 4;
/// Those whose seeds cannot be opened have a step of long ago, and keep it.
const PUT_BACK: &str =
    "UPDATE second_factors SET last_step = last_step - 4 WHERE last_step > 1000;";

/// Measures the row.
pub(crate) async fn run(args: &Args, postgres: &Postgres) -> Result<Vec<Line>> {
    let mut few = prepare(args, postgres, THOUSAND, 1).await?;
    progress(format_args!("a million users and seeds: some two minutes"));
    let mut many = prepare(args, postgres, MILLION, ONE_IN).await?;
    let mut lines = lists::run(args, &many.site).await?;
    many.site.database.tidy().await?;
    let mut rounds: Vec<Round> = Vec::new();
    for round in 1..=args.rounds {
        let mut heats = Vec::new();
        for (contender, venue) in [
            (Contender::Thousand, &mut few),
            (Contender::Million, &mut many),
        ] {
            let heat = heat(venue).await?;
            tell(round, contender, &heat);
            heats.push((contender, heat));
        }
        rounds.push(heats);
    }
    lines.insert(0, line(Row::P8, &GROWTH, &rounds)?);
    Ok(lines)
}

/// A server for so many users, of whom one in so many signs in.
pub(crate) async fn prepare<'a>(
    args: &Args,
    postgres: &'a Postgres,
    users: usize,
    one_in: usize,
) -> Result<Venue<'a>> {
    let database = Database::in_cluster(postgres);
    let mut venue = Venue::open(&args.server, database, users).await?;
    venue.crowd.keep(one_in);
    venue.enrol().await?;
    venue.site.database.fill().await?;
    venue.site.database.tidy().await?;
    Ok(venue)
}

/// Some laps, of which the steps are put back in between.
pub(crate) async fn heat(venue: &mut Venue<'_>) -> Result<Heat> {
    let mut all = Heat {
        per_second: 0.0,
        latencies: Latencies::default(),
        faults: Vec::new(),
    };
    let mut seconds = 0.0;
    for _ in 0..LAPS {
        put_back(venue).await?;
        let lap = venue.lap(FINISHES).await?;
        let count = u32::try_from(lap.latencies.len()).or_fault("too many finishes")?;
        seconds += f64::from(count) / lap.per_second;
        all.latencies = Latencies::all([&all.latencies, &lap.latencies]);
        all.faults.extend(lap.faults);
    }
    all.per_second = per_second(all.latencies.len(), Duration::from_secs_f64(seconds));
    Ok(all)
}

/// Takes the last steps for unused, so that codes of this time can be claimed again.
pub(crate) async fn put_back(venue: &mut Venue<'_>) -> Result<()> {
    venue.site.database.run(PUT_BACK).await?;
    venue.crowd.put_back(STEPS);
    Ok(())
}
