//! The end: the first signal asks to finish, the second does not ask.

use std::io;
use std::time::Duration;

use axum_server::{Address, Handle};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;
use tracing::{info, warn};
use vestibule_http::Readiness;

use crate::exit::Exit;

/// How long requests under way may take to finish.
const GRACE: Duration = Duration::from_secs(15);

/// The signals that ask a program to end. From here on they do not end it by themselves.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for a signal.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Waits for the first signal and has the server finish, while `stopping` ends what it waits
    /// for; the second signal ends the program. If there is a delay, requests are taken for as long
    /// before that, while balancers learn that no more are wanted.
    pub(super) async fn stop<A: Address>(
        mut self,
        delay: Option<Duration>,
        readiness: Readiness,
        server: Handle<A>,
        stopping: impl Future<Output = ()>,
    ) {
        self.next().await;
        readiness.stop();
        if let Some(delay) = delay {
            let seconds = delay.as_secs();
            info!(seconds, "Stopping soon: no more requests are wanted");
            if timeout(delay, self.next()).await.is_ok() {
                end_at_once();
            }
        }
        info!(
            connections = server.connection_count(),
            "Stopping: requests under way may finish"
        );
        server.graceful_shutdown(Some(GRACE));
        let second = self.next();
        tokio::pin!(second);
        tokio::select! {
            biased;
            () = &mut second => {}
            () = stopping => second.await,
        }
        end_at_once();
    }
}

fn end_at_once() -> ! {
    warn!("Stopped by a second signal: requests under way are lost");
    std::process::exit(Exit::Failure.code().into());
}
