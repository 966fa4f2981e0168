//! Load that is known in advance: each request is sent once, over a number of connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::pacemaker::Pacemaker;
use crate::fault::{Fault, OrFault as _, Result};
use crate::figures::{Latencies, per_second};
use crate::http::{Answer, Connection, Request};

/// When requests are sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tempo {
    /// As fast as answers come: each connection sends its next request when the last is answered.
    Closed,
    /// One after each such time, whatever became of those before. Latencies are counted from when a
    /// request was due, also when no connection was free then, or this program was late.
    Every(Duration),
}

/// What came of many requests.
#[derive(Debug)]
pub(crate) struct Load {
    /// In the order of the requests; none where no answer came.
    pub(crate) answers: Vec<Option<Answer>>,
    pub(crate) latencies: Latencies,
    pub(crate) elapsed: Duration,
}

impl Load {
    /// How many were answered a second.
    pub(crate) fn throughput(&self) -> f64 {
        per_second(self.latencies.len(), self.elapsed)
    }

    /// What the answers say, for a load of which each must be good.
    pub(crate) fn all<T>(&self, read: impl Fn(&Answer) -> Result<T>) -> Result<Vec<T>> {
        let answers = self.answers.iter();
        answers
            .map(|answer| read(answer.as_ref().or_fault("an answer is missing")?))
            .collect()
    }

    /// What is wrong with the answers, by a judge of each.
    pub(crate) fn faults(&self, judge: impl Fn(Option<&Answer>) -> Result<()>) -> Vec<String> {
        let judged = self.answers.iter().map(|answer| judge(answer.as_ref()));
        let faults = judged.filter_map(Result::err);
        faults.map(|fault| fault.to_string()).collect()
    }
}

/// Sends each request once, over so many connections, within a time.
pub(crate) async fn drive(
    address: SocketAddr,
    connections: usize,
    requests: Vec<Request>,
    tempo: Tempo,
    within: Duration,
) -> Result<Load> {
    drive_all(&[address], connections, requests, tempo, within).await
}

/// The same with several servers, each of which gets an equal part of the connections.
pub(crate) async fn drive_all(
    addresses: &[SocketAddr],
    connections: usize,
    requests: Vec<Request>,
    tempo: Tempo,
    within: Duration,
) -> Result<Load> {
    let mut open = Vec::with_capacity(connections);
    for address in addresses.iter().cycle().take(connections) {
        let connection = Connection::open(*address).await;
        open.push(connection.or_fault("the server cannot be reached")?);
    }
    let count = requests.len();
    let pacemaker = match tempo {
        Tempo::Closed => None,
        Tempo::Every(every) => Some(Pacemaker::start(every, count)?),
    };
    let start = Instant::now();
    let plan = Arc::new(Plan {
        requests,
        next: AtomicUsize::new(0),
        pacemaker,
        deadline: start + within,
    });
    let mut tasks = JoinSet::new();
    for connection in open {
        tasks.spawn(work(connection, Arc::clone(&plan)));
    }
    let mut load = Load {
        answers: vec![None; count],
        latencies: Latencies::default(),
        elapsed: Duration::ZERO,
    };
    while let Some(done) = tasks.join_next().await {
        for (index, answer, latency) in done.or_fault("a connection's task ended")? {
            let place = load.answers.get_mut(index).or_fault("no such request")?;
            *place = Some(answer);
            load.latencies.push(latency);
        }
        load.elapsed = start.elapsed();
    }
    if load.latencies.len() == 0 {
        return Err(Fault::new("no request was answered"));
    }
    Ok(load)
}

/// What all connections do together.
struct Plan {
    requests: Vec<Request>,
    next: AtomicUsize,
    pacemaker: Option<Pacemaker>,
    deadline: Instant,
}

impl Plan {
    /// The next request, when it is due, and when that is.
    async fn next(&self) -> Option<(usize, &Request, Instant)> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        let request = self.requests.get(index)?;
        let due = match &self.pacemaker {
            Some(pacemaker) => pacemaker.turn(index).await.ok()?,
            None => Instant::now(),
        };
        Some((index, request, due))
    }
}

/// Sends what is next until nothing is left, the time is over, or the connection breaks.
async fn work(mut connection: Connection, plan: Arc<Plan>) -> Vec<(usize, Answer, Duration)> {
    let mut done = Vec::new();
    let sending = async {
        while let Some((index, request, due)) = plan.next().await {
            let Ok(answer) = connection.ask(request).await else {
                return;
            };
            done.push((index, answer, due.elapsed()));
        }
    };
    // Those that are left then have no answer.
    let _ = timeout_at(plan.deadline, sending).await;
    done
}
