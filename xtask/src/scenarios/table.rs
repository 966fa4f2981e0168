//! What came of the scenarios.

use std::collections::BTreeMap;
use std::fmt;

use super::catalogue::Scenario;

/// What the test runner and the tests themselves said.
#[derive(Debug, Default)]
pub(crate) struct Results {
    /// By the full name of the test: whether it passed.
    tests: BTreeMap<String, bool>,
    /// By the full name of a test: how many servers shared a database.
    servers: BTreeMap<String, u64>,
    /// By who and what: how much.
    figures: BTreeMap<(String, String), u64>,
}

impl Results {
    /// Takes a line of the runner.
    pub(crate) fn see(&mut self, line: &str) {
        let Some((name, result)) = line
            .strip_prefix("test ")
            .and_then(|line| line.split_once(" ... "))
        else {
            return;
        };
        self.tests.insert(name.to_owned(), result == "ok");
    }

    /// Takes what the tests counted. Figures of several tests add up; of how many servers there
    /// were at once, the most counts.
    pub(crate) fn figures(&mut self, lines: &str) {
        for line in lines.lines() {
            let mut cells = line.split('\t');
            let (Some(who), Some(what), Some(number)) = (cells.next(), cells.next(), cells.next())
            else {
                continue;
            };
            let number = number.parse().unwrap_or(0);
            if what == "servers" {
                let most = self.servers.entry(who.to_owned()).or_default();
                *most = number.max(*most);
            } else {
                let key = (who.to_owned(), what.to_owned());
                *self.figures.entry(key).or_default() += number;
            }
        }
    }

    /// The tests of one name: their full names, and whether they passed.
    fn of(&self, test: &str) -> impl Iterator<Item = (&str, bool)> {
        let tests = self.tests.iter();
        let tests = tests.filter(move |(full, _)| full.rsplit("::").next() == Some(test));
        tests.map(|(full, passed)| (full.as_str(), *passed))
    }
}

/// A row for each scenario.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    id: String,
    what: String,
    /// Passed of how many, on SQLite and on Postgres.
    databases: [(usize, usize); 2],
    servers: u64,
    waits: bool,
    figures: String,
}

impl Row {
    fn is_well(&self) -> bool {
        // What is not one of the scenarios may be about one of the databases.
        let is_scenario = self.id.starts_with('S');
        let tried = self.databases.iter().filter(|(_, all)| *all > 0).count();
        let were_tried = tried == 2 || tried == 1 && !is_scenario;
        let passed = self.databases.iter().all(|(passed, all)| passed == all);
        self.waits || were_tried && passed
    }
}

impl Table {
    pub(crate) fn new(catalogue: &[Scenario], results: &Results) -> Self {
        let rows = catalogue.iter().map(|scenario| {
            let databases = ["sqlite", "postgres"].map(|database| {
                let tests = scenario.tests.iter().flat_map(|test| results.of(test));
                // The name of a test says which database it is about.
                let tests = tests.filter(|(full, _)| full.contains(database));
                tests.fold((0, 0), |(good, all), (_, passed)| {
                    (good + usize::from(passed), all + 1)
                })
            });
            let tests = scenario.tests.iter().flat_map(|test| results.of(test));
            let servers = tests.filter_map(|(full, _)| results.servers.get(full));
            let figures = results.figures.iter();
            let figures = figures.filter(|((who, _), _)| *who == scenario.id);
            let figures = figures.map(|((_, what), number)| format!("{number} {what}"));
            Row {
                id: scenario.id.clone(),
                what: scenario.what.clone(),
                databases,
                servers: servers.copied().max().unwrap_or(0),
                waits: scenario.tests.is_empty(),
                figures: figures.collect::<Vec<_>>().join(", "),
            }
        });
        let rows = rows.collect();
        Self { rows }
    }

    /// Whether every scenario that can be tried was, on both databases, and passed.
    pub(crate) fn is_well(&self) -> bool {
        self.rows.iter().all(Row::is_well)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let longest = self.rows.iter().map(|row| row.what.chars().count()).max();
        let width = longest.unwrap_or(0);
        let ids = self.rows.iter().map(|row| row.id.len()).max().unwrap_or(0);
        let mut line = |cells: [&str; 7]| {
            let [id, what, sqlite, postgres, replicas, result, figures] = cells;
            let text = format!(
                "{id:<ids$} {what:<width$} {sqlite:<8} {postgres:<8} {replicas:<8} {result:<6} {figures}"
            );
            writeln!(f, "{}", text.trim_end())
        };
        line([
            "id", "what", "SQLite", "Postgres", "replicas", "result", "figures",
        ])?;
        for row in &self.rows {
            let [sqlite, postgres] = row.databases.map(|(passed, all)| match all {
                0 => "-".to_owned(),
                _ => format!("{passed} of {all}"),
            });
            let replicas = match row.servers {
                0 => "-".to_owned(),
                servers => servers.to_string(),
            };
            let result = match (row.waits, row.is_well()) {
                (true, _) => "waits",
                (false, true) => "passed",
                (false, false) => "FAILED",
            };
            line([
                &row.id,
                &row.what,
                &sqlite,
                &postgres,
                &replicas,
                result,
                &row.figures,
            ])?;
        }
        let failed = self.rows.iter().filter(|row| !row.is_well()).count();
        let waiting = self.rows.iter().filter(|row| row.waits).count();
        let passed = self.rows.len() - failed - waiting;
        write!(
            f,
            "{passed} scenarios passed, {failed} failed, {waiting} wait for a feature"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(id: &str, tests: &[&str]) -> Scenario {
        Scenario {
            id: id.to_owned(),
            what: format!("About {id}"),
            tests: tests.iter().map(|&test| test.to_owned()).collect(),
        }
    }

    fn results(lines: &[&str]) -> Results {
        let mut results = Results::default();
        for line in lines {
            results.see(line);
        }
        results.figures("S01\tcodes\t3\nS01\tcodes\t4\na::sqlite::s01_x\tservers\t2\n");
        results
    }

    #[test]
    fn a_scenario_is_survived_on_both_databases_or_not_at_all() {
        let catalogue = [scenario("S01", &["s01_x"]), scenario("S31", &[])];
        let both = [
            "test a::sqlite::s01_x ... ok",
            "test a::postgres::s01_x ... ok",
        ];
        let table = Table::new(&catalogue, &results(&both));
        assert!(table.is_well());
        assert_eq!(
            table.to_string(),
            "id  what      SQLite   Postgres replicas result figures\n\
             S01 About S01 1 of 1   1 of 1   2        passed 7 codes\n\
             S31 About S31 -        -        -        waits\n\
             1 scenarios passed, 0 failed, 1 wait for a feature"
        );
        let crash = [scenario("crash", &["on_sqlite"])];
        assert!(Table::new(&crash, &results(&["test on_sqlite ... ok"])).is_well());
        assert!(!Table::new(&crash, &results(&["test on_sqlite ... FAILED"])).is_well());
        for lines in [
            &both[..1],
            &["test a::sqlite::s01_x ... FAILED", both[1]],
            &[],
        ] {
            assert!(
                !Table::new(&catalogue, &results(lines)).is_well(),
                "{lines:?}"
            );
        }
    }
}
