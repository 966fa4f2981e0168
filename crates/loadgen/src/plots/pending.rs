//! Resident memory over the number of pushes that are pending: P5, looked at while they become more.

use super::picture::{Axis, Curve, Panel, Picture, Scale};
use super::record::Record;
use super::{Outcome, Run};
use crate::args::Args;
use crate::fault::{OrFault as _, Result};
use crate::pushes::{MOST_MEMORY, Rise, rise};
use crate::report::{Line, Side, Target, Value};
use crate::site::Postgres;

/// Points of the picture, and one more for none.
const POINTS: usize = 20;

const COLUMNS: [&str; 2] = ["pending_pushes", "resident_mib"];

pub(super) async fn run(args: &Args, postgres: &Postgres) -> Result<Outcome> {
    let rise = rise(args, postgres).await?;
    let mut record = Record::new(&COLUMNS);
    for (pending, resident) in points(&rise) {
        let pending = u32::try_from(pending).or_fault("too many pushes")?;
        record.push([f64::from(pending), mebibytes(resident)?]);
    }
    let most = rise.seen.iter().map(|(_, resident)| *resident).max();
    let over = most.unwrap_or_default().saturating_sub(rise.idle);
    let line = |title: &str, value, target| Line::of(Run::Pushes.name(), title, value, target);
    let passed = Line {
        p50: rise.latencies.percentile(50),
        p99: rise.latencies.percentile(99),
        faults: rise.faults,
        ..line(
            "pushes at once that passed",
            Value::Of(rise.passed, rise.users),
            Target::All,
        )
    };
    let memory = Line {
        reference: Some(Side {
            title: "idle".to_owned(),
            value: Value::Octets(rise.idle),
        }),
        ..line(
            "resident memory of all pending, over idle",
            Value::Octets(over),
            Target::Octets(MOST_MEMORY),
        )
    };
    Ok(Outcome {
        lines: vec![passed, memory],
        picture: Some(picture(&record)),
        record,
    })
}

/// The first look at each part of them, and at none.
fn points(rise: &Rise) -> Vec<(usize, u64)> {
    let mut points = vec![(0, rise.idle)];
    let mut next = rise.users.div_ceil(POINTS);
    for (pending, resident) in &rise.seen {
        if *pending >= next {
            points.push((*pending, *resident));
            next = pending + rise.users.div_ceil(POINTS);
        }
    }
    // When all are pending, memory is what it is at last.
    let last = rise.seen.iter().rfind(|(pending, _)| *pending > 0);
    points.extend(last.filter(|last| points.last() != Some(last)));
    points
}

/// To a hundredth, which no picture shows.
fn mebibytes(octets: u64) -> Result<f64> {
    let hundredths = u32::try_from(octets.saturating_mul(100) >> 20);
    Ok(f64::from(hundredths.or_fault("too much memory")?) / 100.0)
}

fn picture(record: &Record) -> Picture {
    Picture {
        title: "Memory of the server over the number of pending pushes".to_owned(),
        panels: vec![Panel {
            x: Axis {
                name: "pending pushes",
                scale: Scale::Even,
            },
            y: "resident memory, MiB",
            curves: vec![Curve {
                name: "resident",
                points: record.points("pending_pushes", "resident_mib"),
            }],
        }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Latencies;

    #[track_caller]
    fn check(users: usize, seen: &[(usize, u64)], expected: &[(usize, u64)]) {
        let rise = Rise {
            users,
            passed: 0,
            idle: 7,
            seen: seen.to_vec(),
            latencies: Latencies::default(),
            faults: Vec::new(),
        };
        assert_eq!(points(&rise), expected);
    }

    #[test]
    fn points_are_spread_over_the_pushes() {
        check(40, &[], &[(0, 7)]);
        let seen = [(0, 8), (1, 9), (2, 10), (3, 11), (9, 12), (9, 13)];
        check(40, &seen, &[(0, 7), (2, 10), (9, 12), (9, 13)]);
    }
}
