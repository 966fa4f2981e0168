//! Second factors.

use sqlx::FromRow;
use uuid::Uuid;
use vestibule_engine::budget::RecentFailures;
use vestibule_engine::{GuessBudget, SeedId, SessionId, Timestamp, TotpStep, UserId, UserName};
use vestibule_store::{Sealed, SecondFactor, SeedState, SeedSummary, StoreError, StoredSeed};

use crate::time;

/// A user with a seed.
#[derive(FromRow)]
pub struct SeedRow {
    id: Uuid,
    name: String,
    verified: bool,
}

impl TryFrom<SeedRow> for SeedSummary {
    type Error = StoreError;

    fn try_from(row: SeedRow) -> Result<Self, StoreError> {
        Ok(Self {
            user: UserId::from_uuid(row.id),
            user_name: UserName::new(row.name)
                .map_err(|_| StoreError::inconsistent("users", &row.id))?,
            verified: row.verified,
        })
    }
}

/// A second factor, or nothing at all of it.
#[derive(FromRow)]
pub(crate) struct FactorRow {
    revision: Option<i64>,
    budget_row: Option<i64>,
    streak: Option<i64>,
    waiting_until: Option<i64>,
    recent: Option<Vec<u8>>,
    closed: Option<bool>,
    seed_id: Option<Uuid>,
    seed_key_id: Option<Uuid>,
    seed_sealed: Option<Vec<u8>>,
    verified: Option<bool>,
    last_step: Option<i64>,
    shown_to: Option<Uuid>,
    seed_created: Option<i64>,
}

impl FactorRow {
    pub(crate) fn read(self) -> Option<SecondFactor> {
        let Some(revision) = self.revision else {
            return Some(SecondFactor::default());
        };
        let budget = GuessBudget::restore(
            u64::try_from(self.budget_row?).ok()?,
            u32::try_from(self.streak?).ok()?,
            time(self.waiting_until),
            RecentFailures::from_bytes(&self.recent?)?,
            self.closed?,
        );
        let state = || {
            Some(if self.verified? {
                let last_step = u64::try_from(self.last_step?).ok()?;
                SeedState::Verified {
                    last_step: TotpStep::new(last_step),
                }
            } else {
                SeedState::Unverified {
                    shown_to: SessionId::from_uuid(self.shown_to?),
                    created: Timestamp::from_micros(self.seed_created?),
                }
            })
        };
        let seed = match self.seed_id {
            None => None,
            Some(id) => Some(StoredSeed {
                id: SeedId::from_uuid(id),
                state: state()?,
                sealed: Sealed {
                    key_id: self.seed_key_id?,
                    bytes: self.seed_sealed?,
                },
            }),
        };
        Some(SecondFactor {
            revision: u64::try_from(revision).ok()?,
            budget,
            seed,
        })
    }
}
