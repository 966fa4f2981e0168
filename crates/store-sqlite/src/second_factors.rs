//! Second factors.

use async_trait::async_trait;
use sqlx::{query, query_scalar};
use vestibule_engine::{GuessBudget, NewToken, SessionId, Timestamp, TokenHash, UserId};
use vestibule_store::{
    Authority, Claim, FactorReset, Finish, ListQuery, Listing, ProposedSeed, Redeeming, Redemption,
    SecondFactors, SeedSummary, Settlement, StoreError, Swap, Trail,
};

use crate::error::store_error;
use crate::tokens::note_device;
use crate::{SqliteStore, Write};
use vestibule_store_sql::{integer, new_dialogue};

const FIRST_PROPOSAL: &str = "
    INSERT INTO second_factors
        (user_id, revision, seed_id, seed_key_id, seed_sealed, shown_to, seed_created)
    SELECT id, 1, ?2, ?3, ?4, ?5, ?6 FROM users WHERE id = ?1
    ON CONFLICT DO NOTHING";

const PROPOSAL: &str = "
    UPDATE second_factors SET revision = revision + 1, seed_id = ?2, seed_key_id = ?3,
        seed_sealed = ?4, shown_to = ?5, seed_created = ?6
    WHERE user_id = ?1 AND revision = ?7 AND NOT verified";

/// The partial token of a session is there.
macro_rules! has_partial {
    () => {
        "EXISTS (SELECT 1 FROM tokens WHERE session = ?7 AND user_id = ?1 AND kind = 'partial')"
    };
}

const FIRST_SETTLEMENT: &str = concat!(
    "INSERT INTO second_factors
        (user_id, revision, streak, waiting_until, recent, closed, budget_row)
     SELECT ?1, ?8 + 1, ?2, ?3, ?4, ?5, ?6 WHERE ",
    has_partial!(),
    " ON CONFLICT DO NOTHING"
);

const SETTLEMENT: &str = concat!(
    "UPDATE second_factors SET revision = revision + 1, streak = ?2, waiting_until = ?3,
        recent = ?4, closed = ?5, budget_row = ?6
     WHERE user_id = ?1 AND revision = ?8 AND ",
    has_partial!()
);

const SET_DIALOGUE: &str = "
    UPDATE tokens SET dialogue_key_id = ?3, dialogue_sealed = ?4
    WHERE session = ?1 AND user_id = ?2 AND kind = 'partial'";

const CLAIM: &str = "
    UPDATE second_factors SET revision = revision + 1, streak = ?2, waiting_until = ?3,
        recent = ?4, closed = ?5, budget_row = ?6, verified = 1, last_step = ?7, shown_to = NULL,
        seed_created = NULL, seed_key_id = coalesce(?10, seed_key_id),
        seed_sealed = coalesce(?11, seed_sealed)
    WHERE user_id = ?1 AND revision = ?8 AND seed_id = ?9 AND (NOT verified OR last_step < ?7)";

/// The provider that asked is the one of the settings, as it was configured.
macro_rules! is_due {
    () => {
        "EXISTS (SELECT 1 FROM admin_mfa m JOIN mfa_providers p ON p.id = m.provider
            WHERE p.id = ?8 AND p.revision = ?9)"
    };
}

const FIRST_REDEMPTION: &str = concat!(
    "INSERT INTO second_factors
        (user_id, revision, streak, waiting_until, recent, closed, budget_row)
     SELECT ?1, ?7 + 1, ?2, ?3, ?4, ?5, ?6 WHERE ",
    is_due!(),
    " ON CONFLICT DO NOTHING"
);

const REDEMPTION: &str = concat!(
    "UPDATE second_factors SET revision = revision + 1, streak = ?2, waiting_until = ?3,
        recent = ?4, closed = ?5, budget_row = ?6
     WHERE user_id = ?1 AND revision = ?7 AND ",
    is_due!()
);

