//! A test of every provider that asks servers, for whoever looks after this machine.

use vestibule_engine::provider::ProviderKind;
use vestibule_engine::{MfaProvider, MfaProviderId};
use vestibule_store::ListQuery;

use super::test::{MfaProviderTest, ask};
use super::{Missing, open_secrets};
use crate::{Service, ServiceError};

/// What came of the test of one provider.
#[derive(Debug)]
pub struct ProviderTest {
    /// The provider.
    pub provider: MfaProvider,
    /// Whether it is the one of the settings: without it nobody signs in.
    pub is_due: bool,
    /// Whether answers without Message-Authenticator count as none.
    pub requires_message_authenticator: bool,
    /// What its servers said, or why they could not be asked.
    pub outcome: Result<MfaProviderTest, ServiceError>,
}

impl Service {
    /// Asks the servers of every provider that has some. Nothing is written down of it.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn test_all_mfa_providers(&self) -> Result<Vec<ProviderTest>, ServiceError> {
        let store = &self.inner.store;
        let due = store.admin_mfa().await?;
        let due = due.and_then(|settings| settings.provider);
        let providers = store.providers(&ListQuery::default()).await?.items;
        let asked = providers.into_iter().filter_map(|provider| {
            let ProviderKind::Radius(settings) = &provider.kind else {
                return None;
            };
            let required = settings.require_message_authenticator;
            let (service, id) = (self.clone(), provider.id);
            // All at once: each may wait for ten seconds.
            let asking = tokio::spawn(async move { service.test_stored(id).await });
            Some((provider, required, asking))
        });
        let mut tests = Vec::new();
        for (provider, requires_message_authenticator, asking) in asked.collect::<Vec<_>>() {
            let outcome = asking
                .await
                .unwrap_or_else(|gone| Err(ServiceError::bug("a test ended early", gone)));
            tests.push(ProviderTest {
                is_due: due == Some(provider.id),
                provider,
                requires_message_authenticator,
                outcome,
            });
        }
        Ok(tests)
    }

    async fn test_stored(&self, id: MfaProviderId) -> Result<MfaProviderTest, ServiceError> {
        let inner = &*self.inner;
        let stored = inner.stored_provider(Some(id)).await?;
        let stored = stored.ok_or(ServiceError::NotFound(Missing::MfaProvider))?;
        let opened = open_secrets(inner, &stored)?;
        ask(inner, &opened.settings, &opened.shared_secret).await
    }
}
