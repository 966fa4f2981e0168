//! `cargo xtask deny`: what dependencies may be, as `deny.toml` says.

use std::path::Path;

use crate::step::{cargo, output, run as run_command};

/// Runs cargo-deny; whether it is there and content.
pub(crate) fn run(root: &Path) -> bool {
    if output(&mut cargo(root, &["deny", "--version"])).is_none() {
        println!("cargo-deny is missing: cargo install cargo-deny --locked");
        return false;
    }
    run_command(&mut cargo(root, &["deny", "check"]))
}
