//! The whole trail, looked at again.

use std::collections::HashSet;

use uuid::Uuid;
use vestibule_engine::audit::{AuditKey, Finding, Mac, Seal, Verifier};
use vestibule_store::{OpenChain, RowsOf};

use crate::{Inner, Service, ServiceError};

/// Rows, or seals, that are read at once.
const BATCH: u32 = 500;

/// A seal that somebody has noted down.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Head {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: Mac,
}

impl From<&Seal> for Head {
    fn from(seal: &Seal) -> Self {
        Self {
            number: seal.number,
            hash: seal.hash,
        }
    }
}

/// What a look at the whole trail found.
#[derive(Debug)]
pub struct Verified {
    /// The last seal, to be noted down.
    pub head: Option<Head>,
    /// Rows under seals.
    pub sealed: u64,
    /// Rows that are younger than the last seal.
    pub young: u64,
    /// Whether the seal that was noted down is in the trail; `true` if none was asked for.
    pub has_noted: bool,
    /// Rows that belong to no chain.
    pub astray: u64,
}

impl Service {
    /// Recomputes the trail from its beginning, a few rows at a time; `found` hears of everything
    /// that is not as it was written.
    ///
    /// # Errors
    /// When the store is unavailable, or holds what cannot be read at all.
    pub async fn verify_audit(
        &self,
        noted: Option<Head>,
        mut found: impl FnMut(Finding),
    ) -> Result<Verified, ServiceError> {
        let inner = &*self.inner;
        // First, so that what is written meanwhile is not missed below.
        let all = inner.store.count_audit_rows().await?;
        let mut verifier = Verifier::new(inner.audit_keys().await?);
        let mut has_noted = noted.is_none();
        let mut chains = HashSet::new();
        loop {
            let after = verifier.head().map_or(0, |seal| seal.number);
            let seals = inner.store.seals(after, BATCH).await?;
            if seals.is_empty() {
                break;
            }
            for seal in seals {
                has_noted |= noted == Some(Head::from(&seal));
                chains.insert(seal.chain);
                let rows = RowsOf {
                    chain: seal.chain,
                    after: seal.after,
                    last: seal.last,
                };
                inner.learn(&mut verifier, seal.key);
                verifier.seal(seal).into_iter().for_each(&mut found);
                inner.verify_rows(&mut verifier, rows, &mut found).await?;
                verifier.end_of_seal().into_iter().for_each(&mut found);
            }
        }
        let sealed = verifier.rows();
        if let Some(in_use) = inner.store.key_state().await?.in_use() {
            inner.learn(&mut verifier, in_use);
        }
        let open = inner.store.open_chains().await?;
        let mut young: Vec<RowsOf> = open.iter().map(|open| rest(&verifier, open)).collect();
        // A chain that is said to be sealed further than its seals are.
        let is_open = |chain| open.iter().any(|open| open.chain == chain);
        for chain in chains.into_iter().filter(|&chain| !is_open(chain)) {
            let after = verifier.end(chain);
            let last = u64::MAX >> 1;
            young.push(RowsOf { chain, after, last });
        }
        for rows in young {
            inner.verify_rows(&mut verifier, rows, &mut found).await?;
        }
        Ok(Verified {
            head: verifier.head().map(Head::from),
            sealed,
            young: verifier.rows() - sealed,
            has_noted,
            astray: all.saturating_sub(verifier.rows()),
        })
    }
}

/// The rows of a chain that are under no seal.
fn rest(verifier: &Verifier, open: &OpenChain) -> RowsOf {
    RowsOf {
        chain: open.chain,
        after: verifier.end(open.chain),
        last: open.last,
    }
}

impl Inner {
    /// Another master key may have come into use since the beginning.
    fn learn(&self, verifier: &mut Verifier, key: Uuid) {
        if !verifier.knows(key)
            && let Ok(key) = self.keyring.key(key)
        {
            verifier.learn(AuditKey::restore(key.id(), *key.audit().expose()));
        }
    }

    async fn verify_rows(
        &self,
        verifier: &mut Verifier,
        mut rows: RowsOf,
        found: &mut impl FnMut(Finding),
    ) -> Result<(), ServiceError> {
        loop {
            let batch = self.store.audit_rows(rows, BATCH).await?;
            for row in &batch {
                rows.after = row.number;
                verifier.row(row).into_iter().for_each(&mut *found);
            }
            if batch.len() < usize::try_from(BATCH).unwrap_or(usize::MAX) {
                return Ok(());
            }
        }
    }
}
