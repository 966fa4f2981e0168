//! The master key: 32 random octets in a file, as one line of base64.

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use vestibule_engine::Secret;
use zeroize::{Zeroize as _, Zeroizing};

use crate::files::{self, ReadError};

/// Octets of the key.
pub const LENGTH: usize = 32;

/// Octets of the line: base64 of the key with its padding, and the end of the line.
const LINE: usize = LENGTH.div_ceil(3) * 4 + 1;

/// The key, and whether it was made just now.
#[derive(Debug)]
pub struct MasterKey {
    /// The key.
    pub key: Secret<[u8; LENGTH]>,
    /// Whether there was none before.
    pub is_new: bool,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The file cannot be used.
    #[error("the master key {path} {source}", path = .path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: ReadError,
    },
    /// The file could not be made.
    #[error("the master key {path} cannot be made: {source}", path = .path.display())]
    Create {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("the master key {path} must be one line of base64 with 32 octets: restore the right file from your backup", path = .path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
    },
}

/// Reads the key, or makes one if there is no file.
///
/// # Errors
/// Why there is none. A file that is there is never written.
pub fn load_or_create(path: &Path) -> Result<MasterKey, KeyError> {
    match load(path) {
        Err(KeyError::Read {
            source: ReadError::Io(error),
            ..
        }) if error.kind() == io::ErrorKind::NotFound => {}
        result => return result.map(|key| MasterKey { key, is_new: false }),
    }
    let failed = |source| KeyError::Create {
        path: path.to_owned(),
        source,
    };
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).map_err(|error| failed(error.into()))?;
    // Written in place: a text that grows leaves copies of itself behind.
    let mut line = Zeroizing::new([b'\n'; LINE]);
    let encoded = STANDARD.encode_slice(bytes, &mut *line);
    bytes.zeroize();
    encoded.map_err(|error| failed(io::Error::other(error)))?;
    match files::create_private(path, &*line) {
        // Another one that starts at the same time was faster: theirs is the key.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            load(path).map(|key| MasterKey { key, is_new: false })
        }
        Err(error) => Err(failed(error)),
        Ok(()) => load(path).map(|key| MasterKey { key, is_new: true }),
    }
}

/// Reads the key.
///
/// # Errors
/// Why there is none.
pub fn load(path: &Path) -> Result<Secret<[u8; LENGTH]>, KeyError> {
    let line = files::read_private(path).map_err(|source| KeyError::Read {
        path: path.to_owned(),
        source,
    })?;
    let mut buffer = [0; LENGTH + 1];
    let length = STANDARD
        .decode_slice(line.expose().trim(), &mut buffer)
        .ok();
    let bytes = length.and_then(|length| buffer.get(..length)?.try_into().ok());
    buffer.zeroize();
    bytes.map(Secret::new).ok_or_else(|| KeyError::Malformed {
        path: path.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn it_is_made_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("master.key");
        let first = load_or_create(&path).unwrap();
        assert!(first.is_new);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let second = load_or_create(&path).unwrap();
        assert!(!second.is_new);
        assert!(first.key.same_as(&second.key));
        assert_ne!(first.key.expose(), &[0; LENGTH]);
        let line = fs::read_to_string(&path).unwrap();
        assert_eq!(line, STANDARD.encode(first.key.expose()) + "\n");
    }

    #[test]
    fn what_is_no_key() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("master.key");
        for text in [
            "",
            "AAAA",
            "no base64!",
            &STANDARD.encode([1; 31]),
            &STANDARD.encode([1; 33]),
        ] {
            files::replace_private(&path, text.as_bytes()).unwrap();
            assert!(
                matches!(load_or_create(&path), Err(KeyError::Malformed { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn others_may_not_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("master.key");
        load_or_create(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = load_or_create(&path).unwrap_err().to_string();
        assert!(error.contains("open to others (mode 0644)"), "{error}");
    }
}
