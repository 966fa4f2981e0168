//! Settings.

use async_trait::async_trait;
use vestibule_engine::LocalProvider;
use vestibule_store::{
    AdminMfa, AdminMfaChange, ExemptionEntry, IdentityProviders, Settings, StoreError, Trail,
};

use crate::MemoryStore;

#[async_trait]
impl Settings for MemoryStore {
    async fn admin_mfa(&self) -> Result<Option<AdminMfa>, StoreError> {
        Ok(self.tables().admin_mfa.clone())
    }

    async fn set_admin_mfa(
        &self,
        change: &AdminMfaChange,
        trail: Trail<'_>,
    ) -> Result<Option<AdminMfa>, StoreError> {
        let mut tables = self.tables();
        let mut provider = change.provider.iter();
        if !provider.all(|provider| tables.providers.contains_key(provider)) {
            return Ok(None);
        }
        let bind = |(text, key): &(String, Option<_>)| ExemptionEntry {
            text: text.clone(),
            user: key.as_ref().and_then(|key| tables.names.get(key).copied()),
        };
        let new = AdminMfa {
            provider: change.provider,
            exempted: change.exempted.iter().map(bind).collect(),
        };
        if new.provider.is_some() && new.provider != tables.provider() {
            tables.end_partial_tokens(|token| {
                !new.exempted
                    .iter()
                    .any(|entry| entry.user == Some(token.user))
            });
        }
        tables.admin_mfa = Some(new.clone());
        tables.write_down(trail);
        Ok(Some(new))
    }
}

#[async_trait]
impl IdentityProviders for MemoryStore {
    async fn local_provider(&self) -> Result<LocalProvider, StoreError> {
        Ok(self.tables().local_provider.clone())
    }

    async fn set_local_provider(
        &self,
        new: &LocalProvider,
        trail: Trail<'_>,
    ) -> Result<(), StoreError> {
        let mut tables = self.tables();
        tables.local_provider = new.clone();
        tables.write_down(trail);
        Ok(())
    }
}
