//! The file of the master keys. With one key, which is 32 random octets, it is one line of base64.
//! With several it says so in its first line, and each line after that is the id of a key, which
//! is no secret, and the key.

mod held;

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;
use vestibule_engine::Secret;
use vestibule_service::{KeySource, Keyring};
use zeroize::{Zeroize as _, Zeroizing};

use crate::files::{self, ReadError};

pub use held::{HeldKeys, lock_of};

/// Octets of a key.
pub const LENGTH: usize = 32;

/// The letters of a key: base64 with its padding.
const LETTERS: usize = LENGTH.div_ceil(3) * 4;

/// How the first line of a file with several keys begins; its version follows.
const SEVERAL: &str = "vestibule-master-keys ";
/// The version that this program writes, and the only one that it reads.
const VERSION: &str = "2";

/// A master key.
pub type MasterKey = Secret<[u8; LENGTH]>;

/// The keys of a file, and whether it was made just now.
#[derive(Debug)]
pub struct MasterKeys {
    /// The keys, the oldest first. There is always one.
    pub keys: Vec<MasterKey>,
    /// Whether there was no file before.
    pub is_new: bool,
}

impl MasterKeys {
    /// A keyring that looks into the file again for keys that it does not know. The newest key is
    /// for a database that names none.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn keyring(&self, path: &Path) -> Result<Keyring, KeyError> {
        let malformed = || KeyError::Malformed {
            path: path.to_owned(),
        };
        let newest = self.keys.last().ok_or_else(malformed)?;
        let file = KeyFile(path.to_owned());
        Keyring::new(newest)
            .with_source(file)
            .map_err(|error| match error.downcast() {
                Ok(error) => *error,
                Err(_) => malformed(),
            })
    }
}

/// The file, as keyrings look into it.
struct KeyFile(PathBuf);

impl KeySource for KeyFile {
    fn keys(&self) -> Result<Vec<MasterKey>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(load(&self.0)?)
    }
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
    /// The file could not be changed.
    #[error("the master key {path} cannot be changed: {source}", path = .path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("the master key {path} must be one line of base64 with 32 octets, or a file that `vestibule keys rotate` made: restore the right file from your backup", path = .path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
    },
    /// Somebody else changes the file.
    #[error("the master key {path} is being changed by somebody else at this moment, and was left as it is: try again when that has ended", path = .path.display())]
    Held {
        /// Which file.
        path: PathBuf,
    },
    /// The change would lose a key.
    #[error("the master key {path} was left as it is: it would lose the key {key}, which the database needs", path = .path.display())]
    Needed {
        /// Which file.
        path: PathBuf,
        /// Which key.
        key: Uuid,
    },
    /// The file is of a later version.
    #[error("the master key {path} was written by a newer vestibule: use that one", path = .path.display())]
    TooNew {
        /// Which file.
        path: PathBuf,
    },
}

/// Reads the keys, or makes one if there is no file.
///
/// # Errors
/// Why there is none. A file that is there is never written.
pub fn load_or_create(path: &Path) -> Result<MasterKeys, KeyError> {
    let loaded = |is_new| load(path).map(|keys| MasterKeys { keys, is_new });
    match loaded(false) {
        Err(KeyError::Read {
            source: ReadError::Io(error),
            ..
        }) if error.kind() == io::ErrorKind::NotFound => {}
        result => return result,
    }
    let failed = |source| KeyError::Create {
        path: path.to_owned(),
        source,
    };
    let key = generate().map_err(failed)?;
    match files::create_private(path, &text(&[key])) {
        // Another one that starts at the same time was faster: theirs is the key.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => loaded(false),
        Err(error) => Err(failed(error)),
        Ok(()) => loaded(true),
    }
}

/// A new key.
///
/// # Errors
/// When the system has no random numbers.
pub fn generate() -> io::Result<MasterKey> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).map_err(io::Error::from)?;
    let key = Secret::new(bytes);
    bytes.zeroize();
    Ok(key)
}

/// The text of a file with these keys.
fn text(keys: &[MasterKey]) -> Zeroizing<Vec<u8>> {
    // Reserved once: a text that grows leaves copies of itself behind.
    let mut text = Zeroizing::new(Vec::with_capacity((keys.len() + 1) * 128));
    let several = keys.len() != 1;
    if several {
        text.extend(format!("{SEVERAL}{VERSION}\n").as_bytes());
    }
    for key in keys {
        if several {
            text.extend(format!("{} ", Keyring::id_of(key)).as_bytes());
        }
        let mut letters = Zeroizing::new([0; LETTERS]);
        // 32 octets are 44 letters, always.
        let _ = STANDARD.encode_slice(key.expose(), &mut *letters);
        text.extend(letters.as_slice());
        text.push(b'\n');
    }
    text
}

