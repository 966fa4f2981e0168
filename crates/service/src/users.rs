//! Users, as administrators see, make and change them.

mod draft;

pub use draft::UserDraft;

use std::sync::Arc;

use tracing::info;
use vestibule_engine::audit::{Detail, Entry, Event, ObjectKind};
use vestibule_engine::invalid::Fields;
use vestibule_engine::privilege::{PrivilegeType, Reach, Target};
use vestibule_engine::user::ADMIN;
use vestibule_engine::{FieldErrors, RoleId, Secret, User, UserId, UserName};
use vestibule_store::{
    Creation, Holdings, ListQuery, Listing, NewUser, PasswordHash, UserChange, UserWrite,
};

use crate::reach::{as_allowed, within};
use crate::{Caller, ClientAddress, Conflict, Missing, Service, ServiceError};

use draft::{Checked, Purpose};

/// A change that may be made, and what is said of it.
struct Replaceable {
    change: UserChange,
    former_name: Option<UserName>,
    /// The roles that the user has, or had.
    holdings: Holdings,
}

impl Service {
    /// Users.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] without View on `LocalUser`.
    pub async fn users(
        &self,
        caller: &Caller,
        query: &ListQuery,
    ) -> Result<Listing<User>, ServiceError> {
        let reach = caller.may(PrivilegeType::View, Target::LocalUser)?;
        Ok(self.inner.store.users(&within(query, &reach)).await?)
    }

    /// A user.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] without View on the `LocalUser`; [`ServiceError::NotFound`].
    pub async fn user(&self, caller: &Caller, id: &str) -> Result<User, ServiceError> {
        let reach = caller.may(PrivilegeType::View, Target::LocalUser)?;
        self.user_within(caller, (PrivilegeType::View, &reach), id.parse().ok())
            .await
    }

    /// The user whom the caller asks for, if they may see them with this reach; none has an id that
    /// is no UUID.
    async fn user_within(
        &self,
        caller: &Caller,
        asked: (PrivilegeType, &Reach),
        id: Option<UserId>,
    ) -> Result<User, ServiceError> {
        let user = match id {
            Some(id) => self.inner.store.user(id).await?,
            None => None,
        };
        caller.shown(asked, user, Missing::User)
    }

    /// Puts a user in the place of the one with the id `path`, or with the draft's own id if there
    /// is no path. What the reader of the draft found wrong is in `fields` already.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] without Edit on the `LocalUser` (or Tag, if only tags change),
    /// or when the user has, or would be given, what the caller does not hold; what is wrong with
    /// the draft; [`ServiceError::NotFound`]; [`ServiceError::Conflict`] when the name is taken, or
    /// nobody would be left who may do everything.
    pub async fn replace_user(
        &self,
        caller: &Caller,
        path: Option<&str>,
        draft: UserDraft,
        fields: Fields,
    ) -> Result<User, ServiceError> {
        let object = (ObjectKind::User, path);
        let done = async {
            caller.may_change::<User>()?;
            // What is no id is nobody's, and so is one that nobody has had yet.
            let new_id = || UserId::from_random(self.inner.random.bytes());
            let path = path.map(|path| path.parse().unwrap_or_else(|_| new_id()));
            let purpose = Purpose::Replacement { path };
            let Checked {
                user,
                password,
                has_roles,
            } = self.checked(draft, fields, &purpose).await?;
            let mut change = UserChange {
                user,
                password: None,
                authority: caller.authority(),
            };
            // Before the hash is made: whoever may not do it should not make us work.
            let sets_password = password.is_some();
            as_allowed!(
                self,
                caller,
                self.replaceable(caller, change.clone(), has_roles, sets_password)
            )?;
            change.password = self.hashed(password, caller.origin.address).await?;
            as_allowed!(
                self,
                caller,
                self.try_replace_user(caller, change.clone(), has_roles)
            )
        };
        caller.tries(Event::UserReplaced, object, done).await
    }

    async fn try_replace_user(
        &self,
        caller: &Caller,
        change: UserChange,
        has_roles: bool,
    ) -> Result<Option<User>, ServiceError> {
        let sets_password = change.password.is_some();
        let change = self.replaceable(caller, change, has_roles, sets_password);
        let Some(Replaceable {
            change,
            former_name,
            holdings,
        }) = change.await?
        else {
            return Ok(None);
        };
        let entry = caller.did(Event::UserReplaced);
        let entry = with_user(entry, &change.user, &holdings, sets_password);
        let trail = [self.sign(entry.with_some(Detail::FormerName, former_name))];
        match self.inner.store.replace_user(&change, &trail).await? {
            UserWrite::Done => {
                let user = change.user;
                info!(subject.id = %user.id, by.id = %caller.bearer.user.id, "User changed");
                Ok(Some(user))
            }
            UserWrite::Moved => Ok(None),
            UserWrite::NameTaken => Err(ServiceError::Conflict(Conflict::UserName)),
            UserWrite::LastAdministrator => {
                Err(ServiceError::Conflict(Conflict::LastAdministrator))
            }
        }
    }

