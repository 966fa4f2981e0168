//! The catalogue of scenarios in `docs/SECURITY.md`, and whether it is the tests that there are.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Where the catalogue is.
const DOCUMENT: &str = "docs/SECURITY.md";
/// What stands above it.
const HEADLINE: &str = "## The scenarios";
/// Where the tests are.
const TESTS: &str = "crates/scenarios/tests";

/// A scenario.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Scenario {
    pub(crate) id: String,
    pub(crate) what: String,
    /// The names of its tests; none for what waits for a feature.
    pub(crate) tests: Vec<String>,
}

/// The scenarios of the document, in its order.
pub(crate) fn read(root: &Path) -> Result<Vec<Scenario>, String> {
    let text = fs::read_to_string(root.join(DOCUMENT));
    let scenarios = scenarios(&text.map_err(|error| format!("{DOCUMENT}: {error}"))?);
    if scenarios.is_empty() {
        return Err(format!("{DOCUMENT}: there is no scenario in it"));
    }
    Ok(scenarios)
}

/// The rows under the headline of the scenarios: id, what it is about, and tests between backticks.
fn scenarios(document: &str) -> Vec<Scenario> {
    let lines = document
        .lines()
        .skip_while(|line| *line != HEADLINE)
        .skip(1);
    let lines = lines.take_while(|line| !line.starts_with("## "));
    lines.filter_map(scenario).collect()
}

fn scenario(row: &str) -> Option<Scenario> {
    let cells: Vec<_> = row.strip_prefix('|')?.split('|').map(str::trim).collect();
    let [id, what, tests, ..] = cells[..] else {
        return None;
    };
    let is_head = id == "id" || id.starts_with('-');
    let names = tests.split('`').skip(1).step_by(2).map(str::to_owned);
    (!is_head).then(|| Scenario {
        id: id.to_owned(),
        what: what.to_owned(),
        tests: names.collect(),
    })
}

/// What is wrong between the document and the tests: each test that is named after a scenario must
/// be in its row, and each in a row must be there.
pub(crate) fn findings(root: &Path) -> Vec<String> {
    let mut tests = Vec::new();
    if let Err(error) = collect(&root.join(TESTS), &mut tests) {
        return vec![format!("{TESTS}: {error}")];
    }
    match read(root) {
        Ok(scenarios) => differences(&scenarios, &tests),
        Err(error) => vec![error],
    }
}

fn differences(scenarios: &[Scenario], tests: &[String]) -> Vec<String> {
    let mut findings = Vec::new();
    let mut rows: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for scenario in scenarios {
        for test in &scenario.tests {
            rows.entry(test).or_default().push(&scenario.id);
            if !tests.contains(test) {
                findings.push(format!(
                    "{DOCUMENT}: {} names {test}, which is no test",
                    scenario.id
                ));
            }
        }
    }
    for test in tests {
        for id in ids(test) {
            if !rows.get(&**test).is_some_and(|rows| rows.contains(&&*id)) {
                findings.push(format!("{DOCUMENT}: {id} does not name {test}"));
            }
        }
    }
    findings
}

/// The scenarios that a test is named after: `s11_s16_…` is of two.
fn ids(test: &str) -> Vec<String> {
    let parts = test.split('_').map_while(number_of);
    parts.map(|number| format!("S{number}")).collect()
}

/// `24` of `s24`.
fn number_of(part: &str) -> Option<&str> {
    let number = part.strip_prefix('s')?;
    (number.len() == 2 && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(number)
}

/// The names of all functions that may be tests.
fn collect(folder: &Path, tests: &mut Vec<String>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, tests)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            tests.extend(named(&fs::read_to_string(&path)?));
        }
    }
    Ok(())
}

fn named(source: &str) -> impl Iterator<Item = String> {
    source.lines().filter_map(|line| {
        let (_, rest) = line.split_once("async fn ")?;
        let name = rest.split('(').next()?;
        Some(name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = "\
| S02 | Before | `s02_x` |
## The scenarios
| id | what | tests |
|---|---|---|
| S01 | One login for a code | `s01_a`, `s01_b` |
| S31 | Recovery codes | waits for them |
Some text | with | S02 |
## More
| S03 | After | `s03_x` |";

    #[test]
    fn rows_are_read() {
        let read = scenarios(DOCUMENT);
        assert_eq!(read.len(), 2);
        assert_eq!(
            (&*read[0].id, &*read[0].what),
            ("S01", "One login for a code")
        );
        assert_eq!(read[0].tests, ["s01_a", "s01_b"]);
        assert!(read[1].tests.is_empty());
    }

    #[test]
    fn what_differs_is_found() {
        let tests = |names: &[&str]| {
            names
                .iter()
                .map(|&name| name.to_owned())
                .collect::<Vec<_>>()
        };
        let read = scenarios(DOCUMENT);
        assert!(differences(&read, &tests(&["s01_a", "s01_b"])).is_empty());
        let missing = differences(&read, &tests(&["s01_a"]));
        assert_eq!(
            missing,
            ["docs/SECURITY.md: S01 names s01_b, which is no test"]
        );
        let more = differences(&read, &tests(&["s01_a", "s01_b", "s01_s31_c"]));
        assert_eq!(
            more,
            [
                "docs/SECURITY.md: S01 does not name s01_s31_c",
                "docs/SECURITY.md: S31 does not name s01_s31_c"
            ]
        );
    }

    #[test]
    fn tests_are_found_by_their_names() {
        let source = "async fn s01_a(backend: Backend) {\n    async fn seen() {}\nfn s02_b() {}";
        assert_eq!(named(source).collect::<Vec<_>>(), ["s01_a", "seen"]);
    }
}