const ROTATE: &str = "
    UPDATE tokens SET hash = ?1, kind = ?2, expires = ?3, session_expires = ?4,
        dialogue_key_id = NULL, dialogue_sealed = NULL
    WHERE hash = ?5 AND session = ?6 AND user_id = ?7 AND kind = 'partial'";

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
        let mut write = self.write_with(trail).await?;
        let (user, session) = (settlement.user.uuid(), settlement.session.uuid());
        let first = settlement.revision == 0;
        let settle = query(if first { FIRST_SETTLEMENT } else { SETTLEMENT });
        let settle = with_budget(settle, settlement.user, &settlement.budget)?
            .bind(session)
            .bind(integer(settlement.revision)?);
        if write.run(settle).await? != 1 {
            return write.moved().await;
        }
        if let Some(sealed) = new_dialogue(&settlement.dialogue) {
            let set = query(SET_DIALOGUE)
                .bind(session)
                .bind(user)
                .bind(sealed.map(|sealed| sealed.key_id))
                .bind(sealed.map(|sealed| &sealed.bytes));
            write.run(set).await?;
        }
        if settlement.ends_token {
            let end = "DELETE FROM tokens
                WHERE session = ?1 AND user_id = ?2 AND kind = 'partial'";
            write.run(query(end).bind(session).bind(user)).await?;
        }
        write.done().await
    }

    async fn finish(&self, finish: &Finish, trail: Trail<'_>) -> Result<Claim, StoreError> {
        let mut write = self.write_with(trail).await?;
        let rotation = Rotation {
            partial: finish.partial,
            user: finish.claim.user(),
            session: finish.claim.session(),
            verified: &finish.verified,
            device_completed: finish.device_completed,
        };
        if !rotation.run(&mut write).await? || !claim(&mut write, finish).await? {
            let _ = write.moved().await?;
            return Ok(Claim::Moved);
        }
        write.commit().await?;
        #[expect(
            clippy::disallowed_methods,
            reason = "the compare-and-set is committed"
        )]
        Ok(Claim::Fresh(finish.claim.dangerous_claimed()))
    }

    async fn redeem(
        &self,
        redemption: &Redemption,
        trail: Trail<'_>,
    ) -> Result<Redeeming, StoreError> {
        let mut write = self.write_with(trail).await?;
        let rotation = Rotation {
            partial: redemption.partial,
            user: redemption.acceptance.user(),
            session: redemption.acceptance.session(),
            verified: &redemption.verified,
            device_completed: redemption.device_completed,
        };
        if !rotation.run(&mut write).await? || !redeem(&mut write, redemption).await? {
            let _ = write.moved().await?;
            return Ok(Redeeming::Moved);
        }
        write.commit().await?;
        #[expect(
            clippy::disallowed_methods,
            reason = "the compare-and-set is committed"
        )]
        Ok(Redeeming::Fresh(redemption.acceptance.dangerous_redeemed()))
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

async fn claim(write: &mut Write<'_>, finish: &Finish) -> Result<bool, StoreError> {
    let claim = &finish.claim;
    let sealed = finish.verified_seed.as_ref();
    let claim = with_budget(query(CLAIM), claim.user(), claim.budget())?
        .bind(integer(claim.step().number())?)
        .bind(integer(claim.revision())?)
        .bind(claim.seed().uuid())
        .bind(sealed.map(|sealed| sealed.key_id))
        .bind(sealed.map(|sealed| &sealed.bytes));
    Ok(write.run(claim).await? == 1)
}

async fn redeem(write: &mut Write<'_>, redemption: &Redemption) -> Result<bool, StoreError> {
    let acceptance = &redemption.acceptance;
    let first = acceptance.revision() == 0;
    let redeem = query(if first { FIRST_REDEMPTION } else { REDEMPTION });
    let redeem = with_budget(redeem, acceptance.user(), acceptance.budget())?
        .bind(integer(acceptance.revision())?)
        .bind(acceptance.provider().uuid())
        .bind(integer(acceptance.provider_revision())?);
    Ok(write.run(redeem).await? == 1)
}

/// A partial token that becomes a verified one, in its row.
struct Rotation<'a> {
    partial: TokenHash,
    user: UserId,
    session: SessionId,
    verified: &'a NewToken,
    device_completed: Option<Timestamp>,
}

impl Rotation<'_> {
    /// Rotates the token and notes the device when told so; whether the partial token was there,
    /// this user's and of this session.
    async fn run(&self, write: &mut Write<'_>) -> Result<bool, StoreError> {
        let verified = self.verified.record();
        let rotate = query(ROTATE)
            .bind(verified.hash.as_bytes().as_slice())
            .bind(verified.kind.as_str())
            .bind(verified.expires.as_micros())
            .bind(verified.session_expires.as_micros())
            .bind(self.partial.as_bytes().as_slice())
            .bind(self.session.uuid())
            .bind(self.user.uuid());
        if write.run(rotate).await? != 1 {
            return Ok(false);
        }
        if let Some(at) = self.device_completed {
            note_device(write, verified.user, verified.device, at).await?;
        }
        Ok(true)
    }
}

type Statement<'q> = sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

/// Binds a user and a budget, the first six values.
fn with_budget<'q>(
    statement: Statement<'q>,
    user: UserId,
    budget: &GuessBudget,
) -> Result<Statement<'q>, StoreError> {
    Ok(statement
        .bind(user.uuid())
        .bind(budget.streak())
        .bind(budget.waiting_until().map(Timestamp::as_micros))
        .bind(budget.recent().to_bytes().to_vec())
        .bind(budget.is_closed())
        .bind(integer(budget.row())?))
}
