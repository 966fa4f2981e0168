//! All of a sign-in, at half the pace that is possible, for as long as one likes: whether anything
//! grows that should not.
//!
//! Tokens live for half a minute here, so that it shows that those that have expired are removed.

mod lines;
mod visits;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, interval};

use super::Outcome;
use super::picture::{Axis, Curve, Panel, Picture, Scale};
use super::record::Record;
use crate::args::Args;
use crate::fault::{OrFault as _, Result};
use crate::figures::per_second;
use crate::http::Connection;
use crate::load::Pacemaker;
use crate::progress;
use crate::site::{Crowd, Database, Postgres, Site, TOTP_PROVIDER};

use visits::Visitors;
use watch::Sample;

/// Failures of many users come from one address here.
const SETTINGS: &str = "
    [tokens]
    partial = \"30s\"
    session = \"30s\"
    [limits]
    sign_in_failures_per_minute = 1000000
    requests_without_token_per_minute = 1000000
";
/// How long a token lives then, and how long one that has expired may lie: servers remove them once a
/// minute.
const LIFE: Duration = Duration::from_secs(30);
const REMOVED_EVERY: Duration = Duration::from_mins(1);

const CONNECTIONS: usize = 64;
/// How long it is tried how many are possible, and as fast as answers come.
const TRIAL: Duration = Duration::from_secs(10);
/// Until tokens have been removed once, everything may still grow.
const WARM_UP: Duration = Duration::from_secs(90);
/// How often the server is looked at, in all and at most.
const LOOKS: u32 = 60;
const SHORTEST_LOOK: Duration = Duration::from_secs(2);
/// What is left has no answer when so much time is over.
const PATIENCE: Duration = Duration::from_mins(1);
/// Nobody comes again before the codes of another step are there.
const AGAIN_AFTER: usize = 35;

/// What the soak was.
struct Soak {
    samples: Vec<Sample>,
    /// A second, at most.
    pace: f64,
    visitors: Arc<Visitors>,
    /// Second factors that the database says were right, since the soak began.
    noted: usize,
}

pub(super) async fn run(args: &Args, postgres: &Postgres) -> Result<Outcome> {
    let users = args.sessions.saturating_mul(2);
    let site = Site::start(&args.server, Database::in_cluster(postgres), SETTINGS).await?;
    site.administrator.require(TOTP_PROVIDER).await?;
    let mut crowd = Crowd::settle(&site.database, users).await?;
    progress(format_args!("enrolling {users} users"));
    // Some at a time, as their sessions end soon.
    crowd.enrol_in_parts(site.server.address(), PART).await?;
    site.database.tidy().await?;
    let before = site.database.count(NOTED).await?;
    let visitors = Arc::new(Visitors::new(site.server.address(), crowd, users));

    let begun = Instant::now();
    visit(&visitors, None, Instant::now() + TRIAL).await?;
    let maximum = per_second(visitors.passed(), begun.elapsed());
    let most = u32::try_from(users / AGAIN_AFTER).or_fault("too many users")?;
    let pace = (maximum / 2.0).min(f64::from(most)).max(1.0);
    progress(format_args!(
        "{maximum:.0} sign-ins a second are possible; {pace:.0} from now on"
    ));
    let samples = watched(&site, &visitors, pace, args.soak).await?;
    let soak = Soak {
        noted: site.database.count(NOTED).await?.saturating_sub(before),
        samples,
        pace,
        visitors,
    };
    let record = watch::record(&soak.samples);
    Ok(Outcome {
        lines: lines::lines(&soak)?,
        picture: Some(picture(&record)),
        record,
    })
}

/// Users who enrol together.
const PART: usize = 1_000;

/// Second factors that were right, as the audit trail has them.
const NOTED: &str = "
    SELECT count(*) FROM audit_events WHERE event = 'secondFactor' AND outcome = 'success';";

/// Users come at a pace, or as fast as answers come, on all connections, until the turns or the time
/// are over.
async fn visit(
    visitors: &Arc<Visitors>,
    pacemaker: Option<Arc<Pacemaker>>,
    until: Instant,
) -> Result<()> {
    let mut tasks = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let connection = Connection::open(visitors.address()).await;
        let connection = connection.or_fault("the server cannot be reached")?;
        let visitors = Arc::clone(visitors);
        let pacemaker = pacemaker.clone();
        tasks.spawn(async move { visitors.come(connection, pacemaker.as_deref(), until).await });
    }
    while let Some(done) = tasks.join_next().await {
        done.or_fault("a visitor's task ended")??;
    }
    Ok(())
}

/// The soak itself, and what the server looks like meanwhile.
async fn watched(
    site: &Site<'_>,
    visitors: &Arc<Visitors>,
    pace: f64,
    time: Duration,
) -> Result<Vec<Sample>> {
    let all = WARM_UP + time;
    let every = Duration::from_secs_f64(1.0 / pace);
    let turns = all.as_nanos() / every.as_nanos().max(1);
    let turns = usize::try_from(turns).or_fault("too many turns")?;
    visitors.begin(turns);
    let pacemaker = Arc::new(Pacemaker::start(every, turns)?);
    let start = Instant::now();
    let visiting = {
        let visitors = Arc::clone(visitors);
        async move { visit(&visitors, Some(pacemaker), start + all + PATIENCE).await }
    };
    let mut visiting = tokio::spawn(visiting);
    let mut looks = interval((all / LOOKS).max(SHORTEST_LOOK));
    // The first one is at once, when nothing has happened.
    looks.tick().await;
    let mut samples = Vec::new();
    loop {
        tokio::select! {
            biased;
            done = &mut visiting => {
                done.or_fault("the visitors' task ended")??;
                return Ok(samples);
            }
            _ = looks.tick() => {
                let sample = Sample::take(site, visitors, start.elapsed()).await?;
                let (minutes, memory) = (sample.seconds / 60.0, sample.resident >> 20);
                progress(format_args!("{minutes:.1} minutes: {memory} MiB"));
                samples.push(sample);
            }
        }
    }
}

fn picture(record: &Record) -> Picture {
    let x = Axis {
        name: "minutes",
        scale: Scale::Even,
    };
    let curve = |name, column| Curve {
        name,
        points: record.points("minutes", column),
    };
    Picture {
        title: "Sign-ins at half the pace that is possible, over time".to_owned(),
        panels: vec![
            Panel {
                x,
                y: "resident memory, MiB",
                curves: vec![curve("resident", "resident_mib")],
            },
            Panel {
                x,
                y: "a whole sign-in, ms",
                curves: vec![curve("p99", "p99_ms"), curve("p50", "p50_ms")],
            },
            Panel {
                x,
                y: "open in the server",
                curves: vec![
                    curve("files and sockets", "files"),
                    curve("threads", "threads"),
                ],
            },
            Panel {
                x,
                y: "rows",
                curves: vec![curve("tokens", "token_rows")],
            },
        ],
    }
}
