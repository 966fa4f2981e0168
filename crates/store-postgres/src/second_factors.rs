//! Second factors.

use async_trait::async_trait;
use sqlx::{query, query_scalar};
use vestibule_engine::UserId;
use vestibule_store::{
    Authority, Claim, FactorReset, Finish, ListQuery, Listing, ProposedSeed, Redeeming, Redemption,
    SecondFactors, SeedSummary, Settlement, StoreError, Swap, Trail,
};

use crate::PostgresStore;
use crate::audit::{Note, noted};
use crate::error::{retrying, store_error};
use crate::roles::lock_authority;
use vestibule_store_sql::integer;

const FIRST_PROPOSAL: &str = concat!(
    "WITH proposed AS (
        INSERT INTO second_factors
            (user_id, revision, seed_id, seed_key_id, seed_sealed, shown_to, seed_created)
        SELECT id, $7 + 1, $2, $3, $4, $5, $6 FROM users WHERE id = $1 FOR KEY SHARE
        ON CONFLICT DO NOTHING RETURNING 1
    )",
    noted!("proposed", "$8"),
    " SELECT 1 FROM proposed"
);

const PROPOSAL: &str = concat!(
    "WITH proposed AS (
        UPDATE second_factors SET revision = revision + 1, seed_id = $2, seed_key_id = $3,
            seed_sealed = $4, shown_to = $5, seed_created = $6
        WHERE user_id = $1 AND revision = $7 AND NOT verified RETURNING 1
    )",
    noted!("proposed", "$8"),
    " SELECT 1 FROM proposed"
);

const RESET: &str = "
    UPDATE second_factors SET revision = revision + 1, budget_row = budget_row + 1, streak = 0,
        waiting_until = NULL, recent = '', closed = FALSE, seed_id = NULL, seed_key_id = NULL,
        seed_sealed = NULL, verified = FALSE, last_step = NULL, shown_to = NULL,
        seed_created = NULL
    WHERE user_id = $1";

#[async_trait]
impl SecondFactors for PostgresStore {
    async fn propose_seed(
        &self,
        seed: &ProposedSeed,
        trail: Trail<'_>,
    ) -> Result<Swap, StoreError> {
        let revision = integer(seed.revision)?;
        let note = self.note(trail).await?;
        let proposed = retrying(|| {
            let propose = query(if revision == 0 {
                FIRST_PROPOSAL
            } else {
                PROPOSAL
            })
            .bind(seed.user.uuid())
            .bind(seed.id.uuid())
            .bind(seed.sealed.key_id)
            .bind(&seed.sealed.bytes)
            .bind(seed.shown_to.uuid())
            .bind(seed.created.as_micros())
            .bind(revision)
            .bind(note.rows());
            self.swap(propose)
        })
        .await;
        note.ended(proposed)
    }

    async fn settle(&self, settlement: &Settlement, trail: Trail<'_>) -> Result<Swap, StoreError> {
        self.store_settlement(settlement, trail).await
    }

    async fn finish(&self, finish: &Finish, trail: Trail<'_>) -> Result<Claim, StoreError> {
        self.claim_step(finish, trail).await
    }

    async fn redeem(
        &self,
        redemption: &Redemption,
        trail: Trail<'_>,
    ) -> Result<Redeeming, StoreError> {
        self.redeem_acceptance(redemption, trail).await
    }

    async fn reset_factor(
        &self,
        user: UserId,
        authority: Option<Authority>,
        trail: Trail<'_>,
    ) -> Result<FactorReset, StoreError> {
        let note = self.note(trail).await?;
        let reset = retrying(|| self.try_reset(user, authority, &note)).await;
        note.ended(reset)
    }

    async fn seeds(&self, query: &ListQuery) -> Result<Listing<SeedSummary>, StoreError> {
        self.list_seeds(query).await
    }
}

impl PostgresStore {
    async fn try_reset(
        &self,
        user: UserId,
        authority: Option<Authority>,
        note: &Note,
    ) -> Result<FactorReset, StoreError> {
        let mut write = self.write().await?;
        if let Some(decided) = authority
            && lock_authority(&mut write).await? != decided
        {
            write.roll_back().await?;
            return Ok(FactorReset::Moved);
        }
        let lock = query("SELECT 1 FROM users WHERE id = $1 FOR NO KEY UPDATE");
        if write.run(lock.bind(user.uuid())).await? != 1 {
            write.roll_back().await?;
            return Ok(FactorReset::NoSeed);
        }
        let end = query("DELETE FROM tokens WHERE user_id = $1 AND kind = 'partial'");
        write.run(end.bind(user.uuid())).await?;
        // There must be a row to lock, or a first seed could come in between.
        let row = "INSERT INTO second_factors (user_id, revision) VALUES ($1, 1)
            ON CONFLICT DO NOTHING";
        write.run(query(row).bind(user.uuid())).await?;
        let seed = "SELECT seed_id IS NOT NULL FROM second_factors WHERE user_id = $1 FOR UPDATE";
        let seed: Option<bool> = query_scalar(seed)
            .bind(user.uuid())
            .fetch_optional(write.on())
            .await
            .map_err(store_error)?;
        write.run(query(RESET).bind(user.uuid())).await?;
        note.write(&mut write).await?;
        write.commit().await?;
        Ok(if seed == Some(true) {
            FactorReset::Reset
        } else {
            FactorReset::NoSeed
        })
    }
}
