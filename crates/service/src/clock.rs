//! What time it is.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use vestibule_engine::Timestamp;

/// Two clocks: the one on the wall, which people set, and one that only runs.
pub trait Clock: Send + Sync {
    /// The time that everybody agrees on; may jump.
    fn wall(&self) -> Timestamp;

    /// Time passed since some moment; never jumps, never runs back.
    fn elapsed(&self) -> Duration;
}

/// The clocks of the machine.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// The clocks of the machine, running from now.
    #[expect(clippy::disallowed_methods, reason = "this is where time enters")]
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where time enters")]
    fn wall(&self) -> Timestamp {
        let micros = |since: Duration| i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
        Timestamp::from_micros(match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => micros(after),
            Err(before) => -micros(before.duration()),
        })
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

/// Makes of both clocks one that never runs back: deadlines and waits go by it, so that a clock
/// that is set back revives no token and ends no wait late. Codes go by the wall.
pub(crate) struct TimeKeeper {
    clock: std::sync::Arc<dyn Clock>,
    /// The furthest the wall clock was ever ahead, and what had elapsed then.
    anchor: Mutex<(Timestamp, Duration)>,
}

impl TimeKeeper {
    pub(crate) fn new(clock: std::sync::Arc<dyn Clock>) -> Self {
        let anchor = Mutex::new((clock.wall(), clock.elapsed()));
        Self { clock, anchor }
    }

    pub(crate) fn wall(&self) -> Timestamp {
        self.clock.wall()
    }

    pub(crate) fn now(&self) -> Timestamp {
        let (wall, elapsed) = (self.clock.wall(), self.clock.elapsed());
        let mut anchor = self.anchor.lock().unwrap_or_else(PoisonError::into_inner);
        let steady = anchor.0.after(elapsed.saturating_sub(anchor.1));
        if wall > steady {
            *anchor = (wall, elapsed);
        }
        wall.max(steady)
    }

    /// How far the wall clock is behind; below a second is what reading two clocks costs.
    pub(crate) fn behind(&self) -> Duration {
        let behind = self.now().since(self.wall());
        if behind < Duration::from_secs(1) {
            Duration::ZERO
        } else {
            behind
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    struct Set(Mutex<(i64, u64)>);

    impl Clock for Set {
        fn wall(&self) -> Timestamp {
            Timestamp::from_unix_seconds(self.0.lock().unwrap().0)
        }

        fn elapsed(&self) -> Duration {
            Duration::from_secs(self.0.lock().unwrap().1)
        }
    }

    #[test]
    fn it_never_runs_back_and_says_so() {
        let clock = Arc::new(Set(Mutex::new((10_000, 0))));
        let keeper = TimeKeeper::new(clock.clone());
        let at = |wall, elapsed| {
            *clock.0.lock().unwrap() = (wall, elapsed);
            (keeper.now().unix_seconds(), keeper.behind().as_secs())
        };
        assert_eq!(at(10_010, 10), (10_010, 0));
        assert_eq!(at(6_411, 11), (10_011, 3_600));
        assert_eq!(at(6_420, 20), (10_020, 3_600));
        assert_eq!(at(10_021, 21), (10_021, 0));
        assert_eq!(at(20_000, 22), (20_000, 0));
        assert_eq!(at(10_023, 23), (20_001, 9_978));
    }
}
