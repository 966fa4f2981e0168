//! The provider of identities.

use async_trait::async_trait;
use sqlx::types::Json;
use sqlx::{query, query_as};
use vestibule_engine::LocalProvider;
use vestibule_store::{IdentityProviders, StoreError, Trail};
use vestibule_store_sql::{LocalProviderRow, local_provider_columns};

use crate::PostgresStore;
use crate::audit::noted;
use crate::error::{retrying, store_error};

const READ: &str = concat!(
    "SELECT ",
    local_provider_columns!(),
    " FROM local_identity_provider l"
);

const REPLACE: &str = concat!(
    "WITH replaced AS (
        UPDATE local_identity_provider SET notes = $1, tags = $2, lockout_threshold = $3,
        lockout_minutes = $4, min_password_length = $5, updated = $6
        RETURNING 1
    )",
    noted!("replaced", "$7"),
    " SELECT 1 FROM replaced"
);

#[async_trait]
impl IdentityProviders for PostgresStore {
    async fn local_provider(&self) -> Result<LocalProvider, StoreError> {
        let row = query_as(READ).fetch_optional(&self.connections).await;
        LocalProviderRow::read(row.map_err(store_error)?)
    }

    async fn set_local_provider(
        &self,
        new: &LocalProvider,
        trail: Trail<'_>,
    ) -> Result<(), StoreError> {
        let note = self.note(trail).await?;
        let replaced = retrying(|| async {
            let replace = query(REPLACE)
                .bind(&new.notes)
                .bind(Json(&new.tags))
                .bind(i64::from(new.lockout.threshold()))
                .bind(i64::from(new.lockout.minutes()))
                .bind(i64::from(new.min_password_length.characters()))
                .bind(new.updated.as_micros())
                .bind(note.rows())
                .execute(&self.connections);
            replace.await.map_err(store_error)?;
            Ok(())
        })
        .await;
        note.ended(replaced)
    }
}
