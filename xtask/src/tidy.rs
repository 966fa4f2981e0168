//! `cargo xtask tidy`: the rules that compilers do not know.
//!
//! Each rule is a function from what it looks at to what it finds, so that a bad sample shows that
//! it can find something.

mod layers;
mod lock;
mod manifests;
mod sources;

use std::fs;
use std::path::Path;

use cargo_metadata::{Metadata, MetadataCommand};

use crate::step::{cargo, output};

/// Says what is not tidy; whether there was nothing to say.
pub(crate) fn run(root: &Path) -> bool {
    let findings = findings(root);
    for finding in &findings {
        println!("{finding}");
    }
    findings.is_empty()
}

/// Everything that is not tidy in the repository.
fn findings(root: &Path) -> Vec<String> {
    let manifest = root.join("Cargo.toml");
    let workspace = match MetadataCommand::new()
        .manifest_path(&manifest)
        .no_deps()
        .exec()
    {
        Ok(workspace) => workspace,
        Err(error) => return vec![format!("{}: {error}", manifest.display())],
    };
    let mut findings = layers::arrows(&arrows(&workspace));
    match output(&mut cargo(root, &layers::ENGINE_TREE)) {
        Some(tree) => findings.extend(layers::impurities(&tree)),
        None => findings.push("cargo tree does not answer for the engine".to_owned()),
    }
    for package in &workspace.packages {
        let path = package.manifest_path.as_std_path();
        findings.extend(with_text(path, manifests::member));
    }
    findings.extend(with_text(&manifest, manifests::reasons));
    findings.extend(with_text(&root.join("Cargo.lock"), lock::banned));
    findings.extend(crate::scenarios::findings(root));
    for folder in ["crates", "fuzz", "xtask"] {
        findings.extend(sources::in_folder(root, &root.join(folder)));
    }
    findings
}

fn with_text(path: &Path, rule: impl Fn(&str) -> Vec<String>) -> Vec<String> {
    match fs::read_to_string(path) {
        Ok(text) => {
            let found = rule(&text).into_iter();
            found
                .map(|finding| format!("{}: {finding}", path.display()))
                .collect()
        }
        Err(error) => vec![format!("{}: {error}", path.display())],
    }
}

/// Who depends on whom among the members.
fn arrows(workspace: &Metadata) -> Vec<layers::Arrow> {
    let names: Vec<_> = workspace
        .packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let of_member = |package: &cargo_metadata::Package| {
        let dependencies = package.dependencies.iter();
        let ours = dependencies.filter(|dependency| names.contains(&dependency.name.as_str()));
        let arrow = |dependency: &cargo_metadata::Dependency| layers::Arrow {
            from: package.name.to_string(),
            to: dependency.name.clone(),
            in_tests: dependency.kind == cargo_metadata::DependencyKind::Development,
        };
        ours.map(arrow).collect::<Vec<_>>()
    };
    let mut arrows: Vec<_> = workspace.packages.iter().flat_map(of_member).collect();
    // A member that depends on nobody must be in the table as well.
    arrows.extend(names.iter().map(|name| layers::Arrow::none(name)));
    arrows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_tidy() {
        let findings = findings(&crate::root());
        assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
    }
}
