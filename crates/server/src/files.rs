//! Files that only we may read, and the directory that they are in.

mod draft;

use std::fs::{self, DirBuilder, File, Metadata, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use vestibule_engine::Secret;

pub use draft::Draft;

/// Why a secret in a file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system says no.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// Others could have read it, or could have put it there.
    #[error(
        "is open to others (mode {mode:04o}): run `chmod 600` on it, and think about who may have read it"
    )]
    Open {
        /// The permission bits.
        mode: u32,
    },
    /// There is nothing in it.
    #[error("is empty")]
    Empty,
}

/// Makes a directory that only we may enter, with those above it, unless it is there.
///
/// # Errors
/// What the system says.
pub fn make_private_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes a file that only we may read, with all of its contents or not at all, and durably.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] if there is a file of that name, which is not touched.
pub fn create_private(path: &Path, contents: &[u8]) -> io::Result<()> {
    let draft = Draft::beside(path)?;
    draft.file().write_all(contents)?;
    draft.create(path)
}

/// Puts a private file in the place of whatever has that name, at one instant and durably; where that
/// is a link, in the place of what it leads to. It belongs to whom that belonged to, and is as open:
/// root may act for a server that is not root, and hand it a file by a group.
///
/// # Errors
/// What the system says.
pub fn replace_private(path: &Path, contents: &[u8]) -> io::Result<()> {
    let path = &behind_links(path)?;
    let draft = Draft::beside(path)?;
    draft.file().write_all(contents)?;
    match fs::metadata(path) {
        Ok(old) => be_like(&old, &draft)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    draft.replace(path)
}

/// The file that a name leads to. Where there is none yet it is the name itself.
///
/// # Errors
/// What the system says.
pub fn behind_links(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(path.to_owned()),
        found => found,
    }
}

fn be_like(old: &Metadata, draft: &Draft) -> io::Result<()> {
    let new = draft.file().metadata()?;
    if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
        std::os::unix::fs::chown(draft.path(), Some(old.uid()), Some(old.gid()))?;
    }
    let mode = old.mode() & allowed(old);
    draft.file().set_permissions(Permissions::from_mode(mode))
}

/// The permissions that a private file may have. What belongs to root may be readable by a group:
/// that is how systemd and Kubernetes hand a secret to a process that is not root.
fn allowed(metadata: &Metadata) -> u32 {
    if metadata.uid() == 0 { 0o740 } else { 0o700 }
}

/// Makes the names in the directory of a file durable.
///
/// # Errors
/// What the system says.
pub fn sync_directory_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        Some(_) | None => File::open(".")?.sync_all(),
    }
}

/// Reads a text that nobody else may read, but for a group that root hands it to.
///
/// # Errors
/// Why it is not taken.
pub fn read_private(path: &Path) -> Result<Secret<String>, ReadError> {
    let metadata = fs::metadata(path)?;
    let mode = metadata.mode() & 0o777;
    if mode & !allowed(&metadata) != 0 {
        return Err(ReadError::Open { mode });
    }
    Ok(Secret::new(fs::read_to_string(path)?))
}

/// Reads a password from a file: all but the end of its last line.
///
/// # Errors
/// Why it is not taken.
pub fn read_password(path: &Path) -> Result<Secret<String>, ReadError> {
    let text = Secret::new(fs::read_to_string(path)?);
    let password = without_line_end(text.expose());
    if password.is_empty() {
        return Err(ReadError::Empty);
    }
    Ok(Secret::from(password))
}

/// The text without the line feed at its end, if there is one.
pub(crate) fn without_line_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn private_means_private() {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("a/b");
        make_private_directory(&inner).unwrap();
        assert_eq!(mode(&inner), 0o700);

        let file = inner.join("secret");
        create_private(&file, b"1").unwrap();
        assert_eq!(mode(&file), 0o600);
        assert_eq!(read_private(&file).unwrap().expose(), "1");
        let error = create_private(&file, b"2").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(read_private(&file).unwrap().expose(), "1");
        replace_private(&file, b"3").unwrap();
        assert_eq!(read_private(&file).unwrap().expose(), "3");
        assert_eq!(fs::read_dir(&inner).unwrap().count(), 1, "no draft stays");

        // Only root may give files away.
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&file, Some(1), Some(2)).unwrap();
            replace_private(&file, b"4").unwrap();
            let metadata = fs::metadata(&file).unwrap();
            assert_eq!((metadata.uid(), metadata.gid()), (1, 2));
            assert_eq!(mode(&file), 0o600);
        }
    }

    /// As a secret that a file manager or another tool keeps elsewhere.
    #[test]
    fn what_a_link_leads_to_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("file"), directory.path().join("link"));
        create_private(&file, b"1").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        replace_private(&link, b"2").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"2");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }

    /// Whoever reads it: a server that is not root, or a command of root.
    #[test]
    fn what_root_hands_to_a_group_is_taken_and_stays_so() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("secret");
        create_private(&file, b"1").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        if !rustix::process::geteuid().is_root() {
            assert!(read_private(&file).is_err());
            return;
        }
        assert_eq!(read_private(&file).unwrap().expose(), "1");
        replace_private(&file, b"2").unwrap();
        assert_eq!(mode(&file), 0o640);
        std::os::unix::fs::chown(&file, Some(1), Some(2)).unwrap();
        assert!(read_private(&file).is_err());
    }

    #[test]
    fn what_others_may_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("secret");
        create_private(&file, b"1").unwrap();
        for mode in [0o604, 0o644, 0o620, 0o660, 0o666] {
            fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
            let error = read_private(&file).unwrap_err();
            assert!(
                error.to_string().contains(&format!("{mode:04o}")),
                "{error}"
            );
        }
        fs::set_permissions(&file, Permissions::from_mode(0o400)).unwrap();
        assert!(read_private(&file).is_ok());
    }
}
