//! Users.

use async_trait::async_trait;
use vestibule_engine::password::PasswordFailures;
use vestibule_engine::{NameKey, Timestamp, User, UserId};
use vestibule_store::{
    Accounts, Creation, ListQuery, Listing, NewUser, PasswordHash, StoreError, search_text,
};

use crate::MemoryStore;
use crate::lists::list;
use crate::tables::{Account, Tables};

#[async_trait]
impl Accounts for MemoryStore {
    async fn has_users(&self) -> Result<bool, StoreError> {
        Ok(!self.tables().accounts.is_empty())
    }

    async fn user_by_name(&self, name: &NameKey) -> Result<Option<User>, StoreError> {
        let tables = self.tables();
        Ok(tables.account_by_name(name).map(|found| found.user.clone()))
    }

    async fn users(&self, query: &ListQuery) -> Result<Listing<User>, StoreError> {
        let tables = self.tables();
        let all = tables.accounts.values().map(|account| (account, ()));
        Ok(list(all, query, |account, ()| account.user.clone()))
    }

    async fn add_user(&self, new: &NewUser) -> Result<Creation, StoreError> {
        let mut tables = self.tables();
        let NewUser { user, password } = new.clone();
        let key = user.name.key();
        if tables.accounts.contains_key(&user.id) {
            return Ok(Creation::IdTaken);
        }
        if tables.names.contains_key(&key) {
            return Ok(Creation::NameTaken);
        }
        tables.names.insert(key, user.id);
        let search = search_text(&user);
        let account = Account {
            user,
            password,
            search,
        };
        tables.accounts.insert(account.user.id, account);
        Ok(Creation::Created)
    }

    async fn set_password(
        &self,
        user: UserId,
        password: &PasswordHash,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let Some(account) = tables.accounts.get_mut(&user) else {
            return Ok(false);
        };
        account.password = Some(password.clone());
        account.user.updated = now;
        end_failures(&mut tables, user);
        tables.end_tokens(|token| token.user == user);
        Ok(true)
    }

    async fn set_disabled(
        &self,
        user: UserId,
        disabled: bool,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let Some(account) = tables.accounts.get_mut(&user) else {
            return Ok(false);
        };
        account.user.disabled = disabled;
        account.user.updated = now;
        if disabled {
            tables.end_tokens(|token| token.user == user);
        }
        Ok(true)
    }

    async fn unlock(&self, user: UserId, now: Timestamp) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let Some(account) = tables.accounts.get_mut(&user) else {
            return Ok(false);
        };
        account.user.updated = now;
        end_failures(&mut tables, user);
        if let Some(factor) = tables.factors.get_mut(&user) {
            factor.budget = factor.budget.reset();
            factor.revision += 1;
        }
        Ok(true)
    }

    async fn set_exempt_until(
        &self,
        user: UserId,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let Some(account) = tables.accounts.get_mut(&user) else {
            return Ok(false);
        };
        account.user.exempt_until = until;
        account.user.updated = now;
        Ok(true)
    }

    async fn remove_user(&self, user: UserId) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let Some(account) = tables.accounts.remove(&user) else {
            return Ok(false);
        };
        tables.names.remove(&account.user.name.key());
        tables.devices.retain(|(owner, _), _| *owner != user);
        tables.factors.remove(&user);
        tables.pushes.retain(|_, push| push.user != user);
        tables.end_tokens(|token| token.user == user);
        let entries = tables
            .admin_mfa
            .iter_mut()
            .flat_map(|settings| &mut settings.exempted);
        for entry in entries.filter(|entry| entry.user == Some(user)) {
            entry.user = None;
        }
        Ok(true)
    }
}

/// Ends the failures of an account and of its devices.
fn end_failures(tables: &mut Tables, user: UserId) {
    if let Some(account) = tables.accounts.get_mut(&user) {
        account.user.password_failures = PasswordFailures::default();
    }
    let devices = tables.devices.iter_mut();
    for (_, device) in devices.filter(|((owner, _), _)| *owner == user) {
        device.failures = PasswordFailures::default();
    }
}
