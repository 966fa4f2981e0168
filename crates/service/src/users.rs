//! Users, as administrators see, make and change them.

mod draft;

pub use draft::UserDraft;

use std::sync::Arc;

use tracing::info;
use vestibule_engine::identity::MinPasswordLength;
use vestibule_engine::invalid::Fields;
use vestibule_engine::privilege::{PrivilegeType, Target, of_roles};
use vestibule_engine::user::ADMIN;
use vestibule_engine::{Secret, User, UserId};
use vestibule_store::{Creation, ListQuery, Listing, NewUser, PasswordHash, UserChange, UserWrite};

use crate::{Caller, Conflict, Missing, Service, ServiceError};

use draft::{Checked, Purpose};

/// How often a user is read anew when somebody changed the roles in between.
const MOST_TRIES: u8 = 16;

const MISSING: ServiceError = ServiceError::NotFound(Missing::User);

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
        caller.must(PrivilegeType::View, Target::LocalUser)?;
        Ok(self.inner.store.users(query).await?)
    }

    /// A user.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] without View on `LocalUser`; [`ServiceError::NotFound`].
    pub async fn user(&self, caller: &Caller, id: &str) -> Result<User, ServiceError> {
        caller.must(PrivilegeType::View, Target::LocalUser)?;
        self.stored_user(id.parse().ok()).await
    }

    /// A user; none has an id that is no UUID.
    async fn stored_user(&self, id: Option<UserId>) -> Result<User, ServiceError> {
        let user = match id {
            Some(id) => self.inner.store.user(id).await?,
            None => None,
        };
        user.ok_or(MISSING)
    }

    /// Puts a user in the place of the one with the id `path`, or with the draft's own id if there
    /// is no path. What the reader of the draft found wrong is in `fields` already.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] without Edit on `LocalUser`, or when the user has, or would be
    /// given, what the caller does not hold; what is wrong with the draft;
    /// [`ServiceError::NotFound`]; [`ServiceError::Conflict`] when the name is taken, or nobody
    /// would be left who may do everything.
    pub async fn replace_user(
        &self,
        caller: &Caller,
        path: Option<&str>,
        draft: UserDraft,
        fields: Fields,
    ) -> Result<User, ServiceError> {
        caller.must(PrivilegeType::Edit, Target::LocalUser)?;
        // What is no id is nobody's, and so is one that nobody has had yet.
        let new_id = || UserId::from_random(self.inner.random.bytes());
        let path = path.map(|path| path.parse().unwrap_or_else(|_| new_id()));
        let purpose = Purpose::Replacement { path };
        let Checked {
            mut user,
            password,
            has_roles,
        } = draft.check(fields, &purpose, self.now(), self.least().await?)?;
        // Before the hash is made: whoever may not do it should not make us work.
        self.replaceable(caller, &user).await?;
        let password = self.hashed(password).await?;
        for _ in 0..MOST_TRIES {
            let before = self.replaceable(caller, &user).await?;
            if !has_roles {
                user.roles.clone_from(&before.roles);
            }
            user.created = before.created;
            user.exempt_until = before.exempt_until;
            let change = UserChange {
                user: user.clone(),
                password: password.clone(),
                held: before.roles,
            };
            match self.inner.store.replace_user(&change).await? {
                UserWrite::Done => {
                    info!(subject.id = %user.id, by.id = %caller.bearer.user.id, "User changed");
                    return Ok(user);
                }
                UserWrite::Moved => {}
                UserWrite::NameTaken => return Err(ServiceError::Conflict(Conflict::UserName)),
                UserWrite::LastAdministrator => {
                    return Err(ServiceError::Conflict(Conflict::LastAdministrator));
                }
            }
        }
        Err(ServiceError::contended())
    }

    /// The user whose place another is to take, if the caller holds what both may do.
    async fn replaceable(&self, caller: &Caller, new: &User) -> Result<User, ServiceError> {
        let before = self.stored_user(Some(new.id)).await?;
        caller.must_cover(&of_roles(&before.roles))?;
        caller.must_cover(&of_roles(&new.roles))?;
        Ok(before)
    }

    /// Deletes a user with everything that is the user's.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] without Delete on `LocalUser`, or for a user who may do what the
    /// caller may not; [`ServiceError::NotFound`]; [`ServiceError::Conflict`] for the one that is
    /// built in, and when nobody would be left who may do everything.
    pub async fn remove_user(&self, caller: &Caller, id: &str) -> Result<(), ServiceError> {
        caller.must(PrivilegeType::Delete, Target::LocalUser)?;
        let id: UserId = id.parse().map_err(|_| MISSING)?;
        for _ in 0..MOST_TRIES {
            let user = self.stored_user(Some(id)).await?;
            caller.must_cover(&of_roles(&user.roles))?;
            if id == ADMIN {
                return Err(ServiceError::Conflict(Conflict::UserBuiltIn));
            }
            match self.inner.store.remove_user(id, Some(&user.roles)).await? {
                UserWrite::Done => {
                    info!(subject.id = %id, by.id = %caller.bearer.user.id, "User deleted");
                    return Ok(());
                }
                UserWrite::Moved => {}
                UserWrite::LastAdministrator => {
                    return Err(ServiceError::Conflict(Conflict::LastAdministrator));
                }
                UserWrite::NameTaken => {
                    return Err(ServiceError::bug(
                        "a user was not deleted",
                        "the name is taken",
                    ));
                }
            }
        }
        Err(ServiceError::contended())
    }

    /// Makes a user. What the reader of the draft found wrong is in `fields` already.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] without Create on `LocalUser`, or when the user would be given
    /// what the caller does not hold; [`ServiceError::Conflict`] when name or id are taken.
    pub async fn add_user(
        &self,
        caller: &Caller,
        draft: UserDraft,
        fields: Fields,
    ) -> Result<User, ServiceError> {
        caller.must(PrivilegeType::Create, Target::LocalUser)?;
        let purpose = Purpose::New(UserId::from_random(self.inner.random.bytes()));
        let Checked { user, password, .. } =
            draft.check(fields, &purpose, self.now(), self.least().await?)?;
        caller.must_cover(&of_roles(&user.roles))?;
        let user = self.create_user(user, password).await?;
        info!(subject.id = %user.id, by.id = %caller.bearer.user.id, "User made");
        Ok(user)
    }

    /// Makes a user with nobody's leave but the operator's.
    ///
    /// # Errors
    /// What is wrong with the draft; [`ServiceError::Conflict`] when name or id are taken.
    pub async fn add_user_as_operator(&self, draft: UserDraft) -> Result<User, ServiceError> {
        let purpose = Purpose::New(UserId::from_random(self.inner.random.bytes()));
        let checked = draft.check(Fields::default(), &purpose, self.now(), self.least().await?)?;
        self.create_user(checked.user, checked.password).await
    }

    pub(crate) async fn create_user(
        &self,
        user: User,
        password: Option<Secret<String>>,
    ) -> Result<User, ServiceError> {
        let new = NewUser {
            user,
            password: self.hashed(password).await?,
        };
        match self.inner.store.add_user(&new).await? {
            Creation::Created => Ok(new.user),
            Creation::IdTaken => Err(ServiceError::Conflict(Conflict::UserId)),
            Creation::NameTaken => Err(ServiceError::Conflict(Conflict::UserName)),
        }
    }

    /// How long a new password must be.
    async fn least(&self) -> Result<MinPasswordLength, ServiceError> {
        let local = self.inner.store.local_provider().await?;
        Ok(local.min_password_length)
    }

    /// The hash of a password; of none if there is none, or an empty one.
    async fn hashed(
        &self,
        password: Option<Secret<String>>,
    ) -> Result<Option<PasswordHash>, ServiceError> {
        match password.filter(|password| !password.expose().is_empty()) {
            None => Ok(None),
            Some(password) => {
                let random = &*self.inner.random;
                Ok(Some(
                    self.inner.hasher.hash(Arc::new(password), random).await?,
                ))
            }
        }
    }
}
