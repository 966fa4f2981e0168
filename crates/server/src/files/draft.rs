//! Files that have no name yet: each is written beside its name, and gets it when it is whole.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::sync_directory_of;

/// How the name of a draft ends; before it are the name that it shall have, and random digits.
const END: &str = ".draft";
const DIGITS: usize = 16;

/// Whoever has not written to a draft for so long is not there any more.
const FORGOTTEN: Duration = Duration::from_hours(24);

/// A file that only we may read, and that is not there yet under its name. Dropped before it has it,
/// it never was.
#[derive(Debug)]
pub struct Draft {
    path: PathBuf,
    file: File,
}

impl Draft {
    /// Begins a file. Those for the same name that somebody began and left behind are removed; those
    /// that somebody else still writes are not touched.
    ///
    /// # Errors
    /// What the system says.
    pub fn beside(name: &Path) -> io::Result<Self> {
        let mut octets = [0; DIGITS / 2];
        getrandom::fill(&mut octets)?;
        // Processes in containers all have the same few numbers.
        let digits = format!("{:016x}", u64::from_be_bytes(octets));
        let mut file_name = beginning(name);
        file_name.push(digits);
        file_name.push(END);
        let path = name.with_file_name(file_name);
        let mut options = OpenOptions::new();
        let options = options.write(true).create_new(true).mode(0o600);
        let file = options.open(&path)?;
        let draft = Self { path, file };
        // They are in nobody's way: what cannot be removed stays.
        let _ = draft.remove_forgotten(name);
        Ok(draft)
    }

    /// What is written, and where to.
    pub const fn file(&self) -> &File {
        &self.file
    }

    /// Where it is until then.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name, durably, unless that is taken.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] if it is; else what the system says.
    pub fn create(self, name: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        // A link fails if the name is taken, which a rename does not. Not every file system has
        // links; those without can mostly be told not to replace.
        match fs::hard_link(&self.path, name) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                let renamed = renameat_with(CWD, &self.path, CWD, name, RenameFlags::NOREPLACE);
                match renamed.map_err(io::Error::from) {
                    Err(other) if other.kind() == io::ErrorKind::AlreadyExists => {
                        return Err(other);
                    }
                    Err(_) => return Err(error),
                    Ok(()) => {}
                }
            }
            linked => linked?,
        }
        // Its first name goes before the second is made durable.
        drop(self);
        sync_directory_of(name)
    }

    /// Puts it in the place of whatever has that name, at one instant and durably.
    ///
    /// # Errors
    /// What the system says.
    pub fn replace(self, name: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, name)?;
        sync_directory_of(name)
    }

    fn remove_forgotten(&self, name: &Path) -> io::Result<()> {
        let now = self.file.metadata()?.modified()?;
        let directory = match name.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            Some(_) | None => Path::new("."),
        };
        let beginning = beginning(name);
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            if !is_draft(&beginning, &entry.file_name()) {
                continue;
            }
            let metadata = entry.metadata()?;
            let age = now.duration_since(metadata.modified()?).unwrap_or_default();
            if metadata.is_file() && age > FORGOTTEN {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // There is none any more where all went well.
        let _ = fs::remove_file(&self.path);
    }
}

/// How the names of all drafts for a name begin.
fn beginning(name: &Path) -> OsString {
    let mut beginning = name.file_name().unwrap_or_default().to_owned();
    beginning.push(".");
    beginning
}

fn is_draft(beginning: &OsStr, name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    let digits = name.strip_prefix(beginning.as_encoded_bytes());
    let digits = digits.and_then(|rest| rest.strip_suffix(END.as_bytes()));
    digits.is_some_and(|digits| digits.len() == DIGITS && digits.iter().all(u8::is_ascii_hexdigit))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn names(directory: &Path) -> Vec<OsString> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }

    #[test]
    fn each_draft_is_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let name = directory.path().join("file");
        let (one, two) = (Draft::beside(&name).unwrap(), Draft::beside(&name).unwrap());
        one.file().write_all(b"1").unwrap();
        two.file().write_all(b"2").unwrap();
        one.create(&name).unwrap();
        assert_eq!(fs::read(&name).unwrap(), b"1");
        let taken = two.create(&name).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&name).unwrap(), b"1");
        let three = Draft::beside(&name).unwrap();
        three.file().write_all(b"3").unwrap();
        three.replace(&name).unwrap();
        assert_eq!(fs::read(&name).unwrap(), b"3");
        drop(Draft::beside(&name).unwrap());
        assert_eq!(names(directory.path()), ["file"], "no draft stays");
    }

    #[test]
    fn what_was_left_behind_long_ago_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let name = directory.path().join("file");
        let begun = Draft::beside(&name).unwrap();
        let now = begun.file().metadata().unwrap().modified().unwrap();
        let old = now - FORGOTTEN - Duration::from_secs(1);
        for left in [
            "file.0123456789abcdef.draft",
            "file.mine.draft",
            "other.0123456789abcdef.draft",
        ] {
            let left = File::create(directory.path().join(left)).unwrap();
            left.set_modified(old).unwrap();
        }
        let young = Draft::beside(&name).unwrap();
        let found = names(directory.path());
        let mut expected = vec![
            begun.path().file_name().unwrap().to_owned(),
            young.path().file_name().unwrap().to_owned(),
            "file.mine.draft".into(),
            "other.0123456789abcdef.draft".into(),
        ];
        expected.sort();
        assert_eq!(found, expected);
    }
}
