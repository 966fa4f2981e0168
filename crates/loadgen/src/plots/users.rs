//! Finishes over the number of users: a thousand to a million.

use super::picture::{Axis, Curve, Panel, Picture, Scale};
use super::record::Record;
use super::{Outcome, Run};
use crate::arena::{Heat, Venue};
use crate::args::Args;
use crate::fault::{OrFault as _, Result};
use crate::figures::{Latencies, Spread, milliseconds};
use crate::growth::{FINISHES, heat, prepare};
use crate::progress;
use crate::report::{Line, Side, Target, Value};
use crate::site::Postgres;

const USERS: [(usize, &str); 4] = [
    (1_000, "1,000"),
    (10_000, "10,000"),
    (100_000, "100,000"),
    (1_000_000, "1,000,000"),
];
/// Of as many as among the fewest.
const LEAST: f64 = 0.85;

const COLUMNS: [&str; 4] = ["users", "finishes_per_second", "p50_ms", "p99_ms"];

/// All servers wait for their turn meanwhile, so that what else the machine does hits all of them.
pub(super) async fn run(args: &Args, postgres: &Postgres) -> Result<Outcome> {
    let mut venues = Vec::new();
    for (users, name) in USERS {
        progress(format_args!("{name} users"));
        // At most as many sign in as there are finishes in a lap.
        let venue = prepare(args, postgres, users, users.div_ceil(FINISHES)).await?;
        venues.push((venue, Vec::new()));
    }
    for round in 1..=args.rounds {
        for ((venue, heats), (_, name)) in venues.iter_mut().zip(USERS) {
            let heat = heat(venue).await?;
            let figure = heat.per_second;
            progress(format_args!("round {round}: {name} users: {figure:.0}/s"));
            heats.push(heat);
        }
    }
    outcome(&venues)
}

fn outcome(venues: &[(Venue<'_>, Vec<Heat>)]) -> Result<Outcome> {
    let mut record = Record::new(&COLUMNS);
    let mut lines = Vec::new();
    let few = venues.first().or_fault("there was no heat")?;
    let few: Vec<_> = few.1.iter().map(|heat| heat.per_second).collect();
    let missing = "there was no round";
    for ((_, heats), (users, name)) in venues.iter().zip(USERS) {
        let figures: Vec<_> = heats.iter().map(|heat| heat.per_second).collect();
        let spread = Spread::of(figures.iter().copied()).or_fault(missing)?;
        let latencies = Latencies::all(heats.iter().map(|heat| &heat.latencies));
        let (p50, p99) = (latencies.percentile(50), latencies.percentile(99));
        record.push([
            f64::from(u32::try_from(users).or_fault("too many users")?),
            spread.median,
            p50.map(milliseconds).or_fault(missing)?,
            p99.map(milliseconds).or_fault(missing)?,
        ]);
        let is_first = lines.is_empty();
        let title = format!("finish among {name} users");
        let target = if is_first {
            Target::Told
        } else {
            Target::AtLeast(LEAST)
        };
        let reference = Side {
            title: "among 1,000".to_owned(),
            value: Value::PerSecond(Spread::of(few.iter().copied()).or_fault(missing)?),
        };
        let ratios = figures.iter().zip(&few).map(|(these, few)| these / few);
        let faults = heats.iter().flat_map(|heat| heat.faults.iter().cloned());
        lines.push(Line {
            reference: (!is_first).then_some(reference),
            ratio: Spread::of(ratios).filter(|_| !is_first),
            p50,
            p99,
            faults: faults.collect(),
            ..Line::of(Run::Users.name(), title, Value::PerSecond(spread), target)
        });
    }
    Ok(Outcome {
        lines,
        picture: Some(picture(&record)),
        record,
    })
}

fn picture(record: &Record) -> Picture {
    let x = Axis {
        name: "users with seeds",
        scale: Scale::Times(10.0),
    };
    let curve = |name, column| Curve {
        name,
        points: record.points("users", column),
    };
    Picture {
        title: "Finishes with a code on Postgres, over the number of users".to_owned(),
        panels: vec![
            Panel {
                x,
                y: "finishes a second",
                curves: vec![curve("finishes", "finishes_per_second")],
            },
            Panel {
                x,
                y: "latency, ms",
                curves: vec![curve("p99", "p99_ms"), curve("p50", "p50_ms")],
            },
        ],
    }
}
