//! `cargo xtask fuzz`: hostile inputs for what reads them.
//!
//! What is found goes to `fuzz/artifacts`, and belongs into `fuzz/regressions` once it is mended.
//! Inputs that reach something new are kept under `fuzz/target`, apart from the corpora of the
//! repository, which stay small.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::step::{output, run as run_command, step};

/// How long a target gets, in seconds.
const SECONDS: u64 = 60;
/// Octets of an input, at most; the longest datagram of RADIUS has as many.
const LONGEST: &str = "-max_len=4096";

/// What is asked for.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Request {
    /// All if there is none.
    target: Option<String>,
    seconds: u64,
}

impl Request {
    /// Reads `[TARGET] [--seconds N]`.
    pub(crate) fn read(words: &[&str]) -> Option<Self> {
        let mut request = Self {
            target: None,
            seconds: SECONDS,
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if *word == "--seconds" {
                request.seconds = words.next()?.parse().ok().filter(|seconds| *seconds > 0)?;
            } else if word.starts_with('-') || request.target.is_some() {
                return None;
            } else {
                request.target = Some((*word).to_owned());
            }
        }
        Some(request)
    }
}

/// Runs the targets one after the other, to the first that finds something.
pub(crate) fn run(root: &Path, request: &Request) -> bool {
    if let Some(missing) = missing() {
        println!("{missing}");
        return false;
    }
    let all = targets(root);
    let chosen: Vec<_> = match &request.target {
        None => all.iter().collect(),
        Some(target) => all.iter().filter(|known| *known == target).collect(),
    };
    if chosen.is_empty() {
        println!("There is no such target; there are: {}", all.join(", "));
        return false;
    }
    chosen.into_iter().all(|target| {
        step(&format!("fuzz {target}"), || {
            fuzz(root, target, request.seconds)
        })
    })
}

/// What has to be installed first.
fn missing() -> Option<&'static str> {
    let answers = |words: &[&str]| output(&mut rustup(words)).is_some();
    if !answers(&["rustc", "--version"]) {
        return Some("A nightly compiler is missing: `rustup toolchain install nightly`");
    }
    if !answers(&["cargo", "fuzz", "--version"]) {
        return Some("cargo-fuzz is missing: `cargo install cargo-fuzz`");
    }
    None
}

/// A command of the nightly toolchain. This program itself runs in another one.
fn rustup(words: &[&str]) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", "nightly"]).args(words);
    for variable in ["CARGO", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(variable);
    }
    command
}

/// The names of the targets.
fn targets(root: &Path) -> Vec<String> {
    let entries = fs::read_dir(root.join("fuzz/fuzz_targets"));
    let paths = entries
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let name = |path: std::path::PathBuf| Some(path.file_stem()?.to_str()?.to_owned());
    let mut names: Vec<_> = paths.filter_map(name).collect();
    names.sort();
    names
}

fn fuzz(root: &Path, target: &str, seconds: u64) -> bool {
    let found = root.join("fuzz/target/found").join(target);
    if let Err(error) = fs::create_dir_all(&found) {
        println!("{}: {error}", found.display());
        return false;
    }
    let (found, time) = (
        found.display().to_string(),
        format!("-max_total_time={seconds}"),
    );
    // What is new goes to the first folder. None of our code is unsafe: a sanitizer would be slow,
    // and look at nothing but our dependencies.
    let run = ["cargo", "fuzz", "run", "--sanitizer", "none", target];
    let corpus = format!("corpus/{target}");
    let arguments = [found.as_str(), &corpus, "--", &time, LONGEST, "-timeout=20"];
    let mut command = rustup(&[&run[..], &arguments].concat());
    run_command(command.current_dir(root.join("fuzz")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(words: &[&str], expected: Option<(Option<&str>, u64)>) {
        let expected = expected.map(|(target, seconds)| Request {
            target: target.map(ToOwned::to_owned),
            seconds,
        });
        assert_eq!(Request::read(words), expected, "{words:?}");
    }

    #[test]
    fn targets_and_seconds() {
        check(&[], Some((None, 60)));
        check(&["names"], Some((Some("names"), 60)));
        check(&["--seconds", "5"], Some((None, 5)));
        check(&["names", "--seconds", "5"], Some((Some("names"), 5)));
        check(&["--seconds", "5", "names"], Some((Some("names"), 5)));
        check(&["names", "headers"], None);
        check(&["--seconds"], None);
        check(&["--seconds", "0"], None);
        check(&["--forever"], None);
    }

    #[test]
    fn the_targets_are_found() {
        let targets = targets(&crate::root());
        assert!(targets.contains(&"requests".to_owned()), "{targets:?}");
    }
}
