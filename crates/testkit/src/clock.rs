//! A clock that stands still until a test moves it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What it shows.
pub use vestibule_engine::Timestamp;
use vestibule_service::Clock;

/// Where every test clock starts: 2026-01-01T00:00:00Z, the first second of a TOTP step.
pub const START: Timestamp = Timestamp::from_unix_seconds(1_767_225_600);

/// What a clock shows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Hands {
    /// The time on the wall.
    pub wall: Timestamp,
    /// The time that passed.
    pub elapsed: Duration,
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct FakeClock(Mutex<Hands>);

impl Default for FakeClock {
    fn default() -> Self {
        Self(Mutex::new(Hands {
            wall: START,
            elapsed: Duration::ZERO,
        }))
    }
}

impl FakeClock {
    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        let Hands { wall, elapsed } = self.hands();
        self.set(Hands {
            wall: wall.after(by),
            elapsed: elapsed.saturating_add(by),
        });
    }

    /// Sets the clock on the wall back, while no time passes.
    pub fn set_back(&self, by: Duration) {
        let hands = self.hands();
        self.set(Hands {
            wall: hands.wall.before(by),
            ..hands
        });
    }

    /// Sets the clock on the wall forward, while no time passes.
    pub fn set_forward(&self, by: Duration) {
        let hands = self.hands();
        self.set(Hands {
            wall: hands.wall.after(by),
            ..hands
        });
    }

    /// What it shows.
    pub fn hands(&self) -> Hands {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets both hands.
    pub fn set(&self, hands: Hands) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = hands;
    }
}

impl Clock for FakeClock {
    fn wall(&self) -> Timestamp {
        self.hands().wall
    }

    fn elapsed(&self) -> Duration {
        self.hands().elapsed
    }
}