/// Reads the keys, the oldest first.
///
/// # Errors
/// Why there is none.
pub fn load(path: &Path) -> Result<Vec<MasterKey>, KeyError> {
    let text = files::read_private(path).map_err(|source| KeyError::Read {
        path: path.to_owned(),
        source,
    })?;
    let malformed = || KeyError::Malformed {
        path: path.to_owned(),
    };
    let text = text.expose().trim();
    let Some(several) = text.strip_prefix(SEVERAL) else {
        return Ok(vec![decode(text).ok_or_else(malformed)?]);
    };
    let mut lines = several.lines();
    if lines.next() != Some(VERSION) {
        return Err(KeyError::TooNew {
            path: path.to_owned(),
        });
    }
    let keys = lines.map(|line| {
        let (id, letters) = line.split_once(' ')?;
        let key = decode(letters)?;
        (id.parse() == Ok(Keyring::id_of(&key))).then_some(key)
    });
    let keys: Option<Vec<_>> = keys.collect();
    keys.filter(|keys| !keys.is_empty()).ok_or_else(malformed)
}

fn decode(letters: &str) -> Option<MasterKey> {
    let mut buffer = [0; LENGTH + 1];
    let length = STANDARD.decode_slice(letters, &mut buffer).ok();
    let bytes = length.and_then(|length| buffer.get(..length)?.try_into().ok());
    buffer.zeroize();
    bytes.map(Secret::new)
}

/// Whether one of these keys has this id.
pub fn is_among(keys: &[MasterKey], id: Uuid) -> bool {
    keys.iter().any(|key| Keyring::id_of(key) == id)
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
        assert_eq!((first.keys.len(), second.keys.len()), (1, 1));
        assert!(first.keys[0].same_as(&second.keys[0]));
        assert_ne!(first.keys[0].expose(), &[0; LENGTH]);
        let line = fs::read_to_string(&path).unwrap();
        assert_eq!(line, STANDARD.encode(first.keys[0].expose()) + "\n");
    }

    #[test]
    fn several_keys_are_kept_in_their_order() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("master.key");
        let one = load_or_create(&path).unwrap().keys.remove(0);
        let line = fs::read_to_string(&path).unwrap();
        let keys = [one, generate().unwrap(), generate().unwrap()];
        let store = |keys: &[MasterKey]| HeldKeys::hold(&path).unwrap().store(keys, []).unwrap();
        store(&keys);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let found = load(&path).unwrap();
        assert_eq!(found.len(), 3);
        for (found, key) in found.iter().zip(&keys) {
            assert!(found.same_as(key));
            assert!(is_among(&keys, Keyring::id_of(found)));
        }
        let several = fs::read_to_string(&path).unwrap();
        assert!(
            several.starts_with("vestibule-master-keys 2\n"),
            "{several}"
        );

        let changed = |from: &str, to: &str| {
            files::replace_private(&path, several.replacen(from, to, 1).as_bytes()).unwrap();
            load(&path).unwrap_err()
        };
        let newer = changed("keys 2", "keys 3");
        assert!(matches!(newer, KeyError::TooNew { .. }), "{newer}");
        for (from, to) in [("=", ""), ("-", ""), (" ", "  "), (line.trim(), "")] {
            let wrong = several.split_once('\n').unwrap().1.replacen(from, to, 1);
            let wrong = format!("vestibule-master-keys 2\n{wrong}");
            files::replace_private(&path, wrong.as_bytes()).unwrap();
            assert!(
                matches!(load(&path), Err(KeyError::Malformed { .. })),
                "{wrong}"
            );
        }
        files::replace_private(&path, several.as_bytes()).unwrap();
        // With one key the file is as it always was.
        store(&keys[..1]);
        assert_eq!(fs::read_to_string(&path).unwrap(), line);
    }

    /// The older ones are of another database, or were used before.
    #[test]
    fn a_new_database_is_for_the_newest_key() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("master.key");
        let one = load_or_create(&path).unwrap().keys.remove(0);
        let newest = generate().unwrap();
        let id = Keyring::id_of(&newest);
        let held = HeldKeys::hold(&path).unwrap();
        held.store(&[one, newest], []).unwrap();
        let keys = load_or_create(&path).unwrap();
        assert_eq!(keys.keyring(&path).unwrap().id(), id);
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
            "vestibule-master-keys 2",
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
