//! What was found.

use std::fmt;

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// Nothing has to be done.
    Ok,
    /// It works, and may not for ever, or not as safely as it could.
    Warning,
    /// It does not work, or is not safe.
    Problem,
}

/// One thing that was found.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Finding {
    /// How bad it is.
    #[serde(rename = "status")]
    pub(super) level: Level,
    /// What was looked at.
    check: &'static str,
    /// What was found.
    what: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

impl Finding {
    pub(super) fn ok(check: &'static str, what: impl Into<String>) -> Self {
        Self {
            level: Level::Ok,
            check,
            what: what.into(),
            advice: None,
        }
    }

    pub(super) fn warning(
        check: &'static str,
        what: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            level: Level::Warning,
            advice: Some(advice.into()),
            ..Self::ok(check, what)
        }
    }

    pub(super) fn problem(
        check: &'static str,
        what: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            level: Level::Problem,
            ..Self::warning(check, what, advice)
        }
    }
}

/// All that was found, in the order in which it was looked at.
#[derive(Debug, Default)]
pub(super) struct Report(Vec<Finding>);

impl Report {
    pub(super) fn add(&mut self, finding: Finding) {
        self.0.push(finding);
    }

    pub(super) fn has_problems(&self) -> bool {
        self.0.iter().any(|one| one.level == Level::Problem)
    }

    pub(super) fn json(&self) -> std::io::Result<String> {
        Ok(serde_json::to_string_pretty(&self.0)?)
    }
}

impl Extend<Finding> for Report {
    fn extend<T: IntoIterator<Item = Finding>>(&mut self, findings: T) {
        self.0.extend(findings);
    }
}

/// A line for each finding, and one below it for what to do.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.0 {
            let level = match finding.level {
                Level::Ok => "ok",
                Level::Warning => "warning",
                Level::Problem => "PROBLEM",
            };
            writeln!(f, "{level:<8} {:<9} {}", finding.check, finding.what)?;
            if let Some(advice) = &finding.advice {
                writeln!(f, "{:18} -> {advice}", "")?;
            }
        }
        let count = |level, one, several| match self.0.iter().filter(|f| f.level == level).count() {
            1 => format!("1 {one}"),
            count => format!("{count} {several}"),
        };
        let problems = count(Level::Problem, "problem", "problems");
        let warnings = count(Level::Warning, "warning", "warnings");
        write!(f, "{problems}, {warnings}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(problems: usize, warnings: usize, expected: &str) {
        let mut report = Report::default();
        report.extend((0..problems).map(|_| Finding::problem("key", "is gone", "find it")));
        report.extend((0..warnings).map(|_| Finding::warning("tls", "is old", "make another")));
        let text = report.to_string();
        assert_eq!(text.lines().last(), Some(expected));
    }

    #[test]
    fn one_is_not_several() {
        check(0, 0, "0 problems, 0 warnings");
        check(1, 1, "1 problem, 1 warning");
        check(2, 3, "2 problems, 3 warnings");
    }
}
