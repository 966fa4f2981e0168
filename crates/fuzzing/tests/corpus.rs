//! Every file of the corpora, and everything that was ever found, given to its target once more.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "shown when a test fails")]

use std::fs;
use std::path::{Path, PathBuf};

use vestibule_fuzzing::{TARGETS, Target};

/// Files of a corpus at most, and the octets of all of them: they are in the repository.
const MOST_FILES: usize = 400;
const MOST_OCTETS: usize = 300 * 1024;

fn folder(kind: &str, name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    root.join(kind).join(name)
}

/// Gives the files of a folder to a target; how many there are, and how long together.
fn replay(folder: &Path, target: Target) -> (usize, usize) {
    let (mut count, mut octets) = (0, 0);
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        let input = fs::read(&path).unwrap();
        // Printed when the test fails: the last one is the culprit.
        println!("{}", path.display());
        target(&input);
        count += 1;
        octets += input.len();
    }
    (count, octets)
}

/// The target of this name, over its corpus and its regressions.
#[track_caller]
fn check(name: &str) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).unwrap();
    replay(&folder("regressions", name), *target);
    let (count, octets) = replay(&folder("corpus", name), *target);
    println!("{name}: {count} files, {octets} octets");
    assert!((20..MOST_FILES).contains(&count), "{count} files");
    assert!(octets < MOST_OCTETS, "{octets} octets: minimise the corpus");
}

#[test]
fn headers() {
    check("headers");
}

#[test]
fn names() {
    check("names");
}

#[test]
fn radius_response() {
    check("radius_response");
}

#[test]
fn requests() {
    check("requests");
}

#[test]
fn settings() {
    check("settings");
}

#[test]
fn wire_json() {
    check("wire_json");
}

/// A folder that no target reads, and a target without its shell, would go unnoticed.
#[test]
fn targets_shells_and_folders_belong_together() {
    let names: Vec<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let listed = |kind: &str| {
        let entries = fs::read_dir(folder(kind, "")).into_iter().flatten();
        let stem = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
        let mut listed: Vec<_> = entries.map(|entry| stem(entry.unwrap().path())).collect();
        listed.sort();
        listed
    };
    assert_eq!(listed("fuzz_targets"), names);
    assert_eq!(listed("corpus"), names);
    let strange = |name: &&String| !names.contains(name);
    assert_eq!(listed("regressions").iter().find(strange), None);
}
