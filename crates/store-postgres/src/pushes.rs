//! Pushes.

use async_trait::async_trait;
use sqlx::{query, query_as};
use vestibule_engine::{Push, PushId, PushOutcome, Timestamp, UserId};
use vestibule_store::{PushStart, Pushes, StoreError, Swap, Trail};

use crate::PostgresStore;
use crate::audit::noted;
use crate::error::{retrying, store_error};
use vestibule_store_sql::{PushRow, integer, push_columns};

const OF_USER: &str = concat!(
    "SELECT ",
    push_columns!(),
    " FROM pushes WHERE user_id = $1 ORDER BY started, id"
);

const BY_ID: &str = concat!("SELECT ", push_columns!(), " FROM pushes WHERE id = $1");

/// Locks the partial token of a session, and stores the push when the revision has grown. A new
/// push looks at its user, who is locked first.
macro_rules! start {
    ($grown:literal) => {
        concat!(
            "WITH owner AS (
                SELECT id FROM users WHERE id = $1 FOR KEY SHARE
            ), partial AS (
                SELECT user_id FROM tokens
                WHERE session = $2 AND user_id = (SELECT id FROM owner) AND kind = 'partial'
                FOR UPDATE
            ), grown AS (",
            $grown,
            " RETURNING user_id
            )",
            noted!("grown", "$12"),
            " INSERT INTO pushes (id, user_id, session, provider, provider_revision, started,
                deadline, outcome, collected, useless_from)
            SELECT $4, user_id, $2, $5, $6, $7, $8, $9, $10, $11 FROM grown RETURNING 1"
        )
    };
}

const FIRST_START: &str = start!(
    "INSERT INTO second_factors (user_id, revision)
     SELECT user_id, $3 + 1 FROM partial LIMIT 1
     ON CONFLICT DO NOTHING"
);

const START: &str = start!(
    "UPDATE second_factors SET revision = revision + 1
     WHERE user_id = (SELECT user_id FROM partial LIMIT 1) AND revision = $3"
);

/// Waits for nobody: what is locked is being ended or collected, and can wait itself.
const REMOVE_USELESS: &str = "
    DELETE FROM pushes WHERE id IN (
        SELECT id FROM pushes WHERE useless_from <= $1 ORDER BY useless_from LIMIT $2
        FOR UPDATE SKIP LOCKED
    )";

const END: &str = concat!(
    "WITH ended AS (
        UPDATE pushes SET outcome = $2 WHERE id = $1 AND outcome IS NULL RETURNING 1 AS one
    )",
    noted!("ended", "$3"),
    " SELECT one FROM ended"
);

#[async_trait]
impl Pushes for PostgresStore {
    async fn pushes(&self, user: UserId) -> Result<Vec<Push>, StoreError> {
        let rows: Vec<PushRow> = query_as(OF_USER)
            .bind(user.uuid())
            .fetch_all(&self.connections)
            .await
            .map_err(store_error)?;
        rows.into_iter().map(Push::try_from).collect()
    }

    async fn push(&self, push: PushId) -> Result<Option<Push>, StoreError> {
        let row: Option<PushRow> = query_as(BY_ID)
            .bind(push.uuid())
            .fetch_optional(&self.connections)
            .await
            .map_err(store_error)?;
        row.map(Push::try_from).transpose()
    }

    async fn start_push(&self, start: &PushStart, trail: Trail<'_>) -> Result<Swap, StoreError> {
        let push = &start.push;
        let revision = integer(start.revision)?;
        let provider_revision = integer(push.provider_revision)?;
        let statement = if revision == 0 { FIRST_START } else { START };
        let note = self.note(trail).await?;
        let started = retrying(|| {
            let start = query(statement)
                .bind(push.user.uuid())
                .bind(push.session.uuid())
                .bind(revision)
                .bind(push.id.uuid())
                .bind(push.provider.uuid())
                .bind(provider_revision)
                .bind(push.started.as_micros())
                .bind(push.deadline.as_micros())
                .bind(push.outcome.map(PushOutcome::as_str))
                .bind(push.collected)
                .bind(push.useless_from().as_micros())
                .bind(note.rows());
            self.swap(start)
        })
        .await;
        note.ended(started)
    }

    async fn end_push(
        &self,
        push: PushId,
        outcome: PushOutcome,
        trail: Trail<'_>,
    ) -> Result<(), StoreError> {
        let note = self.note(trail).await?;
        let end = query(END)
            .bind(push.uuid())
            .bind(outcome.as_str())
            .bind(note.rows());
        // It may have one, or be gone: then there is nothing to write down either.
        let ended = self.swap(end).await;
        note.ended(ended).map(drop)
    }

    async fn collect_push(&self, push: PushId) -> Result<(), StoreError> {
        let collect = query("UPDATE pushes SET collected = TRUE WHERE id = $1").bind(push.uuid());
        collect
            .execute(&self.connections)
            .await
            .map_err(store_error)?;
        Ok(())
    }

    async fn remove_useless_pushes(&self, now: Timestamp, most: u32) -> Result<u64, StoreError> {
        let remove = query(REMOVE_USELESS)
            .bind(now.as_micros())
            .bind(i64::from(most));
        let done = remove
            .execute(&self.connections)
            .await
            .map_err(store_error)?;
        Ok(done.rows_affected())
    }
}
