//! Counts tests from what their runners write.

use std::fmt;
use std::ops::AddAssign;

/// Tests that ran.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Count {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Count {
    /// Adds what a line says, if it is the last line of a test runner, or the first of a report in
    /// the form of JUnit.
    pub(crate) fn see(&mut self, line: &str) {
        if let Some(report) = line.trim_start().strip_prefix("<testsuites ") {
            let number = |name: &str| number_after(report, &format!("{name}=\""));
            let failed = number("failures") + number("errors");
            self.failed += failed;
            self.passed += number("tests").saturating_sub(failed + number("skipped"));
            return;
        }
        let Some((_, result)) = line.split_once("test result: ") else {
            return;
        };
        self.passed += number_before(result, " passed");
        self.failed += number_before(result, " failed");
    }

    /// A run that failed and says of no test that it did has still failed: it did not compile, or
    /// it crashed.
    pub(crate) fn end(&mut self, went_well: bool) {
        if !went_well {
            self.failed = self.failed.max(1);
        }
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// The number that stands before a word.
fn number_before(text: &str, word: &str) -> u64 {
    let before = text.split_once(word).map_or("", |(before, _)| before);
    let digits = before
        .rsplit(|c: char| !c.is_ascii_digit())
        .next()
        .unwrap_or_default();
    digits.parse().unwrap_or(0)
}

/// The number that stands after a word.
fn number_after(text: &str, word: &str) -> u64 {
    let after = text.split_once(word).map_or("", |(_, after)| after);
    let digits = after.split(|c: char| !c.is_ascii_digit()).next();
    digits.unwrap_or_default().parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(lines: &[&str], went_well: bool, expected: &str) {
        let mut count = Count::default();
        for line in lines {
            count.see(line);
        }
        count.end(went_well);
        assert_eq!(count.to_string(), expected);
    }

    #[test]
    fn results_add_up() {
        let ok = "test result: ok. 30 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";
        let bad = "test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured";
        check(&[], true, "0 passed, 0 failed");
        check(
            &["running 30 tests", "test a::b ... ok", ok, ""],
            true,
            "30 passed, 0 failed",
        );
        check(&[ok, bad, ok], false, "72 passed, 3 failed");
    }

    #[test]
    fn reports_add_up() {
        let suites = r#"<testsuites errors="1" failures="2" skipped="3" tests="36" time="26.8">"#;
        let suite = suites.replace("<testsuites", "  <testsuite");
        let case = r#"<testcase name="GET /admin/version" time="0.1" />"#;
        check(&[suites, &suite, case], false, "30 passed, 3 failed");
    }

    #[test]
    fn a_run_that_fails_in_silence_has_failed() {
        check(
            &["test result: ok. 30 passed; 0 failed;"],
            false,
            "30 passed, 1 failed",
        );
    }
}
