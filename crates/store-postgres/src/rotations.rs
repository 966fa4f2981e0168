//! Partial tokens that become verified ones: by the claim of a step, or an acceptance.

use uuid::Uuid;
use vestibule_engine::{NewToken, SessionId, Timestamp, TokenHash};
use vestibule_store::{Claim, Finish, Redeeming, Redemption, Sealed, StoreError, Swap, Trail};
use vestibule_store_sql::integer;

use crate::audit::noted_each;
use crate::factors::{Change, Common, Waiting, bind_columns, first_factor, moved, new_budget};
use crate::{PostgresStore, Statement};

/// All of a rotation. The partial token is locked, which waits for whoever ends or spends it and
/// then finds it gone; only with it the factor is compared and set; only with that the token
/// rotates. The division can only fail, and with it the whole statement, if a locked row could
/// vanish. Each part hands on what the next one needs: to join it with what was given once more,
/// or with another part, would cost more the more are given.
macro_rules! rotation {
    ($passes_over:literal, $types:literal, $names:literal, $before:literal, $partial:expr, $passed:expr) => {
        concat!(
            "WITH given AS (
                SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bytea[],
                    $5::boolean[], $6::bigint[], $9::bytea[], $10::uuid[], $11::bytea[],
                    $12::text[], $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[], ",
            $types,
            ") AS given (user_id, streak, waiting_until, recent, closed, budget_row,
                    partial, session, hash, kind, expires, session_expires, completed, revision, ",
            $names,
            ")
            ), ",
            $before,
            " FOR KEY SHARE OF u ",
            $passes_over,
            "), partial AS (
                SELECT given.*, t.device_id FROM given JOIN tokens t
                ON t.hash = given.partial AND t.session = given.session
                    AND t.user_id = given.user_id AND t.kind = 'partial' ",
            $partial,
            $passes_over,
            "), ",
            $passed,
            "), rotated AS (
                UPDATE tokens t SET hash = passed.hash, kind = passed.kind,
                    expires = passed.expires, session_expires = passed.session_expires,
                    dialogue_key_id = NULL, dialogue_sealed = NULL
                FROM passed WHERE t.hash = passed.partial
                RETURNING t.user_id
            ), noted AS (
                INSERT INTO known_devices (user_id, device_id, last_completed, failures)
                SELECT user_id, device_id, completed, 0 FROM passed WHERE completed IS NOT NULL
                ON CONFLICT (user_id, device_id)
                    DO UPDATE SET last_completed = excluded.last_completed
            )",
            noted_each!("passed"),
            " SELECT user_id, TRUE FROM passed
              WHERE 1 / ((SELECT count(*) FROM rotated) = (SELECT count(*) FROM passed))::integer = 1",
            moved!("passed")
        )
    };
}

/// The factor of each whose partial token is there, locked with it.
macro_rules! with_factor {
    ($whose:literal) => {
        concat!(
            "JOIN second_factors f ON f.user_id = given.user_id ",
            $whose,
            " FOR UPDATE OF t, f "
        )
    };
}

/// A change of the factor of each whose partial token is locked.
macro_rules! passed {
    ($change:literal) => {
        concat!(
            "passed AS (
                UPDATE second_factors f SET ",
            new_budget!(),
            $change,
            " RETURNING partial.*"
        )
    };
}

/// A new device looks at its user, who is locked first in that case.
macro_rules! finish {
    ($passes_over:literal) => {
        rotation!(
            $passes_over,
            "$17::bigint[], $18::uuid[], $19::uuid[], $20::bytea[]",
            "step, seed, seed_key_id, seed_sealed",
            "owner AS (
                SELECT u.id FROM users u JOIN given ON u.id = given.user_id
                WHERE given.completed IS NOT NULL",
            with_factor!("WHERE given.completed IS NULL OR t.user_id IN (SELECT id FROM owner)"),
            passed!(
                ", verified = TRUE, last_step = partial.step, shown_to = NULL, seed_created = NULL,
                    seed_key_id = coalesce(partial.seed_key_id, f.seed_key_id),
                    seed_sealed = coalesce(partial.seed_sealed, f.seed_sealed)
                 FROM partial
                 WHERE f.user_id = partial.user_id AND f.revision = partial.revision
                    AND f.seed_id = partial.seed AND (NOT f.verified OR f.last_step < partial.step)"
            )
        )
    };
}

/// The settings and the provider are compared under a lock that is held until all is committed.
/// Whoever changes, replaces or removes them waits for that; and when such a change is under way,
/// this waits, and compares with what is committed then, not with what the statement saw when it
/// began. FOR KEY SHARE would not do: neither the provider of the settings nor the revision of a
/// provider is a key.
macro_rules! redemption {
    ($passes_over:literal, $partial:expr, $passed:expr) => {
        rotation!(
            $passes_over,
            "$17::uuid[], $18::bigint[]",
            "provider, provider_revision",
            "settings AS (
                SELECT provider FROM admin_mfa FOR SHARE
            ), due AS (
                SELECT id, revision FROM mfa_providers WHERE id = (SELECT provider FROM settings)
                FOR SHARE
            ), owner AS (
                SELECT u.id FROM users u JOIN given ON u.id = given.user_id
                JOIN due ON due.id = given.provider AND due.revision = given.provider_revision",
            $partial,
            $passed
        )
    };
}

