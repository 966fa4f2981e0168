//! `cargo xtask bench`: how fast a release build is, against references of the same run, and
//! what grows with what.
//!
//! `docs/PERFORMANCE.md` says what is measured. All of it is the load generator's; here both
//! programs are built.

use std::path::Path;
use std::process::Command;

use crate::step::{cargo, run, target};

/// Builds the server and the load generator, and has it measure what the words ask for.
pub(crate) fn run_with(root: &Path, words: &[&str]) -> bool {
    let mut build = cargo(root, &["build", "--release"]);
    if !run(build.args(packages(words))) {
        return false;
    }
    let release = target(root).join("release");
    let mut measure = Command::new(release.join("vestibule-loadgen"));
    measure.arg("--server").arg(release.join("vestibule"));
    run(measure.args(words).current_dir(root))
}

/// What these words need: a simulation needs no server.
fn packages(words: &[&str]) -> &'static [&'static str] {
    const PACKAGES: [&str; 4] = ["-p", "vestibule-loadgen", "-p", "vestibule-server"];
    if words.contains(&"--simulate") {
        PACKAGES.split_at(2).0
    } else {
        &PACKAGES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulation_needs_no_server() {
        assert_eq!(packages(&["--simulate"]), ["-p", "vestibule-loadgen"]);
        assert_eq!(packages(&["--plot", "users"]).len(), 4);
        assert_eq!(packages(&[]).len(), 4);
    }
}
