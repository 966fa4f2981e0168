//! Sealing of secrets at rest.
//!
//! AES-256-GCM with a random nonce in front of the ciphertext. The associated data name the place
//! of the secret (table, row, purpose, what must not be flipped there) and the key, so that a row
//! that was moved, altered or sealed with another key does not open.
//!
//! There may be several keys at a time: the one that the database names seals, and the others only
//! open what they have sealed, until all of it is sealed anew.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use sha2::{Digest as _, Sha256};
use tracing::warn;
use uuid::Uuid;
use vestibule_engine::Secret;
use vestibule_engine::audit::AuditKey;
use vestibule_store::Sealed;
use zeroize::Zeroizing;

use crate::Random;

/// Octets of a nonce (NIST SP 800-38D section 5.2.1.1).
const NONCE_LENGTH: usize = 12;

/// Where master keys come from: a file, that may be another one later.
pub trait KeySource: Send + Sync {
    /// All keys that are there now.
    ///
    /// # Errors
    /// Why they cannot be read.
    fn keys(&self) -> Result<Vec<Secret<[u8; 32]>>, Box<dyn std::error::Error + Send + Sync>>;
}

/// The master keys that are here. One of them, which the database names, seals; each opens what it
/// has sealed. A key that is met for the first time is looked for where the keys come from.
pub struct Keyring {
    source: Option<Box<dyn KeySource>>,
    state: RwLock<State>,
}

struct State {
    keys: Vec<Arc<MasterKey>>,
    in_use: Arc<MasterKey>,
    /// The key that the database names, when it is not here.
    missing: Option<Uuid>,
    /// Those that may have sealed something, and are not here.
    lacking: Vec<Uuid>,
    /// Those that are needed for nothing any more, wherever they still are.
    retired: Vec<Uuid>,
}

/// A master key.
pub(crate) struct MasterKey {
    id: Uuid,
    cipher: Aes256Gcm,
    audit: AuditKey,
}

impl MasterKey {
    fn new(master_key: &Secret<[u8; 32]>) -> Self {
        let id = Keyring::id_of(master_key);
        Self {
            id,
            cipher: Aes256Gcm::new(master_key.expose().into()),
            audit: AuditKey::of_master_key(id, master_key),
        }
    }

    /// The id of the key, which is no secret.
    pub(crate) const fn id(&self) -> Uuid {
        self.id
    }

    /// The key of the audit trail that belongs to it.
    pub(crate) const fn audit(&self) -> &AuditKey {
        &self.audit
    }

    /// Seals a secret for a place.
    pub(crate) fn seal(
        &self,
        secret: &[u8],
        place: Place<'_>,
        random: &dyn Random,
    ) -> Result<Sealed, SealError> {
        let nonce: [u8; NONCE_LENGTH] = random.bytes();
        let payload = Payload {
            msg: secret,
            aad: &self.associated_data(place),
        };
        let ciphertext = self
            .cipher
            .encrypt(&Nonce::from(nonce), payload)
            .map_err(|_| SealError::Unsealable)?;
        Ok(Sealed {
            key_id: self.id,
            bytes: [nonce.as_slice(), &ciphertext].concat(),
        })
    }

    fn open(&self, sealed: &Sealed, place: Place<'_>) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (nonce, ciphertext) = sealed
            .bytes
            .split_first_chunk::<NONCE_LENGTH>()
            .ok_or(SealError::Altered)?;
        let payload = Payload {
            msg: ciphertext,
            aad: &self.associated_data(place),
        };
        let secret = self
            .cipher
            .decrypt(&Nonce::from(*nonce), payload)
            .map_err(|_| SealError::Altered)?;
        Ok(Zeroizing::new(secret))
    }

    /// Each part is of fixed length, or ends with an octet that it cannot hold.
    fn associated_data(&self, place: Place<'_>) -> Vec<u8> {
        let parts: [&[u8]; 8] = [
            b"vestibule v1\0",
            place.table.as_bytes(),
            b"\0",
            place.row.as_bytes(),
            place.purpose.as_bytes(),
            b"\0",
            self.id.as_bytes(),
            place.detail,
        ];
        parts.concat()
    }
}

/// Where a secret lies. What is sealed for one place does not open in another.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The table.
    pub table: &'static str,
    /// The row.
    pub row: Uuid,
    /// What the secret is.
    pub purpose: &'static str,
    /// What else must not change while it lies there.
    pub detail: &'a [u8],
}

/// A secret that does not open, or cannot be sealed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SealError {
    /// It needs a key that is not here.
    #[error(
        "the master key {0} is needed and is not in the key file here: copy the key file of a server \
         that has it over this one"
    )]
    MissingKey(Uuid),
    /// It was altered, or sealed for another place.
    #[error("altered, or moved from another place")]
    Altered,
    /// The cipher refused to seal.
    #[error("could not be sealed")]
    Unsealable,
}

