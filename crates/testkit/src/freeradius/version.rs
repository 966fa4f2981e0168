//! Which FreeRADIUS servers are on this machine, and how they are run.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// A FreeRADIUS that tests run against.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Version {
    /// Of Debian 12: from before CVE-2024-3596. It signs an answer only where it is told to.
    V3_2_1,
    /// Of Debian 13: signs every answer, in its first attribute.
    V3_2_7,
}

impl Version {
    /// All that tests know of.
    pub const ALL: [Self; 2] = [Self::V3_2_1, Self::V3_2_7];

    /// As the server itself writes it.
    pub fn number(self) -> &'static str {
        match self {
            Self::V3_2_1 => "3.2.1",
            Self::V3_2_7 => "3.2.7",
        }
    }

    /// How to run it, if it is on this machine.
    pub(super) fn program(self) -> Option<&'static Program> {
        static PROGRAMS: OnceLock<[Option<Program>; 2]> = OnceLock::new();
        let [old, new] = PROGRAMS.get_or_init(|| Self::ALL.map(Self::find));
        match self {
            Self::V3_2_1 => old,
            Self::V3_2_7 => new,
        }
        .as_ref()
    }

    fn find(self) -> Option<Program> {
        let installed = Program::installed();
        let unpacked = Program::unpacked(&unpacked_in(self));
        let is_this = |program: &Program| program.says_it_is(self);
        installed.into_iter().chain(unpacked).find(is_this)
    }
}

/// The versions that are on this machine; tells of those that are not.
///
/// # Panics
///
/// When there is none: then nothing would be tested.
#[expect(
    clippy::print_stdout,
    reason = "who reads the output of a test learns what was not tested"
)]
pub fn versions() -> Vec<Version> {
    let (there, missing): (Vec<_>, Vec<_>) = Version::ALL
        .into_iter()
        .partition(|version| version.program().is_some());
    for version in missing {
        let number = version.number();
        println!("skipped: FreeRADIUS {number} is not here; `cargo xtask setup` may get it");
    }
    assert!(
        !there.is_empty(),
        "no FreeRADIUS is installed; `cargo xtask setup` installs it"
    );
    there
}

/// An executable with what it needs around it.
#[derive(Debug)]
pub(super) struct Program {
    /// The executable, after the loader where it has one of its own.
    pub(super) command: Vec<OsString>,
    /// The directory of the modules.
    pub(super) modules: PathBuf,
    /// The directory of the dictionaries.
    pub(super) dictionaries: PathBuf,
}

impl Program {
    /// What the package manager installed; in `/usr/sbin`, which is not on everyone's path.
    fn installed() -> Option<Self> {
        let path = env::var_os("PATH").unwrap_or_default();
        let executable = env::split_paths(&path)
            .chain(["/usr/sbin".into()])
            .map(|folder| folder.join("freeradius"))
            .find(|executable| executable.is_file())?;
        Some(Self {
            command: vec![executable.into()],
            modules: "/usr/lib/freeradius".into(),
            dictionaries: "/usr/share/freeradius".into(),
        })
    }

    /// Packages of another release that were unpacked into a folder. They come with a C library
    /// of their own, and so need its loader.
    fn unpacked(root: &Path) -> Option<Self> {
        let modules = root.join("usr/lib/freeradius");
        let (loader, libraries) = loader(&root.join("usr/lib"))?;
        let mut search = libraries.into_os_string();
        search.push(":");
        search.push(&modules);
        let command = vec![
            loader.into(),
            "--library-path".into(),
            search,
            root.join("usr/sbin/freeradius").into(),
        ];
        Some(Self {
            command,
            modules,
            dictionaries: root.join("usr/share/freeradius"),
        })
    }

    /// Whether it runs, and says that it is this version.
    fn says_it_is(&self, version: Version) -> bool {
        let Some((program, args)) = self.command.split_first() else {
            return false;
        };
        let output = Command::new(program)
            .args(args)
            .arg("-v")
            .stdin(Stdio::null())
            .output();
        let expected = format!("FreeRADIUS Version {},", version.number());
        output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(&expected))
    }
}

/// Where `cargo xtask setup` unpacks what cannot be installed beside another version.
fn unpacked_in(version: Version) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.join(format!("target/freeradius-{}", version.number()))
}

/// The loader below a folder of libraries, which has one folder for an architecture, and that one.
fn loader(libraries: &Path) -> Option<(PathBuf, PathBuf)> {
    let entries = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
    entries(libraries).find_map(|folder| {
        let folder = folder.path();
        let loader = entries(&folder)
            .find(|file| file.file_name().to_string_lossy().starts_with("ld-linux"))?;
        Some((loader.path(), folder))
    })
}
