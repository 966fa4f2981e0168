//! Threads for work that takes a core for a while.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use tokio::sync::oneshot;

/// How far they step back behind all others, as in nice(1).
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// How long an idle one stays. It gives its memory back when it ends.
const KEPT: Duration = Duration::from_secs(1);

/// Threads that leave the cores to whoever else has something to do. On Linux only: elsewhere it is
/// the process that has a priority, not the thread. Each has tools of its own while it lives.
pub(super) struct Threads<T>(Arc<Shared<T>>);

struct Shared<T> {
    state: Mutex<State<T>>,
    /// Rung when there is work.
    bell: Condvar,
}

struct State<T> {
    /// At most as many as there are idle threads.
    work: VecDeque<Work<T>>,
    idle: usize,
}

/// Yields what is held until the thread is idle again.
type Work<T> = Box<dyn FnOnce(&mut T) -> Held + Send>;

type Held = Box<dyn Send>;

impl<T> Clone for Threads<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Threads<T> {
    fn default() -> Self {
        let state = State {
            work: VecDeque::new(),
            idle: 0,
        };
        Self(Arc::new(Shared {
            state: Mutex::new(state),
            bell: Condvar::new(),
        }))
    }
}

impl<T> fmt::Debug for Threads<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Threads").finish_non_exhaustive()
    }
}

impl<T: Default + 'static> Threads<T> {
    /// Runs this at once, on an idle one or else a new one. What is held is dropped when the thread
    /// can take the next. The receiver hears of nothing when the work panics.
    ///
    /// # Errors
    /// When the system refuses a thread; the work is dropped then.
    pub(super) fn run<O: Send + 'static>(
        &self,
        held: impl Send + 'static,
        work: impl FnOnce(&mut T) -> O + Send + 'static,
    ) -> io::Result<oneshot::Receiver<O>> {
        let (done, outcome) = oneshot::channel();
        let work: Work<T> = Box::new(move |tools| {
            let held = Box::new(held);
            // Who has stopped waiting does not hear of it.
            let _ = done.send(work(tools));
            held
        });
        let mut state = self.state();
        if state.idle > state.work.len() {
            state.work.push_back(work);
            self.0.bell.notify_one();
            return Ok(outcome);
        }
        drop(state);
        let threads = self.clone();
        let thread = Builder::new().name("hasher".to_owned());
        thread.spawn(move || {
            step_back();
            threads.work_on(work);
        })?;
        Ok(outcome)
    }

    /// Does what comes, until nothing has come for a while.
    fn work_on(&self, first: Work<T>) {
        let mut tools = T::default();
        let mut next = Some(first);
        while let Some(work) = next {
            let held = work(&mut tools);
            self.state().idle += 1;
            drop(held);
            let waited = self
                .0
                .bell
                .wait_timeout_while(self.state(), KEPT, |state| state.work.is_empty());
            let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
            next = state.work.pop_front();
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn step_back() {
    #[cfg(target_os = "linux")]
    {
        // Where it is refused, the work is done all the same.
        let _ = rustix::process::nice(NICE);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread::{ThreadId, current};

    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn they_are_behind_all_others() {
        let nice = || rustix::process::getpriority_process(None).unwrap();
        let ours = nice();
        let theirs = Threads::<()>::default()
            .run((), move |()| nice())
            .unwrap()
            .await;
        assert_eq!(theirs, Ok((ours + NICE).min(19)));
        assert_eq!(nice(), ours);
    }

    /// Two at once, each of which ends only when the other one has begun.
    async fn two_at_once(threads: &Threads<()>) -> [ThreadId; 2] {
        let (first, from_first) = mpsc::channel();
        let (second, from_second) = mpsc::channel();
        let meet = |mine: mpsc::Sender<()>, other: mpsc::Receiver<()>| {
            move |(): &mut ()| {
                mine.send(()).unwrap();
                other.recv().unwrap();
                current().id()
            }
        };
        let one = threads.run((), meet(first, from_second)).unwrap();
        let other = threads.run((), meet(second, from_first)).unwrap();
        [one.await.unwrap(), other.await.unwrap()]
    }

    #[tokio::test]
    async fn nobody_waits_for_another() {
        let threads = Threads::default();
        for _ in 0..100 {
            let [one, other] = two_at_once(&threads).await;
            assert_ne!(one, other);
        }
    }

    #[tokio::test]
    async fn a_panic_is_the_end_of_one_alone() {
        let threads = Threads::default();
        let panicked = threads.run((), |()| assert_eq!(1, 2)).unwrap();
        assert!(panicked.await.is_err());
        assert_eq!(threads.run((), |()| 7).unwrap().await, Ok(7));
    }
}
