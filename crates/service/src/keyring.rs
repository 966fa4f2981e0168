//! Sealing of secrets at rest.
//!
//! AES-256-GCM with a random nonce in front of the ciphertext. The associated data name the place
//! of the secret (table, row, purpose, what must not be flipped there) and the key, so that a row
//! that was moved, altered or sealed with another key does not open.

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use vestibule_engine::Secret;
use vestibule_engine::audit::AuditKey;
use vestibule_store::Sealed;
use zeroize::Zeroizing;

use crate::Random;

/// Octets of a nonce (NIST SP 800-38D section 5.2.1.1).
const NONCE_LENGTH: usize = 12;

/// The master key.
pub struct Keyring {
    id: Uuid,
    cipher: Aes256Gcm,
    audit: AuditKey,
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
    /// It was sealed with a key that is not here.
    #[error("sealed with the key {sealed_with}, but the master key here is {ours}")]
    OtherKey {
        /// The id of the key that it needs.
        sealed_with: Uuid,
        /// The id of the key that is here.
        ours: Uuid,
    },
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
        let digest: [u8; 32] = Sha256::new()
            .chain_update(b"vestibule key id\0")
            .chain_update(master_key.expose())
            .finalize()
            .into();
        let (id, _) = digest.split_at(16);
        Self {
            id: Uuid::from_slice(id).unwrap_or_default(),
            cipher: Aes256Gcm::new(master_key.expose().into()),
            audit: AuditKey::of_master_key(master_key),
        }
    }

    /// The id of the key, which is no secret.
    pub const fn id(&self) -> Uuid {
        self.id
    }

    /// The key of the audit trail.
    pub(crate) const fn audit(&self) -> &AuditKey {
        &self.audit
    }

    /// Seals a secret for a place.
    ///
    /// # Errors
    /// When the cipher refuses, which it does only for secrets of many gigabytes.
    pub fn seal(
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

    /// Opens what was sealed for a place.
    ///
    /// # Errors
    /// When it was sealed with another key or for another place, or was altered.
    pub fn open(&self, sealed: &Sealed, place: Place<'_>) -> Result<Zeroizing<Vec<u8>>, SealError> {
        if sealed.key_id != self.id {
            return Err(SealError::OtherKey {
                sealed_with: sealed.key_id,
                ours: self.id,
            });
        }
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
        assert!(matches!(error, SealError::OtherKey { .. }));
    }
}
