//! The file of a database: made for its owner alone, opened by one at a time, and watched.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::interval;
use vestibule_store::StoreError;

/// How often a lock is tried.
const RETRY: Duration = Duration::from_millis(50);
/// How long another process may take to open the database: to migrate it may take a while.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The file that was opened.
///
/// SQLite goes on in a file that was deleted or moved away, and in WAL mode it would acknowledge
/// writes that nobody ever finds again. So this remembers which file it was.
#[derive(Debug)]
pub(crate) struct DatabaseFile {
    path: PathBuf,
    identity: Identity,
}

/// Device and inode.
type Identity = (u64, u64);

impl DatabaseFile {
    /// The file with this name, made if it is not there.
    ///
    /// One that is there is not opened here: closing it would end the locks that other connections
    /// of this process hold on it (fcntl(2)).
    pub(crate) fn at(path: &Path) -> Result<Self, StoreError> {
        // A program that changes its directory still means the same file.
        let path = std::path::absolute(path).map_err(unavailable)?;
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        match made {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(unavailable(error)),
        }
        let identity = identity(&path).map_err(unavailable)?;
        Ok(Self { path, identity })
    }

    /// The file with this name, which is not made.
    pub(crate) fn existing(path: &Path) -> Result<Self, StoreError> {
        let path = std::path::absolute(path).map_err(unavailable)?;
        let identity = identity(&path).map_err(unavailable)?;
        Ok(Self { path, identity })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the name still leads to the file.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        match identity(&self.path) {
            Ok(found) if found == self.identity => Ok(()),
            Ok(_) => Err(StoreError::unavailable(
                "another file was put in the place of the database; restart the server",
            )),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(StoreError::Unavailable {
                reason: "the database file was deleted or moved away; put it back, or restart",
                source: Some(Box::new(error)),
            }),
            Err(error) => Err(unavailable(error)),
        }
    }
}

fn identity(path: &Path) -> io::Result<Identity> {
    let metadata = fs::metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "these are what an operator can act on"
)]
fn unavailable(error: io::Error) -> StoreError {
    StoreError::Unavailable {
        reason: match error.kind() {
            ErrorKind::NotFound => "the directory of the database file does not exist",
            ErrorKind::PermissionDenied => "the database file may not be opened",
            ErrorKind::ReadOnlyFilesystem => "the database file is on a read-only file system",
            ErrorKind::StorageFull => "there is no space left for the database file",
            _ => "the database file cannot be reached",
        },
        source: Some(Box::new(error)),
    }
}

/// The lock that one process holds while it opens the database: a file beside it, that stays.
#[derive(Debug)]
pub(crate) struct OpeningLock {
    /// Closing it ends the lock.
    _file: File,
}

impl OpeningLock {
    /// Takes the lock, waiting a while for whoever has it. No thread waits in the system
    /// meanwhile: nothing could end that, and a program that was told to stop would not.
    pub(crate) async fn take(database: &Path) -> Result<Self, StoreError> {
        let mut path = database.as_os_str().to_owned();
        path.push(".lock");
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&path).map_err(unavailable)?;
        let mut tries = interval(RETRY);
        let end = tries.tick().await + LONGEST_WAIT;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::Error(error)) => return Err(unavailable(error)),
                Err(TryLockError::WouldBlock) => {}
            }
            if tries.tick().await > end {
                return Err(StoreError::unavailable(
                    "another process has been opening the database for too long",
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_lock_is_waited_for_and_not_for_ever() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("database");
        let first = OpeningLock::take(&database).await.unwrap();
        let start = Instant::now();
        let error = OpeningLock::take(&database).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
        assert!((LONGEST_WAIT..LONGEST_WAIT * 2).contains(&start.elapsed()));

        let mut second = pin!(OpeningLock::take(&database));
        tokio::select! {
            biased;
            _ = &mut second => panic!("the lock is taken"),
            () = tokio::task::yield_now() => {}
        }
        drop(first);
        second.await.unwrap();
        assert!(start.elapsed() < LONGEST_WAIT * 2);
    }
}
