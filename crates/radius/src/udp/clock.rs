//! The client's time: how long it has been there.

use std::time::Duration;

use tokio::time::Instant;

/// A clock that began with the client and never runs back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    origin: Instant,
    speed: u32,
}

impl Clock {
    /// A clock that begins now.
    pub(super) fn new(speed: u32) -> Self {
        Self {
            origin: Instant::now(),
            speed: speed.max(1),
        }
    }

    /// What the time is.
    pub(super) fn now(&self) -> Duration {
        self.origin.elapsed().saturating_mul(self.speed)
    }

    /// When it will be this time.
    pub(super) fn instant(&self, time: Duration) -> Instant {
        let real = time / self.speed;
        // Too far away to matter, if it cannot be said.
        let never = || self.origin + Duration::from_hours(24 * 365);
        self.origin.checked_add(real).unwrap_or_else(never)
    }
}
