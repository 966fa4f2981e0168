//! Providers of second factors.

use vestibule_engine::MfaProviderId;
use vestibule_engine::mfa::{FIDO2_PROVIDER, TOTP_PROVIDER};
use vestibule_engine::privilege::{PrivilegeType, Target};
use vestibule_store::{ListQuery, Listing};

use crate::{Caller, Missing, Service, ServiceError};

/// A provider of second factors.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MfaProvider {
    /// The id.
    pub id: MfaProviderId,
    /// The name.
    pub name: &'static str,
    /// What it is for.
    pub notes: &'static str,
    /// What it does.
    pub kind: MfaProviderType,
}

/// What a provider does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MfaProviderType {
    /// Time-based one-time passwords.
    DefaultTimeBased,
    /// FIDO2.
    Fido2,
}

/// In the order of their names.
const BUILT_IN: [MfaProvider; 2] = [
    MfaProvider {
        id: FIDO2_PROVIDER,
        name: "Default FIDO2 Provider",
        notes: "Built-in default FIDO2 provider.",
        kind: MfaProviderType::Fido2,
    },
    MfaProvider {
        id: TOTP_PROVIDER,
        name: "Default Time-Based OTP Provider",
        notes: "Built-in default time-based OTP provider.",
        kind: MfaProviderType::DefaultTimeBased,
    },
];

impl Service {
    /// All providers.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] without View on `MfaProvider`.
    pub fn mfa_providers(
        &self,
        caller: &Caller,
        query: &ListQuery,
    ) -> Result<Listing<MfaProvider>, ServiceError> {
        caller.must(PrivilegeType::View, Target::MfaProvider)?;
        let mut items: Vec<_> = BUILT_IN
            .into_iter()
            .filter(|provider| provider.is_found_by(&query.queries))
            .collect();
        if query.descending {
            items.reverse();
        }
        let matching = items.len();
        if let Some((first, last)) = query.range {
            let place = |n| usize::try_from(n).unwrap_or(usize::MAX);
            items.truncate(place(last).saturating_add(1));
            items.drain(..place(first).min(items.len()));
        }
        Ok(Listing {
            items,
            matching: matching as u64,
            total: BUILT_IN.len() as u64,
        })
    }

    /// One provider.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] without View on `MfaProvider`, then [`ServiceError::NotFound`].
    pub fn mfa_provider(&self, caller: &Caller, id: &str) -> Result<MfaProvider, ServiceError> {
        caller.must(PrivilegeType::View, Target::MfaProvider)?;
        let id = id.parse().ok();
        BUILT_IN
            .into_iter()
            .find(|provider| Some(provider.id) == id)
            .ok_or(ServiceError::NotFound(Missing::MfaProvider))
    }
}

impl MfaProvider {
    fn is_found_by(&self, queries: &[String]) -> bool {
        let text = format!("{}\n{}\n{}\nbuiltin", self.name, self.notes, self.id).to_lowercase();
        queries.iter().all(|query| text.contains(query.as_str()))
    }
}
