//! What a backup has of the master key: proof that it was made with it, and is as it was made.

use uuid::Uuid;
use vestibule_engine::audit::{Event, OPERATOR, ObjectKind, Outcome, Signed};
use vestibule_store::{Canary, Sealed};

use crate::bootstrap::CANARY_PLACE;
use crate::{ClientAddress, Keyring, Origin, Place, SealError, Service};

/// What a digest is vouched for as.
const fn backup_place(digest: &[u8; 32]) -> Place<'_> {
    Place {
        table: "backup",
        row: Uuid::nil(),
        purpose: "digest",
        detail: digest,
    }
}

impl Service {
    /// Vouches for the digest of a backup, with the key in use.
    ///
    /// # Errors
    /// When that is not here.
    pub fn vouch(&self, digest: &[u8; 32]) -> Result<Sealed, SealError> {
        let inner = &*self.inner;
        inner
            .keyring
            .seal(&[], backup_place(digest), &*inner.random)
    }

    /// The row that a database was restored from a backup that was made then, with this key.
    ///
    /// # Errors
    /// When that is not here.
    pub fn sign_restored(&self, made: &str, key: Uuid) -> Result<Signed, SealError> {
        self.inner.keyring.use_key(key)?;
        let origin = Origin {
            request: self.new_id(),
            address: ClientAddress::Local,
        };
        let entry = self
            .inner
            .entry(origin, Event::DatabaseRestored, Outcome::Success);
        let entry = entry.by(OPERATOR).to(ObjectKind::Backup, None, Some(made));
        Ok(self.sign(entry))
    }
}

impl Keyring {
    /// Whether a key that is here has vouched for this digest of a backup.
    ///
    /// # Errors
    /// It has not, or it is a key that is not here.
    pub fn check_voucher(&self, digest: &[u8; 32], voucher: &Sealed) -> Result<(), SealError> {
        self.open(voucher, backup_place(digest)).map(drop)
    }

    /// Whether the keys that are here are those of the database with this canary.
    ///
    /// # Errors
    /// They are not.
    pub fn check_canary(&self, canary: &Canary) -> Result<(), SealError> {
        self.open(canary, CANARY_PLACE).map(drop)
    }
}
