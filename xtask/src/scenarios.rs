//! `cargo xtask scenarios`: how systems like this one were broken, tried against real servers, and
//! a table of what came of it.
//!
//! `docs/SECURITY.md` has the catalogue: what each scenario is about, and which tests try it.

mod catalogue;
mod table;

use std::fs;
use std::path::Path;

use crate::step::{cargo, run_seeing, target};

pub(crate) use catalogue::findings;

/// How many crashes there are on each store, where nothing else is said.
const KILLS: &str = "200";
/// How many users are written to at once from two replicas, where nothing else is said.
const STRESS: &str = "2000";

/// Runs the scenarios in their long form; whether all passed.
pub(crate) fn run(root: &Path) -> bool {
    match passed(root) {
        Ok(passed) => passed,
        Err(reason) => {
            println!("{reason}");
            false
        }
    }
}

fn passed(root: &Path) -> Result<bool, String> {
    let catalogue = catalogue::read(root)?;
    let folder = target(root).join("scenarios");
    // Of an earlier run, if it is there.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let figures = folder.join("figures.tsv");
    let mut tests = cargo(root, &["test", "--package", "vestibule-scenarios"]);
    tests.args(["--all-features", "--no-fail-fast", "--tests"]);
    tests.env("VESTIBULE_FIGURES", &figures);
    // So that whatever is logged at all is searched for secrets.
    tests.env("TESTKIT_LOG", "trace");
    for (variable, long) in [("VESTIBULE_KILLS", KILLS), ("VESTIBULE_STRESS", STRESS)] {
        if std::env::var_os(variable).is_none() {
            tests.env(variable, long);
        }
    }
    let mut results = table::Results::default();
    let went_well = run_seeing(&mut tests, |line| results.see(line));
    results.figures(&fs::read_to_string(&figures).unwrap_or_default());
    let table = table::Table::new(&catalogue, &results);
    println!("\n{table}");
    Ok(went_well && table.is_well())
}
