//! Tokens.

use std::collections::HashMap;

use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;
use sqlx::types::Json;
use sqlx::{FromRow as _, Row as _, query, query_as};
use vestibule_engine::{DeviceId, NewToken, SessionId, Timestamp, TokenHash, TokenRecord, UserId};
use vestibule_store::{Bearer, StoreError, Swap, Tokens, Trail};

use crate::SqliteStore;
use crate::audit::hexadecimal;
use crate::error::store_error;
use crate::readers::Readers;
use crate::write::Write;
use vestibule_store_sql::{BearerRow, Item, Outcome, Version, user_columns};

/// The bearers of many tokens, with the number of each in the list.
const BEARERS: &str = concat!(
    "SELECT asked.key AS number, t.hash, t.session, t.device_id, t.kind, t.expires, t.session_expires, ",
    user_columns!(),
    ",
        f.revision, f.budget_row, f.streak, f.waiting_until, f.recent, f.closed, f.seed_id,
        f.seed_key_id, f.seed_sealed, f.verified, f.last_step, f.shown_to, f.seed_created,
        p.id AS provider, p.revision AS provider_revision,
        (SELECT count(*) FROM admin_mfa) AS settings, t.dialogue_key_id, t.dialogue_sealed,
        EXISTS (SELECT 1 FROM admin_mfa_exemptions e WHERE e.user_id = u.id) AS listed,
        d.last_completed AS device_completed, (SELECT revision FROM authority) AS authority,
        CASE WHEN u.roles <> '[]' THEN (
            SELECT json_group_array(json(r.privileges)) FROM administrative_roles r
            WHERE r.id IN (SELECT unhex(replace(value, '-', '')) FROM json_each(u.roles))
        ) END AS allowed
    FROM json_each(?1) AS asked
    CROSS JOIN tokens t ON t.hash = unhex(asked.value)
    JOIN users u ON u.id = t.user_id
    LEFT JOIN second_factors f ON f.user_id = u.id
    LEFT JOIN known_devices d ON d.user_id = u.id AND d.device_id = t.device_id
    LEFT JOIN mfa_providers p ON p.id = (SELECT provider FROM admin_mfa)"
);

/// A token whose bearer is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Asked(TokenHash);

/// Bearers are read for all who ask. Each reads their own row: there is a lot in it.
impl Item for Asked {
    type Ground = Readers;
    type Answer = Option<SqliteRow>;

    fn rests_on(&self) -> Option<Version> {
        None
    }

    fn has_moved(_: &Self::Answer) -> bool {
        false
    }

    async fn run(items: &[Self], readers: &Readers) -> Result<Vec<Option<SqliteRow>>, StoreError> {
        let hashes = items.iter().map(|Self(hash)| hexadecimal(hash.as_bytes()));
        let rows = query(BEARERS).bind(Json(hashes.collect::<Vec<_>>()));
        let rows = rows
            .fetch_all(readers.reads()?)
            .await
            .map_err(store_error)?;
        let mut found = HashMap::new();
        for row in rows {
            found.insert(row.try_get::<i64, _>("number").map_err(store_error)?, row);
        }
        let numbers = (0..).zip(items);
        Ok(numbers.map(|(number, _)| found.remove(&number)).collect())
    }
}

const ENABLED_BEARER: &str = "
    SELECT t.user_id, t.device_id FROM tokens t JOIN users u ON u.id = t.user_id
    WHERE t.hash = ?1 AND NOT u.disabled";

#[async_trait]
impl Tokens for SqliteStore {
    async fn bearer(&self, token: &TokenHash) -> Result<Option<Bearer>, StoreError> {
        let asked = Asked(*token);
        let row = match self.bearers.ask(asked).await? {
            Outcome::Answered(row) => row,
            Outcome::Moved | Outcome::Refused => {
                let alone = Item::run(&[asked], &self.readers).await?;
                alone.into_iter().next().flatten()
            }
        };
        let row = row.map(|row| BearerRow::from_row(&row)).transpose();
        row.map_err(store_error)?.map(Bearer::try_from).transpose()
    }

    async fn mint(
        &self,
        bearer: &TokenHash,
        token: &NewToken,
        completed: Option<Timestamp>,
        trail: Trail<'_>,
    ) -> Result<Swap, StoreError> {
        let mut write = self.write_with(trail).await?;
        let found: Option<(uuid::Uuid, uuid::Uuid)> = query_as(ENABLED_BEARER)
            .bind(bearer.as_bytes().as_slice())
            .fetch_optional(write.on())
            .await
            .map_err(store_error)?;
        let Some((user, device)) = found else {
            return write.moved().await;
        };
        insert_token(&mut write, token.record()).await?;
        if let Some(at) = completed {
            let (user, device) = (UserId::from_uuid(user), DeviceId::from_uuid(device));
            note_device(&mut write, user, device, at).await?;
        }
        write.done().await
    }

    async fn end_session(
        &self,
        user: UserId,
        session: SessionId,
        trail: Trail<'_>,
    ) -> Result<(), StoreError> {
        let mut write = self.write_with(trail).await?;
        let end = query("DELETE FROM tokens WHERE user_id = ?1 AND session = ?2");
        write
            .run(end.bind(user.uuid()).bind(session.uuid()))
            .await?;
        write.commit().await
    }

    async fn remove_expired(&self, now: Timestamp, most: u32) -> Result<u64, StoreError> {
        let mut write = self.write().await?;
        let remove = "DELETE FROM tokens WHERE hash IN
            (SELECT hash FROM tokens WHERE expires < ?1 ORDER BY expires LIMIT ?2)";
        let remove = query(remove).bind(now.as_micros()).bind(most);
        let removed = write.run(remove).await?;
        write.commit().await?;
        Ok(removed)
    }
}

pub(crate) async fn insert_token(
    write: &mut Write<'_>,
    token: &TokenRecord,
) -> Result<(), StoreError> {
    let insert = "
        INSERT INTO tokens (hash, session, user_id, device_id, kind, expires, session_expires)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let insert = query(insert)
        .bind(token.hash.as_bytes().as_slice())
        .bind(token.session.uuid())
        .bind(token.user.uuid())
        .bind(token.device.uuid())
        .bind(token.kind.as_str())
        .bind(token.expires.as_micros())
        .bind(token.session_expires.as_micros());
    write.run(insert).await?;
    Ok(())
}

/// Notes that a sign-in was completed from a device; its failures stay what they are.
pub(crate) async fn note_device(
    write: &mut Write<'_>,
    user: UserId,
    device: DeviceId,
    at: Timestamp,
) -> Result<(), StoreError> {
    let note = "
        INSERT INTO known_devices (user_id, device_id, last_completed, failures)
        VALUES (?1, ?2, ?3, 0)
        ON CONFLICT (user_id, device_id) DO UPDATE SET last_completed = excluded.last_completed";
    let note = query(note)
        .bind(user.uuid())
        .bind(device.uuid())
        .bind(at.as_micros());
    write.run(note).await?;
    Ok(())
}
