//! Master keys, and what they have sealed.

use sqlx::FromRow;
use uuid::Uuid;
use vestibule_engine::{SeedId, SessionId, TokenHash, UserId};
use vestibule_store::{
    KeyReport, KeyStanding, KeyState, Sealed, SealedCount, SealedKind, SealedThing, StoreError,
    StoredProvider,
};

use crate::{StoredProviderRow, sealed};

/// The canary, and each other key with it: a [`KeyRow`] each.
pub const KEY_STATE: &str = "
    SELECT c.key_id AS in_use, c.sealed, c.paused, m.key_id, m.state, m.audit_key_id,
        m.audit_sealed
    FROM (SELECT 1 AS one) AS always LEFT JOIN canary c ON 1 = 1 LEFT JOIN master_keys m ON 1 = 1
    ORDER BY m.key_id";

/// How much each key has sealed: a [`CountRow`] each.
pub const SEALED_COUNTS: &str = "
    SELECT 'seeds' AS kind, seed_key_id AS key_id, count(*) AS count FROM second_factors
    WHERE seed_key_id IS NOT NULL GROUP BY seed_key_id
    UNION ALL
    SELECT 'radiusSecrets', key_id, count(*) FROM (
        SELECT shared_secret_key_id AS key_id FROM mfa_providers
        UNION ALL SELECT challenge_secret_key_id FROM mfa_providers
    ) AS secrets WHERE key_id IS NOT NULL GROUP BY key_id
    UNION ALL
    SELECT 'dialogues', dialogue_key_id, count(*) FROM tokens
    WHERE dialogue_key_id IS NOT NULL GROUP BY dialogue_key_id
    UNION ALL
    SELECT 'auditKeys', audit_key_id, count(*) FROM master_keys
    WHERE audit_key_id IS NOT NULL GROUP BY audit_key_id";

/// The key in use, and those that it replaces and that something of a snapshot is sealed with.
/// Dialogues are not in it. What a key has sealed of which nobody knows anything is lost already.
pub const SNAPSHOT_KEYS: &str = "
    SELECT key_id FROM canary
    UNION SELECT key_id FROM master_keys m WHERE state = 'replaced' AND (
        EXISTS (SELECT 1 FROM second_factors WHERE seed_key_id = m.key_id)
        OR EXISTS (SELECT 1 FROM mfa_providers
            WHERE m.key_id IN (shared_secret_key_id, challenge_secret_key_id))
        OR EXISTS (SELECT 1 FROM master_keys a WHERE a.audit_key_id = m.key_id)
    )
    ORDER BY key_id";

/// What servers have reported: a [`ReportRow`] each.
pub const KEY_REPORTS: &str =
    "SELECT server, name, key_id, has FROM key_reports ORDER BY name, server";

/// A key, with the canary.
#[derive(FromRow)]
pub struct KeyRow {
    in_use: Option<Uuid>,
    sealed: Option<Vec<u8>>,
    paused: Option<bool>,
    key_id: Option<Uuid>,
    state: Option<String>,
    audit_key_id: Option<Uuid>,
    audit_sealed: Option<Vec<u8>>,
}

/// What the rows of [`KEY_STATE`] mean.
///
/// # Errors
/// When a key is for nothing that is known.
pub fn key_state(rows: Vec<KeyRow>) -> Result<KeyState, StoreError> {
    let mut state = KeyState::default();
    for row in rows {
        state.canary = sealed(row.in_use, row.sealed);
        state.paused = row.paused.unwrap_or_default();
        let Some(key) = row.key_id else {
            continue;
        };
        let audit = sealed(row.audit_key_id, row.audit_sealed);
        let standing = match (row.state.as_deref(), audit) {
            (Some("next"), None) => KeyStanding::Next,
            (Some("replaced"), Some(audit)) => KeyStanding::Replaced(audit),
            (Some("retired"), Some(audit)) => KeyStanding::Retired(audit),
            _ => return Err(StoreError::inconsistent("master_keys", &key)),
        };
        state.others.push((key, standing));
    }
    Ok(state)
}

