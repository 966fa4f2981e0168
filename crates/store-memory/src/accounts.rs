//! Users.

use async_trait::async_trait;
use vestibule_engine::password::PasswordFailures;
use vestibule_engine::{NameKey, Timestamp, User, UserId};
use vestibule_store::{
    Accounts, Authority, Creation, Fields, ListQuery, Listing, NewUser, PasswordHash, StoreError,
    Trail, UserChange, UserWrite,
};

use crate::MemoryStore;
use crate::lists::list;
use crate::tables::{Account, Tables};

#[async_trait]
impl Accounts for MemoryStore {
    async fn has_users(&self) -> Result<bool, StoreError> {
        Ok(!self.tables().accounts.is_empty())
    }

    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        let tables = self.tables();
        Ok(tables.accounts.get(&id).map(|found| found.user.clone()))
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

    async fn add_user(&self, new: &NewUser, trail: Trail<'_>) -> Result<Creation, StoreError> {
        let mut tables = self.tables();
        let NewUser {
            user,
            password,
            authority,
        } = new.clone();
        let key = user.name.key();
        if authority.is_some_and(|authority| tables.has_moved_since(authority)) {
            return Ok(Creation::Moved);
        }
        if tables.accounts.contains_key(&user.id) {
            return Ok(Creation::IdTaken);
        }
        if tables.names.contains_key(&key) {
            return Ok(Creation::NameTaken);
        }
        tables.names.insert(key, user.id);
        let fields = Fields::from(&user);
        let account = Account {
            user,
            password,
            fields,
        };
        tables.accounts.insert(account.user.id, account);
        tables.write_down(trail);
        Ok(Creation::Created)
    }

    async fn replace_user(
        &self,
        change: &UserChange,
        trail: Trail<'_>,
    ) -> Result<UserWrite, StoreError> {
        let mut tables = self.tables();
        let UserChange { user, password, .. } = change.clone();
        let id = user.id;
        let stays = user.holds_one_of(&tables.administering());
        let before = match may_write(&tables, id, Some(change.authority), stays) {
            Ok(before) => before.clone(),
            Err(refused) => return Ok(refused),
        };
        if change.renames(&before) {
            let key = user.name.key();
            if tables.names.contains_key(&key) {
                return Ok(UserWrite::NameTaken);
            }
            tables.names.remove(&before.name.key());
            tables.names.insert(key, id);
            tables.end_exemptions(id);
        }
        if user.roles != before.roles {
            tables.authority.0 += 1;
        }
        if let Some(account) = tables.accounts.get_mut(&id) {
            account.fields = Fields::from(&user);
            account.user = User {
                created: before.created,
                exempt_until: before.exempt_until,
                ..user
            };
            if password.is_some() {
                account.password = password;
            }
        }
        if change.password.is_some() {
            end_device_failures(&mut tables, id);
        }
        if change.ends_sessions() {
            tables.end_tokens(|token| token.user == id);
        }
        tables.write_down(trail);
        Ok(UserWrite::Done)
    }

    async fn set_password(
        &self,
        user: UserId,
        password: &PasswordHash,
        now: Timestamp,
        trail: Trail<'_>,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let Some(account) = tables.accounts.get_mut(&user) else {
            return Ok(false);
        };
        account.password = Some(password.clone());
        account.user.updated = now;
        end_failures(&mut tables, user);
        tables.end_tokens(|token| token.user == user);
        tables.write_down(trail);
        Ok(true)
    }

    async fn set_disabled(
        &self,
        user: UserId,
        disabled: bool,
        now: Timestamp,
        trail: Trail<'_>,
    ) -> Result<UserWrite, StoreError> {
        let mut tables = self.tables();
        if let Err(refused) = may_write(&tables, user, None, !disabled) {
            return Ok(refused);
        }
        if let Some(account) = tables.accounts.get_mut(&user) {
            account.user.disabled = disabled;
            account.fields = Fields::from(&account.user);
            account.user.updated = now;
        }
        if disabled {
            tables.end_tokens(|token| token.user == user);
        }
        tables.write_down(trail);
        Ok(UserWrite::Done)
    }

    async fn unlock(
        &self,
        user: UserId,
        now: Timestamp,
        trail: Trail<'_>,
    ) -> Result<bool, StoreError> {
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
        tables.write_down(trail);
        Ok(true)
    }

    async fn set_exempt_until(
        &self,
        user: UserId,
        until: Option<Timestamp>,
        now: Timestamp,
        trail: Trail<'_>,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let Some(account) = tables.accounts.get_mut(&user) else {
            return Ok(false);
        };
        account.user.exempt_until = until;
        account.user.updated = now;
        tables.write_down(trail);
        Ok(true)
    }

    async fn remove_user(
        &self,
        user: UserId,
        authority: Option<Authority>,
        trail: Trail<'_>,
    ) -> Result<UserWrite, StoreError> {
        let mut tables = self.tables();
        if let Err(refused) = may_write(&tables, user, authority, false) {
            return Ok(refused);
        }
        let Some(account) = tables.accounts.remove(&user) else {
            return Ok(UserWrite::Moved);
        };
        tables.names.remove(&account.user.name.key());
        tables.devices.retain(|(owner, _), _| *owner != user);
        tables.factors.remove(&user);
        tables.pushes.retain(|_, push| push.user != user);
        tables.end_tokens(|token| token.user == user);
        tables.end_exemptions(user);
        tables.write_down(trail);
        Ok(UserWrite::Done)
    }
}

/// The user, if nothing speaks against the write.
fn may_write(
    tables: &Tables,
    id: UserId,
    authority: Option<Authority>,
    stays: bool,
) -> Result<&User, UserWrite> {
    let user = &tables.accounts.get(&id).ok_or(UserWrite::Moved)?.user;
    let administering = tables.administering();
    let moved = authority.is_some_and(|authority| tables.has_moved_since(authority));
    let administers = user.holds_one_of(&administering);
    let has_other = || tables.has_other(Some(id), &administering);
    match UserWrite::refused(moved, administers, stays, has_other) {
        None => Ok(user),
        Some(refused) => Err(refused),
    }
}

/// Ends the failures of an account and of its devices.
fn end_failures(tables: &mut Tables, user: UserId) {
    if let Some(account) = tables.accounts.get_mut(&user) {
        account.user.password_failures = PasswordFailures::default();
    }
    end_device_failures(tables, user);
}

fn end_device_failures(tables: &mut Tables, user: UserId) {
    let devices = tables.devices.iter_mut();
    for (_, device) in devices.filter(|((owner, _), _)| *owner == user) {
        device.failures = PasswordFailures::default();
    }
}
