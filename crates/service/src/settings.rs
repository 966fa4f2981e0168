//! The settings of the second factor for administrators.

use tracing::info;
use vestibule_engine::audit::{Detail, Event, ObjectKind};
use vestibule_engine::invalid::Fields;
use vestibule_engine::mfa::FIDO2_PROVIDER;
use vestibule_engine::privilege::{PrivilegeType, Target};
use vestibule_engine::{DistinguishedName, FieldErrors, MfaProviderId, NameKey};
use vestibule_store::{AdminMfa, AdminMfaChange};

use crate::{Caller, Service, ServiceError};

/// New settings, as they were asked for.
#[derive(Clone, Debug, Default)]
pub struct AdminMfaUpdate {
    /// The id of the provider; none is due when there is none.
    pub provider: Option<String>,
    /// Who is let off: `CN=user,OU=provider`. Whether they exist is not asked.
    pub exempted: Vec<String>,
}

const UNKNOWN_PROVIDER: &str = "is not the id of an MFA provider";

/// The id of a provider that can serve administrators, if it is there.
fn good_provider(id: &str) -> Result<MfaProviderId, &'static str> {
    match id.parse() {
        _ if id.is_empty() => Err("may not be empty; leave it out to turn the second factor off"),
        Err(_) => Err("is not a UUID"),
        Ok(FIDO2_PROVIDER) => {
            Err("may not be the FIDO2 provider, which cannot serve administrators")
        }
        Ok(id) => Ok(id),
    }
}

fn exemptions(texts: Vec<String>, fields: &mut Fields) -> Vec<(String, Option<NameKey>)> {
    let mut entries = Vec::with_capacity(texts.len());
    for (n, text) in texts.into_iter().enumerate() {
        match text.parse::<DistinguishedName>() {
            Ok(name) => entries.push((text, name.local_key())),
            Err(bad) => fields.refuse(format!("exemptedUsers[{n}]"), bad.to_string()),
        }
    }
    entries
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
    /// [`ServiceError::Forbidden`] without Edit on `GlobalSetting`; what is wrong with them.
    pub async fn set_admin_mfa(
        &self,
        caller: &Caller,
        update: AdminMfaUpdate,
    ) -> Result<(), ServiceError> {
        let object = (ObjectKind::AdminMfa, None);
        let done = async {
            caller.must(PrivilegeType::Edit, Target::GlobalSetting)?;
            let mut fields = Fields::default();
            let provider = match &update.provider {
                None => None,
                Some(id) => {
                    let id = fields.check("providerId", good_provider(id));
                    let known = self.inner.stored_provider(id).await?;
                    if id.is_some() && known.is_none() {
                        fields.refuse("providerId", UNKNOWN_PROVIDER);
                    }
                    id
                }
            };
            let exempted = exemptions(update.exempted, &mut fields);
            let change = fields.finish(|| Some(AdminMfaChange { provider, exempted }))?;
            self.change_admin_mfa(caller, &change).await
        };
        caller.tries(Event::AdminMfaReplaced, object, done).await
    }

    /// Turns the second factor off, and forgets all exemptions.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] without Edit on `GlobalSetting`.
    pub async fn reset_admin_mfa(&self, caller: &Caller) -> Result<(), ServiceError> {
        caller.must(PrivilegeType::Edit, Target::GlobalSetting)?;
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
        // The provider may have been deleted a moment ago; the store is the one to know.
        let exempted: Vec<&str> = change.exempted.iter().map(|(text, _)| &**text).collect();
        let entry = caller
            .did(Event::AdminMfaReplaced)
            .to(ObjectKind::AdminMfa, None, None)
            .with_some(Detail::Provider, change.provider)
            .with(Detail::Exempted, exempted.join(" "));
        let trail = [self.sign(entry)];
        let settings = self.inner.store.set_admin_mfa(change, &trail).await?;
        let settings = settings.ok_or_else(|| FieldErrors::one("providerId", UNKNOWN_PROVIDER))?;
        let provider = settings.provider.map(tracing::field::display);
        let exempt = settings.exempted.len();
        info!(by.id = %caller.bearer.user.id, provider.id = provider, exempt.count = exempt,
            "Settings of the second factor changed");
        Ok(())
    }
}
