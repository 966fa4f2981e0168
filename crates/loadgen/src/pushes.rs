//! P5: many pushes that are pending at once, and what others notice of them.
//!
//! The users arrive over ten seconds, each on a connection of their own, and nobody taps before
//! twenty are over, so that all pushes are pending at once. Whoever hears of them is a simulator in
//! this process, which loses one datagram in twenty, both ways.

mod lines;
mod meanwhile;
mod phones;

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, timeout};

pub(crate) use lines::MOST_MEMORY;

use lines::lines;
use meanwhile::Watch;
use phones::Phones;

use crate::args::Args;
use crate::fault::{OrFault as _, Result};
use crate::figures::Latencies;
use crate::http::{Answer, Connection, Request};
use crate::load::Paced;
use crate::machine::allow_open_files;
use crate::progress;
use crate::report::Line;
use crate::site::{Crowd, Database, Memory, Postgres, Session, Site, faults};

/// Over how long the users arrive.
const ARRIVALS: Duration = Duration::from_secs(10);
/// For how long others are looked at while nothing else happens.
const IDLE: Duration = Duration::from_secs(15);
/// How long a push may take, in seconds: what a provider is told.
const TIMEOUT: u32 = 90;
/// How long all of them may take.
const PATIENCE: Duration = Duration::from_mins(3);
/// Connections and files beside those of the users.
const OTHERS: usize = 1_000;

/// What one round gave.
struct Round {
    latencies: Latencies,
    passed: usize,
    rang_once: usize,
    faults: Vec<String>,
    /// Before the first push of the round.
    memory: Memory,
    peak: Memory,
    /// Resident memory over the number of pushes that were pending then, before the first tap.
    seen: Vec<(usize, u64)>,
    idle: Paced,
    meanwhile: Paced,
}

/// A server and its users, whose phones ring.
struct Stage<'a> {
    site: Site<'a>,
    crowd: Crowd,
    phones: Phones,
    users: usize,
}

/// Measures the row, in rounds over the same server.
pub(crate) async fn run(args: &Args, postgres: &Postgres) -> Result<Vec<Line>> {
    let stage = Stage::prepare(args, postgres).await?;
    let users = stage.users;
    let mut rounds: Vec<Round> = Vec::new();
    for n in 1..=args.rounds {
        let round = round(&stage).await?;
        let (passed, resident) = (round.passed, round.peak.resident);
        progress(format_args!(
            "round {n}: {passed} of {users} pushes passed, {} MiB at the peak",
            resident >> 20
        ));
        rounds.push(round);
    }
    lines(&rounds, users)
}

/// What was seen while pushes became more.
pub(crate) struct Rise {
    pub(crate) users: usize,
    pub(crate) passed: usize,
    /// Before the first one.
    pub(crate) idle: u64,
    /// Resident memory over the number of those that were pending then.
    pub(crate) seen: Vec<(usize, u64)>,
    pub(crate) latencies: Latencies,
    pub(crate) faults: Vec<String>,
}

/// One round, of which memory is looked at while pushes become more.
pub(crate) async fn rise(args: &Args, postgres: &Postgres) -> Result<Rise> {
    let stage = Stage::prepare(args, postgres).await?;
    let round = round(&stage).await?;
    Ok(Rise {
        users: stage.users,
        passed: round.passed,
        idle: round.memory.resident,
        seen: round.seen,
        latencies: round.latencies,
        faults: round.faults,
    })
}

impl<'a> Stage<'a> {
    async fn prepare(args: &Args, postgres: &'a Postgres) -> Result<Self> {
        let users = (args.sessions / 2).max(1);
        allow_open_files(users + OTHERS)?;
        let settings = format!("[limits]\nconnections = {}\n", users + OTHERS);
        let site = Site::start(&args.server, Database::in_cluster(postgres), &settings).await?;
        let crowd = Crowd::settle(&site.database, users + 1).await?;
        let phones = Phones::start();
        let provider = json!({
            "name": "Pushes",
            "type": "Radius",
            "hostnames": [phones.address().ip().to_string()],
            "port": phones.address().port(),
            "sharedSecret": phones::SECRET,
            "challengeSharedSecret": phones::CHALLENGE,
            "authenticationProtocol": "PAP",
            "mode": "Push",
            "timeout": TIMEOUT,
        });
        let provider = site.administrator.add_provider(&provider).await?;
        site.administrator.require(&provider).await?;
        Ok(Self {
            site,
            crowd,
            phones,
            users,
        })
    }
}

