//! The file of a database: made for its owner alone, opened by one at a time, and watched.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use vestibule_store::StoreError;

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
    pub(crate) async fn take(database: &Path) -> Result<Self, StoreError> {
        let mut path = database.as_os_str().to_owned();
        path.push(".lock");
        let take = move || {
            let mut options = OpenOptions::new();
            let options = options.write(true).create(true).truncate(false).mode(0o600);
            let file = options.open(&path)?;
            file.lock()?;
            io::Result::Ok(file)
        };
        match tokio::task::spawn_blocking(take).await {
            Ok(taken) => Ok(Self {
                _file: taken.map_err(unavailable)?,
            }),
            Err(error) => Err(StoreError::Bug(Box::new(error))),
        }
    }
}
