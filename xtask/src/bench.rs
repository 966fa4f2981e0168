//! `cargo xtask bench`: how fast a release build is, against references of the same run.
//!
//! `docs/PERFORMANCE.md` says what is measured. All of it is the load generator's; here both
//! programs are built.

use std::path::Path;
use std::process::Command;

use crate::step::{cargo, run, target};

/// Builds the server and the load generator, and has it measure what the words ask for.
pub(crate) fn run_with(root: &Path, words: &[&str]) -> bool {
    let packages = ["-p", "vestibule-server", "-p", "vestibule-loadgen"];
    let mut build = cargo(root, &["build", "--release"]);
    if !run(build.args(packages)) {
        return false;
    }
    let release = target(root).join("release");
    let mut measure = Command::new(release.join("vestibule-loadgen"));
    measure.arg("--server").arg(release.join("vestibule"));
    run(measure.args(words).current_dir(root))
}