async fn round(stage: &Stage<'_>) -> Result<Round> {
    let Stage {
        site,
        crowd,
        phones,
        ..
    } = stage;
    let address = site.server.address();
    let mut sessions = crowd.sign_in(address).await?;
    // The one who only ever begins.
    let other = sessions.pop().or_fault("there is nobody else")?;
    let others = Watch::start(address, &other)?;
    let idle = others.for_a_while(IDLE).await?;
    let memory = site.server.memory()?;

    phones.forget();
    let others = Watch::start(address, &other)?;
    let waiting = tokio::spawn(arrive(address, finishes(&sessions)?));
    let (answers, peak, seen) = watch_memory(stage, waiting).await?;
    let meanwhile = others.stop().await?;

    let mut latencies = Latencies::default();
    let mut received = vec![None; sessions.len()];
    for (index, answer, latency) in answers {
        latencies.push(latency);
        if let Some(place) = received.get_mut(index) {
            *place = Some(answer);
        }
    }
    let mut faults = faults(&sessions, &received);
    let passed = sessions.len().saturating_sub(faults.len());
    let names: Vec<_> = sessions.into_iter().map(|session| session.user).collect();
    faults.extend(phones.faults(&names));
    Ok(Round {
        latencies,
        passed,
        rang_once: phones.rang_once(&names),
        faults,
        memory,
        peak,
        seen,
        idle,
        meanwhile,
    })
}

fn finishes(sessions: &[Session]) -> Result<Vec<Request>> {
    let requests = sessions.iter().map(|session| session.finish("push"));
    requests.collect()
}

type Answered = (usize, Answer, Duration);

/// Lets users come one after the other, each on a connection of their own; all answers that came.
async fn arrive(address: SocketAddr, requests: Vec<Request>) -> Result<Vec<Answered>> {
    let count = u32::try_from(requests.len()).or_fault("too many users")?;
    let mut turns = interval(ARRIVALS / count.max(1));
    let mut users = JoinSet::new();
    let mut answers = Vec::with_capacity(requests.len());
    for (index, request) in requests.into_iter().enumerate() {
        turns.tick().await;
        users.spawn(async move {
            let start = Instant::now();
            let mut connection = Connection::open(address).await.ok()?;
            let answer = connection.ask(&request).await.ok()?;
            Some((index, answer, start.elapsed()))
        });
    }
    let all = async {
        while let Some(user) = users.join_next().await {
            answers.extend(user.or_fault("a user's task ended")?);
        }
        Ok(())
    };
    // Those that are left then have no answer.
    timeout(PATIENCE, all).await.unwrap_or(Ok(()))?;
    Ok(answers)
}

/// What came of a task, the most memory that the server had meanwhile, and how much it had of how
/// many pending pushes.
async fn watch_memory<T>(
    stage: &Stage<'_>,
    mut task: tokio::task::JoinHandle<Result<T>>,
) -> Result<(T, Memory, Vec<(usize, u64)>)> {
    let Stage { site, phones, .. } = stage;
    let mut seen = Vec::new();
    let mut looks = interval(Duration::from_millis(200));
    let mut peak = Memory::default();
    let mut in_full = Instant::now() + ARRIVALS;
    loop {
        tokio::select! {
            done = &mut task => return Ok((done.or_fault("a task ended")??, peak, seen)),
            now = looks.tick() => {
                let resident = site.server.resident()?;
                peak.resident = peak.resident.max(resident);
                seen.extend(phones.pending().map(|pending| (pending, resident)));
                // Rarely, for what it costs: when all have come, and every ten seconds from then.
                if now >= in_full {
                    in_full = now + ARRIVALS;
                    let memory = site.server.memory()?;
                    peak.proportional = peak.proportional.max(memory.proportional);
                }
            }
        }
    }
}