    /// The change as it is to be made now, if the caller may make it; `None` when who may do what
    /// has changed since the caller was recognised.
    async fn replaceable(
        &self,
        caller: &Caller,
        mut change: UserChange,
        has_roles: bool,
        sets_password: bool,
    ) -> Result<Option<Replaceable>, ServiceError> {
        let reach = caller.may_change::<User>()?;
        let user = &mut change.user;
        let asked = (PrivilegeType::Edit, Target::LocalUser);
        let before = self
            .user_within(caller, (asked.0, &reach), Some(user.id))
            .await?;
        if !has_roles {
            user.roles.clone_from(&before.roles);
        }
        user.created = before.created;
        user.exempt_until = before.exempt_until;
        let wanted: Vec<_> = before.roles.iter().chain(&user.roles).copied().collect();
        let holdings = self.inner.store.holdings(&wanted).await?;
        if holdings.authority != caller.authority() {
            return Ok(None);
        }
        must_be_roles(&user.roles, &holdings)?;
        caller.must_cover(asked, &holdings.privileges())?;
        let retagged = User {
            tags: user.tags.clone(),
            updated: user.updated,
            ..before.clone()
        };
        caller.must_replace(&before, user, !sets_password && *user == retagged)?;
        change.authority = caller.authority();
        let former_name = (before.name != change.user.name).then_some(before.name);
        Ok(Some(Replaceable {
            change,
            former_name,
            holdings,
        }))
    }

    /// Deletes a user with everything that is the user's.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] without Delete on the `LocalUser`, or for a user who may do what
    /// the caller may not; [`ServiceError::NotFound`]; [`ServiceError::Conflict`] for the one that
    /// is built in, and when nobody would be left who may do everything.
    pub async fn remove_user(&self, caller: &Caller, id: &str) -> Result<(), ServiceError> {
        let object = (ObjectKind::User, Some(id));
        let done = async { as_allowed!(self, caller, self.try_remove_user(caller, id)) };
        caller.tries(Event::UserDeleted, object, done).await
    }

    async fn try_remove_user(&self, caller: &Caller, id: &str) -> Result<Option<()>, ServiceError> {
        let asked = (PrivilegeType::Delete, Target::LocalUser);
        let reach = caller.may(asked.0, asked.1)?;
        let user = self
            .user_within(caller, (asked.0, &reach), id.parse().ok())
            .await?;
        if !self.covers(caller, asked, &user).await? {
            return Ok(None);
        }
        if user.id == ADMIN {
            return Err(ServiceError::Conflict(Conflict::UserBuiltIn));
        }
        let authority = Some(caller.authority());
        let trail = [self.sign(caller.did(Event::UserDeleted).to_user(&user))];
        let store = &self.inner.store;
        match store.remove_user(user.id, authority, &trail).await? {
            UserWrite::Done => {
                info!(subject.id = %user.id, by.id = %caller.bearer.user.id, "User deleted");
                Ok(Some(()))
            }
            UserWrite::Moved => Ok(None),
            UserWrite::LastAdministrator => {
                Err(ServiceError::Conflict(Conflict::LastAdministrator))
            }
            UserWrite::NameTaken => Err(ServiceError::bug(
                "a user was not deleted",
                "the name is taken",
            )),
        }
    }

    /// Lets pass who may do all that a user may; whether that was decided on what the caller may
    /// do now.
    pub(crate) async fn covers(
        &self,
        caller: &Caller,
        asked: (PrivilegeType, Target),
        user: &User,
    ) -> Result<bool, ServiceError> {
        let holdings = self.inner.store.holdings(&user.roles).await?;
        if holdings.authority != caller.authority() {
            return Ok(false);
        }
        caller.must_cover(asked, &holdings.privileges())?;
        Ok(true)
    }

    /// Makes a user. What the reader of the draft found wrong is in `fields` already.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] without Create on `LocalUser`, or when the user would be given
    /// what the caller does not hold, or be out of the reach of the privilege;
    /// [`ServiceError::Conflict`] when name or id are taken.
    pub async fn add_user(
        &self,
        caller: &Caller,
        mut draft: UserDraft,
        fields: Fields,
    ) -> Result<User, ServiceError> {
        let object = (ObjectKind::User, None);
        let done = async {
            caller.may(PrivilegeType::Create, Target::LocalUser)?;
            caller.tag::<User>(&mut draft.tags);
            let purpose = Purpose::New(UserId::from_random(self.inner.random.bytes()));
            let Checked { user, password, .. } = self.checked(draft, fields, &purpose).await?;
            // Before the hash is made: whoever may not do it should not make us work.
            as_allowed!(self, caller, self.may_make(caller, &user))?;
            let mut new = NewUser {
                user,
                password: self.hashed(password, caller.origin.address).await?,
                authority: None,
            };
            as_allowed!(self, caller, self.try_add_user(caller, &mut new))?;
            Ok(new.user)
        };
        caller.tries(Event::UserCreated, object, done).await
    }

