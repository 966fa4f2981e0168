//! `cargo xtask test`: everything that must be well before a change is taken.

use std::path::Path;

use crate::api;
use crate::count::Count;
use crate::setup;
use crate::step::{self, cargo, run_seeing, step};

/// Runs it all, whatever fails on the way, and ends with the count of the tests.
pub(crate) fn run(root: &Path) -> bool {
    let mut count = Count::default();
    let done = steps(root, &mut count);
    println!("{count}");
    done
}

fn steps(root: &Path, count: &mut Count) -> bool {
    if !step("setup", || setup::run(root)) {
        count.failed += 1;
        return false;
    }
    let mut failed = Vec::new();
    let mut check = |name, act: &mut dyn FnMut() -> bool| {
        if !step(name, act) {
            failed.push(name);
        }
    };
    check("format", &mut || {
        step::run(&mut cargo(root, &["fmt", "--all", "--check"]))
    });
    check("lints", &mut || {
        let args = "clippy --workspace --all-targets --all-features -- -D warnings";
        step::run(&mut cargo(root, &words(args)))
    });
    check("tests", &mut || {
        let args = "test --workspace --all-features --no-fail-fast";
        let went_well = run_seeing(&mut cargo(root, &words(args)), |line| count.see(line));
        count.end(went_well);
        went_well
    });
    check("api", &mut || {
        let mut operations = Count::default();
        let went_well = api::run(root, &mut operations);
        *count += operations;
        went_well
    });
    check("documentation", &mut || {
        let mut doc = cargo(root, &["doc", "--no-deps", "--workspace", "--all-features"]);
        step::run(doc.env("RUSTDOCFLAGS", "-Dwarnings"))
    });
    if !failed.is_empty() {
        println!("==> failed: {}", failed.join(", "));
    }
    // The other steps count like a test each: the last line must not say that all is well.
    let counted = ["tests", "api"];
    count.failed += failed.iter().filter(|name| !counted.contains(name)).count() as u64;
    failed.is_empty()
}

fn words(text: &str) -> Vec<&str> {
    text.split(' ').collect()
}
