//! What the audit trail needs of a master key: a key derived from it, which stays, sealed, when that
//! is gone.

use uuid::Uuid;
use vestibule_engine::audit::{AuditKey, AuditKeys, Retired};
use vestibule_store::{KeyStanding, KeyState, Sealed};
use zeroize::Zeroizing;

use crate::keyring::SealError;
use crate::{Inner, Place, ServiceError};

/// What is said of a key of the audit trail before it is retired.
pub(super) const NOT_RETIRED: Retired = Retired {
    last_seal: u64::MAX,
    at: i64::MAX,
};

impl Inner {
    /// All keys that the audit trail can have been written with: without one of them, what it was
    /// made with would look forged.
    pub(crate) async fn audit_keys(&self) -> Result<AuditKeys, ServiceError> {
        let state = self.store.key_state().await?;
        let mut keys = AuditKeys::default();
        for (id, standing) in &state.others {
            match standing {
                KeyStanding::Next => {}
                KeyStanding::Replaced(sealed) => {
                    let (key, _) = self.open_audit_key(*id, sealed)?;
                    keys = keys.with(key, None);
                }
                KeyStanding::Retired(sealed) => {
                    let (key, retired) = self.open_audit_key(*id, sealed)?;
                    keys = keys.with(key, Some(retired));
                }
            }
        }
        if let Some(in_use) = state.in_use() {
            let key = self.keyring.key(in_use)?;
            keys = keys.with(AuditKey::restore(in_use, *key.audit().expose()), None);
        }
        Ok(keys)
    }

    /// What the audit trail needs of a key that was replaced; `None` if it was not.
    pub(super) fn replaced_audit_key(
        &self,
        state: &KeyState,
        key: Uuid,
    ) -> Result<Option<AuditKey>, SealError> {
        for (id, standing) in &state.others {
            if let KeyStanding::Replaced(sealed) = standing
                && *id == key
            {
                return Ok(Some(self.open_audit_key(key, sealed)?.0));
            }
        }
        Ok(None)
    }

    fn open_audit_key(&self, id: Uuid, sealed: &Sealed) -> Result<(AuditKey, Retired), SealError> {
        let opened = self.keyring.open(sealed, audit_place(id))?;
        read_audit_key(id, &opened).ok_or(SealError::Altered)
    }

    /// What the audit trail needs of a key that goes, sealed with another one.
    pub(super) fn seal_audit_key(
        &self,
        key: &AuditKey,
        retired: Retired,
        with: Uuid,
    ) -> Result<Sealed, SealError> {
        let octets = Zeroizing::new(
            [
                key.expose().as_slice(),
                &retired.last_seal.to_be_bytes(),
                &retired.at.to_be_bytes(),
            ]
            .concat(),
        );
        let place = audit_place(key.id());
        self.keyring.key(with)?.seal(&octets, place, &*self.random)
    }
}

fn read_audit_key(id: Uuid, octets: &[u8]) -> Option<(AuditKey, Retired)> {
    let (key, rest) = octets.split_first_chunk()?;
    let (last_seal, rest) = rest.split_first_chunk()?;
    let retired = Retired {
        last_seal: u64::from_be_bytes(*last_seal),
        at: i64::from_be_bytes(rest.try_into().ok()?),
    };
    Some((AuditKey::restore(id, *key), retired))
}

pub(super) const fn audit_place(key: Uuid) -> Place<'static> {
    Place {
        table: "master_keys",
        row: key,
        purpose: "audit key",
        detail: b"",
    }
}
