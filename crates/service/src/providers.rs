//! Providers of second factors, as administrators see and make them.

mod draft;
mod every;
pub(crate) mod hostname;
mod secrets;
mod servers;
mod test;

pub use draft::MfaProviderDraft;
pub use every::ProviderTest;
pub(crate) use secrets::{open_secrets, resealed as resealed_secrets};
pub use test::MfaProviderTest;

use tracing::{info, warn};
use vestibule_engine::audit::{Detail, Entry, Event, ObjectKind};
use vestibule_engine::mfa::{FIDO2_PROVIDER, TOTP_PROVIDER};
use vestibule_engine::privilege::{PrivilegeType, Reach, Target};
use vestibule_engine::provider::ProviderKind;
use vestibule_engine::{MfaProvider, MfaProviderId};
use vestibule_store::{Creation, ListQuery, Listing, Removal, Replacement, StoredProvider};

use crate::reach::within;
use crate::{Caller, Conflict, Inner, Missing, Service, ServiceError};
use draft::Checked;
use secrets::RadiusSecrets;
use servers::Base;

/// How often a provider is read again when it was changed meanwhile.
const MOST_TRIES: u8 = 16;
/// Octets under which a secret can be guessed from one packet that was overheard.
const SHORT_SECRET: usize = 12;

impl Service {
    /// Providers.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] without View on `MfaProvider`.
    pub async fn mfa_providers(
        &self,
        caller: &Caller,
        query: &ListQuery,
    ) -> Result<Listing<MfaProvider>, ServiceError> {
        let reach = caller.may(PrivilegeType::View, Target::MfaProvider)?;
        Ok(self.inner.store.providers(&within(query, &reach)).await?)
    }

