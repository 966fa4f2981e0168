//! P7: what a server computes for each enrolment: a new seed and its barcode.

use std::collections::HashSet;
use std::time::Duration;

use vestibule_wire::InitializeOtpResponse;

use crate::args::Args;
use crate::fault::{Fault, OrFault as _, Result};
use crate::figures::{Latencies, Spread, milliseconds};
use crate::http::Answer;
use crate::load::{Load, Tempo, drive};
use crate::progress;
use crate::report::{Line, Target, Value};
use crate::rows::Row;
use crate::site::{Crowd, Database, Postgres, Session, Site, TOTP_PROVIDER};

/// Enrolments of a round, at most: some seconds of work, which is told in hundredths of one.
const MOST: usize = 4_000;
/// Connections, each with one request at a time.
const CONNECTIONS: usize = 16;
/// How long a round may take.
const PATIENCE: Duration = Duration::from_mins(2);
/// Milliseconds of a core for each.
const TARGET: f64 = 1.0;

/// Measures the row. Nobody keeps the seeds: the next round's sessions are shown others.
pub(crate) async fn run(args: &Args, postgres: &Postgres) -> Result<Line> {
    let site = Site::start(&args.server, Database::in_cluster(postgres), "").await?;
    let crowd = Crowd::settle(&site.database, args.sessions.min(MOST)).await?;
    site.administrator.require(TOTP_PROVIDER).await?;
    let address = site.server.address();
    let (mut costs, mut latencies, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=args.rounds {
        let sessions = crowd.sign_in(address).await?;
        let requests = sessions.iter().map(Session::initialize);
        let requests = requests.collect::<Result<_>>()?;
        let before = site.server.cpu()?;
        let load = drive(address, CONNECTIONS, requests, Tempo::Closed, PATIENCE).await?;
        let spent = site.server.cpu()?.saturating_sub(before);
        let count = u32::try_from(sessions.len()).or_fault("too many enrolments")?;
        let each = milliseconds(spent) / f64::from(count.max(1));
        progress(format_args!(
            "round {round}: {each:.2} ms for each enrolment"
        ));
        costs.push(each);
        faults.extend(wrong(&load));
        latencies.push(load.latencies);
    }
    let latencies = Latencies::all(&latencies);
    let costs = Spread::of(costs).or_fault("there was no round")?;
    let title = "CPU of the server for each enrolment";
    let (value, target) = (Value::Milliseconds(costs), Target::Milliseconds(TARGET));
    Ok(Line {
        p50: latencies.percentile(50),
        p99: latencies.percentile(99),
        faults,
        ..Line::alone(Row::P7, title, value, target)
    })
}

/// What is wrong with the answers: each must show a seed of its own, also as a picture.
fn wrong(load: &Load) -> Vec<String> {
    let mut faults = load.faults(|answer| shown(answer).map(drop));
    let mut seeds = HashSet::new();
    let shown = load
        .answers
        .iter()
        .filter_map(|answer| shown(answer.as_ref()).ok());
    let twice = shown.filter(|seed| !seeds.insert(seed.clone())).count();
    if twice > 0 {
        faults.push(format!("double: {twice} seeds were shown before"));
    }
    faults
}

/// The seed that an answer shows.
fn shown(answer: Option<&Answer>) -> Result<String> {
    /// The first octets of every JPEG, in base64.
    const JPEG: &str = "/9j/";
    match answer.or_fault("lost: no answer came")?.read()? {
        InitializeOtpResponse::Secret {
            secret,
            otp_auth_url,
            barcode,
            ..
        } => {
            let seed = secret.expose();
            if !otp_auth_url.expose().contains(seed) || !barcode.expose().starts_with(JPEG) {
                return Err(Fault::new("wrong: a seed is shown without its barcode"));
            }
            Ok(seed.to_owned())
        }
        InitializeOtpResponse::AlreadySeeded { .. }
        | InitializeOtpResponse::Challenge { .. }
        | InitializeOtpResponse::Push { .. } => Err(Fault::new("wrong: a user is shown no seed")),
    }
}
