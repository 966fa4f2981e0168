//! Manifests: one place for versions, lints and reasons.

use toml::{Table, Value};

/// What a member takes over from the workspace.
const INHERITED: [&str; 5] = ["version", "edition", "rust-version", "license", "publish"];

/// What is wrong with the manifest of a member.
pub(super) fn member(manifest: &str) -> Vec<String> {
    match manifest.parse::<Table>() {
        Ok(manifest) => [inheritance(&manifest), dependencies(&manifest)].concat(),
        Err(error) => vec![error.message().to_owned()],
    }
}

fn inheritance(manifest: &Table) -> Vec<String> {
    let mut findings = Vec::new();
    if !manifest.get("lints").is_some_and(is_from_workspace) {
        findings.push("`[lints] workspace = true` is missing".to_owned());
    }
    let package = manifest.get("package").and_then(Value::as_table);
    for key in INHERITED {
        if !package
            .and_then(|package| package.get(key))
            .is_some_and(is_from_workspace)
        {
            findings.push(format!("`{key}.workspace = true` is missing"));
        }
    }
    findings
}

/// Dependencies of every kind, those of some targets only included.
fn dependencies(manifest: &Table) -> Vec<String> {
    let targets = manifest.get("target").and_then(Value::as_table);
    let tables = targets
        .into_iter()
        .flat_map(Table::values)
        .filter_map(Value::as_table);
    let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
    tables
        .chain([manifest])
        .flat_map(|table| kinds.iter().filter_map(|kind| table.get(*kind)?.as_table()))
        .flatten()
        .filter(|(_, dependency)| !is_from_workspace(dependency))
        .map(|(name, _)| format!("`{name}` must come from the workspace's table"))
        .collect()
}

fn is_from_workspace(value: &Value) -> bool {
    value.get("workspace").and_then(Value::as_bool) == Some(true)
}

/// Dependencies of the workspace without a reason: a comment above them, with no empty line in
/// between.
pub(super) fn reasons(manifest: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let (mut in_table, mut has_reason) = (false, false);
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            in_table = line == "[workspace.dependencies]";
        } else if line.is_empty() {
            has_reason = false;
        } else if line.starts_with('#') {
            has_reason = true;
        } else if in_table
            && !has_reason
            && let Some((name, _)) = line.split_once([' ', '='])
        {
            findings.push(format!("`{name}` has no reason above it"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "
        [package]
        name = 'a'
        version.workspace = true
        edition.workspace = true
        rust-version.workspace = true
        license.workspace = true
        publish.workspace = true
        [dependencies]
        b.workspace = true
        c = { workspace = true, optional = true }
        [lints]
        workspace = true
    ";

    #[track_caller]
    fn check(from: &str, to: &str, expected: &str) {
        assert!(GOOD.contains(from));
        assert_eq!(member(&GOOD.replace(from, to)), [expected]);
    }

    #[test]
    fn a_manifest_that_goes_its_own_way_is_found() {
        assert!(member(GOOD).is_empty());
        check(
            "[lints]\n",
            "[lints.clippy]\n",
            "`[lints] workspace = true` is missing",
        );
        check(
            "edition.workspace = true",
            "edition = '2024'",
            "`edition.workspace = true` is missing",
        );
        check(
            "b.workspace = true",
            "b = '1'",
            "`b` must come from the workspace's table",
        );
        check(
            "[dependencies]\n",
            "[dev-dependencies]\nd = { version = '1' }\n[dependencies]\n",
            "`d` must come from the workspace's table",
        );
        check(
            "[dependencies]\n",
            "[target.'cfg(unix)'.dependencies]\ne = '1'\n[dependencies]\n",
            "`e` must come from the workspace's table",
        );
    }

    #[test]
    fn a_dependency_without_a_reason_is_found() {
        let manifest = "[package]\nx = 1\n\n[workspace.dependencies]\n# Why.\na = '1'\nb = '1'\n\nc = '1'\n\n[x]\nd = 1\n";
        assert_eq!(reasons(manifest), ["`c` has no reason above it"]);
    }
}
