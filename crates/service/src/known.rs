//! Providers as sign-ins use them: read and opened once for each change, and kept ready.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use vestibule_engine::MfaProviderId;
use vestibule_engine::provider::{InputType, ProviderKind};
use vestibule_radius::udp::EndpointStatus;
use vestibule_store::ProviderVersion;

use crate::radius::RadiusProvider;
use crate::{Inner, ServiceError};

/// A provider as it was configured at some revision.
pub(crate) struct KnownProvider {
    pub(crate) version: ProviderVersion,
    pub(crate) input_type: InputType,
    pub(crate) kind: KnownKind,
}

/// What it does for a sign-in.
pub(crate) enum KnownKind {
    Totp,
    Radius(RadiusProvider),
}

/// The providers that sign-ins have used since this program started.
#[derive(Default)]
pub(crate) struct KnownProviders(Mutex<HashMap<MfaProviderId, Arc<KnownProvider>>>);

impl KnownProviders {
    fn get(&self, version: ProviderVersion) -> Option<Arc<KnownProvider>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .get(&version.id)
            .filter(|known| known.version == version)
            .cloned()
    }

    fn put(&self, provider: &Arc<KnownProvider>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(provider.version.id, Arc::clone(provider));
    }
}

impl KnownProviders {
    /// The servers of each provider that has some, as they are now.
    pub(crate) fn radius_servers(&self) -> Vec<(MfaProviderId, Vec<EndpointStatus>)> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut servers: Vec<_> = known
            .iter()
            .filter_map(|(id, provider)| match &provider.kind {
                KnownKind::Totp => None,
                KnownKind::Radius(radius) => Some((*id, radius.status())),
            })
            .collect();
        servers.sort_by_key(|(id, _)| *id);
        servers
    }
}

impl Inner {
    /// The provider as it was configured at that revision; `None` when it was changed since.
    pub(crate) async fn known_provider(
        &self,
        version: ProviderVersion,
    ) -> Result<Option<Arc<KnownProvider>>, ServiceError> {
        if let Some(known) = self.known.get(version) {
            return Ok(Some(known));
        }
        let Some(stored) = self.store.provider(version.id).await? else {
            return Ok(None);
        };
        if stored.provider.revision != version.revision {
            return Ok(None);
        }
        let kind = match stored.provider.kind {
            ProviderKind::TimeBased => KnownKind::Totp,
            ProviderKind::Radius(_) => KnownKind::Radius(self.radius_provider(&stored)?),
            ProviderKind::Fido2 => {
                return Err(ServiceError::bug(
                    "the settings name a provider that serves no administrators",
                    version.id.to_string(),
                ));
            }
        };
        let known = Arc::new(KnownProvider {
            version,
            input_type: stored.provider.input_type,
            kind,
        });
        self.known.put(&known);
        Ok(Some(known))
    }
}
