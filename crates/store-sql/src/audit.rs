//! The audit trail.

use sqlx::FromRow;
use uuid::Uuid;
use vestibule_engine::audit::{Entry, Mac, Seal, Signed, Written};
use vestibule_store::OpenChain;

/// The columns of an [`AuditRow`], of a table or alias `e`.
#[macro_export]
macro_rules! audit_columns {
    () => {
        "e.id, e.chain, e.number, e.at, e.event, e.outcome, e.actor_id, e.actor, e.object_kind,
         e.object_id, e.object, e.address, e.request, e.reason, e.details, e.mac"
    };
}

/// The columns of a [`SealRow`].
#[macro_export]
macro_rules! seal_columns {
    () => {
        "key_id, number, chain, after, last, count, total, at, previous, hash"
    };
}

/// A row of the trail.
#[derive(FromRow)]
pub struct AuditRow {
    id: Uuid,
    chain: Uuid,
    number: i64,
    at: i64,
    event: String,
    outcome: String,
    actor_id: Option<Uuid>,
    actor: String,
    object_kind: Option<String>,
    object_id: Option<String>,
    object: Option<String>,
    address: String,
    request: Uuid,
    reason: Option<String>,
    details: String,
    mac: Vec<u8>,
}

impl From<AuditRow> for Written {
    fn from(row: AuditRow) -> Self {
        Self {
            chain: row.chain,
            number: row.number.unsigned_abs(),
            signed: Signed {
                entry: Entry {
                    id: row.id,
                    at: row.at,
                    event: row.event,
                    outcome: row.outcome,
                    actor_id: row.actor_id,
                    actor: row.actor,
                    object_kind: row.object_kind,
                    object_id: row.object_id,
                    object: row.object,
                    address: row.address,
                    request: row.request,
                    reason: row.reason,
                    details: row.details,
                },
                mac: mac(&row.mac),
            },
        }
    }
}

/// A code of another length is a wrong one.
fn mac(octets: &[u8]) -> Mac {
    octets.try_into().unwrap_or([0; 32])
}

/// A seal.
#[derive(FromRow)]
pub struct SealRow {
    key_id: Option<Uuid>,
    number: i64,
    chain: Uuid,
    after: i64,
    last: i64,
    count: i64,
    total: i64,
    at: i64,
    previous: Vec<u8>,
    hash: Vec<u8>,
}

impl From<SealRow> for Seal {
    fn from(row: SealRow) -> Self {
        Self {
            key: row.key_id.unwrap_or_default(),
            number: row.number.unsigned_abs(),
            chain: row.chain,
            after: row.after.unsigned_abs(),
            last: row.last.unsigned_abs(),
            count: row.count.unsigned_abs(),
            total: row.total.unsigned_abs(),
            at: row.at,
            previous: mac(&row.previous),
            hash: mac(&row.hash),
        }
    }
}

/// A chain with rows under no seal.
#[derive(FromRow)]
pub struct OpenChainRow {
    chain: Uuid,
    sealed: i64,
    last: i64,
}

impl From<OpenChainRow> for OpenChain {
    fn from(row: OpenChainRow) -> Self {
        Self {
            chain: row.chain,
            sealed: row.sealed.unsigned_abs(),
            last: row.last.unsigned_abs(),
        }
    }
}
