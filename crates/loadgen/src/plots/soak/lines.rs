//! Whether a soak was flat: its last quarter against its first.

use std::time::Duration;

use super::watch::{Sample, count};
use super::{LIFE, REMOVED_EVERY, Soak, WARM_UP};
use crate::fault::{OrFault as _, Result};
use crate::figures::Spread;
use crate::plots::Run;
use crate::report::{Line, Side, Target, Value};

/// Times as much memory at the end as in the beginning.
const MEMORY: f64 = 1.05;
/// Times as long.
const P99: f64 = 2.0;
/// Times as many open files.
const OPEN: f64 = 1.0;
/// Times as many threads: those that compute come when there is much to do, and go ten seconds after
/// it is done.
const THREADS: f64 = 2.0;
/// A removal takes a moment too.
const REMOVAL: Duration = Duration::from_secs(10);

pub(super) fn lines(soak: &Soak) -> Result<Vec<Line>> {
    let (first, last) = quarters(&soak.samples).or_fault("the soak was too short")?;
    let pair = |of: fn(&[Sample]) -> Option<f64>| {
        let missing = "nothing was seen";
        Ok::<_, crate::fault::Fault>((of(first).or_fault(missing)?, of(last).or_fault(missing)?))
    };
    Ok(vec![
        visits(soak),
        line(
            "resident memory, last quarter",
            pair(|quarter| middle(quarter, |sample| octets(sample.resident)))?,
            |figure| Value::Octets(whole(figure)),
            MEMORY,
        ),
        line(
            "p99 of a sign-in, last quarter",
            pair(|quarter| middle(quarter, |sample| sample.p99))?,
            |figure| {
                Value::Milliseconds(Spread {
                    median: figure,
                    min: figure,
                    max: figure,
                })
            },
            P99,
        ),
        line(
            "open files and sockets, last quarter",
            pair(|quarter| most(quarter, |sample| count(sample.files)))?,
            Value::Count,
            OPEN,
        ),
        line(
            "threads, last quarter",
            pair(|quarter| most(quarter, |sample| count(sample.threads)))?,
            Value::Count,
            THREADS,
        ),
        tokens(soak)?,
    ])
}

/// What was seen in the first and the last quarter of the time after the warm-up.
fn quarters(samples: &[Sample]) -> Option<(&[Sample], &[Sample])> {
    let is_warm = |sample: &Sample| sample.seconds > WARM_UP.as_secs_f64();
    let warm = samples.get(samples.iter().position(is_warm)?..)?;
    let quarter = (warm.len() / 4).max(1);
    Some((warm.get(..quarter)?, warm.get(warm.len() - quarter..)?))
}

fn visits(soak: &Soak) -> Line {
    let passed = soak.visitors.passed();
    let mut faults = soak.visitors.faults();
    let noted = soak.noted;
    if noted != passed {
        let fault = format!("{noted} right second factors were noted for {passed} answers");
        faults.push(fault);
    }
    let came = passed + soak.visitors.faults().len();
    let title = format!("sign-ins at {:.0} a second that passed", soak.pace);
    let value = Value::Of(passed, came);
    let latency = |of: fn(&Sample) -> f64| {
        let milliseconds = middle(&soak.samples, of)?;
        Duration::try_from_secs_f64(milliseconds / 1e3).ok()
    };
    Line {
        p50: latency(|sample| sample.p50),
        p99: latency(|sample| sample.p99),
        faults,
        ..Line::of(Run::Soak.name(), title, value, Target::All)
    }
}

/// No more rows of tokens than were made while one lives and is removed.
fn tokens(soak: &Soak) -> Result<Line> {
    let most = most(&soak.samples, |sample| count(sample.token_rows));
    let most = most.or_fault("nothing was seen")?;
    // Clumsy visitors begin two sessions.
    let each = count(soak.visitors.sessions()) / count(soak.visitors.passed().max(1));
    let made = soak.pace * each * (LIFE + REMOVED_EVERY + REMOVAL).as_secs_f64();
    Ok(Line {
        reference: Some(Side {
            title: "made in 100 s".to_owned(),
            value: Value::Count(made),
        }),
        ratio: Spread::of([most / made]),
        ..Line::of(
            Run::Soak.name(),
            "rows of tokens, at most",
            Value::Count(most),
            Target::AtMost(1.0),
        )
    })
}

fn line(title: &str, (first, last): (f64, f64), value: fn(f64) -> Value, target: f64) -> Line {
    Line {
        reference: Some(Side {
            title: "first quarter".to_owned(),
            value: value(first),
        }),
        ratio: Spread::of([last / first]),
        ..Line::of(Run::Soak.name(), title, value(last), Target::AtMost(target))
    }
}

fn middle(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> Option<f64> {
    Some(Spread::of(samples.iter().map(of))?.median)
}

fn most(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> Option<f64> {
    Some(Spread::of(samples.iter().map(of))?.max)
}

/// In whole KiB, which every figure of a process is.
fn octets(octets: u64) -> f64 {
    f64::from(u32::try_from(octets >> 10).unwrap_or(u32::MAX)) * 1024.0
}

/// Back again.
fn whole(octets: f64) -> u64 {
    Duration::try_from_secs_f64(octets).map_or(u64::MAX, |time| time.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(count: u32) -> Vec<Sample> {
        let sample = |n: u32| Sample {
            seconds: f64::from(n) * 10.0,
            ..Sample::default()
        };
        (0..count).map(sample).collect()
    }

    #[test]
    fn what_is_before_the_warm_up_does_not_count() {
        assert!(quarters(&samples(10)).is_none());
        let samples = samples(18);
        let (first, last) = quarters(&samples).unwrap();
        let seconds = |quarter: &[Sample]| -> Vec<f64> {
            quarter.iter().map(|sample| sample.seconds).collect()
        };
        assert_eq!(seconds(first), [100.0, 110.0]);
        assert_eq!(seconds(last), [160.0, 170.0]);
    }

    #[test]
    fn what_grows_is_not_flat() {
        for (last, met) in [(1.0, true), (1.05, true), (1.06, false)] {
            let line = line("", (1.0, last), Value::Count, MEMORY);
            assert_eq!(line.is_met(), met, "{last}");
        }
    }

    #[test]
    fn memory_is_told_as_it_is() {
        assert_eq!(whole(octets(30 << 20)), 30 << 20);
    }
}
