//! Turns that come at a pace of their own.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::fault::{OrFault as _, Result};

/// Gives turns, one after the other, until it is dropped.
///
/// A thread of its own waits for each, since timers of the runtime go by whole milliseconds: that
/// would be as much as what is measured.
pub(crate) struct Pacemaker {
    start: Instant,
    every: Duration,
    turns: Arc<Semaphore>,
    /// Closed, it ends the thread.
    _stop: Sender<()>,
}

impl Pacemaker {
    /// Gives so many turns, the first one now.
    pub(crate) fn start(every: Duration, count: usize) -> Result<Self> {
        let count = u32::try_from(count).or_fault("too many turns")?;
        let (stop, stopped) = channel::<()>();
        let turns = Arc::new(Semaphore::new(0));
        let start = Instant::now();
        let given = Arc::clone(&turns);
        thread::spawn(move || {
            for turn in 0..count {
                let due = start + every * turn;
                let early = due.saturating_duration_since(Instant::now());
                match stopped.recv_timeout(early) {
                    Err(RecvTimeoutError::Timeout) => given.add_permits(1),
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        });
        Ok(Self {
            start,
            every,
            turns,
            _stop: stop,
        })
    }

    /// Waits for the turn with this number; when it was due.
    pub(crate) async fn turn(&self, number: usize) -> Result<Instant> {
        let turn = self.turns.acquire().await.or_fault("there are no turns")?;
        turn.forget();
        let number = u32::try_from(number).or_fault("too many turns")?;
        Ok(self.start + self.every * number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turns_come_when_they_are_due_and_not_before() {
        let every = Duration::from_millis(2);
        let pacemaker = Pacemaker::start(every, 10).unwrap();
        for number in 0..10 {
            let due = pacemaker.turn(number).await.unwrap();
            assert!(due <= Instant::now(), "{number}");
            assert_eq!(
                due - pacemaker.start,
                every * u32::try_from(number).unwrap()
            );
        }
    }
}
