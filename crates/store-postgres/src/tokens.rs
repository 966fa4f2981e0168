//! Tokens.

use std::collections::HashMap;

use async_trait::async_trait;
use sqlx::postgres::PgRow;
use sqlx::{FromRow as _, Row as _, query};
use vestibule_engine::{NewToken, SessionId, Timestamp, TokenHash, UserId};
use vestibule_store::{Bearer, StoreError, Swap, Tokens, Trail};

use crate::PostgresStore;
use crate::audit::{Note, noted};
use crate::connections::Connections;
use crate::error::{retrying, store_error};
use vestibule_store_sql::{BearerRow, Item, Outcome, Version, user_columns};

/// The bearers of many tokens, with the number of each in the list.
const BEARERS: &str = concat!(
    "SELECT asked.number, t.hash, t.session, t.device_id, t.kind, t.expires, t.session_expires, ",
    user_columns!(),
    ",
        f.revision, f.budget_row, f.streak, f.waiting_until, f.recent, f.closed, f.seed_id,
        f.seed_key_id, f.seed_sealed, f.verified, f.last_step, f.shown_to, f.seed_created,
        p.id AS provider, p.revision AS provider_revision,
        (SELECT count(*) FROM admin_mfa) AS settings, t.dialogue_key_id, t.dialogue_sealed,
        EXISTS (SELECT 1 FROM admin_mfa_exemptions e WHERE e.user_id = u.id) AS listed,
        d.last_completed AS device_completed, coalesce(m.authority, 0) AS authority,
        CASE WHEN u.roles <> '[]' THEN
            (SELECT jsonb_agg(r.privileges) FROM administrative_roles r WHERE u.roles ? r.id::text)
        END AS allowed
    FROM unnest($1::bytea[]) WITH ORDINALITY AS asked (hash, number)
    JOIN tokens t ON t.hash = asked.hash
    JOIN users u ON u.id = t.user_id
    LEFT JOIN admin_mfa m ON TRUE
    LEFT JOIN second_factors f ON f.user_id = u.id
    LEFT JOIN known_devices d ON d.user_id = u.id AND d.device_id = t.device_id
    LEFT JOIN mfa_providers p ON p.id = m.provider"
);

/// A token whose bearer is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Asked(TokenHash);

/// Bearers are read for all who ask. Each reads their own row: there is a lot in it.
impl Item for Asked {
    type Ground = Connections;
    type Answer = Option<PgRow>;

    fn rests_on(&self) -> Option<Version> {
        None
    }

    fn has_moved(_: &Self::Answer) -> bool {
        false
    }

    async fn run(items: &[Self], connections: &Connections) -> sqlx::Result<Vec<Option<PgRow>>> {
        let hashes = items.iter().map(|Self(hash)| hash.as_bytes().as_slice());
        let rows = query(BEARERS).bind(hashes.collect::<Vec<_>>());
        let mut found = HashMap::new();
        for row in rows.fetch_all(connections).await? {
            found.insert(row.try_get::<i64, _>("number")?, row);
        }
        let numbers = (1..).zip(items);
        Ok(numbers.map(|(number, _)| found.remove(&number)).collect())
    }
}

/// Keeps everybody who ends tokens of the bearer's out, until the new one is committed.
const HOLD_USER: &str = "
    SELECT 1 FROM users WHERE id = (SELECT user_id FROM tokens WHERE hash = $1) AND NOT disabled
    FOR SHARE";

/// A statement of its own after [`HOLD_USER`], so that it sees what was ended while that waited.
const MINT: &str = concat!(
    "WITH bearer AS (
        SELECT user_id, device_id FROM tokens WHERE hash = $1 FOR KEY SHARE
    ), noted AS (
        INSERT INTO known_devices (user_id, device_id, last_completed, failures)
        SELECT user_id, device_id, $8, 0 FROM bearer WHERE $8 IS NOT NULL
        ON CONFLICT (user_id, device_id) DO UPDATE SET last_completed = excluded.last_completed
    )",
    noted!("bearer", "$9"),
    " INSERT INTO tokens (hash, session, user_id, device_id, kind, expires, session_expires)
      SELECT $2, $3, user_id, $4, $5, $6, $7 FROM bearer"
);

/// Waits for nobody: what is locked is in use or being ended, and can wait itself.
const REMOVE_EXPIRED: &str = "
    DELETE FROM tokens WHERE hash IN (
        SELECT hash FROM tokens WHERE expires < $1 ORDER BY expires LIMIT $2
        FOR UPDATE SKIP LOCKED
    )";

#[async_trait]
impl Tokens for PostgresStore {
    async fn bearer(&self, token: &TokenHash) -> Result<Option<Bearer>, StoreError> {
        let asked = Asked(*token);
        let row = match self.bearers.ask(asked).await? {
            Outcome::Answered(row) => row,
            Outcome::Moved | Outcome::Refused => {
                let alone = Item::run(&[asked], &self.connections).await;
                alone.map_err(store_error)?.into_iter().next().flatten()
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
        let note = self.note(trail).await?;
        let minted = retrying(|| self.try_mint(bearer, token, completed, &note)).await;
        note.ended(minted)
    }

    async fn end_session(
        &self,
        user: UserId,
        session: SessionId,
        trail: Trail<'_>,
    ) -> Result<(), StoreError> {
        let note = self.note(trail).await?;
        let ended = retrying(|| async {
            let mut write = self.write().await?;
            // Whoever mints in the session holds its user.
            let lock = query("SELECT 1 FROM users WHERE id = $1 FOR NO KEY UPDATE");
            write.run(lock.bind(user.uuid())).await?;
            let end = query("DELETE FROM tokens WHERE user_id = $1 AND session = $2");
            write
                .run(end.bind(user.uuid()).bind(session.uuid()))
                .await?;
            note.write(&mut write).await?;
            write.commit().await
        })
        .await;
        note.ended(ended)
    }

    async fn remove_expired(&self, now: Timestamp, most: u32) -> Result<u64, StoreError> {
        let remove = query(REMOVE_EXPIRED)
            .bind(now.as_micros())
            .bind(i64::from(most));
        let done = remove
            .execute(&self.connections)
            .await
            .map_err(store_error)?;
        Ok(done.rows_affected())
    }
}

impl PostgresStore {
    async fn try_mint(
        &self,
        bearer: &TokenHash,
        token: &NewToken,
        completed: Option<Timestamp>,
        note: &Note,
    ) -> Result<Swap, StoreError> {
        let mut write = self.write().await?;
        let bearer = bearer.as_bytes().as_slice();
        let token = token.record();
        let mint = query(MINT)
            .bind(bearer)
            .bind(token.hash.as_bytes().as_slice())
            .bind(token.session.uuid())
            .bind(token.device.uuid())
            .bind(token.kind.as_str())
            .bind(token.expires.as_micros())
            .bind(token.session_expires.as_micros())
            .bind(completed.map(Timestamp::as_micros))
            .bind(note.rows());
        if write.run(query(HOLD_USER).bind(bearer)).await? != 1 || write.run(mint).await? != 1 {
            write.roll_back().await?;
            return Ok(Swap::Moved);
        }
        write.commit().await?;
        Ok(Swap::Done)
    }
}
