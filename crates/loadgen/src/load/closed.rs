//! Load as fast as answers come: each connection sends its next request when the last is answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::fault::{Fault, OrFault as _, Result};
use crate::figures::{Latencies, per_second};
use crate::http::{Answer, Connection, Request};

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
}

/// Sends each request once, over so many connections, within a time.
pub(crate) async fn drive(
    address: SocketAddr,
    connections: usize,
    requests: Vec<Request>,
    within: Duration,
) -> Result<Load> {
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        let connection = Connection::open(address).await;
        open.push(connection.or_fault("the server cannot be reached")?);
    }
    let (requests, next) = (Arc::new(requests), Arc::new(AtomicUsize::new(0)));
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for connection in open {
        tasks.spawn(work(
            connection,
            Arc::clone(&requests),
            Arc::clone(&next),
            start + within,
        ));
    }
    let mut load = Load {
        answers: vec![None; requests.len()],
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

/// Sends what is next until nothing is left, the time is over, or the connection breaks.
async fn work(
    mut connection: Connection,
    requests: Arc<Vec<Request>>,
    next: Arc<AtomicUsize>,
    deadline: Instant,
) -> Vec<(usize, Answer, Duration)> {
    let mut done = Vec::new();
    let sending = async {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(request) = requests.get(index) else {
                return;
            };
            let start = Instant::now();
            let Ok(answer) = connection.ask(request).await else {
                return;
            };
            done.push((index, answer, start.elapsed()));
        }
    };
    // Those that are left then have no answer.
    let _ = timeout_at(deadline, sending).await;
    done
}