impl Keyring {
    /// A keyring of one master key.
    pub fn new(master_key: &Secret<[u8; 32]>) -> Self {
        let in_use = Arc::new(MasterKey::new(master_key));
        let state = State {
            keys: vec![Arc::clone(&in_use)],
            in_use,
            missing: None,
            lacking: Vec::new(),
            retired: Vec::new(),
        };
        Self {
            source: None,
            state: RwLock::new(state),
        }
    }

    /// The same with all keys of a source, which is asked again for keys that are not known yet.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn with_source(
        self,
        source: impl KeySource + 'static,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        self.add(&source.keys()?);
        Ok(Self {
            source: Some(Box::new(source)),
            ..self
        })
    }

    /// The id of a master key, which is no secret.
    pub fn id_of(master_key: &Secret<[u8; 32]>) -> Uuid {
        let digest: [u8; 32] = Sha256::new()
            .chain_update(b"vestibule key id\0")
            .chain_update(master_key.expose())
            .finalize()
            .into();
        let (id, _) = digest.split_at(16);
        Uuid::from_slice(id).unwrap_or_default()
    }

    /// The id of the key that seals.
    pub fn id(&self) -> Uuid {
        self.in_use().id
    }

    /// The key that seals and signs: the one that the database names, or the last one that was
    /// here.
    pub(crate) fn in_use(&self) -> Arc<MasterKey> {
        Arc::clone(&self.state().in_use)
    }

    /// Uses the key that the database names; whether it was another one before.
    ///
    /// # Errors
    /// [`SealError::MissingKey`] while it is not here. Nothing is sealed until it is.
    pub(crate) fn use_key(&self, id: Uuid) -> Result<bool, SealError> {
        {
            let state = self.state();
            if state.in_use.id == id && state.missing.is_none() {
                return Ok(false);
            }
        }
        let found = self.key(id);
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        match found {
            Ok(key) => {
                state.in_use = key;
                state.missing = None;
                Ok(true)
            }
            Err(error) => {
                state.missing = Some(id);
                Err(error)
            }
        }
    }

    /// Whether the key that the database names is here. If it was not, it is looked for again.
    pub(crate) fn check(&self) -> Result<(), SealError> {
        match self.missing() {
            None => Ok(()),
            Some(id) => self.use_key(id).map(drop),
        }
    }

    /// The key that the database names, as long as it was not found.
    pub(crate) fn missing(&self) -> Option<Uuid> {
        self.state().missing
    }

    /// Which of these keys are not here, if that has not been so before.
    pub(crate) fn newly_lacking(&self, needed: impl Iterator<Item = Uuid>) -> Vec<Uuid> {
        let lacking: Vec<_> = needed.filter(|key| !self.has(*key)).collect();
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut state.lacking, lacking.clone());
        let new = lacking.into_iter().filter(|key| !before.contains(key));
        new.collect()
    }

    /// A key, which is looked for where the keys come from if it is not known.
    pub(crate) fn key(&self, id: Uuid) -> Result<Arc<MasterKey>, SealError> {
        if let Some(key) = self.known(id) {
            return Ok(key);
        }
        if let Some(source) = &self.source {
            match source.keys() {
                Ok(keys) => self.add(&keys),
                Err(error) => {
                    let error: &dyn std::error::Error = &*error;
                    warn!(error, "The master keys cannot be read again");
                }
            }
        }
        self.known(id).ok_or(SealError::MissingKey(id))
    }

    fn known(&self, id: Uuid) -> Option<Arc<MasterKey>> {
        let state = self.state();
        state.keys.iter().find(|key| key.id == id).cloned()
    }

    /// Whether a key is here, which is looked for where the keys come from if it is not known.
    pub fn has(&self, id: Uuid) -> bool {
        self.key(id).is_ok()
    }

    /// Forgets the keys that were retired, for good: whoever reads what is in memory here has no
    /// use for the backups of before.
    pub(crate) fn forget(&self, retired: impl Iterator<Item = Uuid>) {
        let retired: Vec<_> = retired.collect();
        if self.state().retired == retired {
            return;
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.keys.retain(|key| !retired.contains(&key.id));
        state.retired = retired;
    }

    /// Takes the keys that are new. One that was here stays, unless it was retired: what goes on
    /// needs it.
    fn add(&self, keys: &[Secret<[u8; 32]>]) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        for key in keys {
            let id = Self::id_of(key);
            let is_known = state.keys.iter().any(|known| known.id == id);
            if !is_known && !state.retired.contains(&id) {
                state.keys.push(Arc::new(MasterKey::new(key)));
            }
        }
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seals a secret for a place.
    ///
    /// # Errors
    /// [`SealError::MissingKey`] when the database names another key than those that are here; and
    /// when the cipher refuses, which it does only for secrets of many gigabytes.
    pub fn seal(
        &self,
        secret: &[u8],
        place: Place<'_>,
        random: &dyn Random,
    ) -> Result<Sealed, SealError> {
        self.check()?;
        self.in_use().seal(secret, place, random)
    }

    /// Opens what was sealed for a place.
    ///
    /// # Errors
    /// When it was sealed with a key that is not here or for another place, or was altered.
    pub fn open(&self, sealed: &Sealed, place: Place<'_>) -> Result<Zeroizing<Vec<u8>>, SealError> {
        self.key(sealed.key_id)?.open(sealed, place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OsRandom;

    const PLACE: Place<'static> = Place {
        table: "table",
        row: Uuid::from_u128(1),
        purpose: "purpose",
        detail: b"x",
    };

    fn keyring(byte: u8) -> Keyring {
        Keyring::new(&Secret::new([byte; 32]))
    }

    #[track_caller]
    fn altered(sealed: &Sealed, place: Place<'_>) {
        assert_eq!(keyring(1).open(sealed, place), Err(SealError::Altered));
    }

    #[test]
    fn it_opens_only_where_it_was_sealed() {
        let sealed = keyring(1).seal(b"seed", PLACE, &OsRandom).unwrap();
        assert_eq!(*keyring(1).open(&sealed, PLACE).unwrap(), b"seed");
        altered(
            &sealed,
            Place {
                row: Uuid::from_u128(2),
                ..PLACE
            },
        );
        altered(
            &sealed,
            Place {
                table: "other",
                ..PLACE
            },
        );
        altered(
            &sealed,
            Place {
                purpose: "other",
                ..PLACE
            },
        );
        altered(
            &sealed,
            Place {
                detail: b"y",
                ..PLACE
            },
        );
    }

    #[test]
    fn an_altered_octet_is_noticed() {
        let sealed = keyring(1).seal(b"seed", PLACE, &OsRandom).unwrap();
        for n in 0..sealed.bytes.len() {
            let mut other = sealed.clone();
            other.bytes[n] ^= 1;
            altered(&other, PLACE);
            other.bytes.truncate(n);
            altered(&other, PLACE);
        }
    }

    #[test]
    fn another_key_is_told_apart() {
        let sealed = keyring(1).seal(b"seed", PLACE, &OsRandom).unwrap();
        let error = keyring(2).open(&sealed, PLACE).unwrap_err();
        assert_eq!(error, SealError::MissingKey(keyring(1).id()));
    }

    /// A file with as many keys as the number says.
    #[derive(Clone, Default)]
    struct File(Arc<std::sync::atomic::AtomicU8>);

    impl KeySource for File {
        fn keys(&self) -> Result<Vec<Secret<[u8; 32]>>, Box<dyn std::error::Error + Send + Sync>> {
            let count = self.0.load(std::sync::atomic::Ordering::Relaxed);
            if count > 2 {
                return Err("no such file".into());
            }
            Ok((1..=count).map(|byte| Secret::new([byte; 32])).collect())
        }
    }

    /// Also while it is still in the file.
    #[test]
    fn a_key_that_was_retired_is_forgotten() {
        let file = File::default();
        file.0.store(2, std::sync::atomic::Ordering::Relaxed);
        let here = keyring(2).with_source(file).unwrap();
        let sealed = keyring(1).seal(b"seed", PLACE, &OsRandom).unwrap();
        assert_eq!(*here.open(&sealed, PLACE).unwrap(), b"seed");
        let (one, two) = (keyring(1).id(), keyring(2).id());
        for _ in 0..2 {
            here.forget([one].into_iter());
            assert!(!here.has(one) && here.has(two));
            let error = here.open(&sealed, PLACE).unwrap_err();
            assert_eq!(error, SealError::MissingKey(one));
        }
        assert_eq!((here.check(), here.id()), (Ok(()), two));
    }

    #[test]
    fn a_key_that_comes_later_is_found() {
        let (file, set) = (File::default(), std::sync::atomic::Ordering::Relaxed);
        let here = keyring(1).with_source(file.clone()).unwrap();
        let sealed = keyring(2).seal(b"seed", PLACE, &OsRandom).unwrap();
        let (one, two) = (keyring(1).id(), keyring(2).id());
        let missing = Err(SealError::MissingKey(two));
        for count in [1, 3] {
            file.0.store(count, set);
            assert_eq!(here.open(&sealed, PLACE).err(), missing.err());
            assert_eq!(here.use_key(two), missing.map(|()| false));
            assert_eq!(here.check(), missing);
            let refused = here.seal(b"seed", PLACE, &OsRandom);
            assert_eq!(refused.unwrap_err(), SealError::MissingKey(two));
            assert_eq!(here.id(), one);
        }
        file.0.store(2, set);
        assert_eq!(*here.open(&sealed, PLACE).unwrap(), b"seed");
        assert_eq!(here.use_key(two), Ok(true));
        assert_eq!(here.use_key(two), Ok(false));
        assert_eq!((here.check(), here.id()), (Ok(()), two));
        let again = here.seal(b"seed", PLACE, &OsRandom).unwrap();
        assert_eq!(again.key_id, two);
    }
}
