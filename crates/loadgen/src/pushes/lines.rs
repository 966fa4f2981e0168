//! What the rounds of the pushes come to, and whether it is good enough.

use super::Round;
use super::meanwhile::NAMES;
use crate::fault::{OrFault as _, Result};
use crate::figures::{Latencies, Spread, milliseconds};
use crate::load::Paced;
use crate::report::{Line, Side, Target, Value};
use crate::rows::Row;
use crate::site::Memory;

/// What the pushes may take of memory, over what the server takes without them.
pub(crate) const MOST_MEMORY: u64 = 150 << 20;
/// How many times as long others may take.
const MOST_DELAY: f64 = 2.0;

/// The lines of the table: of the pushes, of memory, and of what others noticed.
pub(super) fn lines(rounds: &[Round], users: usize) -> Result<Vec<Line>> {
    let all = users * rounds.len();
    let rang_once = rounds.iter().map(|round| round.rang_once).sum();
    let mut lines = vec![
        pushes(rounds, all),
        line(
            "phones that rang once",
            Value::Of(rang_once, all),
            Target::All,
        ),
        memory("resident", rounds, |memory| memory.resident),
        memory("proportional", rounds, |memory| memory.proportional),
    ];
    for (which, name) in NAMES.into_iter().enumerate() {
        lines.push(others(name, which, rounds)?);
    }
    Ok(lines)
}

fn pushes(rounds: &[Round], all: usize) -> Line {
    let latencies = Latencies::all(rounds.iter().map(|round| &round.latencies));
    let passed = rounds.iter().map(|round| round.passed).sum();
    let faults = rounds.iter().flat_map(|round| round.faults.clone());
    Line {
        p50: latencies.percentile(50),
        p99: latencies.percentile(99),
        faults: faults.collect(),
        ..line(
            "pushes at once that passed",
            Value::Of(passed, all),
            Target::All,
        )
    }
}

/// The most of all rounds, over what there was before the first push of all.
fn memory(what: &str, rounds: &[Round], of: fn(Memory) -> u64) -> Line {
    let idle = rounds.first().map(|round| of(round.memory));
    let idle = idle.unwrap_or_default();
    let peaks = rounds.iter().map(|round| of(round.peak));
    let over = peaks.max().unwrap_or_default().saturating_sub(idle);
    Line {
        reference: Some(Side {
            title: "idle".to_owned(),
            value: Value::Octets(idle),
        }),
        ..line(
            &format!("{what} memory over idle"),
            Value::Octets(over),
            Target::Octets(MOST_MEMORY),
        )
    }
}

fn others(name: &str, which: usize, rounds: &[Round]) -> Result<Line> {
    let of = |others: fn(&Round) -> &Paced| -> Result<Vec<&Latencies>> {
        let rounds = rounds.iter();
        let latencies = rounds.map(|round| others(round).latencies.get(which));
        latencies
            .collect::<Option<_>>()
            .or_fault("others are missing")
    };
    let (idle, meanwhile) = (of(|round| &round.idle)?, of(|round| &round.meanwhile)?);
    let (before, now) = (p99s(&idle)?, p99s(&meanwhile)?);
    let ratios = now.iter().zip(&before).map(|(now, before)| now / before);
    let latencies = Latencies::all(meanwhile);
    // Told of once, with the first kind of requests.
    let told = rounds.iter().filter(|_| which == 0);
    let faults = told.flat_map(|round| [&round.idle.faults, &round.meanwhile.faults]);
    let value = |figures: &[f64]| {
        let spread = Spread::of(figures.iter().copied());
        spread
            .map(Value::Milliseconds)
            .or_fault("there was no round")
    };
    Ok(Line {
        faults: faults.flatten().cloned().collect(),
        ratio: Spread::of(ratios),
        p50: latencies.percentile(50),
        p99: latencies.percentile(99),
        reference: Some(Side {
            title: "idle".to_owned(),
            value: value(&before)?,
        }),
        ..line(
            &format!("p99 of {name} meanwhile"),
            value(&now)?,
            Target::AtMost(MOST_DELAY),
        )
    })
}

/// In milliseconds, of each round.
fn p99s(rounds: &[&Latencies]) -> Result<Vec<f64>> {
    let p99s = rounds.iter().map(|latencies| latencies.percentile(99));
    p99s.map(|p99| Some(milliseconds(p99?)))
        .collect::<Option<_>>()
        .or_fault("nobody else asked")
}

fn line(title: &str, value: Value, target: Target) -> Line {
    Line::alone(Row::P5, title, value, target)
}
