//! Finishes over the number of servers: several processes over one Postgres, beside what the model
//! of [`scale`](crate::scale) expects of them.
//!
//! Some sessions are finished by all servers at the same time, with the same code: one of them lets
//! the user in, and no other.

use std::iter::repeat_n;
use std::net::SocketAddr;
use std::thread::available_parallelism;

use super::picture::{Axis, Curve, Panel, Picture, Scale};
use super::record::Record;
use super::{Outcome, Run};
use crate::arena::{CONNECTIONS, Heat, Venue, Way};
use crate::args::Args;
use crate::fault::{Fault, OrFault as _, Result};
use crate::figures::{Latencies, Spread, milliseconds};
use crate::growth::put_back;
use crate::http::{Answer, Request};
use crate::load::Tempo;
use crate::progress;
use crate::report::{Line, Side, Target, Value};
use crate::scale::{Figures, Model};
use crate::site::{Database, Postgres, Server, Session};

const SERVERS: [u8; 3] = [1, 2, 4];
/// Sessions that all servers are asked to finish at once.
const RIVALS: usize = 200;
/// How often each of them is finished, whatever the number of servers.
const COPIES: usize = 4;

const COLUMNS: [&str; 6] = [
    "servers",
    "finishes_per_second",
    "p50_ms",
    "p99_ms",
    "model_finishes_per_second",
    "model_p99_ms",
];

pub(super) async fn run(args: &Args, postgres: &Postgres) -> Result<Outcome> {
    // Before anything is measured: it may be missing.
    let model = Model::read(&args.into)?;
    let users = (args.sessions * 2 / 5).max(2);
    let mut venue = Venue::open(&args.server, Database::in_cluster(postgres), users).await?;
    venue.enrol().await?;
    venue.site.database.tidy().await?;
    let most = SERVERS.into_iter().max().unwrap_or(1);
    let others: Vec<_> = (1..most)
        .map(|_| venue.site.server.another())
        .collect::<Result<_>>()?;
    let addresses: Vec<_> = [&venue.site.server]
        .into_iter()
        .chain(&others)
        .map(Server::address)
        .collect();
    let mut points = SERVERS.map(|servers| (servers, Vec::new()));
    for round in 1..=args.rounds {
        for (servers, heats) in &mut points {
            let asked = addresses.get(..usize::from(*servers)).unwrap_or_default();
            let heat = heat(&mut venue, asked).await?;
            let figure = heat.per_second;
            progress(format_args!(
                "round {round}: {servers} servers: {figure:.0}/s"
            ));
            heats.push(heat);
        }
    }
    outcome(&points, &model)
}

async fn heat(venue: &mut Venue<'_>, servers: &[SocketAddr]) -> Result<Heat> {
    put_back(venue).await?;
    let everybody = 0..venue.crowd.names().count();
    let (mut sessions, mut requests) = venue.begin(everybody).await?;
    let rivals = RIVALS.min(sessions.len() / 2);
    let wanted = sessions.split_off(sessions.len() - rivals);
    let contested = requests.split_off(requests.len() - rivals);
    let way = Way {
        servers,
        connections: CONNECTIONS,
        tempo: Tempo::Closed,
    };
    let mut heat = venue.finish_by(way, &sessions, requests).await?;
    let faults = contest(venue, way, &wanted, &contested).await?;
    heat.faults.extend(faults);
    Ok(heat)
}

/// Sends each of these several times at once, to one server after the other.
async fn contest(
    venue: &Venue<'_>,
    way: Way<'_>,
    sessions: &[Session],
    requests: &[Request],
) -> Result<Vec<String>> {
    let before = venue.verified().await?;
    let copies = requests
        .iter()
        .flat_map(|one| repeat_n(one.clone(), COPIES));
    let load = way.drive(copies.collect()).await?;
    let answers = load.answers.chunks(COPIES);
    let judged = sessions.iter().zip(answers).map(|(session, answers)| {
        let passed = answers
            .iter()
            .flatten()
            .filter(|answer| answer.status == 200);
        judge(answers)?;
        passed
            .map(|answer| session.passed(Some(answer)))
            .try_for_each(|passed| passed.map(drop))
    });
    let mut faults: Vec<_> = judged
        .filter_map(Result::err)
        .map(|fault| fault.to_string())
        .collect();
    let stored = venue.verified().await?.saturating_sub(before);
    if stored != sessions.len() {
        let wanted = sessions.len();
        faults.push(format!("{stored} tokens were stored for {wanted} rivals"));
    }
    Ok(faults)
}

