//! schemathesis, in a Python of its own under `target`: it compares what the API does with what its
//! document says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::step;

/// What is installed, with versions.
const REQUIREMENTS: &str = include_str!("../../schemathesis/requirements.txt");
/// Holds what was installed, once all of it was.
const INSTALLED: &str = "installed.txt";

/// The Python that has it.
pub(crate) fn python(root: &Path) -> PathBuf {
    folder(root).join("bin/python")
}

fn folder(root: &Path) -> PathBuf {
    root.join("target/schemathesis")
}

/// Installs it, unless it is there; whether it is there in the end.
pub(crate) fn install(root: &Path) -> bool {
    let folder = folder(root);
    let installed = folder.join(INSTALLED);
    if fs::read_to_string(&installed).is_ok_and(|installed| installed == REQUIREMENTS) {
        return true;
    }
    let requirements = root.join("xtask/schemathesis/requirements.txt");
    let mut venv = Command::new("python3");
    let mut pip = Command::new(python(root));
    let done = step::run(venv.args(["-m", "venv", "--clear"]).arg(&folder))
        && step::run(
            pip.args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ])
            .arg("--requirement")
            .arg(&requirements),
        );
    if let Err(error) = write_if(done, &installed) {
        println!("{}: {error}", installed.display());
        return false;
    }
    if !done {
        print!("{}", advice(&requirements));
    }
    done
}

fn write_if(done: bool, installed: &Path) -> std::io::Result<()> {
    if done {
        fs::write(installed, REQUIREMENTS)
    } else {
        Ok(())
    }
}

/// What to do where it cannot be installed.
fn advice(requirements: &Path) -> String {
    format!(
        "schemathesis cannot be installed. It needs Python 3.10 or newer with venv and pip (Debian: python3-venv), \
         and what {} lists, from the Python Package Index or from where pip is told to look (PIP_INDEX_URL, \
         PIP_FIND_LINKS); then come back.\n",
        requirements.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_is_fixed() {
        let lines = REQUIREMENTS.lines().filter(|line| !line.starts_with('#'));
        assert!(lines.clone().any(|line| line.starts_with("schemathesis==")));
        for line in lines {
            assert!(line.contains("=="), "{line}");
        }
    }

    #[test]
    fn the_advice_names_all_that_is_needed() {
        let advice = advice(Path::new("/here/requirements.txt"));
        for name in ["Python 3.10", "python3-venv", "/here/requirements.txt"] {
            assert!(advice.contains(name), "{advice}");
        }
    }
}
