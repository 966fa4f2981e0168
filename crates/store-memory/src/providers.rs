//! Providers of second factors.

use async_trait::async_trait;
use vestibule_engine::{MfaProvider, MfaProviderId, NameKey};
use vestibule_store::{
    Creation, Fields, ListQuery, Listing, MfaProviders, Removal, Replacement, Sealed, StoreError,
    StoredProvider, Trail,
};

use crate::MemoryStore;
use crate::lists::list;
use crate::tables::{Provider, Tables};

#[async_trait]
impl MfaProviders for MemoryStore {
    async fn provider(&self, id: MfaProviderId) -> Result<Option<StoredProvider>, StoreError> {
        let tables = self.tables();
        let provider = tables.providers.get(&id);
        Ok(provider.map(|provider| provider.stored.clone()))
    }

    async fn providers(&self, query: &ListQuery) -> Result<Listing<MfaProvider>, StoreError> {
        let tables = self.tables();
        let all = tables.providers.values().map(|provider| (provider, ()));
        let item = |provider: &Provider, ()| provider.stored.provider.clone();
        Ok(list(all, query, item))
    }

    async fn add_provider(
        &self,
        new: &StoredProvider,
        trail: Trail<'_>,
    ) -> Result<Creation, StoreError> {
        let mut tables = self.tables();
        tables.keys.take(sealed(new))?;
        let id = new.provider.id;
        let new = Provider::from(new.clone());
        if tables.providers.contains_key(&id) {
            return Ok(Creation::IdTaken);
        }
        if tables.names_another(&new) {
            return Ok(Creation::NameTaken);
        }
        tables.providers.insert(id, new);
        tables.write_down(trail);
        Ok(Creation::Created)
    }

    async fn replace_provider(
        &self,
        new: &StoredProvider,
        trail: Trail<'_>,
    ) -> Result<Replacement, StoreError> {
        let mut tables = self.tables();
        tables.keys.take(sealed(new))?;
        let mut new = Provider::from(new.clone());
        let id = new.stored.provider.id;
        let Some(old) = tables.providers.get(&id) else {
            return Ok(Replacement::Moved);
        };
        let old = &old.stored.provider;
        if old.revision.checked_add(1) != Some(new.stored.provider.revision) {
            return Ok(Replacement::Moved);
        }
        new.stored.provider.created = old.created;
        if tables.names_another(&new) {
            return Ok(Replacement::NameTaken);
        }
        tables.providers.insert(id, new);
        tables.write_down(trail);
        Ok(Replacement::Done)
    }

    async fn remove_provider(
        &self,
        id: MfaProviderId,
        trail: Trail<'_>,
    ) -> Result<Removal, StoreError> {
        let mut tables = self.tables();
        if tables.provider() == Some(id) {
            return Ok(Removal::InUse);
        }
        Ok(match tables.providers.remove(&id) {
            Some(_) => {
                tables.write_down(trail);
                Removal::Removed
            }
            None => Removal::Missing,
        })
    }
}

impl From<StoredProvider> for Provider {
    fn from(stored: StoredProvider) -> Self {
        Self {
            name_key: NameKey::of(&stored.provider.name),
            fields: Fields::from(&stored.provider),
            stored,
        }
    }
}

impl Tables {
    /// Whether another provider has the name of this one.
    fn names_another(&self, new: &Provider) -> bool {
        self.providers.values().any(|other| {
            other.name_key == new.name_key && other.stored.provider.id != new.stored.provider.id
        })
    }
}

/// The sealed secrets of a provider.
fn sealed(stored: &StoredProvider) -> impl Iterator<Item = &Sealed> {
    let secrets = [&stored.shared_secret, &stored.challenge_secret];
    secrets.into_iter().flatten()
}
