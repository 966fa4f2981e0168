//! How fast datagrams leave for an endpoint: buffers on the way hold some hundreds.

use std::time::Duration;

/// A token bucket: 10,000 datagrams a second, 200 of them at once.
#[derive(Clone, Debug, Default)]
pub struct Pacing {
    /// When the bucket would be full again. In the past: it is.
    full_at: Duration,
}

impl Pacing {
    /// Datagrams a second, in the long run.
    pub const RATE: u32 = 10_000;
    /// Datagrams at once.
    pub const BURST: u32 = 200;
    /// What one datagram costs.
    const COST: Duration = Duration::from_nanos(1_000_000_000 / Self::RATE as u64);
    /// What the bucket holds.
    const FULL: Duration = Duration::from_millis(20);

    /// A full bucket.
    pub const fn new() -> Self {
        Self {
            full_at: Duration::ZERO,
        }
    }

    /// Takes a token, and tells when the datagram may leave: now, or when it is there.
    ///
    /// Whoever asks first may send first. A datagram that is not sent after all has cost its token.
    pub fn reserve(&mut self, now: Duration) -> Duration {
        self.full_at = self.full_at.max(now).saturating_add(Self::COST);
        self.full_at.saturating_sub(Self::FULL).max(now)
    }

    /// Takes a token if there is one now; otherwise tells when there will be, and takes none.
    ///
    /// # Errors
    ///
    /// The time at which to ask again.
    pub fn take(&mut self, now: Duration) -> Result<(), Duration> {
        let mut after = self.clone();
        let at = after.reserve(now);
        if at > now {
            return Err(at);
        }
        *self = after;
        Ok(())
    }
}