/// How much a key has sealed.
#[derive(FromRow)]
pub struct CountRow {
    kind: String,
    key_id: Uuid,
    count: i64,
}

impl TryFrom<CountRow> for SealedCount {
    type Error = StoreError;

    fn try_from(row: CountRow) -> Result<Self, StoreError> {
        let mut kinds = SealedKind::ALL.into_iter();
        let kind = kinds.find(|kind| kind.as_str() == row.kind);
        Ok(Self {
            kind: kind.ok_or_else(|| StoreError::inconsistent("a count", &row.kind))?,
            key: row.key_id,
            count: row.count.unsigned_abs(),
        })
    }
}

/// What a server has reported.
#[derive(FromRow)]
pub struct ReportRow {
    server: Uuid,
    name: String,
    key_id: Uuid,
    has: bool,
}

impl From<ReportRow> for KeyReport {
    fn from(row: ReportRow) -> Self {
        Self {
            server: row.server,
            name: row.name,
            key: row.key_id,
            has: row.has,
        }
    }
}

/// A seed.
#[derive(FromRow)]
pub struct SealedSeedRow {
    user_id: Uuid,
    seed_id: Uuid,
    verified: bool,
    seed_key_id: Uuid,
    seed_sealed: Vec<u8>,
}

impl TryFrom<SealedSeedRow> for SealedThing {
    type Error = StoreError;

    fn try_from(row: SealedSeedRow) -> Result<Self, StoreError> {
        Ok(Self::Seed {
            user: UserId::from_uuid(row.user_id),
            seed: SeedId::from_uuid(row.seed_id),
            verified: row.verified,
            sealed: Sealed {
                key_id: row.seed_key_id,
                bytes: row.seed_sealed,
            },
        })
    }
}

impl TryFrom<StoredProviderRow> for SealedThing {
    type Error = StoreError;

    fn try_from(row: StoredProviderRow) -> Result<Self, StoreError> {
        Ok(Self::Provider(Box::new(StoredProvider::try_from(row)?)))
    }
}

/// A dialogue.
#[derive(FromRow)]
pub struct SealedDialogueRow {
    hash: Vec<u8>,
    session: Uuid,
    user_id: Uuid,
    dialogue_key_id: Uuid,
    dialogue_sealed: Vec<u8>,
}

impl TryFrom<SealedDialogueRow> for SealedThing {
    type Error = StoreError;

    fn try_from(row: SealedDialogueRow) -> Result<Self, StoreError> {
        let hash: Result<[u8; 32], _> = row.hash.as_slice().try_into();
        let hash = hash.map_err(|_| StoreError::inconsistent("tokens", &row.session))?;
        Ok(Self::Dialogue {
            token: TokenHash::restore(hash),
            session: SessionId::from_uuid(row.session),
            user: UserId::from_uuid(row.user_id),
            sealed: Sealed {
                key_id: row.dialogue_key_id,
                bytes: row.dialogue_sealed,
            },
        })
    }
}

/// What the audit trail needs of a key.
#[derive(FromRow)]
pub struct SealedAuditKeyRow {
    key_id: Uuid,
    audit_key_id: Uuid,
    audit_sealed: Vec<u8>,
}

impl TryFrom<SealedAuditKeyRow> for SealedThing {
    type Error = StoreError;

    fn try_from(row: SealedAuditKeyRow) -> Result<Self, StoreError> {
        Ok(Self::AuditKey {
            key: row.key_id,
            sealed: Sealed {
                key_id: row.audit_key_id,
                bytes: row.audit_sealed,
            },
        })
    }
}

/// The first id that is later than this one; the first of all if there is none.
pub fn uuid_after(after: Option<&[u8]>) -> Uuid {
    let after = after.and_then(|octets| Uuid::from_slice(octets).ok());
    after.map_or(Uuid::nil(), |id| {
        Uuid::from_u128(id.as_u128().saturating_add(1))
    })
}

/// The first octets that are later than these; the first of all if there are none.
pub fn octets_after(after: Option<&[u8]>) -> Vec<u8> {
    after.map_or_else(Vec::new, |octets| [octets, &[0]].concat())
}
