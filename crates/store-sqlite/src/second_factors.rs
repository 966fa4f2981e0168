//! Second factors.

use async_trait::async_trait;
use sqlx::{query, query_scalar};
use vestibule_engine::{GuessBudget, Timestamp, UserId, WrongGuess};
use vestibule_store::{
    Claim, FactorReset, Finish, ListQuery, Listing, ProposedSeed, SecondFactors, SeedSummary,
    StoreError, Swap,
};

use crate::error::store_error;
use crate::tokens::note_device;
use crate::{SqliteStore, Write};
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

/// The partial token of a session is there.
macro_rules! has_partial {
    () => {
        "EXISTS (SELECT 1 FROM tokens WHERE session = ?6 AND user_id = ?1 AND kind = 'partial')"
    };
}

const FIRST_GUESS: &str = concat!(
    "INSERT INTO second_factors (user_id, revision, streak, waiting_until, recent, closed)
     SELECT ?1, 1, ?2, ?3, ?4, ?5 WHERE ",
    has_partial!(),
    " ON CONFLICT DO NOTHING"
);

const GUESS: &str = concat!(
    "UPDATE second_factors SET revision = revision + 1, streak = ?2, waiting_until = ?3,
        recent = ?4, closed = ?5
     WHERE user_id = ?1 AND revision = ?7 AND ",
    has_partial!()
);

const CLAIM: &str = "
    UPDATE second_factors SET revision = revision + 1, streak = ?2, waiting_until = ?3,
        recent = ?4, closed = ?5, verified = 1, last_step = ?6, shown_to = NULL,
        seed_created = NULL, seed_key_id = coalesce(?9, seed_key_id),
        seed_sealed = coalesce(?10, seed_sealed)
    WHERE user_id = ?1 AND revision = ?7 AND seed_id = ?8 AND (NOT verified OR last_step < ?6)";

const ROTATE: &str = "
    UPDATE tokens SET hash = ?1, kind = ?2, expires = ?3, session_expires = ?4
    WHERE hash = ?5 AND session = ?6 AND user_id = ?7 AND kind = 'partial'";

const RESET: &str = "
    INSERT INTO second_factors (user_id, revision) SELECT id, 1 FROM users WHERE id = ?1
    ON CONFLICT (user_id) DO UPDATE SET revision = revision + 1, streak = 0,
        waiting_until = NULL, recent = x'', closed = 0, seed_id = NULL, seed_key_id = NULL,
        seed_sealed = NULL, verified = 0, last_step = NULL, shown_to = NULL, seed_created = NULL";

#[async_trait]
impl SecondFactors for SqliteStore {
    async fn propose_seed(&self, seed: &ProposedSeed) -> Result<Swap, StoreError> {
        let mut write = self.write().await?;
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

    async fn count_guess(&self, guess: &WrongGuess) -> Result<Swap, StoreError> {
        let mut write = self.write().await?;
        let first = guess.revision == 0;
        let count = query(if first { FIRST_GUESS } else { GUESS });
        let mut count = with_budget(count, guess.user, &guess.budget).bind(guess.session.uuid());
        if !first {
            count = count.bind(integer(guess.revision)?);
        }
        if write.run(count).await? != 1 {
            return write.moved().await;
        }
        if guess.ends_token {
            let end = query("DELETE FROM tokens WHERE session = ?1 AND kind = 'partial'");
            write.run(end.bind(guess.session.uuid())).await?;
        }
        write.done().await
    }

    async fn finish(&self, finish: &Finish) -> Result<Claim, StoreError> {
        let mut write = self.write().await?;
        if !claim(&mut write, finish).await? || !rotate(&mut write, finish).await? {
            let _ = write.moved().await?;
            return Ok(Claim::Moved);
        }
        if let Some(at) = finish.device_completed {
            let token = finish.verified.record();
            note_device(&mut write, token.user, token.device, at).await?;
        }
        write.commit().await?;
        #[expect(
            clippy::disallowed_methods,
            reason = "the compare-and-set is committed"
        )]
        Ok(Claim::Fresh(finish.claim.dangerous_claimed()))
    }

    async fn reset_factor(&self, user: UserId) -> Result<FactorReset, StoreError> {
        let mut write = self.write().await?;
        let seed: Option<bool> =
            query_scalar("SELECT seed_id IS NOT NULL FROM second_factors WHERE user_id = ?1")
                .bind(user.uuid())
                .fetch_optional(write.on())
                .await
                .map_err(store_error)?;
        write.run(query(RESET).bind(user.uuid())).await?;
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
    let claim = with_budget(query(CLAIM), claim.user(), claim.budget())
        .bind(integer(claim.step().number())?)
        .bind(integer(claim.revision())?)
        .bind(claim.seed().uuid())
        .bind(sealed.map(|sealed| sealed.key_id))
        .bind(sealed.map(|sealed| &sealed.bytes));
    Ok(write.run(claim).await? == 1)
}

async fn rotate(write: &mut Write<'_>, finish: &Finish) -> Result<bool, StoreError> {
    let verified = finish.verified.record();
    let rotate = query(ROTATE)
        .bind(verified.hash.as_bytes().as_slice())
        .bind(verified.kind.as_str())
        .bind(verified.expires.as_micros())
        .bind(verified.session_expires.as_micros())
        .bind(finish.partial.as_bytes().as_slice())
        .bind(finish.claim.session().uuid())
        .bind(finish.claim.user().uuid());
    Ok(write.run(rotate).await? == 1)
}

type Statement<'q> = sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

/// Binds a user and a budget, the first five values.
fn with_budget<'q>(statement: Statement<'q>, user: UserId, budget: &GuessBudget) -> Statement<'q> {
    statement
        .bind(user.uuid())
        .bind(budget.streak())
        .bind(budget.waiting_until().map(Timestamp::as_micros))
        .bind(budget.recent().to_bytes().to_vec())
        .bind(budget.is_closed())
}
