//! Seeds, as administrators see them.

use tracing::info;
use vestibule_engine::DistinguishedName;
use vestibule_engine::audit::Event;
use vestibule_engine::privilege::{PrivilegeType, Reach, Target};
use vestibule_store::{FactorReset, ListQuery, Listing, SeedSummary};

use crate::reach::as_allowed;
use crate::{Caller, Missing, Service, ServiceError};

impl Service {
    /// Users with a seed.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] without View on `OtpSeed`.
    pub async fn seeds(
        &self,
        caller: &Caller,
        query: &ListQuery,
    ) -> Result<Listing<SeedSummary>, ServiceError> {
        let reach = caller.may(PrivilegeType::View, Target::OtpSeed)?;
        if self.reaches_local_users(&reach).await? {
            Ok(self.inner.store.seeds(query).await?)
        } else {
            Ok(Listing::empty())
        }
    }

    /// Deletes the seed of a user, if it is the name of one: a new one is shown at the next sign-in, the guess budget is full
    /// again, and partial tokens end.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] without Delete on `OtpSeed`, or for a user who may do what the
    /// caller may not; [`ServiceError::NotFound`] when there is no seed.
    pub async fn reset_seed(
        &self,
        caller: &Caller,
        name: Option<&DistinguishedName>,
    ) -> Result<(), ServiceError> {
        as_allowed!(self, caller, self.try_reset_seed(caller, name))
    }

    async fn try_reset_seed(
        &self,
        caller: &Caller,
        name: Option<&DistinguishedName>,
    ) -> Result<Option<()>, ServiceError> {
        let (kind, target) = (PrivilegeType::Delete, Target::OtpSeed);
        let reach = caller.may(kind, target)?;
        let denied = || caller.denied(kind, target);
        if !self.reaches_local_users(&reach).await? {
            return Err(denied());
        }
        // Who does not reach everything learns of nobody whether they are there.
        let missing = || match reach {
            Reach::Everything => ServiceError::NotFound(Missing::Seed),
            Reach::Within(_) | Reach::Nothing => denied(),
        };
        let user = match name.and_then(DistinguishedName::local_key) {
            Some(key) => self.inner.store.user_by_name(&key).await?,
            None => None,
        };
        let user = user.ok_or_else(missing)?;
        if !self.covers(caller, (kind, target), &user).await? {
            return Ok(None);
        }
        let authority = Some(caller.authority());
        let trail = [self.sign(caller.did(Event::SeedReset).to_user(&user))];
        let store = &self.inner.store;
        match store.reset_factor(user.id, authority, &trail).await? {
            FactorReset::Reset => {
                info!(subject.id = %user.id, by.id = %caller.bearer.user.id, "Seed reset");
                Ok(Some(()))
            }
            FactorReset::NoSeed => Err(missing()),
            FactorReset::Moved => Ok(None),
        }
    }
}
