//! The trail, looked at again from its beginning.

use std::collections::BTreeMap;
use std::fmt;

use uuid::Uuid;

use super::{AuditKey, Mac, Seal, Sealing, Written};

/// Something that is not as it was written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// What.
    pub what: What,
    /// The row or the seal, as people look for it.
    pub place: String,
    /// When that was, in microseconds since the Unix epoch, if its time can be believed at all.
    pub at: i64,
}

/// What is not as it was written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum What {
    /// A row has other values than those it was written with, or was never written by us.
    RowAltered,
    /// Rows are gone from under a seal.
    RowsRemoved,
    /// There are more rows under a seal than were sealed.
    RowsInserted,
    /// Rows under a seal were exchanged or have other numbers.
    RowsMoved,
    /// A seal has other values than those it was made with.
    SealAltered,
    /// Seals are gone.
    SealsRemoved,
    /// A seal does not begin where the one before it in its chain ended.
    Gap,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RowAltered | Self::SealAltered => "was altered, or forged",
            Self::RowsRemoved => "covers rows that were removed",
            Self::RowsInserted => "covers rows that were inserted",
            Self::RowsMoved => "covers rows that were exchanged, or was altered",
            Self::SealsRemoved => "follows seals that were removed",
            Self::Gap => "does not begin where the one before it in its chain ended",
        })
    }
}

/// Recomputes a trail: seals in the order of their numbers, and after each its rows.
#[derive(Debug)]
pub struct Verifier<'k> {
    key: &'k AuditKey,
    last: Option<Seal>,
    ends: BTreeMap<Uuid, u64>,
    /// After a gap in the seals it is not known where chains ended.
    lost: bool,
    current: Option<Current>,
    rows: u64,
}

#[derive(Debug)]
struct Current {
    seal: Seal,
    sealing: Sealing,
    count: u64,
    altered: bool,
}

impl<'k> Verifier<'k> {
    /// Begins with the first seal.
    pub const fn new(key: &'k AuditKey) -> Self {
        Self {
            key,
            last: None,
            ends: BTreeMap::new(),
            lost: false,
            current: None,
            rows: 0,
        }
    }

    /// The last seal that was looked at.
    pub const fn head(&self) -> Option<&Seal> {
        self.last.as_ref()
    }

    /// Rows that were looked at.
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Up to which number the rows of a chain are under seals.
    pub fn end(&self, chain: Uuid) -> u64 {
        self.ends.get(&chain).copied().unwrap_or(0)
    }

    /// Takes the next seal. Its rows follow, and then [`Verifier::end_of_seal`].
    pub fn seal(&mut self, seal: Seal) -> Vec<Finding> {
        let mut findings = Vec::new();
        let (number, total) = self.last.as_ref().map_or((0, 0), |s| (s.number, s.total));
        let previous = self.last.as_ref().map_or([0; 32], |s| s.hash);
        let total_before = seal.total.checked_sub(seal.count);
        if Some(seal.number) != number.checked_add(1) {
            self.lost = true;
            findings.push(of_seal(&seal, What::SealsRemoved));
        } else if seal.previous != previous || total_before != Some(total) {
            findings.push(of_seal(&seal, What::SealAltered));
        }
        let known = self.ends.get(&seal.chain).copied();
        if known.map_or(!self.lost && seal.after != 0, |end| {
            end != seal.after && !self.lost || seal.after < end
        }) {
            findings.push(of_seal(&seal, What::Gap));
        }
        self.ends.insert(seal.chain, seal.last);
        self.current = Some(Current {
            sealing: self.key.seal(seal.draft()),
            seal: seal.clone(),
            count: 0,
            altered: false,
        });
        self.last = Some(seal);
        findings
    }

    /// Takes a row, under the seal or younger than all seals.
    pub fn row(&mut self, row: &Written) -> Option<Finding> {
        self.rows += 1;
        let altered = self.key.mac(&row.signed.entry) != row.signed.mac;
        if let Some(current) = &mut self.current {
            // The code that the values should have: what was altered is then found once.
            current.sealing.row(row.number, &row.signed.mac);
            current.count += 1;
            current.altered |= altered;
        }
        altered.then(|| Finding {
            what: What::RowAltered,
            place: format!("row {}", row.signed.entry.id),
            at: row.signed.entry.at,
        })
    }

    /// All rows of the seal were taken.
    pub fn end_of_seal(&mut self) -> Option<Finding> {
        let Current {
            seal,
            sealing,
            count,
            altered,
        } = self.current.take()?;
        let hash: Mac = sealing.finish().hash;
        let what = if count < seal.count {
            What::RowsRemoved
        } else if count > seal.count {
            What::RowsInserted
        } else if hash == seal.hash {
            return None;
        } else if altered {
            // Told of the row already, unless the seal was altered as well: then it is told of
            // when the row is as it was.
            return None;
        } else {
            What::RowsMoved
        };
        Some(of_seal(&seal, what))
    }
}

fn of_seal(seal: &Seal, what: What) -> Finding {
    Finding {
        what,
        place: format!("seal {}", seal.number),
        at: seal.at,
    }
}
