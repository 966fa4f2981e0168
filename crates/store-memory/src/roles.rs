//! Administrative roles.

use async_trait::async_trait;
use vestibule_engine::{NameKey, Role, RoleId, UserId};
use vestibule_store::{
    Authority, Holdings, ListQuery, Listing, RoleWrite, Roles, StoreError, Trail,
};

use crate::MemoryStore;
use crate::lists::list;
use crate::tables::{StoredRole, Tables};

#[async_trait]
impl Roles for MemoryStore {
    async fn role(&self, id: RoleId) -> Result<Option<Role>, StoreError> {
        let tables = self.tables();
        Ok(tables.roles.get(&id).map(|stored| stored.role.clone()))
    }

    async fn roles(&self, query: &ListQuery) -> Result<Listing<Role>, StoreError> {
        let tables = self.tables();
        let all = tables.roles.values().map(|stored| (stored, ()));
        Ok(list(all, query, |stored: &StoredRole, ()| {
            stored.role.clone()
        }))
    }

    async fn holdings(&self, roles: &[RoleId]) -> Result<Holdings, StoreError> {
        Ok(self.tables().holdings(roles))
    }

    async fn add_role(
        &self,
        role: &Role,
        authority: Authority,
        trail: Trail<'_>,
    ) -> Result<RoleWrite, StoreError> {
        let mut tables = self.tables();
        if tables.has_moved_since(authority) {
            return Ok(RoleWrite::Moved);
        }
        if tables.roles.contains_key(&role.id) {
            return Ok(RoleWrite::IdTaken);
        }
        if tables.role_name_is_taken(role) {
            return Ok(RoleWrite::NameTaken);
        }
        tables.roles.insert(role.id, StoredRole::from(role.clone()));
        tables.write_down(trail);
        Ok(RoleWrite::Done)
    }

    async fn replace_role(
        &self,
        role: &Role,
        authority: Authority,
        trail: Trail<'_>,
    ) -> Result<RoleWrite, StoreError> {
        let mut tables = self.tables();
        let Some(before) = tables.roles.get(&role.id) else {
            return Ok(RoleWrite::Moved);
        };
        let created = before.role.created;
        if tables.has_moved_since(authority) {
            return Ok(RoleWrite::Moved);
        }
        if tables.role_name_is_taken(role) {
            return Ok(RoleWrite::NameTaken);
        }
        if !role.privileges.are_everything() && tables.needs_role(role.id) {
            return Ok(RoleWrite::LastAdministrator);
        }
        let role = Role {
            created,
            ..role.clone()
        };
        tables.roles.insert(role.id, StoredRole::from(role));
        tables.authority.0 += 1;
        tables.write_down(trail);
        Ok(RoleWrite::Done)
    }

    async fn remove_role(
        &self,
        id: RoleId,
        authority: Authority,
        trail: Trail<'_>,
    ) -> Result<RoleWrite, StoreError> {
        let mut tables = self.tables();
        if !tables.roles.contains_key(&id) || tables.has_moved_since(authority) {
            return Ok(RoleWrite::Moved);
        }
        let mut accounts = tables.accounts.values();
        if accounts.any(|account| account.user.roles.contains(&id)) {
            return Ok(RoleWrite::InUse);
        }
        tables.roles.remove(&id);
        tables.authority.0 += 1;
        tables.write_down(trail);
        Ok(RoleWrite::Done)
    }
}

impl Tables {
    /// Those of these roles that there are, and the authority.
    pub(crate) fn holdings(&self, roles: &[RoleId]) -> Holdings {
        Holdings {
            roles: self.roles_among(roles).cloned().collect(),
            authority: self.authority,
        }
    }

    /// The roles whose holders may do everything.
    pub(crate) fn administering(&self) -> Vec<RoleId> {
        let all = self.roles.values().map(|stored| &stored.role);
        let administering = all.filter(|role| role.privileges.are_everything());
        administering.map(|role| role.id).collect()
    }

    /// Whether somebody but this user can sign in and holds one of these roles.
    pub(crate) fn has_other(&self, user: Option<UserId>, roles: &[RoleId]) -> bool {
        let mut others = self.accounts.values().map(|account| &account.user);
        others.any(|other| Some(other.id) != user && other.holds_one_of(roles))
    }

    /// Whether somebody may do everything, but nobody would without this role.
    fn needs_role(&self, id: RoleId) -> bool {
        let mut roles = self.administering();
        let somebody = self.has_other(None, &roles);
        roles.retain(|role| *role != id);
        somebody && !self.has_other(None, &roles)
    }

    /// Whether another role has the name of this one.
    fn role_name_is_taken(&self, role: &Role) -> bool {
        let name = NameKey::of(&role.name);
        let mut others = self.roles.values().map(|stored| &stored.role);
        others.any(|other| other.id != role.id && NameKey::of(&other.name) == name)
    }
}
