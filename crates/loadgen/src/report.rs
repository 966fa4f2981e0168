//! What was measured, as a table for people or as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::figures::{Spread, milliseconds};
use crate::rows::Row;

/// A line of the table.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) row: &'static str,
    pub(crate) subject: Side,
    pub(crate) reference: Option<Side>,
    pub(crate) ratio: Option<Spread>,
    /// Of the subject.
    pub(crate) p50: Option<Duration>,
    pub(crate) p99: Option<Duration>,
    pub(crate) target: Target,
    /// What must not happen, and did: then the figures are worth nothing.
    pub(crate) faults: Vec<String>,
}

impl Line {
    /// A figure by itself, with nothing to compare it with.
    pub(crate) fn alone(row: Row, title: impl Into<String>, value: Value, target: Target) -> Self {
        Self::of(row.name(), title, value, target)
    }

    /// The same of a run that is no row.
    pub(crate) fn of(
        row: &'static str,
        title: impl Into<String>,
        value: Value,
        target: Target,
    ) -> Self {
        Self {
            row,
            subject: Side {
                title: title.into(),
                value,
            },
            reference: None,
            ratio: None,
            p50: None,
            p99: None,
            target,
            faults: Vec::new(),
        }
    }
}

/// One of the two that are compared.
#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) title: String,
    pub(crate) value: Value,
}

/// What was measured of it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value {
    /// So many a second, over all rounds.
    PerSecond(Spread),
    /// So much memory.
    Octets(u64),
    /// So long, over all rounds.
    Milliseconds(Spread),
    /// So many of so many.
    Of(usize, usize),
    /// So many.
    Count(f64),
    /// So many microseconds.
    Microseconds(f64),
}

/// When it is good enough.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// The ratio is at least this.
    AtLeast(f64),
    /// The ratio is at most this.
    AtMost(f64),
    /// The memory of the subject is at most this.
    Octets(u64),
    /// The subject takes at most so many milliseconds, by its median.
    Milliseconds(f64),
    /// All but one in a hundred take at most this.
    Within(Duration),
    /// Nothing failed.
    All,
    /// There is none: it is only told.
    Told,
}

impl Line {
    /// Whether the target is met, by the median.
    pub(crate) fn is_met(&self) -> bool {
        let ratio = self.ratio.map(|ratio| ratio.median);
        let is_good = match (self.target, self.subject.value) {
            (Target::AtLeast(least), _) => ratio.is_some_and(|ratio| ratio >= least),
            (Target::AtMost(most), _) => ratio.is_some_and(|ratio| ratio <= most),
            (Target::Octets(most), Value::Octets(octets)) => octets <= most,
            (Target::Milliseconds(most), Value::Milliseconds(spread)) => spread.median <= most,
            (Target::Within(most), _) => self.p99.is_some_and(|p99| p99 <= most),
            (Target::All, Value::Of(some, all)) => some == all,
            (Target::Told, _) => true,
            (Target::Octets(_) | Target::Milliseconds(_) | Target::All, _) => false,
        };
        is_good && self.faults.is_empty()
    }

    fn verdict(&self) -> &'static str {
        match (self.faults.is_empty(), self.is_met()) {
            (false, _) => "FAILED",
            (true, true) if matches!(self.target, Target::Told) => "–",
            (true, true) => "met",
            (true, false) => "not met",
        }
    }

    fn cells(&self) -> [String; 8] {
        let ratio = self
            .ratio
            .map(|Spread { median, min, max }| format!("{median:.2} ({min:.2} to {max:.2})"));
        let latency = |latency: Option<Duration>| latency.map(for_people);
        let reference = self.reference.as_ref().map(Side::text);
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
        [
            self.row.to_owned(),
            self.subject.text(),
            or_dash(reference),
            or_dash(ratio),
            or_dash(latency(self.p50)),
            or_dash(latency(self.p99)),
            self.target.text(),
            self.verdict().to_owned(),
        ]
    }

    fn json(&self) -> Json {
        json!({
            "row": self.row,
            "subject": self.subject.json(),
            "reference": self.reference.as_ref().map(Side::json),
            "ratio": self.ratio.map(Spread::json),
            "p50_ms": self.p50.map(milliseconds),
            "p99_ms": self.p99.map(milliseconds),
            "target": self.target.text(),
            "met": self.is_met(),
            "faults": self.faults,
        })
    }
}

impl Side {
    fn text(&self) -> String {
        let value = match self.value {
            Value::PerSecond(figures) => format!("{:.0}/s", figures.median),
            Value::Octets(octets) => mebibytes(octets),
            Value::Milliseconds(figures) => format!("{:.2} ms", figures.median),
            Value::Of(some, all) => format!("{some} of {all}"),
            Value::Count(count) => format!("{count:.0}"),
            Value::Microseconds(time) => format!("{time:.0} µs"),
        };
        format!("{}: {value}", self.title)
    }

    fn json(&self) -> Json {
        let (unit, value) = match self.value {
            Value::PerSecond(figures) => ("1/s", figures.json()),
            Value::Octets(octets) => ("octets", json!(octets)),
            Value::Milliseconds(figures) => ("ms", figures.json()),
            Value::Of(some, all) => ("of", json!([some, all])),
            Value::Count(count) => ("1", json!(count)),
            Value::Microseconds(time) => ("µs", json!(time)),
        };
        json!({ "title": self.title, "unit": unit, "value": value })
    }
}

