//! Partial tokens that become verified ones: by the claim of a step, or an acceptance.

use vestibule_engine::{GuessBudget, NewToken, SessionId, Timestamp, TokenHash, UserId};
use vestibule_store::{Claim, Finish, Redeeming, Redemption, StoreError, Swap, Trail};

use crate::audit::noted;
use crate::error::retrying;
use crate::second_factors::with_budget;
use crate::{PostgresStore, Statement};
use vestibule_store_sql::integer;

/// All of a rotation. The partial token is locked, which waits for whoever ends or spends it and
/// then finds it gone; only with it the factor is compared and set; only with that the token
/// rotates. The division can only fail, and with it the whole statement, if a locked row could
/// vanish.
macro_rules! rotation {
    ($before:literal, $whose:literal, $passed:literal, $rows:literal) => {
        concat!(
            "WITH ",
            $before,
            ", partial AS (
                SELECT user_id, device_id FROM tokens
                WHERE hash = $7 AND session = $8 AND kind = 'partial' AND ",
            $whose,
            " FOR UPDATE
            ), passed AS (",
            $passed,
            " RETURNING user_id
            ), rotated AS (
                UPDATE tokens SET hash = $9, kind = $10, expires = $11, session_expires = $12,
                    dialogue_key_id = NULL, dialogue_sealed = NULL
                WHERE hash = $7 AND user_id = (SELECT user_id FROM passed)
                RETURNING 1
            ), noted AS (
                INSERT INTO known_devices (user_id, device_id, last_completed, failures)
                SELECT partial.user_id, partial.device_id, $13, 0 FROM partial, passed
                WHERE $13 IS NOT NULL
                ON CONFLICT (user_id, device_id)
                    DO UPDATE SET last_completed = excluded.last_completed
            )",
            noted!("passed", $rows),
            " SELECT 1 / (SELECT count(*) FROM rotated) FROM passed"
        )
    };
}

/// A new device looks at its user, who is locked first in that case.
const FINISH: &str = rotation!(
    "owner AS (
        SELECT id FROM users WHERE id = $1 FOR KEY SHARE
    )",
    "user_id = $1 AND ($13 IS NULL OR user_id = (SELECT id FROM owner))",
    "UPDATE second_factors SET revision = revision + 1, streak = $2, waiting_until = $3,
        recent = $4, closed = $5, budget_row = $6, verified = TRUE, last_step = $15,
        shown_to = NULL, seed_created = NULL, seed_key_id = coalesce($17, seed_key_id),
        seed_sealed = coalesce($18, seed_sealed)
     WHERE user_id = (SELECT user_id FROM partial) AND revision = $14 AND seed_id = $16
        AND (NOT verified OR last_step < $15)",
    "$19"
);

/// The settings and the provider are compared under a lock that is held until all is committed.
/// Whoever changes, replaces or removes them waits for that; and when such a change is under way,
/// this waits, and compares with what is committed then, not with what the statement saw when it
/// began. FOR KEY SHARE would not do: neither the provider of the settings nor the revision of a
/// provider is a key.
macro_rules! redemption {
    ($passed:literal) => {
        rotation!(
            "settings AS (
                SELECT provider FROM admin_mfa WHERE provider = $15 FOR SHARE
            ), due AS (
                SELECT id FROM mfa_providers
                WHERE id = (SELECT provider FROM settings) AND revision = $16
                FOR SHARE
            ), owner AS (
                SELECT id FROM users WHERE id = $1 AND EXISTS (SELECT 1 FROM due) FOR KEY SHARE
            )",
            "user_id = (SELECT id FROM owner)",
            $passed,
            "$17"
        )
    };
}

const FIRST_REDEMPTION: &str = redemption!(
    "INSERT INTO second_factors
        (user_id, revision, streak, waiting_until, recent, closed, budget_row)
     SELECT user_id, $14 + 1, $2, $3, $4, $5, $6 FROM partial
     ON CONFLICT DO NOTHING"
);

const REDEMPTION: &str = redemption!(
    "UPDATE second_factors SET revision = revision + 1, streak = $2, waiting_until = $3,
        recent = $4, closed = $5, budget_row = $6
     WHERE user_id = (SELECT user_id FROM partial) AND revision = $14"
);

impl PostgresStore {
    pub(crate) async fn claim_step(
        &self,
        finish: &Finish,
        trail: Trail<'_>,
    ) -> Result<Claim, StoreError> {
        let claim = &finish.claim;
        let step = integer(claim.step().number())?;
        let sealed = finish.verified_seed.as_ref();
        let rotation = Rotation {
            user: claim.user(),
            session: claim.session(),
            budget: claim.budget(),
            partial: finish.partial,
            verified: &finish.verified,
            device_completed: finish.device_completed,
            revision: claim.revision(),
        };
        let note = self.note(trail).await?;
        let swap = retrying(|| async {
            let statement = rotation
                .bind(FINISH)?
                .bind(step)
                .bind(claim.seed().uuid())
                .bind(sealed.map(|sealed| sealed.key_id))
                .bind(sealed.map(|sealed| sealed.bytes.as_slice()))
                .bind(note.rows());
            self.swap(statement).await
        });
        let swap = swap.await;
        match note.ended(swap)? {
            Swap::Moved => Ok(Claim::Moved),
            #[expect(
                clippy::disallowed_methods,
                reason = "the compare-and-set is committed"
            )]
            Swap::Done => Ok(Claim::Fresh(claim.dangerous_claimed())),
        }
    }

    pub(crate) async fn redeem_acceptance(
        &self,
        redemption: &Redemption,
        trail: Trail<'_>,
    ) -> Result<Redeeming, StoreError> {
        let acceptance = &redemption.acceptance;
        let provider_revision = integer(acceptance.provider_revision())?;
        let rotation = Rotation {
            user: acceptance.user(),
            session: acceptance.session(),
            budget: acceptance.budget(),
            partial: redemption.partial,
            verified: &redemption.verified,
            device_completed: redemption.device_completed,
            revision: acceptance.revision(),
        };
        let statement = if acceptance.revision() == 0 {
            FIRST_REDEMPTION
        } else {
            REDEMPTION
        };
        let note = self.note(trail).await?;
        let swap = retrying(|| async {
            let statement = rotation
                .bind(statement)?
                .bind(acceptance.provider().uuid())
                .bind(provider_revision)
                .bind(note.rows());
            self.swap(statement).await
        });
        let swap = swap.await;
        match note.ended(swap)? {
            Swap::Moved => Ok(Redeeming::Moved),
            #[expect(
                clippy::disallowed_methods,
                reason = "the compare-and-set is committed"
            )]
            Swap::Done => Ok(Redeeming::Fresh(acceptance.dangerous_redeemed())),
        }
    }
}

/// What all rotations say.
struct Rotation<'a> {
    user: UserId,
    session: SessionId,
    budget: &'a GuessBudget,
    partial: TokenHash,
    verified: &'a NewToken,
    device_completed: Option<Timestamp>,
    revision: u64,
}

impl Rotation<'_> {
    /// Binds the first fourteen values.
    fn bind<'q>(&self, statement: &'static str) -> Result<Statement<'q>, StoreError> {
        let verified = self.verified.record();
        Ok(with_budget(statement, self.user, self.budget)?
            .bind(self.partial.as_bytes().to_vec())
            .bind(self.session.uuid())
            .bind(verified.hash.as_bytes().to_vec())
            .bind(verified.kind.as_str())
            .bind(verified.expires.as_micros())
            .bind(verified.session_expires.as_micros())
            .bind(self.device_completed.map(Timestamp::as_micros))
            .bind(integer(self.revision)?))
    }
}
