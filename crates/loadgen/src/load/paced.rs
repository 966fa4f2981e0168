//! Load at a pace of its own, however slow the answers are: what others feel.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, interval, timeout};

use crate::fault::{OrFault as _, Result};
use crate::figures::Latencies;
use crate::http::{Connection, Request};

/// How long a single request may take at all.
const PATIENCE: Duration = Duration::from_secs(30);

/// Requests that are sent in turn.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    pub(crate) requests: Vec<Request>,
    /// From one request to the next.
    pub(crate) every: Duration,
}

/// What came of them.
#[derive(Debug, Default)]
pub(crate) struct Paced {
    /// Of those that were answered well, for each of the requests.
    pub(crate) latencies: Vec<Latencies>,
    /// What the others came to.
    pub(crate) faults: Vec<String>,
}

/// One that was answered, and the connection for the next.
struct Done {
    which: usize,
    latency: Duration,
    connection: Connection,
}

/// Sends requests at their pace until told to stop. Latencies are counted from when a request was
/// due, also when this program was late.
pub(crate) async fn paced(
    address: SocketAddr,
    pace: Pace,
    mut stop: oneshot::Receiver<()>,
) -> Result<Paced> {
    let mut paced = Paced::default();
    let count = pace.requests.len();
    paced.latencies.resize_with(count, Latencies::default);
    let mut idle = VecDeque::new();
    let mut tasks: JoinSet<Result<Done>> = JoinSet::new();
    let mut turns = interval(pace.every);
    let mut turn = 0;
    loop {
        tokio::select! {
            biased;
            _ = &mut stop => break,
            Some(done) = tasks.join_next() => idle.extend(paced.note(done)?),
            due = turns.tick() => {
                let which = turn % count.max(1);
                turn += 1;
                let request = pace.requests.get(which).or_fault("there is no request")?;
                let connection = idle.pop_front();
                tasks.spawn(send(address, connection, request.clone(), which, due));
            }
        }
    }
    while let Some(done) = tasks.join_next().await {
        paced.note(done)?;
    }
    Ok(paced)
}

async fn send(
    address: SocketAddr,
    connection: Option<Connection>,
    request: Request,
    which: usize,
    due: Instant,
) -> Result<Done> {
    let asking = async {
        let mut connection = match connection {
            Some(connection) => connection,
            None => Connection::open(address).await?,
        };
        let answer = connection.ask(&request).await?;
        Ok::<_, std::io::Error>((connection, answer))
    };
    let asked = timeout(PATIENCE, asking).await;
    let asked = asked.or_fault("another request is not answered")?;
    let (connection, answer) = asked.or_fault("another request")?;
    let latency = due.elapsed();
    answer.read::<serde_json::Value>()?;
    Ok(Done {
        which,
        latency,
        connection,
    })
}

impl Paced {
    /// Writes down what came of one; the connection for the next.
    fn note(
        &mut self,
        done: std::result::Result<Result<Done>, JoinError>,
    ) -> Result<Option<Connection>> {
        match done.or_fault("a request's task ended")? {
            Ok(done) => {
                if let Some(latencies) = self.latencies.get_mut(done.which) {
                    latencies.push(done.latency);
                }
                Ok(Some(done.connection))
            }
            Err(fault) => {
                self.faults.push(format!("of others: {fault}"));
                Ok(None)
            }
        }
    }
}
