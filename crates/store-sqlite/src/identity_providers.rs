//! The provider of identities.

use async_trait::async_trait;
use sqlx::types::Json;
use sqlx::{query, query_as};
use vestibule_engine::LocalProvider;
use vestibule_store::{IdentityProviders, StoreError, Trail};
use vestibule_store_sql::{LocalProviderRow, local_provider_columns};

use crate::SqliteStore;
use crate::error::store_error;

const READ: &str = concat!(
    "SELECT ",
    local_provider_columns!(),
    " FROM local_identity_provider l"
);

const REPLACE: &str = "
    UPDATE local_identity_provider SET notes = ?1, tags = ?2, lockout_threshold = ?3,
        lockout_minutes = ?4, min_password_length = ?5, updated = ?6";

#[async_trait]
impl IdentityProviders for SqliteStore {
    async fn local_provider(&self) -> Result<LocalProvider, StoreError> {
        let row = query_as(READ).fetch_optional(self.reads()?).await;
        LocalProviderRow::read(row.map_err(store_error)?)
    }

    async fn set_local_provider(
        &self,
        new: &LocalProvider,
        trail: Trail<'_>,
    ) -> Result<(), StoreError> {
        let mut write = self.write_with(trail).await?;
        let replace = query(REPLACE)
            .bind(&new.notes)
            .bind(Json(&new.tags))
            .bind(new.lockout.threshold())
            .bind(new.lockout.minutes())
            .bind(new.min_password_length.characters())
            .bind(new.updated.as_micros());
        write.run(replace).await?;
        write.commit().await
    }
}
