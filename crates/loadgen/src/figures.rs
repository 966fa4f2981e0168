//! Figures out of many measurements.

use std::time::Duration;

use serde_json::{Value, json};

/// How long things took.
#[derive(Debug, Default)]
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    pub(crate) fn push(&mut self, latency: Duration) {
        self.0.push(latency);
    }

    /// Those of several measurements.
    pub(crate) fn all<'a>(several: impl IntoIterator<Item = &'a Self>) -> Self {
        let several = several.into_iter();
        Self(several.flat_map(|one| one.0.iter().copied()).collect())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// What so many percent of them did not exceed; none of none.
    pub(crate) fn percentile(&self, percent: usize) -> Option<Duration> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100);
        sorted.get(rank.saturating_sub(1)).copied()
    }
}

/// The same figure in several rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// Of at least one figure.
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = figures.into_iter().collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let upper = *sorted.get(sorted.len() / 2)?;
        let lower = *sorted.get((sorted.len() - 1) / 2)?;
        Some(Self {
            median: f64::midpoint(lower, upper),
            min,
            max,
        })
    }

    pub(crate) fn json(self) -> Value {
        json!({ "median": self.median, "min": self.min, "max": self.max })
    }
}

/// How many there were a second.
pub(crate) fn per_second(count: usize, elapsed: Duration) -> f64 {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    f64::from(count) / elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
}

/// A duration in milliseconds, for people.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_percentile(milliseconds: &[u64], percent: usize, expected: Option<u64>) {
        let latencies = milliseconds.iter().copied().map(Duration::from_millis);
        let latencies = Latencies(latencies.collect());
        let expected = expected.map(Duration::from_millis);
        assert_eq!(latencies.percentile(percent), expected);
    }

    #[test]
    fn percentiles() {
        check_percentile(&[], 50, None);
        check_percentile(&[7], 99, Some(7));
        check_percentile(&[3, 1, 2], 50, Some(2));
        check_percentile(&[4, 3, 1, 2], 50, Some(2));
        let hundred: Vec<u64> = (1..=100).rev().collect();
        check_percentile(&hundred, 99, Some(99));
        check_percentile(&hundred, 100, Some(100));
    }

    #[track_caller]
    fn check_spread(figures: &[f64], median: f64, min: f64, max: f64) {
        let expected = Spread { median, min, max };
        assert_eq!(Spread::of(figures.iter().copied()), Some(expected));
    }

    #[test]
    fn spreads() {
        assert_eq!(Spread::of([]), None);
        check_spread(&[2.0], 2.0, 2.0, 2.0);
        check_spread(&[3.0, 1.0, 2.5], 2.5, 1.0, 3.0);
        check_spread(&[3.0, 1.0], 2.0, 1.0, 3.0);
    }
}
