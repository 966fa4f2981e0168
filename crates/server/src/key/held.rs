//! Changes of the key file: one at a time, and none that takes a key away that is needed.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::{KeyError, MasterKey, is_among, load, text};
use crate::files;

/// The file beside a key file that whoever changes that has locked. It stays.
pub fn lock_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

/// The key file, which nobody else changes meanwhile.
#[derive(Debug)]
pub struct HeldKeys {
    path: PathBuf,
    /// Closing it ends the lock.
    _lock: File,
}

impl HeldKeys {
    /// Holds the file. What was read of it before may not be so any more.
    ///
    /// # Errors
    /// [`KeyError::Held`] while somebody else does: they may stand still, and nobody waits for that.
    pub fn hold(path: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::Write {
            path: path.to_owned(),
            source,
        };
        // All who get there by links hold the same one.
        let behind = files::behind_links(path).map_err(failed)?;
        let lock = open_lock(&behind).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(KeyError::Held {
                path: path.to_owned(),
            }),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// Reads the keys, the oldest first.
    ///
    /// # Errors
    /// Why there is none.
    pub fn load(&self) -> Result<Vec<MasterKey>, KeyError> {
        load(&self.path)
    }

    /// Puts these keys in the place of those in the file, at one instant and durably.
    ///
    /// # Errors
    /// [`KeyError::Needed`] when one that the file has is needed, and would not be there any more.
    pub fn store(
        &self,
        keys: &[MasterKey],
        needed: impl IntoIterator<Item = Uuid>,
    ) -> Result<(), KeyError> {
        let path = || self.path.clone();
        let before = self.load()?;
        let mut needed = needed.into_iter();
        if let Some(key) = needed.find(|&id| is_among(&before, id) && !is_among(keys, id)) {
            return Err(KeyError::Needed { path: path(), key });
        }
        files::replace_private(&self.path, &text(keys)).map_err(|source| KeyError::Write {
            path: path(),
            source,
        })
    }
}

/// The lock belongs to whom the key belongs to: root may have been the first to need it.
fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(false).mode(0o600);
    let lock = options.open(lock_of(path))?;
    let (key, own) = (std::fs::metadata(path)?, lock.metadata()?);
    if (key.uid(), key.gid()) != (own.uid(), own.gid()) {
        fchown(&lock, Some(key.uid()), Some(key.gid()))?;
    }
    Ok(lock)
}

#[cfg(test)]
mod tests {
    use super::super::{generate, load_or_create};
    use super::*;
    use vestibule_service::Keyring;

    #[test]
    fn one_changes_it_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("master.key");
        load_or_create(&path).unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let held = HeldKeys::hold(&path).unwrap();
        for path in [&path, &link] {
            let error = HeldKeys::hold(path).unwrap_err();
            assert!(matches!(error, KeyError::Held { .. }), "{error}");
        }
        drop(held);
        HeldKeys::hold(&link).unwrap();
    }

    #[test]
    fn no_key_that_is_needed_is_taken_away() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("master.key");
        let one = load_or_create(&path).unwrap().keys.remove(0);
        let two = generate().unwrap();
        let (first, second) = (Keyring::id_of(&one), Keyring::id_of(&two));
        let held = HeldKeys::hold(&path).unwrap();
        let both = [one, two];
        held.store(&both, [first, second]).unwrap();
        for (keys, needed) in [(&both[..1], second), (&both[1..], first), (&[], first)] {
            let error = held.store(keys, [needed]).unwrap_err();
            assert!(matches!(error, KeyError::Needed { .. }), "{error}");
            assert_eq!(held.load().unwrap().len(), 2);
        }
        held.store(&both[1..], [second]).unwrap();
        assert!(is_among(&held.load().unwrap(), second));
    }
}
