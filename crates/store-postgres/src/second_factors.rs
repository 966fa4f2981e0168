//! Second factors.

use async_trait::async_trait;
use sqlx::{query, query_scalar};
use vestibule_engine::{GuessBudget, Timestamp, UserId, WrongGuess};
use vestibule_store::{
    Claim, FactorReset, Finish, ListQuery, Listing, ProposedSeed, SecondFactors, SeedSummary,
    StoreError, Swap,
};

use crate::error::{retrying, store_error};
use crate::{PostgresStore, Statement};
use vestibule_store_sql::integer;

const FIRST_PROPOSAL: &str = "
    INSERT INTO second_factors
        (user_id, revision, seed_id, seed_key_id, seed_sealed, shown_to, seed_created)
    SELECT id, $7 + 1, $2, $3, $4, $5, $6 FROM users WHERE id = $1 FOR KEY SHARE
    ON CONFLICT DO NOTHING RETURNING 1";

const PROPOSAL: &str = "
    UPDATE second_factors SET revision = revision + 1, seed_id = $2, seed_key_id = $3,
        seed_sealed = $4, shown_to = $5, seed_created = $6
    WHERE user_id = $1 AND revision = $7 AND NOT verified RETURNING 1";

/// Locks the partial token of a session, and ends it when the guess was counted and says so.
macro_rules! guess {
    ($condition:literal, $counted:literal) => {
        concat!(
            "WITH owner AS (
                SELECT id FROM users WHERE id = $1 FOR KEY SHARE
            ), partial AS (
                SELECT user_id FROM tokens
                WHERE session = $6 AND user_id = ",
            $condition,
            " AND kind = 'partial'
                FOR UPDATE
            ), counted AS (",
            $counted,
            " RETURNING user_id
            ), ended AS (
                DELETE FROM tokens
                WHERE session = $6 AND kind = 'partial' AND $8
                    AND user_id = (SELECT user_id FROM counted)
            )
            SELECT 1 FROM counted"
        )
    };
}

/// A new row looks at its user, so the user is locked first.
const FIRST_GUESS: &str = guess!(
    "(SELECT id FROM owner)",
    "INSERT INTO second_factors (user_id, revision, streak, waiting_until, recent, closed)
     SELECT user_id, $7 + 1, $2, $3, $4, $5 FROM partial LIMIT 1
     ON CONFLICT DO NOTHING"
);

const GUESS: &str = guess!(
    "$1",
    "UPDATE second_factors SET revision = revision + 1, streak = $2, waiting_until = $3,
        recent = $4, closed = $5
     WHERE user_id = (SELECT user_id FROM partial LIMIT 1) AND revision = $7"
);

/// All of a finish. The partial token is locked, which waits for whoever ends or spends it and
/// then finds it gone; only with it the factor is compared and set; only with that the token
/// rotates. The division can only fail, and with it the whole statement, if a locked row could
/// vanish. A new device looks at its user, who is locked first in that case.
const FINISH: &str = "
    WITH owner AS (
        SELECT id FROM users WHERE id = $1 FOR KEY SHARE
    ), partial AS (
        SELECT user_id, device_id FROM tokens
        WHERE hash = $11 AND session = $12 AND user_id = $1 AND kind = 'partial'
            AND ($17 IS NULL OR user_id = (SELECT id FROM owner))
        FOR UPDATE
    ), claimed AS (
        UPDATE second_factors SET revision = revision + 1, streak = $2, waiting_until = $3,
            recent = $4, closed = $5, verified = TRUE, last_step = $6, shown_to = NULL,
            seed_created = NULL, seed_key_id = coalesce($9, seed_key_id),
            seed_sealed = coalesce($10, seed_sealed)
        WHERE user_id = (SELECT user_id FROM partial) AND revision = $7 AND seed_id = $8
            AND (NOT verified OR last_step < $6)
        RETURNING user_id
    ), rotated AS (
        UPDATE tokens SET hash = $13, kind = $14, expires = $15, session_expires = $16
        WHERE hash = $11 AND user_id = (SELECT user_id FROM claimed)
        RETURNING 1
    ), noted AS (
        INSERT INTO known_devices (user_id, device_id, last_completed, failures)
        SELECT partial.user_id, partial.device_id, $17, 0 FROM partial, claimed
        WHERE $17 IS NOT NULL
        ON CONFLICT (user_id, device_id) DO UPDATE SET last_completed = excluded.last_completed
    )
    SELECT 1 / (SELECT count(*) FROM rotated) FROM claimed";