    /// One provider.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] without View on `MfaProvider`, then [`ServiceError::NotFound`].
    pub async fn mfa_provider(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<MfaProvider, ServiceError> {
        let reach = caller.may(PrivilegeType::View, Target::MfaProvider)?;
        let stored = self.inner.stored_provider(id.parse().ok()).await?;
        let provider = stored.map(|stored| stored.provider);
        caller.shown(
            (PrivilegeType::View, &reach),
            provider,
            Missing::MfaProvider,
        )
    }

    /// Makes a provider.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] without Create on `MfaProvider`; what is wrong with the draft;
    /// [`ServiceError::Conflict`] when name or id are taken.
    pub async fn add_mfa_provider(
        &self,
        caller: &Caller,
        mut draft: MfaProviderDraft,
    ) -> Result<MfaProvider, ServiceError> {
        let object = (ObjectKind::MfaProvider, None);
        let done = async {
            let reach = caller.may(PrivilegeType::Create, Target::MfaProvider)?;
            caller.tag::<MfaProvider>(&mut draft.tags);
            let inner = &*self.inner;
            let new_id = MfaProviderId::from_random(inner.random.bytes());
            let refusal = "is built in, and cannot be made";
            let Checked { provider, secrets } =
                draft.new_provider(new_id, self.now(), Base::nothing(), refusal)?;
            caller.must_admit(&reach, &provider)?;
            let new = secrets::seal(inner, provider, secrets.as_ref())?;
            let id = new.provider.id;
            let trail = [self.sign(about(caller.did(Event::MfaProviderCreated), &new.provider))];
            match inner.store.add_provider(&new, &trail).await? {
                Creation::Created => {
                    info!(provider.id = %id, by.id = %caller.bearer.user.id, "MFA provider made");
                    warn_of_short_secret(id, secrets.as_ref());
                    Ok(new.provider)
                }
                Creation::IdTaken => Err(ServiceError::Conflict(Conflict::MfaProviderId)),
                Creation::NameTaken => Err(ServiceError::Conflict(Conflict::MfaProviderName)),
                Creation::Moved => Err(ServiceError::contended()),
            }
        };
        caller.tries(Event::MfaProviderCreated, object, done).await
    }

    /// Puts a provider in the place of the one with the id `path`, or with the draft's own id if
    /// there is no path.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] without Edit on `MfaProvider`; what is wrong with the draft;
    /// [`ServiceError::NotFound`]; [`ServiceError::Conflict`] when the name is taken.
    pub async fn replace_mfa_provider(
        &self,
        caller: &Caller,
        path: Option<&str>,
        draft: &MfaProviderDraft,
    ) -> Result<MfaProvider, ServiceError> {
        let object = (ObjectKind::MfaProvider, path.or(draft.id.as_deref()));
        let done = async {
            let reach = caller.may_change::<MfaProvider>()?;
            let inner = &*self.inner;
            let id = path.or(draft.id.as_deref()).and_then(|id| id.parse().ok());
            for _ in 0..MOST_TRIES {
                let stored = inner.stored_provider(id).await?;
                if stored.is_none() {
                    draft.replacing_nothing(path.is_some(), id)?;
                }
                let stored =
                    caller.shown((PrivilegeType::Edit, &reach), stored, Missing::MfaProvider)?;
                let base = inner.kept_by(&stored, draft)?;
                let Checked { provider, secrets } =
                    draft.replacing(&stored.provider, base, self.now())?;
                let only_tags = draft.only_retags(&stored.provider, &provider);
                caller.must_replace(&stored.provider, &provider, only_tags)?;
                let new = secrets::seal(inner, provider, secrets.as_ref())?;
                let id = new.provider.id;
                let entry = about(caller.did(Event::MfaProviderReplaced), &new.provider);
                let former = &stored.provider.name;
                let former = (*former != new.provider.name).then_some(former);
                let trail = [self.sign(entry.with_some(Detail::FormerName, former))];
                match inner.store.replace_provider(&new, &trail).await? {
                    Replacement::Done => {
                        info!(provider.id = %id, by.id = %caller.bearer.user.id, "MFA provider changed");
                        warn_of_short_secret(id, secrets.as_ref());
                        return Ok(new.provider);
                    }
                    Replacement::Moved => {}
                    Replacement::NameTaken => {
                        return Err(ServiceError::Conflict(Conflict::MfaProviderName));
                    }
                }
            }
            Err(ServiceError::contended())
        };
        caller.tries(Event::MfaProviderReplaced, object, done).await
    }

    /// Deletes a provider.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] without Delete on `MfaProvider`; [`ServiceError::NotFound`];
    /// [`ServiceError::Conflict`] for one that is built in, or that administrators need to sign in.
    pub async fn remove_mfa_provider(&self, caller: &Caller, id: &str) -> Result<(), ServiceError> {
        let object = (ObjectKind::MfaProvider, Some(id));
        let done = async {
            let reach = caller.may(PrivilegeType::Delete, Target::MfaProvider)?;
            let stored = self.inner.stored_provider(id.parse().ok()).await?;
            let stored = caller.shown(
                (PrivilegeType::Delete, &reach),
                stored,
                Missing::MfaProvider,
            )?;
            let id = stored.provider.id;
            if [TOTP_PROVIDER, FIDO2_PROVIDER].contains(&id) {
                return Err(ServiceError::Conflict(Conflict::MfaProviderBuiltIn));
            }
            let trail = [self.sign(about(
                caller.did(Event::MfaProviderDeleted),
                &stored.provider,
            ))];
            match self.inner.store.remove_provider(id, &trail).await? {
                Removal::Removed => {
                    info!(provider.id = %id, by.id = %caller.bearer.user.id, "MFA provider deleted");
                    Ok(())
                }
                Removal::Missing => Err(ServiceError::NotFound(Missing::MfaProvider)),
                Removal::InUse => Err(ServiceError::Conflict(Conflict::MfaProviderInUse)),
            }
        };
        caller.tries(Event::MfaProviderDeleted, object, done).await
    }

    /// Asks the servers of a provider, be it stored or not, whether they would answer. Its secrets
    /// are lent to the draft if it has the id, the servers and the port of the stored one, and not
    /// otherwise: nobody has packets signed for them that go elsewhere.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] without Test on `MfaProvider`; what is wrong with the draft.
    pub async fn test_mfa_provider(
        &self,
        caller: &Caller,
        draft: &MfaProviderDraft,
    ) -> Result<MfaProviderTest, ServiceError> {
        let object = (ObjectKind::MfaProvider, draft.id.as_deref());
        let done = async {
            let reach = caller.may(PrivilegeType::Test, Target::MfaProvider)?;
            let inner = &*self.inner;
            let id = draft.id.as_deref().and_then(|id| id.parse().ok());
            let stored = inner.stored_provider(id).await?;
            if reach != Reach::Everything {
                caller.shown(
                    (PrivilegeType::Test, &reach),
                    stored.clone(),
                    Missing::MfaProvider,
                )?;
            }
            let base = match &stored {
                None => Base::nothing(),
                Some(stored) => match &stored.provider.kind {
                    ProviderKind::Radius(settings) if !draft.asks(settings) => {
                        Base::stored(settings, None, None)
                    }
                    ProviderKind::TimeBased | ProviderKind::Fido2 | ProviderKind::Radius(_) => {
                        inner.kept_by(stored, draft)?
                    }
                },
            };
            let new_id = MfaProviderId::from_random(inner.random.bytes());
            let refusal = "is built in, and has nothing to test";
            let Checked { provider, secrets } =
                draft.new_provider(new_id, self.now(), base, refusal)?;
            let (ProviderKind::Radius(settings), Some(secrets)) = (&provider.kind, &secrets) else {
                return Err(ServiceError::bug(
                    "a provider cannot be tested",
                    "no servers",
                ));
            };
            let found = test::ask(inner, settings, &secrets.shared).await?;
            info!(provider.id = id.map(tracing::field::display), by.id = %caller.bearer.user.id,
                works = found.error.is_none(), "MFA provider tested");
            let entry = about(caller.did(Event::MfaProviderTested), &provider);
            inner
                .record(entry.with_some(Detail::Reply, found.error.as_ref()))
                .await?;
            Ok(found)
        };
        caller.tries(Event::MfaProviderTested, object, done).await
    }
}

fn about(entry: Entry, provider: &MfaProvider) -> Entry {
    let id = provider.id.to_string();
    entry.to(ObjectKind::MfaProvider, Some(&id), Some(&provider.name))
}

impl Inner {
    /// A provider with its secrets; none has an id that is no UUID.
    pub(crate) async fn stored_provider(
        &self,
        id: Option<MfaProviderId>,
    ) -> Result<Option<StoredProvider>, ServiceError> {
        match id {
            Some(id) => Ok(self.store.provider(id).await?),
            None => Ok(None),
        }
    }

    /// What a draft does not change. A secret that it replaces is not opened: one that does not
    /// open any more can be replaced.
    fn kept_by<'a>(
        &self,
        stored: &'a StoredProvider,
        draft: &MfaProviderDraft,
    ) -> Result<Base<'a>, ServiceError> {
        let ProviderKind::Radius(settings) = &stored.provider.kind else {
            return Ok(Base::nothing());
        };
        let shared = match draft.shared_secret {
            None => secrets::open_shared(self, stored)?,
            Some(_) => None,
        };
        let challenge = match draft.challenge_secret {
            None => secrets::open_challenge(self, stored)?,
            Some(_) => None,
        };
        Ok(Base::stored(settings, shared, challenge))
    }
}

fn warn_of_short_secret(id: MfaProviderId, secrets: Option<&RadiusSecrets>) {
    if secrets.is_some_and(|secrets| secrets.shared.expose().len() < SHORT_SECRET) {
        warn!(provider.id = %id, "The RADIUS secret is shorter than {SHORT_SECRET} bytes: \
            it can be guessed from one packet that was overheard");
    }
}
