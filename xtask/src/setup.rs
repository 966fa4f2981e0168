//! `cargo xtask setup`: the programs that tests run besides ours.

mod beside;
pub(crate) mod schemathesis;

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

/// The program, its package and its service.
const FREERADIUS: &str = "freeradius";

/// Of the package; Python itself may be there without what makes an environment.
const PYTHON: &str = "python3";

const TOOLS: [Tool; 5] = [
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
    Tool {
        program: FREERADIUS,
        package: FREERADIUS,
        purpose: "the RADIUS server",
    },
    Tool {
        program: PYTHON,
        package: "python3-venv",
        purpose: "runs schemathesis",
    },
];

/// Installs what is missing; whether all is there in the end that has to be.
pub(crate) fn run(root: &Path) -> bool {
    let is_there = install(root) && schemathesis::install(root);
    beside::unpack(root);
    is_there
}

fn install(root: &Path) -> bool {
    let missing = missing(is_installed);
    if missing.is_empty() {
        return true;
    }
    if !Path::new("/etc/debian_version").exists() {
        print!("{}", advice(&missing));
        return false;
    }
    let as_root = step::output(Command::new("id").arg("-u")).is_some_and(|id| id.trim() == "0");
    let has_services = Path::new("/run/systemd/system").exists();
    let went_well = commands(&missing, as_root, has_services)
        .into_iter()
        .all(|words| step::run(&mut command(root, &words)));
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

/// On the path; servers also where Debian keeps them, which may not be on it.
fn is_installed(tool: &Tool) -> bool {
    if tool.program == PYTHON {
        let environments = ["-c", "import ensurepip, venv"];
        return step::output(Command::new(PYTHON).args(environments)).is_some();
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let versions = Path::new("/usr/lib/postgresql").read_dir();
    let servers = versions
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"));
    env::split_paths(&path)
        .chain(servers)
        .chain(["/usr/sbin".into()])
        .map(|folder: PathBuf| folder.join(tool.program))
        .any(|program| program.is_file())
}

/// What to run on Debian and its children.
fn commands(missing: &[Tool], as_root: bool, has_services: bool) -> Vec<Vec<&'static str>> {
    let privileged = |words: &[&'static str]| {
        let sudo = if as_root { &[][..] } else { &["sudo"][..] };
        [sudo, words].concat()
    };
    let apt = |words: &[&'static str]| {
        let quietly = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"];
        privileged(&[&quietly, words].concat())
    };
    let packages: Vec<_> = missing.iter().map(|tool| tool.package).collect();
    let install = [
        &["install", "--yes", "--no-install-recommends"][..],
        &packages,
    ]
    .concat();
    let mut commands = vec![apt(&["update"]), apt(&install)];
    if has_services && packages.contains(&FREERADIUS) {
        // The package starts its server, with a secret that everybody knows, now and at each boot;
        // tests run their own. One that was here before us is somebody's, and is left alone.
        commands.push(privileged(&["systemctl", "disable", "--now", FREERADIUS]));
    }
    commands
}

fn command(root: &Path, words: &[&str]) -> Command {
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
        let commands: Vec<_> = commands(&missing, true, true)
            .iter()
            .map(|words| words.join(" "))
            .collect();
        let apt = "env DEBIAN_FRONTEND=noninteractive apt-get";
        let install = "install --yes --no-install-recommends zbar-tools";
        assert_eq!(
            commands,
            [format!("{apt} update"), format!("{apt} {install}")]
        );
    }

    #[test]
    fn no_service_is_left_running() {
        let last = |has_services| {
            let commands = commands(&TOOLS, true, has_services);
            commands.last().map(|words| words.join(" "))
        };
        let disable = "systemctl disable --now freeradius";
        assert_eq!(last(true).as_deref(), Some(disable));
        assert_ne!(last(false).as_deref(), Some(disable));
    }

    #[test]
    fn who_is_not_root_asks_to_be() {
        assert!(
            commands(&TOOLS, false, true)
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
