//! The provider of identities, as administrators see and change it.

mod draft;
mod not_ours;

pub use draft::{IdentityProviderDraft, LOCAL_TYPE};
pub use not_ours::{ClaimMapping, NOT_OURS, NotOurs};

use tracing::info;
use vestibule_engine::audit::{Event, ObjectKind};
use vestibule_engine::identity::{LOCAL, MinPasswordLength};
use vestibule_engine::privilege::{PrivilegeType, Reach, Target};
use vestibule_engine::subject::LOCAL_PROVIDER;
use vestibule_engine::{IdentityProviderId, LocalProvider, Secret};
use vestibule_store::{Fields, ListQuery, Listing};

use crate::reach::within;
use crate::{Caller, Conflict, Missing, Service, ServiceError};

/// Whether a new password is as the identity provider wants it. An empty one is none: a user
/// without a password cannot sign in.
///
/// # Errors
/// What is wrong, to be read after the name of what holds the password.
pub fn good_new_password(
    password: &Secret<String>,
    least: MinPasswordLength,
) -> Result<(), String> {
    let password = password.expose();
    if password.is_empty() || least.admits(password) {
        return Ok(());
    }
    let least = least.characters();
    Err(format!("must have at least {least} characters"))
}

impl Service {
    /// Providers of identities: the built-in one, if it is looked for.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] without View on `IdentityProvider`.
    pub async fn identity_providers(
        &self,
        caller: &Caller,
        query: &ListQuery,
    ) -> Result<Listing<LocalProvider>, ServiceError> {
        let reach = caller.may(PrivilegeType::View, Target::IdentityProvider)?;
        let local = self.inner.store.local_provider().await?;
        Ok(listing(local, &within(query, &reach)))
    }

    /// One provider.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] without View on `IdentityProvider`, then
    /// [`ServiceError::NotFound`] for all but the built-in one.
    pub async fn identity_provider(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<LocalProvider, ServiceError> {
        let reach = caller.may(PrivilegeType::View, Target::IdentityProvider)?;
        self.provider_within(caller, (PrivilegeType::View, &reach), id)
            .await
    }

    /// Refuses to make a provider: there is only the built-in one.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] without Create on `IdentityProvider`; what is wrong with the
    /// draft, which always is its type.
    pub fn add_identity_provider(
        &self,
        caller: &Caller,
        draft: &IdentityProviderDraft,
    ) -> Result<LocalProvider, ServiceError> {
        caller.may(PrivilegeType::Create, Target::IdentityProvider)?;
        Err(draft.refused().into())
    }

    /// Puts a provider in the place of the one with the id `path`. From now on its lockout decides
    /// over every wrong password, and its least length over every new one.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] without Edit on `IdentityProvider`; what is wrong with the
    /// draft; [`ServiceError::NotFound`] for all but the built-in one.
    pub async fn replace_identity_provider(
        &self,
        caller: &Caller,
        path: &str,
        draft: &IdentityProviderDraft,
    ) -> Result<LocalProvider, ServiceError> {
        let object = (ObjectKind::IdentityProvider, Some(path));
        let done = async {
            let reach = caller.may_change::<LocalProvider>()?;
            let id: Option<IdentityProviderId> = path.parse().ok();
            if id != Some(LOCAL) {
                draft.replacing_nothing(id)?;
            }
            let asked = (PrivilegeType::Edit, &reach);
            let before = self.provider_within(caller, asked, path).await?;
            let new = draft.replacing_local(self.now())?;
            let retagged = LocalProvider {
                tags: new.tags.clone(),
                updated: new.updated,
                ..before.clone()
            };
            caller.must_replace(&before, &new, new == retagged)?;
            let (kind, id) = (ObjectKind::IdentityProvider, LOCAL.to_string());
            let entry = caller.did(Event::IdentityProviderReplaced);
            let trail = [self.sign(entry.to(kind, Some(&id), Some(LOCAL_PROVIDER)))];
            self.inner.store.set_local_provider(&new, &trail).await?;
            info!(provider.id = %LOCAL, by.id = %caller.bearer.user.id,
                lockout.threshold = new.lockout.threshold(), lockout.minutes = new.lockout.minutes(),
                password.min_length = new.min_password_length.characters(),
                "Identity provider changed");
            Ok(new)
        };
        caller
            .tries(Event::IdentityProviderReplaced, object, done)
            .await
    }

    /// Refuses to delete a provider.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] without Delete on `IdentityProvider`; then
    /// [`ServiceError::Conflict`] for the built-in one, [`ServiceError::NotFound`] for all others.
    pub async fn remove_identity_provider(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<(), ServiceError> {
        let reach = caller.may(PrivilegeType::Delete, Target::IdentityProvider)?;
        self.provider_within(caller, (PrivilegeType::Delete, &reach), id)
            .await?;
        Err(ServiceError::Conflict(Conflict::IdentityProviderBuiltIn))
    }

    /// The provider that the caller asks for, if they may see it with this reach.
    async fn provider_within(
        &self,
        caller: &Caller,
        asked: (PrivilegeType, &Reach),
        id: &str,
    ) -> Result<LocalProvider, ServiceError> {
        let local = match id.parse() {
            Ok(LOCAL) => Some(self.inner.store.local_provider().await?),
            _ => None,
        };
        caller.shown(asked, local, Missing::IdentityProvider)
    }

    /// Whether a privilege that is scoped by identity provider reaches the users of the built-in
    /// one.
    pub(crate) async fn reaches_local_users(&self, reach: &Reach) -> Result<bool, ServiceError> {
        match reach {
            Reach::Nothing => Ok(false),
            Reach::Everything => Ok(true),
            Reach::Within(_) => {
                let local = self.inner.store.local_provider().await?;
                Ok(reach.admits(LOCAL.uuid(), &local.tags))
            }
        }
    }
}

/// The part of a list of one that a query wants.
fn listing(local: LocalProvider, query: &ListQuery) -> Listing<LocalProvider> {
    let visible = query
        .scope
        .as_ref()
        .is_none_or(|scope| scope.holds(LOCAL.uuid(), &local.tags));
    let found = visible && Fields::from(&local).are_found_by(query);
    let in_range = query.range.is_none_or(|(first, _)| first == 0);
    Listing {
        items: (found && in_range).then_some(local).into_iter().collect(),
        matching: found.into(),
        total: visible.into(),
    }
}
