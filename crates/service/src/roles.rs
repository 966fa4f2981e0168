//! Administrative roles, as administrators see, make and change them.

mod draft;

pub use draft::{PrivilegeDraft, RoleDraft, ScopeDraft};

use tracing::info;
use vestibule_engine::audit::{Detail, Entry, Event, ObjectKind};
use vestibule_engine::privilege::{PrivilegeType, Reach, Target};
use vestibule_engine::{Role, RoleId};
use vestibule_store::{ListQuery, Listing, RoleWrite};

use crate::reach::{as_allowed, within};
use crate::{Caller, Conflict, Missing, Service, ServiceError};
use draft::Replacement;

impl Service {
    /// Roles.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] without View on `AdministrativeRole`.
    pub async fn roles(
        &self,
        caller: &Caller,
        query: &ListQuery,
    ) -> Result<Listing<Role>, ServiceError> {
        let reach = caller.may(PrivilegeType::View, Target::AdministrativeRole)?;
        Ok(self.inner.store.roles(&within(query, &reach)).await?)
    }

    /// A role.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] without View on the `AdministrativeRole`;
    /// [`ServiceError::NotFound`].
    pub async fn role(&self, caller: &Caller, id: &str) -> Result<Role, ServiceError> {
        let reach = caller.may(PrivilegeType::View, Target::AdministrativeRole)?;
        self.role_within(caller, (PrivilegeType::View, &reach), id.parse().ok())
            .await
    }

    /// The role that the caller asks for, if they may see it with this reach; none has an id that is
    /// no UUID.
    async fn role_within(
        &self,
        caller: &Caller,
        asked: (PrivilegeType, &Reach),
        id: Option<RoleId>,
    ) -> Result<Role, ServiceError> {
        let role = match id {
            Some(id) => self.inner.store.role(id).await?,
            None => None,
        };
        caller.shown(asked, role, Missing::Role)
    }

    /// Makes a role.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] without Create on `AdministrativeRole`, or when the role would
    /// allow what the caller may not, or be out of the reach of the privilege; what is wrong with
    /// the draft; [`ServiceError::Conflict`] when name or id are taken.
    pub async fn add_role(
        &self,
        caller: &Caller,
        mut draft: RoleDraft,
    ) -> Result<Role, ServiceError> {
        let object = (ObjectKind::AdministrativeRole, None);
        let done = async {
            caller.may(PrivilegeType::Create, Target::AdministrativeRole)?;
            caller.tag::<Role>(&mut draft.tags);
            let new_id = RoleId::from_random(self.inner.random.bytes());
            let role = draft.new_role(new_id, self.now())?;
            as_allowed!(self, caller, self.try_add_role(caller, &role))
        };
        caller
            .tries(Event::AdministrativeRoleCreated, object, done)
            .await
    }

    async fn try_add_role(
        &self,
        caller: &Caller,
        role: &Role,
    ) -> Result<Option<Role>, ServiceError> {
        let asked = (PrivilegeType::Create, Target::AdministrativeRole);
        let reach = caller.may(asked.0, asked.1)?;
        caller.must_admit(&reach, role)?;
        caller.must_cover(asked, &role.privileges)?;
        let trail = [self.sign(about(caller.did(Event::AdministrativeRoleCreated), role))];
        let (store, authority) = (&self.inner.store, caller.authority());
        let written = store.add_role(role, authority, &trail).await?;
        done(written, caller, role, "Administrative role made")
    }

    /// Puts a role in the place of the one with the id `path`, or with the draft's own id if there
    /// is no path. Its holders may do what it then allows at once.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] without Edit on the `AdministrativeRole` (or Tag, if only tags
    /// change), or when the role allows, or would allow, what the caller may not; what is wrong
    /// with the draft; [`ServiceError::NotFound`]; [`ServiceError::Conflict`] when the name is
    /// taken, or nobody would be left who may do everything.
    pub async fn replace_role(
        &self,
        caller: &Caller,
        path: Option<&str>,
        draft: RoleDraft,
    ) -> Result<Role, ServiceError> {
        let object = (ObjectKind::AdministrativeRole, path);
        let done = async {
            caller.may_change::<Role>()?;
            let id: Option<RoleId> = path.or(draft.id.as_deref()).and_then(|id| id.parse().ok());
            let draft = draft.replacement(path.is_some(), id, self.now())?;
            as_allowed!(self, caller, self.try_replace_role(caller, id, &draft))
        };
        caller
            .tries(Event::AdministrativeRoleReplaced, object, done)
            .await
    }

