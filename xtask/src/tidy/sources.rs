//! Source files: how they begin, how long they are, and what they never hold.

use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a file, at most.
const LONGEST: usize = 500;

/// What is never written, and why. Taken apart, so that this file does not hold it either.
const NEVER: [(&str, &str); 4] = [
    (concat!("#[", "ignore"), "a test that is not run is none"),
    (
        concat!("should", "_panic"),
        "assert what is wrong, not that something is",
    ),
    (
        concat!("thread::", "sleep"),
        "wait for what you wait for, not for time",
    ),
    (
        concat!("tokio::time::", "sleep"),
        "wait for what you wait for, not for time",
    ),
];

/// The word with which a store proves a claim.
const PROOF: &str = concat!("dangerous", "_claimed");

/// What is wrong with the files below a folder; one that is not there has none.
pub(super) fn in_folder(root: &Path, folder: &Path) -> Vec<String> {
    let mut findings = Vec::new();
    for path in files(folder) {
        let name = path
            .strip_prefix(root)
            .unwrap_or(&path)
            .to_string_lossy()
            .into_owned();
        match fs::read_to_string(&path) {
            Ok(text) => findings.extend(in_file(&name, &text)),
            Err(error) => findings.push(format!("{name}: {error}")),
        }
    }
    findings
}

/// Files that people write, but not those that tools do.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    let is_written = |path: &PathBuf| {
        let extension = path.extension().unwrap_or_default();
        ["md", "rs", "sql", "toml"]
            .iter()
            .any(|written| extension == *written)
    };
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            if !path.ends_with("target") {
                files.extend(self::files(&path));
            }
        } else if is_written(&path) {
            files.push(path);
        }
    }
    files
}

/// What is wrong with a file of this name.
fn in_file(name: &str, text: &str) -> Vec<String> {
    let mut findings = trailing_space(text);
    if Path::new(name)
        .extension()
        .is_some_and(|extension| extension == "rs")
    {
        findings.extend(module_doc(text));
        findings.extend(length(text));
        findings.extend(never(text));
        findings.extend(proofs(name, text));
    }
    findings
        .into_iter()
        .map(|finding| format!("{name}{finding}"))
        .collect()
}

fn module_doc(text: &str) -> Option<String> {
    (!text.starts_with("//! ")).then(|| ": does not begin with what it is for (`//! …`)".to_owned())
}

fn length(text: &str) -> Option<String> {
    let lines = text.lines().count();
    (lines > LONGEST).then(|| format!(": has {lines} lines, more than {LONGEST}; split it by idea"))
}

fn trailing_space(text: &str) -> Vec<String> {
    let lines = (1..).zip(text.lines());
    let trailing = lines.filter(|(_, line)| line.trim_end() != *line);
    trailing
        .map(|(n, _)| format!(":{n}: white space at the end of the line"))
        .collect()
}

fn never(text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    for (n, line) in (1..).zip(text.lines()) {
        for (word, why) in NEVER {
            if holds_word(line, word) {
                findings.push(format!(":{n}: `{word}`: {why}"));
            }
        }
    }
    findings
}

/// Whether a word is in a line, and not as the beginning of a longer one.
fn holds_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let after = line.get(at + word.len()..).unwrap_or_default();
        !after.starts_with(|c: char| c == '_' || c.is_alphanumeric())
    })
}

/// Only stores may prove that a step is claimed; the engine defines how, and its tests play store.
fn proofs(name: &str, text: &str) -> Option<String> {
    let may = ["crates/engine/", "crates/store"]
        .iter()
        .any(|folder| name.starts_with(folder));
    (!may && text.contains(PROOF)).then(|| format!(": `{PROOF}` is for stores"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, text: &str, expected: &[&str]) {
        let found: Vec<_> = in_file(name, text);
        let is_expected = |(found, expected): (&String, &&str)| found.starts_with(expected);
        let all = found.len() == expected.len() && found.iter().zip(expected).all(is_expected);
        assert!(all, "{found:?} instead of {expected:?}");
    }

    #[test]
    fn what_is_tidy_is_left_alone() {
        check("a.rs", "//! What for.\n\nfn main() {}\n", &[]);
        check("a.toml", "# No module doc.\n", &[]);
        check(
            "a.rs",
            &format!("//! A.\n{}_until(then)\n", NEVER[3].0),
            &[],
        );
    }

    #[test]
    fn a_file_without_a_beginning_is_found() {
        check("a.rs", "fn main() {}\n", &["a.rs: does not begin"]);
        check("a.rs", "", &["a.rs: does not begin"]);
    }

    #[test]
    fn a_long_file_is_found() {
        let long = |lines: usize| format!("//! A.\n{}", "\n".repeat(lines - 1));
        check("a.rs", &long(500), &[]);
        check("a.rs", &long(501), &["a.rs: has 501 lines"]);
    }

    #[test]
    fn white_space_at_the_end_is_found() {
        check("a.md", "a\nb \n\t\n", &["a.md:2: white", "a.md:3: white"]);
    }

    #[test]
    fn what_is_never_written_is_found() {
        for (word, _) in NEVER {
            check(
                "a.rs",
                &format!("//! A.\n{word}(1)\n"),
                &[&format!("a.rs:2: `{word}`")],
            );
        }
    }

    #[test]
    fn a_proof_outside_of_a_store_is_found() {
        let text = format!("//! A.\nclaim.{PROOF}()\n");
        check("crates/store-memory/src/a.rs", &text, &[]);
        check(
            "crates/service/src/a.rs",
            &text,
            &["crates/service/src/a.rs: `dangerous"],
        );
    }
}