/// Whoever has no factor yet gets one.
const FIRST_REDEMPTION: &str = redemption!(
    "",
    "WHERE t.user_id IN (SELECT id FROM owner) FOR UPDATE OF t ",
    first_factor!("passed")
);

macro_rules! later_redemption {
    ($passes_over:literal) => {
        redemption!(
            $passes_over,
            with_factor!("WHERE t.user_id IN (SELECT id FROM owner)"),
            passed!(
                " FROM partial
                  WHERE f.user_id = partial.user_id AND f.revision = partial.revision"
            )
        )
    };
}

/// What all rotations say.
struct Rotation {
    common: Common,
    partial: TokenHash,
    session: Uuid,
    verified: NewToken,
    completed: Option<i64>,
}

impl Rotation {
    fn new(
        common: Common,
        session: SessionId,
        partial: TokenHash,
        verified: &NewToken,
        completed: Option<Timestamp>,
    ) -> Self {
        Self {
            common,
            partial,
            session: session.uuid(),
            verified: verified.clone(),
            completed: completed.map(Timestamp::as_micros),
        }
    }
}

/// Binds the values of rotations that follow those of all changes.
macro_rules! bind_rotations {
    ($statement:expr, $changes:expr) => {
        bind_columns!(
            $statement,
            $changes,
            |change| change.rotation.partial.as_bytes().as_slice(),
            change.rotation.session,
            change.rotation.verified.record().hash.as_bytes().as_slice(),
            change.rotation.verified.record().kind.as_str(),
            change.rotation.verified.record().expires.as_micros(),
            change
                .rotation
                .verified
                .record()
                .session_expires
                .as_micros(),
            change.rotation.completed,
            change.rotation.common.revision,
        )
    };
}

/// A step that is claimed.
pub(crate) struct Claiming {
    rotation: Rotation,
    step: i64,
    seed: Uuid,
    verified_seed: Option<Sealed>,
}

impl Change for Claiming {
    const MANY: &'static str = finish!("SKIP LOCKED");

    fn alone(&self) -> &'static str {
        finish!("")
    }

    fn common(&self) -> &Common {
        &self.rotation.common
    }

    fn bind<'q>(statement: Statement<'q>, changes: &'q [Waiting<Self>]) -> Statement<'q> {
        bind_columns!(
            bind_rotations!(statement, changes),
            changes,
            |change| change.step,
            change.seed,
            change.verified_seed.as_ref().map(|sealed| sealed.key_id),
            change
                .verified_seed
                .as_ref()
                .map(|sealed| sealed.bytes.as_slice()),
        )
    }
}

/// An acceptance that is redeemed.
pub(crate) struct Redeemed {
    rotation: Rotation,
    provider: Uuid,
    provider_revision: i64,
}

impl Change for Redeemed {
    const MANY: &'static str = later_redemption!("SKIP LOCKED");

    fn alone(&self) -> &'static str {
        if self.is_first() {
            FIRST_REDEMPTION
        } else {
            later_redemption!("")
        }
    }

    fn common(&self) -> &Common {
        &self.rotation.common
    }

    fn bind<'q>(statement: Statement<'q>, changes: &'q [Waiting<Self>]) -> Statement<'q> {
        bind_columns!(
            bind_rotations!(statement, changes),
            changes,
            |change| change.provider,
            change.provider_revision,
        )
    }
}

impl PostgresStore {
    pub(crate) async fn claim_step(
        &self,
        finish: &Finish,
        trail: Trail<'_>,
    ) -> Result<Claim, StoreError> {
        let claim = &finish.claim;
        let note = self.note(trail).await?;
        let claiming = Claiming {
            rotation: Rotation::new(
                Common::new(claim.user(), claim.revision(), claim.budget(), &note)?,
                claim.session(),
                finish.partial,
                &finish.verified,
                finish.device_completed,
            ),
            step: integer(claim.step().number())?,
            seed: claim.seed().uuid(),
            verified_seed: finish.verified_seed.clone(),
        };
        match self.change(&self.claims, claiming, note).await? {
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
        let note = self.note(trail).await?;
        let redeemed = Redeemed {
            rotation: Rotation::new(
                Common::new(
                    acceptance.user(),
                    acceptance.revision(),
                    acceptance.budget(),
                    &note,
                )?,
                acceptance.session(),
                redemption.partial,
                &redemption.verified,
                redemption.device_completed,
            ),
            provider: acceptance.provider().uuid(),
            provider_revision: integer(acceptance.provider_revision())?,
        };
        match self.change(&self.redemptions, redeemed, note).await? {
            Swap::Moved => Ok(Redeeming::Moved),
            #[expect(
                clippy::disallowed_methods,
                reason = "the compare-and-set is committed"
            )]
            Swap::Done => Ok(Redeeming::Fresh(acceptance.dangerous_redeemed())),
        }
    }
}
