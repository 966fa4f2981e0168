//! Providers of second factors.

use async_trait::async_trait;
use sqlx::{query, query_as, query_scalar};
use vestibule_engine::{MfaProvider, MfaProviderId};
use vestibule_store::{
    Creation, ListQuery, Listing, MfaProviders, Removal, Replacement, StoreError, StoredProvider,
    Trail,
};

use crate::SqliteStore;
use crate::error::store_error;
use crate::write::Write;
use vestibule_store_sql::{
    ProviderValues, StoredProviderRow, bind_provider, is_name_taken, stored_provider_columns,
};

const BY_ID: &str = concat!(
    "SELECT ",
    stored_provider_columns!(),
    " FROM mfa_providers p WHERE p.id = ?1"
);

const ADD: &str = "
    INSERT INTO mfa_providers (id, revision, name, name_key, notes, tags, input_type, kind,
        created, updated, search, fields, hostnames, port, protocol, mode, timeout, use_user_password,
        require_message_authenticator, nas_identifier, source_address, status_server,
        shared_secret_key_id, shared_secret_sealed, challenge_secret_key_id,
        challenge_secret_sealed)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20,
        ?21, ?22, ?23, ?24, ?25, ?26)
    ON CONFLICT DO NOTHING";

const REPLACE: &str = "
    UPDATE mfa_providers SET revision = ?2, name = ?3, name_key = ?4, notes = ?5, tags = ?6,
        input_type = ?7, kind = ?8, updated = ?10, search = ?11, fields = ?12, hostnames = ?13, port = ?14,
        protocol = ?15, mode = ?16, timeout = ?17, use_user_password = ?18,
        require_message_authenticator = ?19, nas_identifier = ?20, source_address = ?21,
        status_server = ?22, shared_secret_key_id = ?23, shared_secret_sealed = ?24,
        challenge_secret_key_id = ?25, challenge_secret_sealed = ?26
    WHERE id = ?1 AND revision = ?2 - 1 AND ?9 IS NOT NULL";

const REMOVE: &str = "
    DELETE FROM mfa_providers
    WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM admin_mfa WHERE provider = ?1)";

#[async_trait]
impl MfaProviders for SqliteStore {
    async fn provider(&self, id: MfaProviderId) -> Result<Option<StoredProvider>, StoreError> {
        let row: Option<StoredProviderRow> = query_as(BY_ID)
            .bind(id.uuid())
            .fetch_optional(self.reads()?)
            .await
            .map_err(store_error)?;
        row.map(StoredProvider::try_from).transpose()
    }

    async fn providers(&self, query: &ListQuery) -> Result<Listing<MfaProvider>, StoreError> {
        self.list_providers(query).await
    }

    async fn add_provider(
        &self,
        new: &StoredProvider,
        trail: Trail<'_>,
    ) -> Result<Creation, StoreError> {
        let values = ProviderValues::try_from(new)?;
        let mut write = self.write_with(trail).await?;
        let added = write.run(bind_provider!(query(ADD), &values)).await? == 1;
        if added {
            write.commit().await?;
            return Ok(Creation::Created);
        }
        let id_taken = exists(&mut write, new.provider.id).await?;
        let _ = write.moved().await?;
        Ok(if id_taken {
            Creation::IdTaken
        } else {
            Creation::NameTaken
        })
    }

    async fn replace_provider(
        &self,
        new: &StoredProvider,
        trail: Trail<'_>,
    ) -> Result<Replacement, StoreError> {
        let values = ProviderValues::try_from(new)?;
        let mut write = self.write_with(trail).await?;
        let replace = bind_provider!(query(REPLACE), &values);
        let replaced = match replace.execute(write.on()).await {
            Ok(done) if done.rows_affected() == 1 => Replacement::Done,
            Ok(_) => Replacement::Moved,
            Err(error) if is_name_taken(&error) => Replacement::NameTaken,
            Err(error) => return Err(store_error(error)),
        };
        if replaced == Replacement::Done {
            write.commit().await?;
        } else {
            let _ = write.moved().await?;
        }
        Ok(replaced)
    }

    async fn remove_provider(
        &self,
        id: MfaProviderId,
        trail: Trail<'_>,
    ) -> Result<Removal, StoreError> {
        let mut write = self.write_with(trail).await?;
        if write.run(query(REMOVE).bind(id.uuid())).await? == 1 {
            write.commit().await?;
            return Ok(Removal::Removed);
        }
        let is_there = exists(&mut write, id).await?;
        let _ = write.moved().await?;
        Ok(if is_there {
            Removal::InUse
        } else {
            Removal::Missing
        })
    }
}

async fn exists(write: &mut Write<'_>, id: MfaProviderId) -> Result<bool, StoreError> {
    query_scalar("SELECT EXISTS (SELECT 1 FROM mfa_providers WHERE id = ?1)")
        .bind(id.uuid())
        .fetch_one(write.on())
        .await
        .map_err(store_error)
}
