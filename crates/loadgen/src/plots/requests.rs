//! What each request of a sign-in costs: the password, the start of the second factor, its end.
//!
//! The password is hashed at next to no cost, as it is everywhere but in P6: what argon2id takes is
//! known, and would hide the rest.

use super::meter::{Cost, Meter};
use super::record::Record;
use super::{Outcome, Run};
use crate::arena::{CONNECTIONS, Venue, Way, is_seeded};
use crate::args::Args;
use crate::fault::Result;
use crate::figures::Spread;
use crate::growth::put_back;
use crate::load::Tempo;
use crate::progress;
use crate::report::{Line, Side, Target, Value};
use crate::site::{Database, Postgres, Session};

const NAMES: [&str; 3] = ["sign-in with a password", "initialize", "finish"];

pub(crate) const COLUMNS: [&str; 6] = [
    "request",
    "server_us_each",
    "postgres_us_each",
    "load_generator_us_each",
    "wal_octets_each",
    "commits_each",
];

pub(super) async fn run(args: &Args, postgres: &Postgres) -> Result<Outcome> {
    let users = (args.sessions * 2 / 5).max(1);
    let mut venue = Venue::open(&args.server, Database::in_cluster(postgres), users).await?;
    venue.enrol().await?;
    venue.site.database.tidy().await?;
    let mut rounds = Vec::new();
    let mut faults = Vec::new();
    for n in 1..=args.rounds {
        let (costs, found) = round(&mut venue, users).await?;
        for (name, cost) in NAMES.into_iter().zip(costs) {
            let (server, postgres) = (cost.server, cost.postgres);
            progress(format_args!(
                "round {n}: {name}: {server:.0} µs of the server, {postgres:.0} µs of Postgres"
            ));
        }
        rounds.push(costs);
        faults.extend(found);
    }
    Ok(outcome(&rounds, faults))
}

/// Everybody signs in.
async fn round(venue: &mut Venue<'_>, users: usize) -> Result<([Cost; 3], Vec<String>)> {
    put_back(venue).await?;
    let address = venue.site.server.address();
    let meter = Meter::read(&venue.site).await?;
    let sessions = venue.crowd.sign_in_some(address, 0..users).await?;
    let password = meter.since(&venue.site, users).await?;

    let way = Way {
        servers: &[address],
        connections: CONNECTIONS,
        tempo: Tempo::Closed,
    };
    let requests = sessions.iter().map(Session::initialize);
    let requests = requests.collect::<Result<_>>()?;
    let meter = Meter::read(&venue.site).await?;
    let load = way.drive(requests).await?;
    let initialize = meter.since(&venue.site, users).await?;
    let mut faults = load.faults(is_seeded);

    let requests = venue.crowd.codes(&sessions).await?;
    let eve = venue.eve(&requests).await?;
    let meter = Meter::read(&venue.site).await?;
    let load = way.drive(requests).await?;
    let finish = meter.since(&venue.site, users).await?;
    let heat = venue.judge(eve, way, &sessions, load).await?;
    faults.extend(heat.faults);
    Ok(([password, initialize, finish], faults))
}

fn outcome(rounds: &[[Cost; 3]], mut faults: Vec<String>) -> Outcome {
    let mut record = Record::new(&COLUMNS);
    let mut lines = Vec::new();
    for (which, name) in NAMES.into_iter().enumerate() {
        let costs: Vec<_> = rounds.iter().filter_map(|round| round.get(which)).collect();
        let median = |of: fn(&Cost) -> f64| {
            let spread = Spread::of(costs.iter().map(|cost| of(cost)));
            spread.map_or(f64::NAN, |spread| spread.median)
        };
        let server = median(|cost| cost.server);
        let postgres = median(|cost| cost.postgres);
        let figures = [
            server,
            postgres,
            median(|cost| cost.ours),
            median(|cost| cost.log),
            median(|cost| cost.commits),
        ];
        record.push_named(name, figures);
        let side = |title: String, time| Side {
            title,
            value: Value::Microseconds(time),
        };
        lines.push(Line {
            subject: side(format!("CPU of Postgres for each {name}"), postgres),
            reference: Some(side("of the server".to_owned(), server)),
            faults: std::mem::take(&mut faults),
            ..Line::of(Run::Requests.name(), "", Value::Count(0.0), Target::Told)
        });
    }
    Outcome {
        lines,
        record,
        picture: None,
    }
}
