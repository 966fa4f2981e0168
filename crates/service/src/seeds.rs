//! Seeds, as administrators see them.

use tracing::info;
use vestibule_engine::DistinguishedName;
use vestibule_engine::privilege::{PrivilegeType, Target, of_roles};
use vestibule_store::{FactorReset, ListQuery, Listing, SeedSummary};

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
        caller.must(PrivilegeType::View, Target::OtpSeed)?;
        Ok(self.inner.store.seeds(query).await?)
    }

    /// Deletes the seed of a user: a new one is shown at the next sign-in, the guess budget is full
    /// again, and partial tokens end.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] without Delete on `OtpSeed`, or for a user who may do what the
    /// caller may not; [`ServiceError::NotFound`] when there is no seed.
    pub async fn reset_seed(
        &self,
        caller: &Caller,
        name: &DistinguishedName,
    ) -> Result<(), ServiceError> {
        caller.must(PrivilegeType::Delete, Target::OtpSeed)?;
        let missing = || ServiceError::NotFound(Missing::Seed);
        let key = name.local_key().ok_or_else(missing)?;
        let user = self
            .inner
            .store
            .user_by_name(&key)
            .await?
            .ok_or_else(missing)?;
        caller.must_cover(&of_roles(&user.roles))?;
        match self.inner.store.reset_factor(user.id).await? {
            FactorReset::Reset => {
                info!(subject.id = %user.id, by.id = %caller.bearer.user.id, "Seed reset");
                Ok(())
            }
            FactorReset::NoSeed => Err(missing()),
        }
    }
}
