//! The seals over the rows that are new.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;
use vestibule_engine::Timestamp;
use vestibule_engine::audit::Seal;
use vestibule_store::{IN_DOUBT, OpenChain, RowsOf, Swap};

use crate::{Inner, Service, ServiceError};

/// Rows that are read at once.
const BATCH: u32 = 500;
/// Rows under one seal, so that it is known to a few rows where something was removed.
const MOST_ROWS: u64 = 1_000;
/// How often a seal is tried when others seal at the same time.
const MOST_TRIES: u8 = 16;

/// Chains of others, as they were found, and since when they are so. Whether somebody still writes
/// to one goes by the time that passes here: clocks of other machines may be wrong.
#[derive(Debug, Default)]
pub(crate) struct Strangers(Mutex<HashMap<Uuid, (OpenChain, Timestamp)>>);

impl Strangers {
    /// The chains that nobody has sealed for longer than a write can take, as they were then.
    fn given_up(&self, open: &[OpenChain], now: Timestamp) -> Vec<OpenChain> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|chain, _| open.iter().any(|open| open.chain == *chain));
        let mut given_up = Vec::new();
        for open in open {
            let (then, since) = known.entry(open.chain).or_insert((*open, now));
            if then.sealed != open.sealed {
                (*then, *since) = (*open, now);
            } else if now >= since.after(IN_DOUBT) {
                given_up.push(*then);
            }
        }
        given_up
    }
}

impl Service {
    /// Seals the rows that are new: those of this process whose writes have ended, and those of
    /// processes that are gone. How many rows it sealed.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn seal_audit(&self) -> Result<u64, ServiceError> {
        let sealed = self.seal_what_is_new().await;
        self.metrics().sealing_ended(sealed.is_ok(), self.now());
        sealed
    }

    async fn seal_what_is_new(&self) -> Result<u64, ServiceError> {
        let inner = &*self.inner;
        inner.keyring.check()?;
        let now = inner.time.now();
        // Before the rows are read: what is settled now is there by then.
        let own = inner.store.own_chain(now);
        let open = inner.store.open_chains().await?;
        let is_own = |open: &OpenChain| own.is_some_and(|(chain, _)| open.chain == chain);
        let (ours, others): (Vec<_>, Vec<_>) = open.into_iter().partition(is_own);
        let settled = own.map_or(0, |(_, settled)| settled);
        let ours = ours.into_iter().map(|open| OpenChain {
            last: open.last.min(settled),
            ..open
        });
        let mut sealed = 0;
        for chain in ours.chain(inner.strangers.given_up(&others, now)) {
            sealed += inner.seal_chain(chain).await?;
        }
        Ok(sealed)
    }
}

impl Service {
    /// The chains with rows under no seal, and where they end now.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn unsealed_audit(&self) -> Result<Vec<OpenChain>, ServiceError> {
        Ok(self.inner.store.open_chains().await?)
    }

    /// Seals what can be sealed; whether all rows of these chains are under seals by now, up to
    /// where they ended then. Those of a process that is gone are, a minute after they were first
    /// seen here.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn seal_audit_up_to(&self, ends: &[OpenChain]) -> Result<bool, ServiceError> {
        self.seal_audit().await?;
        let open = self.inner.store.open_chains().await?;
        let is_behind = |end: &OpenChain| {
            let mut open = open.iter();
            open.any(|open| open.chain == end.chain && open.sealed < end.last)
        };
        Ok(!ends.iter().any(is_behind))
    }
}

impl Inner {
    /// Seals the rows of a chain, some at a time.
    async fn seal_chain(&self, mut chain: OpenChain) -> Result<u64, ServiceError> {
        let mut rows = 0;
        while chain.sealed < chain.last {
            let next = OpenChain {
                last: chain.last.min(chain.sealed.saturating_add(MOST_ROWS)),
                ..chain
            };
            match self.add_seal(next).await? {
                Some(seal) => rows += seal.count,
                // Somebody else has sealed them.
                None => return Ok(rows),
            }
            chain.sealed = next.last;
        }
        Ok(rows)
    }

    async fn add_seal(&self, chain: OpenChain) -> Result<Option<Seal>, ServiceError> {
        for _ in 0..MOST_TRIES {
            let last = self.store.last_seal().await?;
            let at = self.time.now().as_micros();
            let range = (chain.sealed, chain.last);
            let draft = Seal::next(last.as_ref(), chain.chain, range, at);
            let mut sealing = self.keyring.in_use().audit().seal(draft);
            let mut rest = RowsOf {
                chain: chain.chain,
                after: chain.sealed,
                last: chain.last,
            };
            loop {
                let rows = self.store.audit_rows(rest, BATCH).await?;
                for row in &rows {
                    sealing.row(row.number, &row.signed.mac);
                    rest.after = row.number;
                }
                if rows.len() < usize::try_from(BATCH).unwrap_or(usize::MAX) {
                    break;
                }
            }
            let seal = sealing.finish();
            if self.store.add_seal(&seal).await? == Swap::Done {
                return Ok(Some(seal));
            }
            let open = self.store.open_chains().await?;
            let is_open =
                |open: &OpenChain| open.chain == chain.chain && open.sealed == chain.sealed;
            if !open.iter().any(is_open) {
                return Ok(None);
            }
        }
        Err(ServiceError::contended())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_given_up_when_nobody_has_sealed_it_for_a_minute() {
        let strangers = Strangers::default();
        let at = Timestamp::from_unix_seconds;
        let open = |sealed, last| {
            [OpenChain {
                chain: Uuid::nil(),
                sealed,
                last,
            }]
        };
        assert_eq!(strangers.given_up(&open(0, 5), at(0)), []);
        assert_eq!(strangers.given_up(&open(0, 6), at(59)), []);
        assert_eq!(strangers.given_up(&open(0, 7), at(60)), open(0, 5));
        assert_eq!(strangers.given_up(&open(5, 7), at(61)), []);
        assert_eq!(strangers.given_up(&open(5, 7), at(120)), []);
        assert_eq!(strangers.given_up(&open(5, 7), at(121)), open(5, 7));
        assert_eq!(strangers.given_up(&[], at(122)), []);
        assert_eq!(strangers.given_up(&open(5, 7), at(200)), []);
    }
}
