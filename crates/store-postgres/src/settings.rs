//! Settings.

use async_trait::async_trait;
use sqlx::{query, query_as, query_scalar};
use uuid::Uuid;
use vestibule_engine::{MfaProviderId, NameKey, UserId};
use vestibule_store::{AdminMfa, AdminMfaChange, ExemptionEntry, Settings, StoreError, Trail};

use crate::PostgresStore;
use crate::audit::Note;
use crate::error::{is_storable, retrying, store_error};

/// The provider, with each entry or with none; nothing at all if it was never written.
const READ: &str = "
    SELECT m.provider, e.text, e.user_id
    FROM admin_mfa m LEFT JOIN admin_mfa_exemptions e ON TRUE
    WHERE m.written ORDER BY e.position";

/// Holds the provider, so that it does not go before it is due.
const HOLD_PROVIDER: &str = "SELECT 1 FROM mfa_providers WHERE id = $1 FOR KEY SHARE";

/// Holds the users that bear these names, so that none goes before it is bound.
const HOLD_USERS: &str = "
    SELECT name_key, id FROM users WHERE name_key = ANY($1) ORDER BY id FOR KEY SHARE";

const EXEMPT: &str = "
    INSERT INTO admin_mfa_exemptions (position, text, user_id)
    SELECT position, text, user_id
    FROM unnest($1::text[], $2::uuid[]) WITH ORDINALITY AS entry (text, user_id, position)";

const END_PARTIAL_TOKENS: &str = "
    DELETE FROM tokens WHERE kind = 'partial' AND user_id <> ALL($1)";

#[async_trait]
impl Settings for PostgresStore {
    async fn admin_mfa(&self) -> Result<Option<AdminMfa>, StoreError> {
        let rows: Vec<(Option<Uuid>, Option<String>, Option<Uuid>)> = query_as(READ)
            .fetch_all(&self.connections)
            .await
            .map_err(store_error)?;
        let Some((provider, _, _)) = rows.first() else {
            return Ok(None);
        };
        let provider = provider.map(MfaProviderId::from_uuid);
        let exempted = rows.into_iter().filter_map(|(_, text, user)| {
            Some(ExemptionEntry {
                text: text?,
                user: user.map(UserId::from_uuid),
            })
        });
        let exempted = exempted.collect();
        Ok(Some(AdminMfa { provider, exempted }))
    }

    async fn set_admin_mfa(
        &self,
        change: &AdminMfaChange,
        trail: Trail<'_>,
    ) -> Result<Option<AdminMfa>, StoreError> {
        let note = self.note(trail).await?;
        let set = retrying(|| self.try_set(change, &note)).await;
        note.ended(set)
    }
}

impl PostgresStore {
    async fn try_set(
        &self,
        change: &AdminMfaChange,
        note: &Note,
    ) -> Result<Option<AdminMfa>, StoreError> {
        let mut write = self.write().await?;
        let before: Option<Uuid> = query_scalar("SELECT provider FROM admin_mfa FOR UPDATE")
            .fetch_one(write.on())
            .await
            .map_err(store_error)?;
        let before = before.map(MfaProviderId::from_uuid);
        if let Some(provider) = change.provider {
            let hold = query(HOLD_PROVIDER).bind(provider.uuid());
            if write.run(hold).await? != 1 {
                write.roll_back().await?;
                return Ok(None);
            }
        }
        let keys = change.exempted.iter().filter_map(|(_, key)| key.as_ref());
        let keys = keys.map(NameKey::as_str).filter(|key| is_storable(key));
        let bearers: Vec<(String, Uuid)> = query_as(HOLD_USERS)
            .bind(keys.collect::<Vec<_>>())
            .fetch_all(write.on())
            .await
            .map_err(store_error)?;
        let bound = |(text, key): &(String, Option<NameKey>)| {
            let bearer = bearers
                .iter()
                .find(|(name, _)| key.as_ref().is_some_and(|key| key.as_str() == name));
            (text.clone(), bearer.map(|(_, id)| *id))
        };
        let (texts, users): (Vec<_>, Vec<_>) = change.exempted.iter().map(bound).unzip();

        if change.provider.is_some() && change.provider != before {
            let exempt: Vec<Uuid> = users.iter().copied().flatten().collect();
            write.run(query(END_PARTIAL_TOKENS).bind(exempt)).await?;
        }
        let set = query("UPDATE admin_mfa SET provider = $1, written = TRUE");
        write
            .run(set.bind(change.provider.map(MfaProviderId::uuid)))
            .await?;
        write.run(query("DELETE FROM admin_mfa_exemptions")).await?;
        write.run(query(EXEMPT).bind(&texts).bind(&users)).await?;
        note.write(&mut write).await?;
        write.commit().await?;

        let entries = texts.into_iter().zip(users);
        let entries = entries.map(|(text, user)| ExemptionEntry {
            text,
            user: user.map(UserId::from_uuid),
        });
        Ok(Some(AdminMfa {
            provider: change.provider,
            exempted: entries.collect(),
        }))
    }
}
