//! Finishes over the number of connections, and what each costs: the more come at once, the more of
//! them are in a statement.

use super::meter::{Cost, Meter};
use super::picture::{Axis, Curve, Panel, Picture, Scale};
use super::record::Record;
use super::{Outcome, Run};
use crate::arena::{Heat, Venue, Way};
use crate::args::Args;
use crate::fault::{OrFault as _, Result};
use crate::figures::{Latencies, Spread, milliseconds};
use crate::growth::put_back;
use crate::load::Tempo;
use crate::progress;
use crate::report::{Line, Side, Target, Value};
use crate::site::{Database, Postgres};

const CONNECTIONS: [u16; 10] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];
/// Finishes of a heat for each connection: about two seconds when there are few.
const EACH: usize = 800;
/// With all connections there must be as many as with the best number of them, nearly.
const LEAST: f64 = 0.8;

pub(crate) const COLUMNS: [&str; 9] = [
    "connections",
    "finishes_per_second",
    "p50_ms",
    "p99_ms",
    "server_us_each",
    "postgres_us_each",
    "load_generator_us_each",
    "wal_octets_each",
    "commits_each",
];

/// What so many connections did.
struct Point {
    connections: u16,
    heats: Vec<(Heat, Cost)>,
}

pub(super) async fn run(args: &Args, postgres: &Postgres) -> Result<Outcome> {
    let users = (args.sessions * 2 / 5).max(1);
    let mut venue = Venue::open(&args.server, Database::in_cluster(postgres), users).await?;
    venue.enrol().await?;
    venue.site.database.tidy().await?;
    let mut points = CONNECTIONS.map(|connections| Point {
        connections,
        heats: Vec::new(),
    });
    for round in 1..=args.rounds {
        for point in &mut points {
            let connections = usize::from(point.connections);
            let finishes = users.min(EACH * connections);
            let (heat, cost) = heat(&mut venue, connections, finishes).await?;
            let figure = heat.per_second;
            progress(format_args!(
                "round {round}: {connections} connections: {figure:.0}/s"
            ));
            point.heats.push((heat, cost));
        }
    }
    outcome(&points)
}

async fn heat(venue: &mut Venue<'_>, connections: usize, finishes: usize) -> Result<(Heat, Cost)> {
    put_back(venue).await?;
    let (sessions, requests) = venue.begin(0..finishes).await?;
    let way = Way {
        servers: &[venue.site.server.address()],
        connections,
        tempo: Tempo::Closed,
    };
    let eve = venue.eve(&requests).await?;
    let meter = Meter::read(&venue.site).await?;
    let load = way.drive(requests).await?;
    let cost = meter.since(&venue.site, sessions.len()).await?;
    Ok((venue.judge(eve, way, &sessions, load).await?, cost))
}

fn outcome(points: &[Point]) -> Result<Outcome> {
    let missing = "there was no round";
    let mut record = Record::new(&COLUMNS);
    for Point { connections, heats } in points {
        let latencies = Latencies::all(heats.iter().map(|(heat, _)| &heat.latencies));
        let latency = |percent| latencies.percentile(percent).map(milliseconds);
        let mut row = vec![
            f64::from(*connections),
            throughput(heats).or_fault(missing)?.median,
            latency(50).or_fault(missing)?,
            latency(99).or_fault(missing)?,
        ];
        let costs: Vec<_> = heats.iter().map(|(_, cost)| cost.row()).collect();
        for column in 0..Cost::COLUMNS {
            let figures = costs.iter().filter_map(|cost| cost.get(column).copied());
            row.push(Spread::of(figures).or_fault(missing)?.median);
        }
        record.push(row);
    }
    Ok(Outcome {
        lines: vec![line(points).or_fault(missing)?],
        picture: Some(picture(&record)),
        record,
    })
}

fn throughput(heats: &[(Heat, Cost)]) -> Option<Spread> {
    Spread::of(heats.iter().map(|(heat, _)| heat.per_second))
}

/// All connections against the best number of them.
fn line(points: &[Point]) -> Option<Line> {
    let median = |point: &&Point| throughput(&point.heats).map_or(0.0, |spread| spread.median);
    let best = points
        .iter()
        .max_by(|a, b| median(a).total_cmp(&median(b)))?;
    let last = points.last()?;
    let pairs = last.heats.iter().zip(&best.heats);
    let ratios = pairs.map(|((last, _), (best, _))| last.per_second / best.per_second);
    let latencies = Latencies::all(last.heats.iter().map(|(heat, _)| &heat.latencies));
    let heats = points.iter().flat_map(|point| &point.heats);
    let value = Value::PerSecond(throughput(&last.heats)?);
    let title = format!("finish over {} connections", last.connections);
    Some(Line {
        reference: Some(Side {
            title: format!("the best, over {}", best.connections),
            value: Value::PerSecond(throughput(&best.heats)?),
        }),
        ratio: Spread::of(ratios),
        p50: latencies.percentile(50),
        p99: latencies.percentile(99),
        faults: heats.flat_map(|(heat, _)| heat.faults.clone()).collect(),
        ..Line::of(
            Run::Connections.name(),
            title,
            value,
            Target::AtLeast(LEAST),
        )
    })
}

fn picture(record: &Record) -> Picture {
    let x = Axis {
        name: "connections",
        scale: Scale::Times(2.0),
    };
    let curve = |name, column| Curve {
        name,
        points: record.points("connections", column),
    };
    Picture {
        title: "Finishes with a code on Postgres, over the number of connections".to_owned(),
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
            Panel {
                x,
                y: "CPU for each finish, µs",
                curves: vec![
                    curve("Postgres", "postgres_us_each"),
                    curve("server", "server_us_each"),
                    curve("load generator", "load_generator_us_each"),
                ],
            },
            Panel {
                x,
                y: "commits for each finish",
                curves: vec![curve("commits", "commits_each")],
            },
        ],
    }
}
