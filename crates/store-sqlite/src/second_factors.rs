//! Second factors.

use async_trait::async_trait;
use sqlx::{query, query_scalar};
use vestibule_engine::UserId;
use vestibule_store::{
    Authority, Claim, FactorReset, Finish, ListQuery, Listing, ProposedSeed, Redeeming, Redemption,
    SecondFactors, SeedSummary, Settlement, StoreError, Swap, Trail,
};

use crate::SqliteStore;
use crate::changes::Change;
use crate::error::store_error;
use vestibule_store_sql::integer;

const FIRST_PROPOSAL: &str = "
    INSERT INTO second_factors
        (user_id, revision, seed_id, seed_key_id, seed_sealed, shown_to, seed_created)
    SELECT id, 1, ?2, ?3, ?4, ?5, ?6 FROM users WHERE id = ?1
    ON CONFLICT DO NOTHING";

const PROPOSAL: &str = "
    UPDATE second_factors SET revision = revision + 1, seed_id = ?2, seed_key_id = ?3,
        seed_sealed = ?4, shown_to = ?5, seed_created = ?6
    WHERE user_id = ?1 AND revision = ?7 AND NOT verified";

const RESET: &str = "
    INSERT INTO second_factors (user_id, revision) SELECT id, 1 FROM users WHERE id = ?1
    ON CONFLICT (user_id) DO UPDATE SET revision = revision + 1, budget_row = budget_row + 1,
        streak = 0, waiting_until = NULL, recent = x'', closed = 0, seed_id = NULL,
        seed_key_id = NULL, seed_sealed = NULL, verified = 0, last_step = NULL, shown_to = NULL,
        seed_created = NULL";

#[async_trait]
impl SecondFactors for SqliteStore {
    async fn propose_seed(
        &self,
        seed: &ProposedSeed,
        trail: Trail<'_>,
    ) -> Result<Swap, StoreError> {
        let mut write = self.write_with(trail).await?;
        let first = seed.revision == 0;
        let mut propose = query(if first { FIRST_PROPOSAL } else { PROPOSAL })
            .bind(seed.user.uuid())
            .bind(seed.id.uuid())
            .bind(seed.sealed.key_id)
            .bind(&seed.sealed.bytes)
            .bind(seed.shown_to.uuid())
            .bind(seed.created.as_micros());
        if !first {
            propose = propose.bind(integer(seed.revision)?);
        }
        if write.run(propose).await? != 1 {
            return write.moved().await;
        }
        write.done().await
    }

    async fn settle(&self, settlement: &Settlement, trail: Trail<'_>) -> Result<Swap, StoreError> {
        self.change(&Change::settlement(settlement)?, trail).await
    }

    async fn finish(&self, finish: &Finish, trail: Trail<'_>) -> Result<Claim, StoreError> {
        match self.change(&Change::claim(finish)?, trail).await? {
            Swap::Moved => Ok(Claim::Moved),
            #[expect(
                clippy::disallowed_methods,
                reason = "the compare-and-set is committed"
            )]
            Swap::Done => Ok(Claim::Fresh(finish.claim.dangerous_claimed())),
        }
    }

    async fn redeem(
        &self,
        redemption: &Redemption,
        trail: Trail<'_>,
    ) -> Result<Redeeming, StoreError> {
        match self.change(&Change::redemption(redemption)?, trail).await? {
            Swap::Moved => Ok(Redeeming::Moved),
            #[expect(
                clippy::disallowed_methods,
                reason = "the compare-and-set is committed"
            )]
            Swap::Done => Ok(Redeeming::Fresh(redemption.acceptance.dangerous_redeemed())),
        }
    }

    async fn reset_factor(
        &self,
        user: UserId,
        authority: Option<Authority>,
        trail: Trail<'_>,
    ) -> Result<FactorReset, StoreError> {
        let mut write = self.write_with(trail).await?;
        if let Some(decided) = authority
            && write.authority().await? != decided
        {
            return write.refused(FactorReset::Moved).await;
        }
        let seed: Option<bool> =
            query_scalar("SELECT seed_id IS NOT NULL FROM second_factors WHERE user_id = ?1")
                .bind(user.uuid())
                .fetch_optional(write.on())
                .await
                .map_err(store_error)?;
        if write.run(query(RESET).bind(user.uuid())).await? != 1 {
            return write.refused(FactorReset::NoSeed).await;
        }
        let end = query("DELETE FROM tokens WHERE user_id = ?1 AND kind = 'partial'");
        write.run(end.bind(user.uuid())).await?;
        write.commit().await?;
        Ok(if seed == Some(true) {
            FactorReset::Reset
        } else {
            FactorReset::NoSeed
        })
    }

    async fn seeds(&self, query: &ListQuery) -> Result<Listing<SeedSummary>, StoreError> {
        self.list_seeds(query).await
    }
}
