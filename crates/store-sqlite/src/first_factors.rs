//! Passwords.

use async_trait::async_trait;
use sqlx::{query, query_as};
use vestibule_engine::password::{Lane, PasswordFailures};
use vestibule_engine::{DeviceId, NameKey, Timestamp};
use vestibule_store::{
    DeviceLane, FirstFactors, PasswordFailure, PasswordStanding, SessionStart, StoreError, Swap,
    Trail,
};

use crate::SqliteStore;
use crate::error::store_error;
use crate::tokens::insert_token;
use crate::write::Write;
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
    FROM users u LEFT JOIN known_devices d ON d.user_id = u.id AND d.device_id = ?2
        LEFT JOIN local_identity_provider l ON TRUE
    WHERE u.name_key = ?1"
);

/// Ends the failures of the account of an enabled user with this password.
const RIGHT_PASSWORD: &str = "
    UPDATE users SET failed_login_attempts = 0, lock_start = NULL
    WHERE id = ?1 AND password_hash = ?2 AND NOT disabled";

const FORGET_DEVICES: &str = "
    DELETE FROM known_devices WHERE (user_id, device_id) IN (
        SELECT user_id, device_id FROM known_devices WHERE last_completed < ?1
        ORDER BY last_completed LIMIT ?2
    )";

#[async_trait]
impl FirstFactors for SqliteStore {
    async fn password_standing(
        &self,
        name: &NameKey,
        device: DeviceId,
    ) -> Result<Option<PasswordStanding>, StoreError> {
        let row: Option<StandingRow> = query_as(STANDING)
            .bind(name.as_str())
            .bind(device.uuid())
            .fetch_optional(self.reads()?)
            .await
            .map_err(store_error)?;
        row.map(PasswordStanding::try_from).transpose()
    }

    async fn count_password_failure(
        &self,
        failure: &PasswordFailure,
        trail: Trail<'_>,
    ) -> Result<Swap, StoreError> {
        let mut write = self.write_with(trail).await?;
        if !set_failures(&mut write, &failure.lane, failure.failures).await? {
            return write.moved().await;
        }
        write.done().await
    }

    async fn start_session(
        &self,
        start: &SessionStart,
        trail: Trail<'_>,
    ) -> Result<Swap, StoreError> {
        let mut write = self.write_with(trail).await?;
        if !set_failures(&mut write, &start.lane, PasswordFailures::default()).await? {
            return write.moved().await;
        }
        let right = query(RIGHT_PASSWORD)
            .bind(start.lane.user.uuid())
            .bind(start.password.expose());
        if write.run(right).await? != 1 {
            return write.moved().await;
        }
        insert_token(&mut write, start.partial.record()).await?;
        write.done().await
    }

    async fn forget_devices(
        &self,
        last_completed_before: Timestamp,
        most: u32,
    ) -> Result<u64, StoreError> {
        let mut write = self.write().await?;
        let forget = query(FORGET_DEVICES)
            .bind(last_completed_before.as_micros())
            .bind(most);
        let forgotten = write.run(forget).await?;
        write.commit().await?;
        Ok(forgotten)
    }
}

/// Sets the failures of a lane, if they are still what they were.
async fn set_failures(
    write: &mut Write<'_>,
    lane: &DeviceLane,
    new: PasswordFailures,
) -> Result<bool, StoreError> {
    let was = lane.lane.failures();
    let set = match lane.lane {
        Lane::Account(_) => {
            "UPDATE users SET failed_login_attempts = ?2, lock_start = ?3
             WHERE id = ?1 AND failed_login_attempts = ?4 AND lock_start IS ?5"
        }
        Lane::Device(_) => {
            "UPDATE known_devices SET failures = ?2, lock_start = ?3
             WHERE user_id = ?1 AND failures = ?4 AND lock_start IS ?5 AND device_id = ?6"
        }
    };
    let mut set = query(set)
        .bind(lane.user.uuid())
        .bind(new.count)
        .bind(new.lock_start.map(Timestamp::as_micros))
        .bind(was.count)
        .bind(was.lock_start.map(Timestamp::as_micros));
    if matches!(lane.lane, Lane::Device(_)) {
        set = set.bind(lane.device.uuid());
    }
    Ok(write.run(set).await? == 1)
}
