//! FreeRADIUS 3.2.7, unpacked beside the version that the package manager installs.
//!
//! What differs between the two is what our client has to get along with: 3.2.7 defends itself
//! against CVE-2024-3596, and the version of Debian 12 does not. Nothing is installed: packages of
//! Debian 13 come down under a state of apt that is all its own, and are taken apart into a folder
//! below `target`. They bring their C library and its loader, so that any Linux can run them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::step;

const VERSION: &str = "3.2.7";

/// The server, and the libraries without which it does not start.
const PACKAGES: [&str; 14] = [
    "freeradius=3.2.7*",
    "freeradius-common=3.2.7*",
    "libfreeradius3=3.2.7*",
    "libc6",
    "libcap2",
    "libcrypt1",
    "libdbus-1-3",
    "liblzma5",
    "libpcap0.8t64",
    "libssl3t64",
    "libsystemd0",
    "libtalloc2",
    "libzstd1",
    "zlib1g",
];

/// Who signs the packages; of Debian, and not everywhere on its children.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Unpacks it, unless it is there. Tests go without it where it cannot be had.
pub(super) fn unpack(root: &Path) {
    let folder = root.join(format!("target/freeradius-{VERSION}"));
    if folder.is_dir() || is_installed() {
        return;
    }
    // Under its name only when it is complete.
    let partial = folder.with_added_extension("partial");
    let unpacked = download_and_unpack(&partial, &folder);
    if let Err(reason) = unpacked {
        println!("skipped: FreeRADIUS {VERSION} cannot be had ({reason}); tests go without it");
    }
    let _ = fs::remove_dir_all(&partial);
}

/// Whether it is what the package manager has.
fn is_installed() -> bool {
    let version = step::output(Command::new("/usr/sbin/freeradius").arg("-v"));
    version.is_some_and(|text| text.contains(&format!("FreeRADIUS Version {VERSION},")))
}

fn download_and_unpack(partial: &Path, folder: &Path) -> Result<(), String> {
    if !Path::new(KEYRING).exists() {
        return Err(format!("{KEYRING} is not here"));
    }
    let prepare = || {
        let _ = fs::remove_dir_all(partial);
        for part in ["lists/partial", "packages/partial", "root"] {
            fs::create_dir_all(partial.join(part))?;
        }
        fs::write(partial.join("status"), "")?;
        fs::write(partial.join("debian.sources"), sources())
    };
    prepare().map_err(|error: io::Error| format!("{}: {error}", partial.display()))?;
    run(apt(partial).arg("update"))?;
    run(apt(partial).arg("download").args(PACKAGES))?;
    let packages = packages(partial).map_err(|error| error.to_string())?;
    for package in packages {
        let mut dpkg = Command::new("dpkg-deb");
        run(dpkg.arg("-x").arg(package).arg(partial.join("root")))?;
    }
    fs::rename(partial.join("root"), folder).map_err(|error| error.to_string())
}

fn sources() -> String {
    format!(
        "Types: deb\n\
         URIs: http://deb.debian.org/debian\n\
         Suites: trixie\n\
         Components: main\n\
         Targets: Packages\n\
         Signed-By: {KEYRING}\n"
    )
}

/// An apt that knows only this folder, and neither waits nor needs to be root.
fn apt(partial: &Path) -> Command {
    let inside = |option: &str, name: &str| format!("{option}={}", partial.join(name).display());
    let options = [
        inside("Dir::State::lists", "lists"),
        inside("Dir::State::status", "status"),
        inside("Dir::Cache::archives", "packages"),
        inside("Dir::Cache::pkgcache", "pkgcache.bin"),
        inside("Dir::Cache::srcpkgcache", "srcpkgcache.bin"),
        inside("Dir::Etc::sourcelist", "debian.sources"),
        "Dir::Etc::sourceparts=/dev/null".to_owned(),
        "Dir::Etc::preferencesparts=/dev/null".to_owned(),
        "Acquire::Languages=none".to_owned(),
        "Acquire::Retries=1".to_owned(),
        "Acquire::http::Timeout=20".to_owned(),
        // Root's apt downloads as another user, who may not write here.
        "APT::Sandbox::User=root".to_owned(),
        "APT::Update::Error-Mode=any".to_owned(),
    ];
    let mut command = Command::new("apt-get");
    command.arg("-qq").current_dir(partial);
    for option in options {
        command.args(["-o", &option]);
    }
    command
}

fn run(command: &mut Command) -> Result<(), String> {
    let done = step::run(command);
    let program = command.get_program().display();
    if done {
        Ok(())
    } else {
        Err(format!("{program} failed"))
    }
}

/// What was downloaded.
fn packages(partial: &Path) -> io::Result<Vec<PathBuf>> {
    let entries: io::Result<Vec<_>> = partial.read_dir()?.collect();
    let mut packages: Vec<_> = entries?.into_iter().map(|entry| entry.path()).collect();
    packages.retain(|path| path.extension().is_some_and(|extension| extension == "deb"));
    Ok(packages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apt_leaves_the_state_of_the_system_alone() {
        let command = apt(Path::new("/here"));
        let args: Vec<_> = command
            .get_args()
            .map(|arg| arg.to_string_lossy())
            .collect();
        let of_system = |arg: &&str| arg.starts_with("Dir::") && !arg.contains("=/");
        let args: Vec<&str> = args.iter().map(AsRef::as_ref).collect();
        assert!(!args.iter().any(of_system), "{args:?}");
        for state in ["State::lists", "State::status", "Cache::archives"] {
            let own = format!("Dir::{state}=/here/");
            assert!(
                args.iter().any(|arg| arg.starts_with(&own)),
                "{state}: {args:?}"
            );
        }
    }

    #[test]
    fn packages_come_from_the_release_that_has_this_version() {
        assert!(sources().contains("Suites: trixie\n"));
        let versioned = PACKAGES.iter().filter(|name| name.contains('='));
        assert!(versioned.clone().count() > 0);
        for name in versioned {
            assert!(name.ends_with(&format!("={VERSION}*")), "{name}");
        }
    }
}
