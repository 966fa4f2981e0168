//! Users, as administrators see and make them.

use std::sync::Arc;

use tracing::info;
use vestibule_engine::invalid::Fields;
use vestibule_engine::password::PasswordFailures;
use vestibule_engine::privilege::{PrivilegeType, SYSTEM_ADMINISTRATION, Target, of_roles};
use vestibule_engine::{FieldErrors, RoleId, Secret, Timestamp, User, UserId, UserName};
use vestibule_store::{Creation, ListQuery, Listing, NewUser};

use crate::{Caller, Conflict, Service, ServiceError, labels};

/// A user to be made, as it was asked for.
#[derive(Debug, Default)]
pub struct UserDraft {
    /// The id, if the client chose one.
    pub id: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// The given name.
    pub first_name: Option<String>,
    /// The family name.
    pub last_name: Option<String>,
    /// The password; of a user with an empty one no password is right.
    pub password: Option<Secret<String>>,
    /// Where mail goes.
    pub email: Option<String>,
    /// Where calls go.
    pub phone: Option<String>,
    /// What administrators wrote down.
    pub notes: Option<String>,
    /// Labels.
    pub tags: Vec<String>,
    /// Whether sign-ins are refused.
    pub disabled: bool,
    /// Wrong passwords so far.
    pub failed_login_attempts: Option<f64>,
    /// When the last lock began.
    pub lock_start: Option<Timestamp>,
    /// Ids of roles.
    pub roles: Vec<String>,
}

/// Longest text, in octets.
const LONGEST_FIELD: usize = 1_024;

impl UserDraft {
    /// The user that was asked for, and the password.
    ///
    /// # Errors
    /// Everything that is wrong with it, with `fields` already noted by whoever read the draft.
    fn check(
        self,
        mut fields: Fields,
        new_id: UserId,
        now: Timestamp,
    ) -> Result<(User, Secret<String>), FieldErrors> {
        let id = match self.id {
            None => Some(new_id),
            Some(id) => fields.check("id", id.parse().or(Err("is not a UUID"))),
        };
        let name = fields.required("name", self.name);
        let name = name.and_then(|name| fields.check("name", UserName::new(name)));
        let first_name = fields.required("firstName", self.first_name);
        let last_name = fields.required("lastName", self.last_name);
        let password = fields.required("password", self.password);
        let notes = self.notes.unwrap_or_default();
        for (field, text) in [
            ("firstName", first_name.as_deref()),
            ("lastName", last_name.as_deref()),
            ("email", self.email.as_deref()),
            ("phone", self.phone.as_deref()),
            ("password", password.as_ref().map(|p| p.expose().as_str())),
        ] {
            if text.is_some_and(|text| text.len() > LONGEST_FIELD) {
                let message = format!("may not be longer than {LONGEST_FIELD} bytes");
                fields.refuse(field, message);
            }
            // Postgres has no place for it in a text.
            if text.is_some_and(|text| text.contains('\0')) {
                fields.refuse(field, "may not contain a null character");
            }
        }
        labels::check(&notes, &self.tags, &mut fields);
        let count = fields.check("failedLoginAttempts", whole(self.failed_login_attempts));
        let mut roles = Vec::with_capacity(self.roles.len());
        for (n, role) in self.roles.iter().enumerate() {
            let role = fields.check(format!("administrativeRoles[{n}]"), known_role(role));
            roles.extend(role.filter(|role| !roles.contains(role)));
        }
        fields.finish(|| {
            let user = User {
                id: id?,
                name: name?,
                first_name: first_name?,
                last_name: last_name?,
                email: self.email,
                phone: self.phone,
                notes,
                tags: self.tags,
                disabled: self.disabled,
                password_failures: PasswordFailures {
                    count: count?,
                    lock_start: self.lock_start,
                },
                exempt_until: None,
                roles,
                created: now,
                updated: now,
            };
            Some((user, password?))
        })
    }
}

/// A number of the API as a count. JSON has only one kind of number; `30.0` is 30.
fn whole(number: Option<f64>) -> Result<u32, &'static str> {
    let number = number.unwrap_or_default();
    if number.fract() != 0.0 || !(0.0..=f64::from(i32::MAX)).contains(&number) {
        return Err("must be a whole number from 0 to 2147483647");
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range was checked"
    )]
    Ok(number as u32)
}

fn known_role(id: &str) -> Result<RoleId, &'static str> {
    match id.parse() {
        Err(_) => Err("is not a UUID"),
        Ok(SYSTEM_ADMINISTRATION) => Ok(SYSTEM_ADMINISTRATION),
        Ok(_) => Err("is not the id of an administrative role"),
    }
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
        caller.must(PrivilegeType::View, Target::LocalUser)?;
        Ok(self.inner.store.users(query).await?)
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
        let new_id = UserId::from_random(self.inner.random.bytes());
        let (user, password) = draft.check(fields, new_id, self.now())?;
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
        let new_id = UserId::from_random(self.inner.random.bytes());
        let (user, password) = draft.check(Fields::default(), new_id, self.now())?;
        self.create_user(user, password).await
    }

    pub(crate) async fn create_user(
        &self,
        user: User,
        password: Secret<String>,
    ) -> Result<User, ServiceError> {
        let hash = if password.expose().is_empty() {
            None
        } else {
            let random = &*self.inner.random;
            Some(self.inner.hasher.hash(Arc::new(password), random).await?)
        };
        let new = NewUser {
            user,
            password: hash,
        };
        match self.inner.store.add_user(&new).await? {
            Creation::Created => Ok(new.user),
            Creation::IdTaken => Err(ServiceError::Conflict(Conflict::UserId)),
            Creation::NameTaken => Err(ServiceError::Conflict(Conflict::UserName)),
        }
    }
}
