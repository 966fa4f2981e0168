//! Where a backup is written: nothing that is there is lost by it, unless that was said.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::files::{self, Draft};
use crate::key;

/// The name that a backup is to have.
pub(super) struct Target<'p> {
    name: &'p Path,
    /// Whether what has the name now is replaced.
    force: bool,
}

/// Why nothing is written there.
#[derive(Debug, thiserror::Error)]
pub(super) enum TargetError {
    #[error(
        "{0} is there already: choose another name, or replace it with --force. To check a backup: --verify"
    )]
    Taken(String),
    #[error("{0} is what the server lives on: choose another name for the backup")]
    Needed(String),
    #[error("{0} is no file: choose another name for the backup")]
    NoFile(String),
    #[error("the backup {name} cannot be written: {source}")]
    Io {
        name: String,
        #[source]
        source: io::Error,
    },
}

impl<'p> Target<'p> {
    /// A name that may be taken.
    pub(super) fn new(name: &'p Path, force: bool, config: &Config) -> Result<Self, TargetError> {
        let shown = || name.display().to_string();
        let found = match fs::symlink_metadata(name) {
            Ok(found) => Some(found),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(source) => {
                let name = shown();
                return Err(TargetError::Io { name, source });
            }
        };
        if needed(config)
            .iter()
            .any(|file| is_same(name, found.as_ref(), file))
        {
            return Err(TargetError::Needed(shown()));
        }
        match found {
            Some(found) if !found.is_file() => return Err(TargetError::NoFile(shown())),
            Some(_) if !force => return Err(TargetError::Taken(shown())),
            Some(_) | None => {}
        }
        Ok(Self { name, force })
    }

    pub(super) fn name(&self) -> &Path {
        self.name
    }

    /// Begins to write.
    pub(super) fn begin(&self) -> Result<Draft, TargetError> {
        Draft::beside(self.name).map_err(|source| self.failed(source))
    }

    /// Gives the backup its name.
    pub(super) fn end(&self, draft: Draft) -> Result<(), TargetError> {
        let named = if self.force {
            draft.replace(self.name)
        } else {
            draft.create(self.name)
        };
        named.map_err(|error| {
            // Somebody was faster.
            if error.kind() == ErrorKind::AlreadyExists {
                TargetError::Taken(self.name.display().to_string())
            } else {
                self.failed(error)
            }
        })
    }

    fn failed(&self, source: io::Error) -> TargetError {
        TargetError::Io {
            name: self.name.display().to_string(),
            source,
        }
    }
}

/// The files without which there would be nothing left to back up.
fn needed(config: &Config) -> Vec<PathBuf> {
    let key = &config.master_key_file;
    let mut files = vec![key.clone(), key::lock_of(key)];
    if let Ok(behind) = files::behind_links(key) {
        files.push(key::lock_of(&behind));
        files.push(behind);
    }
    files.extend(config.database.files());
    files
}

/// Whether a name leads to that file, by whatever way; a file that is not there has a name as well.
fn is_same(name: &Path, found: Option<&Metadata>, file: &Path) -> bool {
    let identity = |metadata: &Metadata| (metadata.dev(), metadata.ino());
    let there = fs::metadata(file).ok();
    let is_one = found
        .zip(there.as_ref())
        .is_some_and(|(found, there)| identity(found) == identity(there));
    is_one || place(name).is_some_and(|place_of_name| Some(place_of_name) == place(file))
}

/// The directory, by whatever way one came there, and the last name.
fn place(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let directory = fs::canonicalize(path.parent()?).ok()?;
    Some(directory.join(path.file_name()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Database, Environment, Flags};

    fn config(directory: &Path) -> Config {
        let none = std::iter::empty::<(String, String)>();
        let settings = Config::load(&Flags::default(), &none.collect::<Environment>(), directory);
        let mut config = settings.unwrap().config;
        config.master_key_file = directory.join("master.key");
        config.database = Database::Sqlite(directory.join("vestibule.sqlite3"));
        config
    }

    #[test]
    fn what_the_server_lives_on_is_never_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let config = config(directory.path());
        let (key, link) = (
            directory.path().join("master.key"),
            directory.path().join("l"),
        );
        fs::write(&key, "1").unwrap();
        fs::hard_link(&key, directory.path().join("other")).unwrap();
        std::os::unix::fs::symlink(directory.path(), &link).unwrap();
        for name in [
            "master.key",
            "master.key.lock",
            "other",
            "l/master.key",
            "vestibule.sqlite3",
            "vestibule.sqlite3-wal",
            "vestibule.sqlite3-shm",
            "l/vestibule.sqlite3.lock",
        ] {
            for force in [false, true] {
                let name = directory.path().join(name);
                let refused = Target::new(&name, force, &config);
                assert!(
                    matches!(refused, Err(TargetError::Needed(_))),
                    "{}",
                    name.display()
                );
            }
        }
        let refused = Target::new(&link, true, &config);
        assert!(matches!(refused, Err(TargetError::NoFile(_))));
        assert_eq!(fs::read(&key).unwrap(), b"1");
    }

    #[test]
    fn what_is_there_is_replaced_only_if_that_was_said() {
        let directory = tempfile::tempdir().unwrap();
        let config = config(directory.path());
        let name = directory.path().join("backup");
        let target = Target::new(&name, false, &config).unwrap();
        let draft = target.begin().unwrap();
        fs::write(&name, "1").unwrap();
        let taken = target.end(draft).unwrap_err();
        assert!(matches!(taken, TargetError::Taken(_)), "{taken}");
        let taken = Target::new(&name, false, &config);
        assert!(matches!(taken, Err(TargetError::Taken(_))));
        let target = Target::new(&name, true, &config).unwrap();
        target.end(target.begin().unwrap()).unwrap();
        assert_eq!(fs::read(&name).unwrap(), b"");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
