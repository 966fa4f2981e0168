//! The trail, looked at again from its beginning.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use uuid::Uuid;

use super::{AuditKey, Mac, Seal, Sealing, Written};
use crate::Timestamp;

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
    /// A seal was made with a key that is not known, or was retired before.
    KeyUnknown,
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
            Self::KeyUnknown => {
                "was made with a master key that is neither here nor was retired later"
            }
        })
    }
}

/// For how long after a key was retired a row that was signed with it may be under a seal: rows
/// under way wait for a seal, and clocks of several machines differ.
const GRACE: Duration = Duration::from_mins(10);

/// The keys that a trail was written with.
#[derive(Debug, Default)]
pub struct AuditKeys(Vec<(AuditKey, Option<Retired>)>);

/// Until where a key that was retired can have been used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Retired {
    /// The last seal that there was. Those that follow were not made with the key.
    pub last_seal: u64,
    /// When, in microseconds since the Unix epoch.
    pub at: i64,
}

impl AuditKeys {
    /// One more key, and when it was retired, if it was.
    pub fn with(mut self, key: AuditKey, retired: Option<Retired>) -> Self {
        self.0.push((key, retired));
        self
    }

    /// The key that a seal can have been made with.
    fn of_seal(&self, seal: &Seal) -> Option<&AuditKey> {
        let mut keys = self.0.iter();
        let (key, retired) = keys.find(|(key, _)| key.id() == seal.key)?;
        let is_later = retired.is_some_and(|retired| seal.number > retired.last_seal);
        (!is_later).then_some(key)
    }

    /// Whether a row that lies under a seal of that time has the code that its values should have.
    fn know(&self, row: &Written, sealed_at: i64) -> bool {
        let can_have_signed = |retired: &Option<Retired>| {
            retired.is_none_or(|retired| {
                sealed_at <= Timestamp::from_micros(retired.at).after(GRACE).as_micros()
            })
        };
        self.0.iter().any(|(key, retired)| {
            can_have_signed(retired) && key.mac(&row.signed.entry) == row.signed.mac
        })
    }
}

/// Recomputes a trail: seals in the order of their numbers, and after each its rows.
#[derive(Debug)]
pub struct Verifier {
    keys: AuditKeys,
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
    /// None when it is not known with which key the seal can have been made.
    sealing: Option<Sealing>,
    count: u64,
    altered: bool,
}

impl Verifier {
    /// Begins with the first seal.
    pub const fn new(keys: AuditKeys) -> Self {
        Self {
            keys,
            last: None,
            ends: BTreeMap::new(),
            lost: false,
            current: None,
            rows: 0,
        }
    }

    /// Whether the key of this master key is known.
    pub fn knows(&self, key: Uuid) -> bool {
        self.keys.0.iter().any(|(known, _)| known.id() == key)
    }

    /// Takes a key that has come into use since the beginning.
    pub fn learn(&mut self, key: AuditKey) {
        self.keys.0.push((key, None));
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
        let key = self.keys.of_seal(&seal);
        if key.is_none() {
            findings.push(of_seal(&seal, What::KeyUnknown));
        }
        self.current = Some(Current {
            sealing: key.map(|key| key.seal(seal.draft())),
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
        let at = self.current.as_ref().map(|current| current.seal.at);
        let altered = !self.keys.know(row, at.unwrap_or(row.signed.entry.at));
        if let Some(current) = &mut self.current {
            // The code that the values should have: what was altered is then found once.
            if let Some(sealing) = &mut current.sealing {
                sealing.row(row.number, &row.signed.mac);
            }
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
        let hash: Mac = sealing.map_or(seal.hash, |sealing| sealing.finish().hash);
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
