//! Passwords.

use async_trait::async_trait;
use sqlx::{query, query_as};
use vestibule_engine::password::Lane;
use vestibule_engine::{DeviceId, NameKey, Timestamp};
use vestibule_store::{
    DeviceLane, FirstFactors, PasswordFailure, PasswordStanding, SessionStart, StoreError, Swap,
    Trail,
};

use crate::audit::noted;
use crate::error::{is_storable, retrying, store_error};
use crate::{PostgresStore, Statement};
use vestibule_store_sql::{StandingRow, lockout_columns, user_columns};

const STANDING: &str = concat!(
    "SELECT ",
    user_columns!(),
    ", u.password_hash, d.last_completed, ",
    lockout_columns!(),
    ",
        d.failures AS device_failures, d.lock_start AS device_lock_start,
        (SELECT provider FROM admin_mfa) AS provider, (SELECT count(*) FROM admin_mfa) AS settings,
        EXISTS (SELECT 1 FROM admin_mfa_exemptions e WHERE e.user_id = u.id) AS listed
    FROM users u LEFT JOIN known_devices d ON d.user_id = u.id AND d.device_id = $2
        LEFT JOIN local_identity_provider l ON TRUE
    WHERE u.name_key = $1"
);

const COUNT_OF_ACCOUNT: &str = concat!(
    "WITH counted AS (
        UPDATE users SET failed_login_attempts = $5, lock_start = $6
        WHERE id = $1 AND failed_login_attempts = $3 AND lock_start IS NOT DISTINCT FROM $4
            AND $2 IS NOT NULL
        RETURNING 1
    )",
    noted!("counted", "$7"),
    " SELECT 1 FROM counted"
);

const COUNT_OF_DEVICE: &str = concat!(
    "WITH counted AS (
        UPDATE known_devices SET failures = $5, lock_start = $6
        WHERE user_id = $1 AND device_id = $2 AND failures = $3
            AND lock_start IS NOT DISTINCT FROM $4
        RETURNING 1
    )",
    noted!("counted", "$7"),
    " SELECT 1 FROM counted"
);

/// Stores the token of a session, for the user that `right` gives.
macro_rules! session_starts {
    () => {
        concat!(
            noted!("started", "$12"),
            " INSERT INTO tokens (hash, session, user_id, device_id, kind, expires, session_expires)
              SELECT $6, $7, id, $8, $9, $10, $11 FROM started RETURNING 1"
        )
    };
}

/// The update is the lock that the end of all tokens of the user waits for, or waited with.
const START_BY_ACCOUNT: &str = concat!(
    "WITH started AS (
        UPDATE users SET failed_login_attempts = 0, lock_start = NULL
        WHERE id = $1 AND failed_login_attempts = $3 AND lock_start IS NOT DISTINCT FROM $4
            AND password_hash = $5 AND NOT disabled AND $2 IS NOT NULL
        RETURNING id
    )",
    session_starts!()
);

/// Locks the user, then sets the device, then the account: none without the one before.
const START_BY_DEVICE: &str = concat!(
    "WITH enabled AS (
        SELECT id FROM users WHERE id = $1 AND password_hash = $5 AND NOT disabled
        FOR NO KEY UPDATE
    ), device AS (
        UPDATE known_devices SET failures = 0, lock_start = NULL
        WHERE user_id = (SELECT id FROM enabled) AND device_id = $2 AND failures = $3
            AND lock_start IS NOT DISTINCT FROM $4
        RETURNING user_id
    ), started AS (
        UPDATE users SET failed_login_attempts = 0, lock_start = NULL
        WHERE id = (SELECT user_id FROM device)
        RETURNING id
    )",
    session_starts!()
);

/// Waits for nobody: what is locked is in use or goes with its user.
const FORGET_DEVICES: &str = "
    DELETE FROM known_devices WHERE (user_id, device_id) IN (
        SELECT user_id, device_id FROM known_devices WHERE last_completed < $1
        ORDER BY last_completed LIMIT $2
        FOR UPDATE SKIP LOCKED
    )";

#[async_trait]
impl FirstFactors for PostgresStore {
    async fn password_standing(
        &self,
        name: &NameKey,
        device: DeviceId,
    ) -> Result<Option<PasswordStanding>, StoreError> {
        if !is_storable(name.as_str()) {
            return Ok(None);
        }
        let row: Option<StandingRow> = query_as(STANDING)
            .bind(name.as_str())
            .bind(device.uuid())
            .fetch_optional(&self.connections)
            .await
            .map_err(store_error)?;
        row.map(PasswordStanding::try_from).transpose()
    }

    async fn count_password_failure(
        &self,
        failure: &PasswordFailure,
        trail: Trail<'_>,
    ) -> Result<Swap, StoreError> {
        let statement = match failure.lane.lane {
            Lane::Account(_) => COUNT_OF_ACCOUNT,
            Lane::Device(_) => COUNT_OF_DEVICE,
        };
        let new = failure.failures;
        let note = self.note(trail).await?;
        let counted = retrying(|| {
            let count = with_lane(statement, &failure.lane)
                .bind(i64::from(new.count))
                .bind(new.lock_start.map(Timestamp::as_micros))
                .bind(note.rows());
            self.swap(count)
        })
        .await;
        note.ended(counted)
    }

    async fn start_session(
        &self,
        start: &SessionStart,
        trail: Trail<'_>,
    ) -> Result<Swap, StoreError> {
        let statement = match start.lane.lane {
            Lane::Account(_) => START_BY_ACCOUNT,
            Lane::Device(_) => START_BY_DEVICE,
        };
        let token = start.partial.record();
        let note = self.note(trail).await?;
        let started = retrying(|| {
            let start = with_lane(statement, &start.lane)
                .bind(start.password.expose())
                .bind(token.hash.as_bytes().as_slice())
                .bind(token.session.uuid())
                .bind(token.device.uuid())
                .bind(token.kind.as_str())
                .bind(token.expires.as_micros())
                .bind(token.session_expires.as_micros())
                .bind(note.rows());
            self.swap(start)
        })
        .await;
        note.ended(started)
    }

    async fn forget_devices(
        &self,
        last_completed_before: Timestamp,
        most: u32,
    ) -> Result<u64, StoreError> {
        let forget = query(FORGET_DEVICES)
            .bind(last_completed_before.as_micros())
            .bind(i64::from(most));
        let done = forget
            .execute(&self.connections)
            .await
            .map_err(store_error)?;
        Ok(done.rows_affected())
    }
}

/// Binds a lane and what its failures were, the first four values.
fn with_lane<'q>(statement: &'static str, lane: &DeviceLane) -> Statement<'q> {
    let was = lane.lane.failures();
    query(statement)
        .bind(lane.user.uuid())
        .bind(lane.device.uuid())
        .bind(i64::from(was.count))
        .bind(was.lock_start.map(Timestamp::as_micros))
}