    async fn try_replace_role(
        &self,
        caller: &Caller,
        id: Option<RoleId>,
        draft: &Replacement,
    ) -> Result<Option<Role>, ServiceError> {
        let reach = caller.may_change::<Role>()?;
        let asked = (PrivilegeType::Edit, Target::AdministrativeRole);
        let before = self.role_within(caller, (asked.0, &reach), id).await?;
        caller.must_cover(asked, &before.privileges)?;
        let role = draft.in_place_of(&before)?;
        caller.must_cover(asked, &role.privileges)?;
        let retagged = Role {
            tags: role.tags.clone(),
            updated: role.updated,
            ..before.clone()
        };
        caller.must_replace(&before, &role, role == retagged)?;
        let entry = about(caller.did(Event::AdministrativeRoleReplaced), &role);
        let former = (before.name != role.name).then_some(before.name);
        let trail = [self.sign(entry.with_some(Detail::FormerName, former))];
        let (store, authority) = (&self.inner.store, caller.authority());
        let written = store.replace_role(&role, authority, &trail).await?;
        done(written, caller, &role, "Administrative role changed")
    }

    /// Deletes a role.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] without Delete on the `AdministrativeRole`, or when the role
    /// allows what the caller may not; [`ServiceError::NotFound`]; [`ServiceError::Conflict`] for
    /// one that is built in, or that a user holds.
    pub async fn remove_role(&self, caller: &Caller, id: &str) -> Result<(), ServiceError> {
        let object = (ObjectKind::AdministrativeRole, Some(id));
        let done = async { as_allowed!(self, caller, self.try_remove_role(caller, id)) };
        caller
            .tries(Event::AdministrativeRoleDeleted, object, done)
            .await
    }

    async fn try_remove_role(&self, caller: &Caller, id: &str) -> Result<Option<()>, ServiceError> {
        let asked = (PrivilegeType::Delete, Target::AdministrativeRole);
        let reach = caller.may(asked.0, asked.1)?;
        let role = self.role_within(caller, (asked.0, &reach), id.parse().ok());
        let role = role.await?;
        caller.must_cover(asked, &role.privileges)?;
        if role.is_built_in() {
            return Err(ServiceError::Conflict(Conflict::RoleBuiltIn));
        }
        let trail = [self.sign(about(caller.did(Event::AdministrativeRoleDeleted), &role))];
        let (store, authority) = (&self.inner.store, caller.authority());
        let written = store.remove_role(role.id, authority, &trail).await?;
        let removed = done(written, caller, &role, "Administrative role deleted")?;
        Ok(removed.map(drop))
    }
}

fn about(entry: Entry, role: &Role) -> Entry {
    let id = role.id.to_string();
    entry.to(ObjectKind::AdministrativeRole, Some(&id), Some(&role.name))
}

/// What became of a role that was written; `None` when it must be decided anew.
fn done(
    written: RoleWrite,
    caller: &Caller,
    role: &Role,
    what: &'static str,
) -> Result<Option<Role>, ServiceError> {
    let conflict = match written {
        RoleWrite::Done => {
            info!(role.id = %role.id, by.id = %caller.bearer.user.id, "{what}");
            return Ok(Some(role.clone()));
        }
        RoleWrite::Moved => return Ok(None),
        RoleWrite::IdTaken => Conflict::RoleId,
        RoleWrite::NameTaken => Conflict::RoleName,
        RoleWrite::InUse => Conflict::RoleInUse,
        RoleWrite::LastAdministrator => Conflict::RoleNeeded,
    };
    Err(ServiceError::Conflict(conflict))
}
