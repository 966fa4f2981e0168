//! Passwords.

use async_trait::async_trait;
use vestibule_engine::password::{Lane, PasswordFailures};
use vestibule_engine::{DeviceId, NameKey, Timestamp};
use vestibule_store::{
    DeviceLane, FirstFactors, PasswordFailure, PasswordStanding, SessionStart, StoreError, Swap,
    Trail,
};

use crate::MemoryStore;
use crate::tables::Tables;

#[async_trait]
impl FirstFactors for MemoryStore {
    async fn password_standing(
        &self,
        name: &NameKey,
        device: DeviceId,
    ) -> Result<Option<PasswordStanding>, StoreError> {
        let tables = self.tables();
        Ok(tables
            .account_by_name(name)
            .map(|account| PasswordStanding {
                user: account.user.clone(),
                password: account.password.clone(),
                device: tables.devices.get(&(account.user.id, device)).copied(),
                lockout: tables.local_provider.lockout,
                provider: tables.provider(),
                exemption: tables.exemption(&account.user),
            }))
    }

    async fn count_password_failure(
        &self,
        failure: &PasswordFailure,
        trail: Trail<'_>,
    ) -> Result<Swap, StoreError> {
        let mut tables = self.tables();
        Ok(match tables.unmoved(&failure.lane) {
            None => Swap::Moved,
            Some(failures) => {
                *failures = failure.failures;
                tables.write_down(trail);
                Swap::Done
            }
        })
    }

    async fn start_session(
        &self,
        start: &SessionStart,
        trail: Trail<'_>,
    ) -> Result<Swap, StoreError> {
        let mut tables = self.tables();
        let token = start.partial.record();
        let right = tables
            .accounts
            .get(&start.lane.user)
            .is_some_and(|account| {
                !account.user.disabled && account.password.as_ref() == Some(&start.password)
            });
        if !right {
            return Ok(Swap::Moved);
        }
        tables.check_new(token)?;
        let Some(failures) = tables.unmoved(&start.lane) else {
            return Ok(Swap::Moved);
        };
        *failures = PasswordFailures::default();
        if let Some(account) = tables.accounts.get_mut(&start.lane.user) {
            account.user.password_failures = PasswordFailures::default();
        }
        tables.insert_token(token);
        tables.write_down(trail);
        Ok(Swap::Done)
    }

    async fn forget_devices(
        &self,
        last_completed_before: Timestamp,
        most: u32,
    ) -> Result<u64, StoreError> {
        let mut tables = self.tables();
        let mut forgotten = 0;
        tables.devices.retain(|_, device| {
            let goes = device.last_completed < last_completed_before && forgotten < u64::from(most);
            forgotten += u64::from(goes);
            !goes
        });
        Ok(forgotten)
    }
}

impl Tables {
    /// The failures of a lane, if they are still what they were.
    fn unmoved(&mut self, lane: &DeviceLane) -> Option<&mut PasswordFailures> {
        let failures = match lane.lane {
            Lane::Account(_) => &mut self.accounts.get_mut(&lane.user)?.user.password_failures,
            Lane::Device(_) => &mut self.devices.get_mut(&(lane.user, lane.device))?.failures,
        };
        (*failures == lane.lane.failures()).then_some(failures)
    }
}