    /// Lets pass who may make this user; `None` when who may do what has changed since the caller
    /// was recognised.
    async fn may_make(
        &self,
        caller: &Caller,
        user: &User,
    ) -> Result<Option<Holdings>, ServiceError> {
        let asked = (PrivilegeType::Create, Target::LocalUser);
        let reach = caller.may(asked.0, asked.1)?;
        caller.must_admit(&reach, user)?;
        let holdings = self.inner.store.holdings(&user.roles).await?;
        if holdings.authority != caller.authority() {
            return Ok(None);
        }
        must_be_roles(&user.roles, &holdings)?;
        caller.must_cover(asked, &holdings.privileges())?;
        Ok(Some(holdings))
    }

    async fn try_add_user(
        &self,
        caller: &Caller,
        new: &mut NewUser,
    ) -> Result<Option<()>, ServiceError> {
        let Some(holdings) = self.may_make(caller, &new.user).await? else {
            return Ok(None);
        };
        new.authority = Some(caller.authority());
        let entry = caller.did(Event::UserCreated);
        let made = self.store_user(new, entry, &holdings).await?;
        if made {
            info!(subject.id = %new.user.id, by.id = %caller.bearer.user.id, "User made");
        }
        Ok(made.then_some(()))
    }

    /// Makes a user with nobody's leave but the operator's.
    ///
    /// # Errors
    /// What is wrong with the draft; [`ServiceError::Conflict`] when name or id are taken.
    pub async fn add_user_as_operator(&self, draft: UserDraft) -> Result<User, ServiceError> {
        let purpose = Purpose::New(UserId::from_random(self.inner.random.bytes()));
        let checked = self.checked(draft, Fields::default(), &purpose).await?;
        let entry = self.by_operator(Event::UserCreated, &checked.user);
        self.create_user(checked.user, checked.password, entry)
            .await
    }

    pub(crate) async fn create_user(
        &self,
        user: User,
        password: Option<Secret<String>>,
        entry: Entry,
    ) -> Result<User, ServiceError> {
        let new = NewUser {
            user,
            password: self.hashed(password, ClientAddress::Local).await?,
            authority: None,
        };
        let holdings = self.inner.store.holdings(&new.user.roles).await?;
        if self.store_user(&new, entry, &holdings).await? {
            Ok(new.user)
        } else {
            Err(ServiceError::contended())
        }
    }

    /// Whether a new user was made on the authority that it was decided at.
    async fn store_user(
        &self,
        new: &NewUser,
        entry: Entry,
        holdings: &Holdings,
    ) -> Result<bool, ServiceError> {
        let entry = with_user(entry, &new.user, holdings, new.password.is_some());
        match self.inner.store.add_user(new, &[self.sign(entry)]).await? {
            Creation::Created => Ok(true),
            Creation::Moved => Ok(false),
            Creation::IdTaken => Err(ServiceError::Conflict(Conflict::UserId)),
            Creation::NameTaken => Err(ServiceError::Conflict(Conflict::UserName)),
        }
    }

    /// What a draft asks for, if it makes sense now.
    async fn checked(
        &self,
        draft: UserDraft,
        fields: Fields,
        purpose: &Purpose,
    ) -> Result<Checked, ServiceError> {
        let holdings = self.inner.store.holdings(&draft.role_ids()).await?;
        let known: Vec<_> = holdings.roles.iter().map(|role| role.id).collect();
        let local = self.inner.store.local_provider().await?;
        let least = local.min_password_length;
        Ok(draft.check(fields, purpose, self.now(), least, &known)?)
    }

    /// The hash of a password; of none if there is none, or an empty one.
    async fn hashed(
        &self,
        password: Option<Secret<String>>,
        client: ClientAddress,
    ) -> Result<Option<PasswordHash>, ServiceError> {
        match password.filter(|password| !password.expose().is_empty()) {
            None => Ok(None),
            Some(password) => {
                let (hasher, random) = (&self.inner.hasher, &*self.inner.random);
                let hash = hasher.hash(Arc::new(password), random, client);
                Ok(Some(hash.await?))
            }
        }
    }
}

/// Refuses roles that went after they were looked for.
fn must_be_roles(roles: &[RoleId], holdings: &Holdings) -> Result<(), ServiceError> {
    let is_there = |id: &RoleId| holdings.roles.iter().any(|role| role.id == *id);
    if roles.iter().all(is_there) {
        return Ok(());
    }
    Err(FieldErrors::one(
        "administrativeRoles",
        "names a role that has just been deleted",
    )
    .into())
}

/// What is said of a user who is made or changed, whose roles are among these.
fn with_user(entry: Entry, user: &User, holdings: &Holdings, password_changed: bool) -> Entry {
    let held = holdings.roles.iter();
    let held = held.filter(|role| user.roles.contains(&role.id));
    let roles: Vec<&str> = held.map(|role| role.name.as_str()).collect();
    entry
        .to_user(user)
        .with(Detail::Roles, roles.join(", "))
        .with(Detail::Disabled, user.disabled)
        .with(Detail::PasswordChanged, password_changed)
}