impl Target {
    fn text(self) -> String {
        match self {
            Self::AtLeast(ratio) => format!("≥ {ratio}"),
            Self::AtMost(ratio) => format!("≤ {ratio}"),
            Self::Octets(octets) => format!("≤ {}", mebibytes(octets)),
            Self::Milliseconds(most) => format!("≤ {most} ms"),
            Self::Within(most) => format!("≤ {}", for_people(most)),
            Self::All => "all".to_owned(),
            Self::Told => "–".to_owned(),
        }
    }
}

/// Everything as JSON.
pub(crate) fn json(machine: &str, rounds: usize, lines: &[Line]) -> Json {
    let lines: Vec<_> = lines.iter().map(Line::json).collect();
    json!({ "machine": machine, "rounds": rounds, "lines": lines })
}

/// Everything as a table that is Markdown as well.
pub(crate) fn table(machine: &str, rounds: usize, lines: &[Line]) -> String {
    const HEAD: [&str; 8] = [
        "row",
        "subject",
        "reference",
        "ratio",
        "p50",
        "p99",
        "target",
        "",
    ];
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(lines.iter().map(Line::cells));
    let mut widths = [3; 8];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = format!("{machine}; rounds: {rounds}\n\n");
    for (n, row) in rows.iter().enumerate() {
        for (cell, &width) in row.iter().zip(&widths) {
            push(&mut text, format_args!("| {cell:<width$} "));
        }
        text.push_str("|\n");
        if n == 0 {
            for width in widths {
                push(&mut text, format_args!("|{:-<1$}", "", width + 2));
            }
            text.push_str("|\n");
        }
    }
    for line in lines.iter().filter(|line| !line.faults.is_empty()) {
        push(&mut text, format_args!("\n{} failed:\n", line.row));
        let mut counts = BTreeMap::new();
        for fault in &line.faults {
            *counts.entry(fault).or_insert(0_usize) += 1;
        }
        for (fault, count) in counts.iter().take(SHOWN) {
            push(&mut text, format_args!("- {count} x {fault}\n"));
        }
        if let Some(more @ 1..) = counts.len().checked_sub(SHOWN) {
            push(&mut text, format_args!("- and {more} more\n"));
        }
    }
    text
}

/// Different faults of a line that are shown: there may be as many as sign-ins.
const SHOWN: usize = 10;

fn push(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Texts grow without fail.
    let _ = text.write_fmt(what);
}

fn for_people(latency: Duration) -> String {
    match milliseconds(latency) {
        long if long >= 10_000.0 => format!("{:.1} s", latency.as_secs_f64()),
        short => format!("{short:.1} ms"),
    }
}

fn mebibytes(octets: u64) -> String {
    let tenths = (octets * 10 + (1 << 19)) >> 20;
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(figure: f64) -> Spread {
        Spread {
            median: figure,
            min: figure,
            max: figure,
        }
    }

    fn line(ratio: f64, target: Target) -> Line {
        let side = |title: &str| Side {
            title: title.to_owned(),
            value: Value::PerSecond(spread(1.0)),
        };
        Line {
            row: "P1",
            subject: side("ours"),
            reference: Some(side("theirs")),
            ratio: Some(spread(ratio)),
            p50: None,
            p99: Some(Duration::from_micros(1500)),
            target,
            faults: Vec::new(),
        }
    }

    #[track_caller]
    fn check(ratio: f64, target: Target, met: bool) {
        assert_eq!(line(ratio, target).is_met(), met, "{ratio} {target:?}");
    }

    #[test]
    fn targets() {
        check(1.0, Target::AtLeast(1.0), true);
        check(0.99, Target::AtLeast(1.0), false);
        check(2.0, Target::AtMost(2.0), true);
        check(2.01, Target::AtMost(2.0), false);
    }

    #[test]
    fn what_takes_too_long_is_not_met() {
        for (took, met) in [(1.0, true), (1.01, false)] {
            let mut line = line(1.0, Target::Milliseconds(1.0));
            assert!(!line.is_met(), "what is told is no time");
            line.subject.value = Value::Milliseconds(spread(took));
            assert_eq!(line.is_met(), met, "{took}");
        }
    }

    #[test]
    fn what_failed_is_never_met() {
        let mut failed = line(9.0, Target::AtLeast(1.0));
        let different = (10..SHOWN + 12).map(|n| format!("lost {n}"));
        failed.faults = different.chain(["lost 10".to_owned()]).collect();
        assert!(!failed.is_met());
        let text = table("machine", 3, &[failed]);
        assert!(text.contains("| FAILED"), "{text}");
        assert!(text.contains("\n- 2 x lost 10\n- 1 x lost 11\n"), "{text}");
        assert!(text.ends_with("- 1 x lost 19\n- and 2 more\n"), "{text}");
    }

    #[test]
    fn the_table_is_one() {
        let text = table("machine", 3, &[line(0.5, Target::AtLeast(1.0))]);
        let table: Vec<_> = text.lines().skip(2).collect();
        let width = table[0].chars().count();
        assert!(
            table.iter().all(|line| line.chars().count() == width),
            "{text}"
        );
        assert!(table[2].contains("| 0.50 (0.50 to 0.50) |"), "{text}");
        assert!(table[2].contains("| ≥ 1    | not met |"), "{text}");
    }

    #[test]
    fn memory_for_people() {
        assert_eq!(mebibytes(150 << 20), "150.0 MiB");
        assert_eq!(mebibytes((1 << 20) + (1 << 19)), "1.5 MiB");
    }
}
