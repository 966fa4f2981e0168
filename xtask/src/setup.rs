//! `cargo xtask setup`: the programs that tests run besides ours.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::step;

/// A program that tests run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Tool {
    program: &'static str,
    /// The Debian package that has it.
    package: &'static str,
    purpose: &'static str,
}

const TOOLS: [Tool; 3] = [
    Tool {
        program: "postgres",
        package: "postgresql",
        purpose: "the PostgreSQL server",
    },
    Tool {
        program: "zbarimg",
        package: "zbar-tools",
        purpose: "reads QR codes",
    },
    Tool {
        program: "oathtool",
        package: "oathtool",
        purpose: "an authenticator",
    },
];

/// Installs what is missing; whether all is there in the end.
pub(crate) fn run(root: &Path) -> bool {
    let missing = missing(is_installed);
    if missing.is_empty() {
        return true;
    }
    if !Path::new("/etc/debian_version").exists() {
        print!("{}", advice(&missing));
        return false;
    }
    let as_root = step::output(Command::new("id").arg("-u")).is_some_and(|id| id.trim() == "0");
    let went_well = commands(&missing, as_root)
        .into_iter()
        .all(|words| step::run(&mut apt(root, &words)));
    if !went_well {
        print!("{}", advice(&missing));
    }
    went_well
}

fn missing(is_installed: impl Fn(&Tool) -> bool) -> Vec<Tool> {
    TOOLS
        .into_iter()
        .filter(|tool| !is_installed(tool))
        .collect()
}

/// On the path; the database server also where Debian keeps it, which is not.
fn is_installed(tool: &Tool) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let versions = Path::new("/usr/lib/postgresql").read_dir();
    let servers = versions
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"));
    env::split_paths(&path)
        .chain(servers)
        .map(|folder: PathBuf| folder.join(tool.program))
        .any(|program| program.is_file())
}

/// What to run on Debian and its children.
fn commands(missing: &[Tool], as_root: bool) -> [Vec<&'static str>; 2] {
    let apt = |words: &[&'static str]| {
        let sudo = if as_root { &[][..] } else { &["sudo"][..] };
        let quietly = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"];
        [sudo, &quietly, words].concat()
    };
    let packages: Vec<_> = missing.iter().map(|tool| tool.package).collect();
    let install = [
        &["install", "--yes", "--no-install-recommends"][..],
        &packages,
    ]
    .concat();
    [apt(&["update"]), apt(&install)]
}

fn apt(root: &Path, words: &[&str]) -> Command {
    let (program, args) = words.split_first().unwrap_or((&"true", &[]));
    let mut command = Command::new(program);
    command.args(args).current_dir(root);
    command
}

/// What to say where we do not know how to install.
fn advice(missing: &[Tool]) -> String {
    let line = |tool: &Tool| {
        let Tool {
            program,
            package,
            purpose,
        } = tool;
        format!("  {program}: {purpose} (Debian: {package})\n")
    };
    let lines: String = missing.iter().map(line).collect();
    format!("These programs are missing; install them and come back:\n{lines}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_installed() {
        assert_eq!(missing(|_| true), []);
        let missing = missing(|tool| tool.program != "zbarimg");
        let [update, install] = commands(&missing, true);
        let apt = "env DEBIAN_FRONTEND=noninteractive apt-get";
        assert_eq!(update.join(" "), format!("{apt} update"));
        let expected = format!("{apt} install --yes --no-install-recommends zbar-tools");
        assert_eq!(install.join(" "), expected);
    }

    #[test]
    fn who_is_not_root_asks_to_be() {
        assert!(
            commands(&TOOLS, false)
                .iter()
                .all(|words| words.first() == Some(&"sudo"))
        );
    }

    #[test]
    fn the_advice_names_all_that_is_missing() {
        let advice = advice(&TOOLS);
        for tool in TOOLS {
            assert!(
                advice.contains(tool.program) && advice.contains(tool.package),
                "{advice}"
            );
        }
    }
}
