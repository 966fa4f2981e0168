//! Threads for work that takes a core for a while.

use std::io;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

/// How far they step back behind all others, as in nice(1).
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// How long an idle one stays. It gives its memory back when it ends.
const KEPT: Duration = Duration::from_secs(1);

/// A few threads that leave the cores to whoever else has something to do. On Linux only: elsewhere
/// it is the process that has a priority, not the thread.
#[derive(Debug)]
pub(super) struct Threads {
    handle: Handle,
    /// Until this is dropped.
    runtime: Option<Runtime>,
}

impl Threads {
    /// As many as these, started when they are needed.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn new(most: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread()
            .max_blocking_threads(most)
            .thread_keep_alive(KEPT)
            .thread_name("hasher")
            .on_thread_start(step_back)
            .build()?;
        Ok(Self {
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
        })
    }

    /// Runs this on one of them.
    pub(super) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        self.handle.spawn_blocking(work)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // To wait for what is under way would block whoever drops this.
            runtime.shutdown_background();
        }
    }
}

fn step_back() {
    #[cfg(target_os = "linux")]
    {
        // No id stands for this thread. Where it is refused, the work is done all the same.
        let _ = rustix::process::nice(NICE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn they_are_behind_all_others() {
        let threads = Threads::new(1).unwrap();
        let nice = || rustix::process::getpriority_process(None).unwrap();
        let ours = nice();
        assert_eq!(threads.run(nice).await.unwrap(), (ours + NICE).min(19));
        assert_eq!(nice(), ours);
    }
}
