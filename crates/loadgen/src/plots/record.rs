//! The figures of a run, as a file that people and spreadsheets read.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::fault::{OrFault as _, Result};

/// A table of figures.
#[derive(Debug)]
pub(crate) struct Record {
    columns: &'static [&'static str],
    rows: Vec<Row>,
}

/// Figures, and what comes before them if they are about something that is no number.
#[derive(Debug)]
struct Row {
    name: Option<&'static str>,
    figures: Vec<f64>,
}

impl Record {
    /// An empty one. The names of the columns say their units.
    pub(super) const fn new(columns: &'static [&'static str]) -> Self {
        let rows = Vec::new();
        Self { columns, rows }
    }

    /// One that was written before.
    pub(crate) fn read(
        columns: &'static [&'static str],
        folder: &Path,
        name: &str,
    ) -> Result<Self> {
        let path = folder.join(format!("{name}.csv"));
        let text = fs::read_to_string(&path);
        let text = text.or_fault(&format!("{}: measured by `--plot {name}`", path.display()))?;
        let record = Self::parse(columns, &text);
        record.or_fault(&format!("{}: these are other figures", path.display()))
    }

    fn parse(columns: &'static [&'static str], text: &str) -> Option<Self> {
        let mut lines = text.lines().filter(|line| !line.starts_with('#'));
        if lines.next()? != columns.join(",") {
            return None;
        }
        let row = |line: &str| {
            let cells = line.split(',').enumerate();
            // A name is no number, and only the first may be one.
            let figures = cells.map(|(n, cell)| match cell.parse() {
                Err(_) if n == 0 => Some(f64::NAN),
                figure => figure.ok(),
            });
            let figures = figures.collect::<Option<Vec<f64>>>()?;
            (figures.len() == columns.len()).then_some(Row {
                name: None,
                figures,
            })
        };
        let rows = lines.map(row).collect::<Option<_>>()?;
        Some(Self { columns, rows })
    }

    pub(super) fn push(&mut self, row: impl Into<Vec<f64>>) {
        self.rows.push(Row {
            name: None,
            figures: row.into(),
        });
    }

    /// A row of which the first column is a name.
    pub(super) fn push_named(&mut self, name: &'static str, row: impl Into<Vec<f64>>) {
        self.rows.push(Row {
            name: Some(name),
            figures: row.into(),
        });
    }

    /// Two of its columns as points; none of a column that is not there.
    pub(crate) fn points(&self, x: &str, y: &str) -> Vec<(f64, f64)> {
        let number = |name: &str| self.columns.iter().position(|column| *column == name);
        let (Some(x), Some(y)) = (number(x), number(y)) else {
            return Vec::new();
        };
        let point = |row: &Row| Some((*row.figures.get(x)?, *row.figures.get(y)?));
        self.rows.iter().filter_map(point).collect()
    }

    pub(super) fn write(&self, folder: &Path, name: &str, machine: &str) -> Result<()> {
        let path = folder.join(format!("{name}.csv"));
        fs::write(path, self.text(machine)).or_fault("the figures cannot be written")
    }

    /// CSV, under a line that says where it was measured.
    fn text(&self, machine: &str) -> String {
        let mut text = format!("# {machine}\n{}\n", self.columns.join(","));
        for row in &self.rows {
            let name = row.name.map(str::to_owned).into_iter();
            let figures = row.figures.iter().map(|figure| cell(*figure));
            let cells: Vec<_> = name.chain(figures).collect();
            // Texts grow without fail.
            let _ = writeln!(text, "{}", cells.join(","));
        }
        text
    }
}

/// A figure with three decimals at most.
fn cell(figure: f64) -> String {
    let text = format!("{figure:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let mut record = Record::new(&["users", "p99_ms"]);
        record.push([1000.0, 1.23456]);
        record.push([10_000.0, 20.5]);
        record
    }

    #[test]
    fn figures_are_text() {
        let expected = "# machine\nusers,p99_ms\n1000,1.235\n10000,20.5\n";
        assert_eq!(record().text("machine"), expected);
        assert_eq!(cell(0.0), "0");
        assert_eq!(cell(100.0), "100");
        let mut named = Record::new(&["request", "us"]);
        named.push_named("finish", [2.5]);
        assert!(named.text("").ends_with("request,us\nfinish,2.5\n"));
    }

    #[test]
    fn what_was_written_is_read() {
        const COLUMNS: &[&str] = &["request", "us"];
        let read = |text| Record::parse(COLUMNS, text).map(|record| record.points("us", "us"));
        assert_eq!(
            read("# x\nrequest,us\nfinish,2.5\n"),
            Some(vec![(2.5, 2.5)])
        );
        assert_eq!(read("request,ms\nfinish,2.5\n"), None);
        assert_eq!(read("request,us\nfinish\n"), None);
        assert_eq!(read("request,us\nfinish,x\n"), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn columns_are_found() {
        let record = record();
        assert_eq!(
            record.points("users", "p99_ms"),
            [(1000.0, 1.23456), (10_000.0, 20.5)]
        );
        assert_eq!(record.points("users", "p50_ms"), []);
    }
}
