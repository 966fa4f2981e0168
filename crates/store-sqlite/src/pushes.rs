//! Pushes.

use async_trait::async_trait;
use sqlx::{query, query_as};
use vestibule_engine::{Push, PushId, PushOutcome, Timestamp, UserId};
use vestibule_store::{PushStart, Pushes, StoreError, Swap, Trail};

use crate::SqliteStore;
use crate::error::store_error;
use vestibule_store_sql::{PushRow, integer, push_columns};

const OF_USER: &str = concat!(
    "SELECT ",
    push_columns!(),
    " FROM pushes WHERE user_id = ?1 ORDER BY started, id"
);

const BY_ID: &str = concat!("SELECT ", push_columns!(), " FROM pushes WHERE id = ?1");

/// The partial token of a session is there.
macro_rules! has_partial {
    () => {
        "EXISTS (SELECT 1 FROM tokens WHERE session = ?2 AND user_id = ?1 AND kind = 'partial')"
    };
}

const FIRST_REVISION: &str = concat!(
    "INSERT INTO second_factors (user_id, revision) SELECT ?1, ?3 + 1 WHERE ",
    has_partial!(),
    " ON CONFLICT DO NOTHING"
);

const REVISION: &str = concat!(
    "UPDATE second_factors SET revision = revision + 1 WHERE user_id = ?1 AND revision = ?3 AND ",
    has_partial!()
);

const START: &str = "
    INSERT INTO pushes (id, user_id, session, provider, provider_revision, started, deadline,
        outcome, collected, useless_from)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";

const REMOVE_USELESS: &str = "
    DELETE FROM pushes WHERE id IN (
        SELECT id FROM pushes WHERE useless_from <= ?1 ORDER BY useless_from LIMIT ?2
    )";

#[async_trait]
impl Pushes for SqliteStore {
    async fn pushes(&self, user: UserId) -> Result<Vec<Push>, StoreError> {
        let rows: Vec<PushRow> = query_as(OF_USER)
            .bind(user.uuid())
            .fetch_all(self.reads()?)
            .await
            .map_err(store_error)?;
        rows.into_iter().map(Push::try_from).collect()
    }

    async fn push(&self, push: PushId) -> Result<Option<Push>, StoreError> {
        let row: Option<PushRow> = query_as(BY_ID)
            .bind(push.uuid())
            .fetch_optional(self.reads()?)
            .await
            .map_err(store_error)?;
        row.map(Push::try_from).transpose()
    }

    async fn start_push(&self, start: &PushStart, trail: Trail<'_>) -> Result<Swap, StoreError> {
        let push = &start.push;
        let mut write = self.write_with(trail).await?;
        let first = start.revision == 0;
        let grow = query(if first { FIRST_REVISION } else { REVISION })
            .bind(push.user.uuid())
            .bind(push.session.uuid())
            .bind(integer(start.revision)?);
        if write.run(grow).await? != 1 {
            return write.moved().await;
        }
        let insert = query(START)
            .bind(push.id.uuid())
            .bind(push.user.uuid())
            .bind(push.session.uuid())
            .bind(push.provider.uuid())
            .bind(integer(push.provider_revision)?)
            .bind(push.started.as_micros())
            .bind(push.deadline.as_micros())
            .bind(push.outcome.map(PushOutcome::as_str))
            .bind(push.collected)
            .bind(push.useless_from().as_micros());
        write.run(insert).await?;
        write.done().await
    }

    async fn end_push(
        &self,
        push: PushId,
        outcome: PushOutcome,
        trail: Trail<'_>,
    ) -> Result<(), StoreError> {
        let mut write = self.write_with(trail).await?;
        let end = query("UPDATE pushes SET outcome = ?2 WHERE id = ?1 AND outcome IS NULL");
        let end = end.bind(push.uuid()).bind(outcome.as_str());
        // It may have one, or be gone: then there is nothing to write down either.
        if write.run(end).await? == 1 {
            write.commit().await
        } else {
            write.moved().await.map(drop)
        }
    }

    async fn collect_push(&self, push: PushId) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        let collect = query("UPDATE pushes SET collected = 1 WHERE id = ?1");
        write.run(collect.bind(push.uuid())).await?;
        write.commit().await
    }

    async fn remove_useless_pushes(&self, now: Timestamp, most: u32) -> Result<u64, StoreError> {
        let mut write = self.write().await?;
        let remove = query(REMOVE_USELESS).bind(now.as_micros()).bind(most);
        let removed = write.run(remove).await?;
        write.commit().await?;
        Ok(removed)
    }
}
