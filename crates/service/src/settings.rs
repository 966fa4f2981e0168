//! The settings of the second factor for administrators.

use tracing::info;
use vestibule_engine::invalid::Fields;
use vestibule_engine::mfa::{FIDO2_PROVIDER, TOTP_PROVIDER};
use vestibule_engine::privilege::{PrivilegeType, Target};
use vestibule_engine::{DistinguishedName, FieldErrors, MfaProviderId};
use vestibule_store::{AdminMfa, AdminMfaChange};

use crate::{Caller, Service, ServiceError};

/// New settings that make sense.
#[derive(Clone, Debug)]
pub struct AdminMfaUpdate(AdminMfaChange);

impl AdminMfaUpdate {
    /// Reads new settings. Whether the exempt users exist is not asked.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn new(provider: Option<&str>, exempted: &[String]) -> Result<Self, FieldErrors> {
        let mut fields = Fields::default();
        let provider = provider.and_then(|id| fields.check("providerId", known_provider(id)));
        let mut entries = Vec::with_capacity(exempted.len());
        for (n, text) in exempted.iter().enumerate() {
            match text.parse::<DistinguishedName>() {
                Ok(name) => entries.push((text.clone(), name.local_key())),
                Err(bad) => fields.refuse(format!("exemptedUsers[{n}]"), bad.to_string()),
            }
        }
        fields.finish(|| {
            Some(Self(AdminMfaChange {
                provider,
                exempted: entries,
            }))
        })
    }
}

fn known_provider(id: &str) -> Result<MfaProviderId, &'static str> {
    match id.parse() {
        _ if id.is_empty() => Err("may not be empty; leave it out to turn the second factor off"),
        Err(_) => Err("is not a UUID"),
        Ok(FIDO2_PROVIDER) => {
            Err("may not be the FIDO2 provider, which cannot serve administrators")
        }
        Ok(TOTP_PROVIDER) => Ok(TOTP_PROVIDER),
        Ok(_) => Err("is not the id of an MFA provider"),
    }
}

impl Service {
    /// The settings.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] without View on `GlobalSetting`.
    pub async fn admin_mfa(&self, caller: &Caller) -> Result<AdminMfa, ServiceError> {
        caller.must(PrivilegeType::View, Target::GlobalSetting)?;
        Ok(self.inner.store.admin_mfa().await?.unwrap_or_default())
    }

    /// Replaces the settings.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] without Edit on `GlobalSetting`.
    pub async fn set_admin_mfa(
        &self,
        caller: &Caller,
        update: AdminMfaUpdate,
    ) -> Result<(), ServiceError> {
        self.change_admin_mfa(caller, &update.0).await
    }

    /// Turns the second factor off, and forgets all exemptions.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] without Edit on `GlobalSetting`.
    pub async fn reset_admin_mfa(&self, caller: &Caller) -> Result<(), ServiceError> {
        let off = AdminMfaChange {
            provider: None,
            exempted: Vec::new(),
        };
        self.change_admin_mfa(caller, &off).await
    }

    async fn change_admin_mfa(
        &self,
        caller: &Caller,
        change: &AdminMfaChange,
    ) -> Result<(), ServiceError> {
        caller.must(PrivilegeType::Edit, Target::GlobalSetting)?;
        let settings = self.inner.store.set_admin_mfa(change).await?;
        let provider = settings.provider.map(tracing::field::display);
        let exempt = settings.exempted.len();
        info!(by.id = %caller.bearer.user.id, provider.id = provider, exempt.count = exempt,
            "Settings of the second factor changed");
        Ok(())
    }
}
