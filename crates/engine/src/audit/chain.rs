//! Codes over rows, and seals over many of them.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use uuid::Uuid;

use super::{Entry, Signed};
use crate::Secret;

/// A code of HMAC-SHA256.
pub type Mac = [u8; 32];

/// The key of the trail. Who has it can forge; who has only the database cannot.
pub struct AuditKey {
    id: Uuid,
    key: Secret<[u8; 32]>,
}

impl std::fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuditKey(…)")
    }
}

impl AuditKey {
    /// The key that belongs to a master key, which has this id.
    pub fn of_master_key(id: Uuid, master: &Secret<[u8; 32]>) -> Self {
        let code = keyed(master.expose()).chain_update(b"vestibule audit key v1\0");
        Self::restore(id, code.finalize().into_bytes().into())
    }

    /// The key as it was kept after its master key had gone.
    pub const fn restore(id: Uuid, octets: [u8; 32]) -> Self {
        let key = Secret::new(octets);
        Self { id, key }
    }

    /// The id of the master key.
    pub const fn id(&self) -> Uuid {
        self.id
    }

    /// The octets, to be sealed before the master key goes.
    pub fn expose(&self) -> &[u8; 32] {
        self.key.expose()
    }

    /// The code over a row.
    pub fn mac(&self, entry: &Entry) -> Mac {
        let code = keyed(self.key.expose())
            .chain_update(b"vestibule audit row v1\0")
            .chain_update(entry.canonical());
        code.finalize().into_bytes().into()
    }

    /// A row with its code.
    pub fn sign(&self, entry: Entry) -> Signed {
        let mac = self.mac(&entry);
        Signed { entry, mac }
    }

    /// Begins a seal.
    pub fn seal(&self, draft: SealDraft) -> Sealing {
        let mut code = keyed(self.key.expose());
        code.update(b"vestibule audit seal v1\0");
        code.update(&draft.previous);
        code.update(&draft.number.to_be_bytes());
        code.update(draft.chain.as_bytes());
        code.update(&draft.after.to_be_bytes());
        code.update(&draft.last.to_be_bytes());
        code.update(&draft.total_before.to_be_bytes());
        code.update(&draft.at.to_be_bytes());
        Sealing {
            key: self.id,
            draft,
            code,
            count: 0,
        }
    }
}

fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    // A key that fills a block is used as it is; zeros behind a shorter one are what RFC 2104 says.
    let mut block = zeroize::Zeroizing::new([0; 64]);
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    Hmac::<Sha256>::new((&*block).into())
}

/// What a seal says before its rows are known.
#[derive(Clone, Debug)]
pub struct SealDraft {
    /// One more than the seal before, from 1.
    pub number: u64,
    /// Whose rows.
    pub chain: Uuid,
    /// The rows after this number…
    pub after: u64,
    /// …up to this one.
    pub last: u64,
    /// Rows under all seals before.
    pub total_before: u64,
    /// When, in microseconds since the Unix epoch.
    pub at: i64,
    /// The hash of the seal before; zeros for the first.
    pub previous: Mac,
}

/// A seal in the making.
#[derive(Clone, Debug)]
pub struct Sealing {
    key: Uuid,
    draft: SealDraft,
    code: Hmac<Sha256>,
    count: u64,
}

impl Sealing {
    /// Takes the next row, in the order of the numbers.
    pub fn row(&mut self, number: u64, mac: &Mac) {
        self.code.update(&number.to_be_bytes());
        self.code.update(mac);
        self.count += 1;
    }

    /// The seal over the rows that were taken.
    pub fn finish(self) -> Seal {
        let Self {
            key,
            draft,
            code,
            count,
        } = self;
        let code = code.chain_update(count.to_be_bytes());
        Seal {
            key,
            number: draft.number,
            chain: draft.chain,
            after: draft.after,
            last: draft.last,
            count,
            total: draft.total_before.saturating_add(count),
            at: draft.at,
            previous: draft.previous,
            hash: code.finalize().into_bytes().into(),
        }
    }
}

/// A seal over the rows of one chain that were new.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seal {
    /// Of which master key the key is that it was made with.
    pub key: Uuid,
    /// One more than the seal before, over all chains, from 1.
    pub number: u64,
    /// Whose rows.
    pub chain: Uuid,
    /// The rows after this number…
    pub after: u64,
    /// …up to this one.
    pub last: u64,
    /// How many there are: numbers of writes that came to nothing are missing.
    pub count: u64,
    /// Rows under this seal and all before.
    pub total: u64,
    /// When, in microseconds since the Unix epoch.
    pub at: i64,
    /// The hash of the seal before; zeros for the first.
    pub previous: Mac,
    /// The hash of all this and the rows.
    pub hash: Mac,
}

impl Seal {
    /// What the seal says of itself, to be sealed again.
    pub fn draft(&self) -> SealDraft {
        SealDraft {
            number: self.number,
            chain: self.chain,
            after: self.after,
            last: self.last,
            total_before: self.total.saturating_sub(self.count),
            at: self.at,
            previous: self.previous,
        }
    }

    /// What the seal after the last one says; the first, if there is none.
    pub fn next(last: Option<&Self>, chain: Uuid, rows: (u64, u64), at: i64) -> SealDraft {
        SealDraft {
            number: last.map_or(1, |seal| seal.number.saturating_add(1)),
            chain,
            after: rows.0,
            last: rows.1,
            total_before: last.map_or(0, |seal| seal.total),
            at,
            previous: last.map_or([0; 32], |seal| seal.hash),
        }
    }
}
