//! Settings.

use async_trait::async_trait;
use sqlx::{SqliteConnection, query, query_as, query_scalar};
use uuid::Uuid;
use vestibule_engine::{MfaProviderId, NameKey, UserId};
use vestibule_store::{AdminMfa, AdminMfaChange, ExemptionEntry, Settings, StoreError, Trail};

use crate::SqliteStore;
use crate::error::store_error;

#[async_trait]
impl Settings for SqliteStore {
    async fn admin_mfa(&self) -> Result<Option<AdminMfa>, StoreError> {
        // A transaction, so that provider and list are of one moment.
        let mut read = self.reads()?.begin().await.map_err(store_error)?;
        let settings = read_settings(&mut read).await?;
        read.rollback().await.map_err(store_error)?;
        Ok(settings)
    }

    async fn set_admin_mfa(
        &self,
        change: &AdminMfaChange,
        trail: Trail<'_>,
    ) -> Result<Option<AdminMfa>, StoreError> {
        let mut write = self.write_with(trail).await?;
        let before = provider(write.on()).await?.flatten();
        let replace = "
            UPDATE admin_mfa SET provider = ?1, written = 1
            WHERE ?1 IS NULL OR EXISTS (SELECT 1 FROM mfa_providers WHERE id = ?1)";
        let replace = query(replace).bind(change.provider.map(MfaProviderId::uuid));
        if write.run(replace).await? != 1 {
            let _ = write.moved().await?;
            return Ok(None);
        }
        write.run(query("DELETE FROM admin_mfa_exemptions")).await?;
        for (position, (text, key)) in (0_i64..).zip(&change.exempted) {
            let insert = "
                INSERT INTO admin_mfa_exemptions (position, text, user_id)
                VALUES (?1, ?2, (SELECT id FROM users WHERE name_key = ?3))";
            let insert = query(insert)
                .bind(position)
                .bind(text)
                .bind(key.as_ref().map(NameKey::as_str));
            write.run(insert).await?;
        }
        if change.provider.is_some() && change.provider != before {
            let end = "
                DELETE FROM tokens WHERE kind = 'partial' AND NOT EXISTS
                    (SELECT 1 FROM admin_mfa_exemptions e WHERE e.user_id = tokens.user_id)";
            write.run(query(end)).await?;
        }
        let settings = read_settings(write.on()).await?.unwrap_or_default();
        write.commit().await?;
        Ok(Some(settings))
    }
}

/// The provider, if there is one, if the settings were written.
async fn provider(
    connection: &mut SqliteConnection,
) -> Result<Option<Option<MfaProviderId>>, StoreError> {
    let provider: Option<Option<Uuid>> =
        query_scalar("SELECT provider FROM admin_mfa WHERE written")
            .fetch_optional(connection)
            .await
            .map_err(store_error)?;
    Ok(provider.map(|provider| provider.map(MfaProviderId::from_uuid)))
}

async fn read_settings(connection: &mut SqliteConnection) -> Result<Option<AdminMfa>, StoreError> {
    let Some(provider) = provider(connection).await? else {
        return Ok(None);
    };
    let entries = "SELECT text, user_id FROM admin_mfa_exemptions ORDER BY position";
    let entries: Vec<(String, Option<Uuid>)> = query_as(entries)
        .fetch_all(connection)
        .await
        .map_err(store_error)?;
    let exempted = entries.into_iter().map(|(text, user)| ExemptionEntry {
        text,
        user: user.map(UserId::from_uuid),
    });
    Ok(Some(AdminMfa {
        provider,
        exempted: exempted.collect(),
    }))
}
