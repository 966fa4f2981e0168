//! Providers of second factors.

use async_trait::async_trait;
use sqlx::{query, query_as, query_scalar};
use vestibule_engine::{MfaProvider, MfaProviderId};
use vestibule_store::{
    Creation, ListQuery, Listing, MfaProviders, Removal, Replacement, StoreError, StoredProvider,
    Swap, Trail,
};

use crate::PostgresStore;
use crate::audit::noted;
use crate::error::{retrying, store_error};
use vestibule_store_sql::{
    ProviderValues, StoredProviderRow, bind_provider, is_name_taken, stored_provider_columns,
};

const BY_ID: &str = concat!(
    "SELECT ",
    stored_provider_columns!(),
    " FROM mfa_providers p WHERE p.id = $1"
);

const ADD: &str = concat!(
    "WITH added AS (
    INSERT INTO mfa_providers (id, revision, name, name_key, notes, tags, input_type, kind,
        created, updated, search, fields, hostnames, port, protocol, mode, timeout, use_user_password,
        require_message_authenticator, nas_identifier, source_address, status_server,
        shared_secret_key_id, shared_secret_sealed, challenge_secret_key_id,
        challenge_secret_sealed)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
        $21, $22, $23, $24, $25, $26)
    ON CONFLICT DO NOTHING RETURNING 1
    )",
    noted!("added", "$27"),
    " SELECT 1 FROM added"
);

const TAKEN: &str = "
    SELECT id = $1 FROM mfa_providers WHERE id = $1 OR name_key = $2
    ORDER BY id = $1 DESC LIMIT 1";

const REPLACE: &str = concat!(
    "WITH replaced AS (
    UPDATE mfa_providers SET revision = $2, name = $3, name_key = $4, notes = $5, tags = $6,
        input_type = $7, kind = $8, updated = $10, search = $11, fields = $12, hostnames = $13, port = $14,
        protocol = $15, mode = $16, timeout = $17, use_user_password = $18,
        require_message_authenticator = $19, nas_identifier = $20, source_address = $21,
        status_server = $22, shared_secret_key_id = $23, shared_secret_sealed = $24,
        challenge_secret_key_id = $25, challenge_secret_sealed = $26
    WHERE id = $1 AND revision = $2 - 1 AND $9 IS NOT NULL RETURNING 1
    )",
    noted!("replaced", "$27"),
    " SELECT 1 FROM replaced"
);

/// Whoever changes the settings locks them, so they cannot begin to refer to what goes here; when
/// they are being changed, this waits and compares with what they are then.
const REMOVE: &str = concat!(
    "WITH settings AS (
        SELECT provider FROM admin_mfa FOR SHARE
    ), removed AS (
        DELETE FROM mfa_providers WHERE id = $1 AND id IS DISTINCT FROM (SELECT provider FROM settings)
        RETURNING 1
    )",
    noted!("removed", "$2"),
    " SELECT (SELECT count(*) FROM removed) = 1,
        (SELECT provider FROM settings) IS NOT DISTINCT FROM $1"
);

#[async_trait]
impl MfaProviders for PostgresStore {
    async fn provider(&self, id: MfaProviderId) -> Result<Option<StoredProvider>, StoreError> {
        let row: Option<StoredProviderRow> = query_as(BY_ID)
            .bind(id.uuid())
            .fetch_optional(&self.connections)
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
        loop {
            let note = self.note(trail).await?;
            let added = retrying(|| async {
                self.swap(bind_provider!(query(ADD), &values).bind(note.rows()))
                    .await
            });
            let added = added.await;
            if note.ended(added)? == Swap::Done {
                return Ok(Creation::Created);
            }
            let taken: Option<bool> = query_scalar(TAKEN)
                .bind(new.provider.id.uuid())
                .bind(&values.name_key)
                .fetch_optional(&self.connections)
                .await
                .map_err(store_error)?;
            match taken {
                Some(true) => return Ok(Creation::IdTaken),
                Some(false) => return Ok(Creation::NameTaken),
                // Whoever was in the way has been removed or renamed since.
                None => {}
            }
        }
    }

    async fn replace_provider(
        &self,
        new: &StoredProvider,
        trail: Trail<'_>,
    ) -> Result<Replacement, StoreError> {
        let values = ProviderValues::try_from(new)?;
        let note = self.note(trail).await?;
        let replaced = retrying(|| async {
            let replace = bind_provider!(query(REPLACE), &values).bind(note.rows());
            match replace.execute(&self.connections).await {
                Ok(done) if done.rows_affected() == 1 => Ok(Replacement::Done),
                Ok(_) => Ok(Replacement::Moved),
                Err(error) if is_name_taken(&error) => Ok(Replacement::NameTaken),
                Err(error) => Err(store_error(error)),
            }
        })
        .await;
        note.ended(replaced)
    }

    async fn remove_provider(
        &self,
        id: MfaProviderId,
        trail: Trail<'_>,
    ) -> Result<Removal, StoreError> {
        let note = self.note(trail).await?;
        let removed = retrying(|| async {
            let answer: (bool, bool) = query_as(REMOVE)
                .bind(id.uuid())
                .bind(note.rows())
                .fetch_one(&self.connections)
                .await
                .map_err(store_error)?;
            Ok(match answer {
                (true, _) => Removal::Removed,
                (false, true) => Removal::InUse,
                (false, false) => Removal::Missing,
            })
        })
        .await;
        note.ended(removed)
    }
}
