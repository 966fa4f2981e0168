//! The files: whose they are, who may read them, and whether there is room for more.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, StatVfsMountFlags, access, statvfs};

use super::report::Finding;
use crate::config::{Config, Database, Transport};
use crate::serve::initial_password_file;

/// Octets that are needed to go on for a while, and those without which writes fail any moment.
const ENOUGH_SPACE: u64 = 1 << 30;
const LEAST_SPACE: u64 = 64 << 20;

/// Looks at the data directory and at what lies there, and elsewhere by its own setting.
pub(super) fn examine(config: &Config) -> Vec<Finding> {
    let directory = &config.data_dir;
    let mut findings = Vec::new();
    let metadata = match fs::metadata(directory) {
        Ok(metadata) => Some(metadata),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let what = format!("{} is not there yet", directory.display());
            let advice = "the first start of the server makes it; if there was one, name its data \
                          directory with --data-dir";
            findings.push(Finding::warning("files", what, advice));
            None
        }
        Err(error) => {
            findings.push(unreadable(directory, &error));
            None
        }
    };
    findings.extend(
        metadata
            .as_ref()
            .and_then(|found| private(directory, found)),
    );
    let files = secret_files(config);
    for file in &files {
        match fs::metadata(file) {
            Ok(found) => {
                findings.extend(closed(file, &found));
                let owner = metadata.as_ref();
                findings.extend(owner.and_then(|directory| owned(file, &found, directory)));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => findings.push(unreadable(file, &error)),
        }
    }
    let elsewhere: BTreeSet<_> = files.iter().map(|file| directory_of(file)).collect();
    let elsewhere = elsewhere.into_iter().filter(|other| other != directory);
    findings.extend(elsewhere.filter_map(unchanged));
    if let Database::Sqlite(file) = &config.database {
        findings.extend(room(directory_of(file)));
        findings.extend(writable(file));
    }
    if findings.is_empty() {
        let what = format!(
            "{} and what lies there is the server's alone",
            directory.display()
        );
        findings.push(Finding::ok("files", what));
    }
    findings.extend(initial_password(config));
    findings
}

/// The directory that a file is in.
fn directory_of(file: &Path) -> &Path {
    let parent = file
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

/// A directory elsewhere, which others may well look into: who can write there can put another file
/// in the place of ours, or a log of writes beside the database. Nobody can if the system lets nobody:
/// so Kubernetes hands secrets over.
fn unchanged(path: &Path) -> Option<Finding> {
    let bits = fs::metadata(path).ok()?.mode() & 0o777;
    let is_read_only = || {
        let system = statvfs(path);
        system.is_ok_and(|system| system.f_flag.contains(StatVfsMountFlags::RDONLY))
    };
    (bits & 0o022 != 0 && !is_read_only()).then(|| {
        let path = path.display();
        let what = format!("{path} can be changed by others (mode {bits:04o})");
        let advice = format!("run `chmod go-w {path}`, or move what is ours to another directory");
        Finding::problem("files", what, advice)
    })
}

/// The files that nobody else may read. Those that are not there are not missed here.
fn secret_files(config: &Config) -> Vec<PathBuf> {
    let mut files = vec![
        config.master_key_file.clone(),
        initial_password_file(&config.data_dir),
    ];
    match &config.transport {
        Transport::Http => {}
        Transport::SelfSigned => files.push(config.data_dir.join("tls-key.pem")),
        Transport::Certificate { key, .. } => files.push(key.clone()),
    }
    files.extend(config.database.files());
    files
}

/// The directory: who can write there can put another database or key in the place of ours. Who can
/// look into it sees names of files.
fn private(path: &Path, metadata: &Metadata) -> Option<Finding> {
    let bits = metadata.mode() & 0o777;
    let path = path.display();
    let advice = format!("run `chmod 700 {path}`");
    if bits & 0o022 != 0 {
        let what = format!("{path} can be changed by others (mode {bits:04o})");
        Some(Finding::problem("files", what, advice))
    } else if bits & 0o077 != 0 {
        let what = format!("{path} is open to others (mode {bits:04o})");
        Some(Finding::warning("files", what, advice))
    } else {
        None
    }
}

/// What belongs to root may be open to a group: so systemd and Kubernetes hand a secret to a
/// process that is not root.
fn closed(path: &Path, metadata: &Metadata) -> Option<Finding> {
    let bits = metadata.mode() & 0o777;
    let allowed = if metadata.uid() == 0 { 0o740 } else { 0o700 };
    (bits & !allowed != 0).then(|| {
        let path = path.display();
        let what = format!("{path} is open to others (mode {bits:04o})");
        let advice = format!("run `chmod 600 {path}`, and think about who may have read it");
        Finding::problem("files", what, advice)
    })
}

/// A command that was run as root may have left files that the server cannot use.
fn owned(path: &Path, metadata: &Metadata, directory: &Metadata) -> Option<Finding> {
    let (is, should_be) = (metadata.uid(), directory.uid());
    let is_handed = is == 0 && metadata.mode() & 0o040 != 0;
    (is != should_be && !is_handed).then(|| {
        let path = path.display();
        let what = format!("{path} belongs to user {is}, the data directory to user {should_be}");
        let advice = format!("run `chown {should_be} {path}`, and commands as that user");
        Finding::problem("files", what, advice)
    })
}

fn unreadable(path: &Path, error: &io::Error) -> Finding {
    let what = format!("{} cannot be looked at: {error}", path.display());
    Finding::problem(
        "files",
        what,
        "run this as the user that the server runs as",
    )
}

fn writable(file: &Path) -> Option<Finding> {
    let asked = [file, file.parent()?];
    let refused = asked
        .into_iter()
        .find(|path| path.exists() && access(*path, Access::WRITE_OK).is_err())?;
    let what = format!("{} cannot be written by this user", refused.display());
    let advice = "if the server runs as another user, run this as that one; else correct its modes";
    Some(Finding::problem("files", what, advice))
}

fn room(directory: &Path) -> Option<Finding> {
    let space = statvfs(directory).ok()?;
    space_left(directory, space.f_bavail.saturating_mul(space.f_frsize))
}

fn space_left(directory: &Path, left: u64) -> Option<Finding> {
    if left >= ENOUGH_SPACE {
        return None;
    }
    let (directory, megabytes) = (directory.display(), left >> 20);
    let what = format!("{megabytes} MiB are left on the disk of {directory}");
    let advice = "make room: what cannot be written down is not done, so nobody can sign in then";
    Some(if left < LEAST_SPACE {
        Finding::problem("files", what, advice)
    } else {
        Finding::warning("files", what, advice)
    })
}

fn initial_password(config: &Config) -> Option<Finding> {
    let file = initial_password_file(&config.data_dir);
    file.exists().then(|| {
        let what = format!(
            "the password of admin is still the first one, and in {}",
            file.display()
        );
        let advice = "change it with `vestibule user passwd admin`; the file goes away then";
        Finding::warning("password", what, advice)
    })
}

#[cfg(test)]
mod tests {
    use super::super::report::Level;
    use super::*;

    #[test]
    fn a_full_disk_is_foreseen() {
        let left = |octets| space_left(Path::new("/x"), octets).map(|finding| finding.level);
        assert_eq!(left(ENOUGH_SPACE), None);
        assert_eq!(left(ENOUGH_SPACE - 1), Some(Level::Warning));
        assert_eq!(left(LEAST_SPACE), Some(Level::Warning));
        assert_eq!(left(LEAST_SPACE - 1), Some(Level::Problem));
    }
}