const RESET: &str = "
    UPDATE second_factors SET revision = revision + 1, streak = 0, waiting_until = NULL,
        recent = '', closed = FALSE, seed_id = NULL, seed_key_id = NULL, seed_sealed = NULL,
        verified = FALSE, last_step = NULL, shown_to = NULL,
        seed_created = NULL
    WHERE user_id = $1";

#[async_trait]
impl SecondFactors for PostgresStore {
    async fn propose_seed(&self, seed: &ProposedSeed) -> Result<Swap, StoreError> {
        let revision = integer(seed.revision)?;
        retrying(|| {
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
            .bind(revision);
            self.swap(propose)
        })
        .await
    }

    async fn count_guess(&self, guess: &WrongGuess) -> Result<Swap, StoreError> {
        let revision = integer(guess.revision)?;
        retrying(|| {
            let statement = if revision == 0 { FIRST_GUESS } else { GUESS };
            let count = with_budget(statement, guess.user, &guess.budget)
                .bind(guess.session.uuid())
                .bind(revision)
                .bind(guess.ends_token);
            self.swap(count)
        })
        .await
    }

    async fn finish(&self, finish: &Finish) -> Result<Claim, StoreError> {
        let claim = &finish.claim;
        let (step, revision) = (integer(claim.step().number())?, integer(claim.revision())?);
        let sealed = finish.verified_seed.as_ref();
        let verified = finish.verified.record();
        let swap = retrying(|| {
            let statement = with_budget(FINISH, claim.user(), claim.budget())
                .bind(step)
                .bind(revision)
                .bind(claim.seed().uuid())
                .bind(sealed.map(|sealed| sealed.key_id))
                .bind(sealed.map(|sealed| sealed.bytes.as_slice()))
                .bind(finish.partial.as_bytes().as_slice())
                .bind(claim.session().uuid())
                .bind(verified.hash.as_bytes().as_slice())
                .bind(verified.kind.as_str())
                .bind(verified.expires.as_micros())
                .bind(verified.session_expires.as_micros())
                .bind(finish.device_completed.map(Timestamp::as_micros));
            self.swap(statement)
        });
        match swap.await? {
            Swap::Moved => Ok(Claim::Moved),
            #[expect(
                clippy::disallowed_methods,
                reason = "the compare-and-set is committed"
            )]
            Swap::Done => Ok(Claim::Fresh(claim.dangerous_claimed())),
        }
    }

    async fn reset_factor(&self, user: UserId) -> Result<FactorReset, StoreError> {
        retrying(|| self.try_reset(user)).await
    }

    async fn seeds(&self, query: &ListQuery) -> Result<Listing<SeedSummary>, StoreError> {
        self.list_seeds(query).await
    }
}

impl PostgresStore {
    async fn try_reset(&self, user: UserId) -> Result<FactorReset, StoreError> {
        let mut write = self.write().await?;
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
        write.commit().await?;
        Ok(if seed == Some(true) {
            FactorReset::Reset
        } else {
            FactorReset::NoSeed
        })
    }
}

/// Binds a user and a budget, the first five values.
fn with_budget(statement: &'static str, user: UserId, budget: &GuessBudget) -> Statement<'static> {
    query(statement)
        .bind(user.uuid())
        .bind(i64::from(budget.streak()))
        .bind(budget.waiting_until().map(Timestamp::as_micros))
        .bind(budget.recent().to_bytes().to_vec())
        .bind(budget.is_closed())
}