/// One of them has passed, and the others were refused.
fn judge(answers: &[Option<Answer>]) -> Result<()> {
    let mut passed = 0;
    for answer in answers {
        let answer = answer.as_ref().or_fault("lost: no answer came")?;
        match answer.status {
            200 => passed += 1,
            401 => {}
            _ => return Err(Fault::new(format!("wrong: a rival is told {answer}"))),
        }
    }
    match passed {
        0 => Err(Fault::new("lost: none of several servers let a user in")),
        1 => Ok(()),
        _ => Err(Fault::new("double: several servers let a user in")),
    }
}

fn outcome(points: &[(u8, Vec<Heat>)], model: &Model) -> Result<Outcome> {
    let cores = available_parallelism().map_or(1, usize::from);
    let missing = "there was no round";
    let mut record = Record::new(&COLUMNS);
    let mut lines = Vec::new();
    let (_, alone) = points.first().or_fault(missing)?;
    for (servers, heats) in points {
        let spread = |heats: &[Heat]| Spread::of(heats.iter().map(|heat| heat.per_second));
        let figure = spread(heats).or_fault(missing)?;
        let latencies = Latencies::all(heats.iter().map(|heat| &heat.latencies));
        let (p50, p99) = (latencies.percentile(50), latencies.percentile(99));
        let Figures {
            per_second,
            p99: expected,
            ..
        } = model.beside(usize::from(*servers), CONNECTIONS, cores);
        record.push([
            f64::from(*servers),
            figure.median,
            p50.map(milliseconds).or_fault(missing)?,
            p99.map(milliseconds).or_fault(missing)?,
            per_second,
            expected * 1e3,
        ]);
        let pairs = heats.iter().zip(alone);
        let ratios = pairs.map(|(heat, alone)| heat.per_second / alone.per_second);
        let faults = heats.iter().flat_map(|heat| heat.faults.iter().cloned());
        let title = format!("finish by servers on the same cores, {servers}");
        lines.push(Line {
            reference: Some(Side {
                title: "by one".to_owned(),
                value: Value::PerSecond(spread(alone).or_fault(missing)?),
            }),
            ratio: Spread::of(ratios),
            p50,
            p99,
            faults: faults.collect(),
            ..Line::of(
                Run::Servers.name(),
                title,
                Value::PerSecond(figure),
                Target::Told,
            )
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
        name: "servers on the same cores",
        scale: Scale::Times(2.0),
    };
    let curve = |name, column| Curve {
        name,
        points: record.points("servers", column),
    };
    Picture {
        title: "Finishes with a code over one Postgres, over the number of servers".to_owned(),
        panels: vec![
            Panel {
                x,
                y: "finishes a second",
                curves: vec![
                    curve("measured", "finishes_per_second"),
                    curve("model", "model_finishes_per_second"),
                ],
            },
            Panel {
                x,
                y: "p99, ms",
                curves: vec![curve("measured", "p99_ms"), curve("model", "model_p99_ms")],
            },
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(statuses: &[u16], expected: Option<&str>) {
        let answer = |status: &u16| {
            let body = Vec::new();
            let status = *status;
            (status != 0).then_some(Answer { status, body })
        };
        let answers: Vec<_> = statuses.iter().map(answer).collect();
        let fault = judge(&answers).err().map(|fault| fault.to_string());
        let word = fault.as_deref().and_then(|fault| fault.split(':').next());
        assert_eq!(word, expected, "{statuses:?}");
    }

    #[test]
    fn one_of_several_servers_lets_a_user_in() {
        check(&[401, 200, 401, 401], None);
        check(&[401, 401], Some("lost"));
        check(&[200, 401, 200], Some("double"));
        check(&[200, 503], Some("wrong"));
        check(&[200, 0], Some("lost"));
    }
}
