//! Instants and the arithmetic on them that cannot overflow.

use std::time::Duration;

/// An instant: microseconds since the Unix epoch, as fine as the wire shows it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(i64);

impl Timestamp {
    /// What RFC 3339 can write in every time zone: from the year 1 to two days before the end of 9999.
    const RANGE: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_207_199_999_999;

    /// The instant `micros` microseconds after the Unix epoch, moved into the range that there is.
    pub const fn from_micros(micros: i64) -> Self {
        let (first, last) = (*Self::RANGE.start(), *Self::RANGE.end());
        Self(if micros < first {
            first
        } else if micros > last {
            last
        } else {
            micros
        })
    }

    /// The instant `seconds` after the Unix epoch.
    pub const fn from_unix_seconds(seconds: i64) -> Self {
        Self::from_micros(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds since the Unix epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch; 0 for all that came before, as RFC 6238 knows no time
    /// before T0.
    pub const fn unix_seconds(self) -> u64 {
        if self.0 < 0 {
            0
        } else {
            self.0.unsigned_abs() / 1_000_000
        }
    }

    /// This instant moved forward, at most to the last that there is.
    pub fn after(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_add(micros))
    }

    /// This instant moved back, at most to the beginning of the year 1.
    pub fn before(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_sub(micros))
    }

    /// How long after `earlier` this is; zero when it is not after.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}
