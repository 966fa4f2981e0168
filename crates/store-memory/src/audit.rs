//! The audit trail.

use async_trait::async_trait;
use uuid::Uuid;
use vestibule_engine::Timestamp;
use vestibule_engine::audit::{Seal, Written};
use vestibule_store::{
    Audit, AuditQuery, Listing, OpenChain, RETIRED_KEY, RowsOf, StoreError, Swap, Trail,
};

use crate::MemoryStore;
use crate::lists::cut;
use crate::tables::Tables;

/// Nobody else writes to what is in this memory, so there is one chain.
const CHAIN: Uuid = Uuid::nil();

/// The rows and their seals.
#[derive(Debug, Default)]
pub(crate) struct AuditTables {
    rows: Vec<Written>,
    seals: Vec<Seal>,
    sealed: u64,
}

impl AuditTables {
    /// Whether there is a seal of this master key after the one with this number.
    pub(crate) fn has_seal_of(&self, key: Uuid, after: u64) -> bool {
        let mut seals = self.seals.iter();
        seals.any(|seal| seal.key == key && seal.number > after)
    }
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

fn at_most(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

impl Tables {
    /// Writes rows; part of a transaction, as all that is done under the lock.
    pub(crate) fn write_down(&mut self, trail: Trail<'_>) {
        for signed in trail {
            let number = count(self.audit.rows.len()) + 1;
            self.audit.rows.push(Written {
                chain: CHAIN,
                number,
                signed: signed.clone(),
            });
        }
    }
}

#[async_trait]
impl Audit for MemoryStore {
    async fn record(&self, trail: Trail<'_>) -> Result<(), StoreError> {
        self.tables().write_down(trail);
        Ok(())
    }

    async fn audit_events(&self, query: &AuditQuery) -> Result<Listing<Written>, StoreError> {
        let tables = self.tables();
        let rows = &tables.audit.rows;
        let mut found: Vec<&Written> = rows.iter().filter(|row| matches(query, row)).collect();
        found.sort_by_key(|row| (row.signed.entry.at, row.number));
        if !query.ascending {
            found.reverse();
        }
        Ok(Listing {
            matching: count(found.len()),
            items: cut(found, query.range).cloned().collect(),
            total: count(rows.len()),
        })
    }

    fn own_chain(&self, _: Timestamp) -> Option<(Uuid, u64)> {
        Some((CHAIN, count(self.tables().audit.rows.len())))
    }

    async fn open_chains(&self) -> Result<Vec<OpenChain>, StoreError> {
        let audit = &self.tables().audit;
        let (sealed, last) = (audit.sealed, count(audit.rows.len()));
        let open = OpenChain {
            chain: CHAIN,
            sealed,
            last,
        };
        Ok((last > sealed).then_some(open).into_iter().collect())
    }

    async fn audit_rows(&self, rows: RowsOf, most: u32) -> Result<Vec<Written>, StoreError> {
        let tables = self.tables();
        let all = tables.audit.rows.iter().filter(|row| {
            row.chain == rows.chain && (rows.after + 1..=rows.last).contains(&row.number)
        });
        Ok(all.take(at_most(most)).cloned().collect())
    }

    async fn count_audit_rows(&self) -> Result<u64, StoreError> {
        Ok(count(self.tables().audit.rows.len()))
    }

    async fn seals(&self, after: u64, most: u32) -> Result<Vec<Seal>, StoreError> {
        let tables = self.tables();
        let seals = tables.audit.seals.iter();
        let seals = seals.filter(|seal| seal.number > after);
        Ok(seals.take(at_most(most)).cloned().collect())
    }

    async fn last_seal(&self) -> Result<Option<Seal>, StoreError> {
        Ok(self.tables().audit.seals.last().cloned())
    }

    async fn add_seal(&self, seal: &Seal) -> Result<Swap, StoreError> {
        let mut tables = self.tables();
        if tables.keys.is_retired(seal.key) {
            return Err(StoreError::unavailable(RETIRED_KEY));
        }
        let audit = &mut tables.audit;
        let is_next = seal.number == count(audit.seals.len()) + 1;
        if !is_next || seal.chain != CHAIN || seal.after != audit.sealed {
            return Ok(Swap::Moved);
        }
        audit.sealed = seal.last;
        audit.seals.push(seal.clone());
        Ok(Swap::Done)
    }
}

fn matches(query: &AuditQuery, row: &Written) -> bool {
    let entry = &row.signed.entry;
    let object = entry.object.as_deref().unwrap_or_default();
    let text = format!(
        "{}\n{object}\n{}\n{}",
        entry.actor, entry.event, entry.request
    );
    let text = text.to_lowercase();
    let is_called = |name: &String| {
        [entry.actor.as_str(), object]
            .iter()
            .any(|known| known.to_lowercase() == name.to_lowercase())
    };
    query.queries.iter().all(|part| text.contains(part))
        && query
            .since
            .is_none_or(|since| entry.at >= since.as_micros())
        && query
            .event
            .as_ref()
            .is_none_or(|event| *event == entry.event)
        && query
            .outcome
            .as_ref()
            .is_none_or(|outcome| *outcome == entry.outcome)
        && query.request.is_none_or(|request| request == entry.request)
        && query.name.as_ref().is_none_or(is_called)
}
