//! A user as a client asks for one, and what is wrong with it.

use vestibule_engine::identity::MinPasswordLength;
use vestibule_engine::invalid::Fields;
use vestibule_engine::password::PasswordFailures;
use vestibule_engine::{FieldErrors, RoleId, Secret, Timestamp, User, UserId, UserName};

use crate::identity_providers::good_new_password;
use crate::labels;
use crate::number::whole;

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
    /// The password; of a new user with an empty one no password is right. One who is there keeps
    /// the old one if there is none here.
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
    /// Ids of roles; a user who is there keeps the old ones if there are none here.
    pub roles: Option<Vec<String>>,
}

/// What a draft is for.
pub(super) enum Purpose {
    /// A new user, with this id unless the client chose another.
    New(UserId),
    /// A user who is there. The id of the path decides, if there is one.
    Replacement { path: Option<UserId> },
}

/// A draft that makes sense.
pub(super) struct Checked {
    /// The user, as far as the draft tells.
    pub(super) user: User,
    /// The password, if there is one.
    pub(super) password: Option<Secret<String>>,
    /// Whether the roles are those of the draft.
    pub(super) has_roles: bool,
}

/// Most wrong passwords that are written down.
const MOST_FAILURES: u32 = 2_147_483_647;

/// Longest text, in octets.
const LONGEST_FIELD: usize = 1_024;

impl UserDraft {
    /// The roles that are asked for, as far as these are ids.
    pub(super) fn role_ids(&self) -> Vec<RoleId> {
        let asked = self.roles.iter().flatten();
        asked.filter_map(|id| id.parse().ok()).collect()
    }

    /// The user that was asked for, and the password.
    ///
    /// # Errors
    /// Everything that is wrong with it, with `fields` already noted by whoever read the draft.
    pub(super) fn check(
        self,
        mut fields: Fields,
        purpose: &Purpose,
        now: Timestamp,
        least: MinPasswordLength,
        known_roles: &[RoleId],
    ) -> Result<Checked, FieldErrors> {
        let own_id = self.id;
        let own_id = own_id.map(|id| fields.check("id", id.parse().or(Err("is not a UUID"))));
        let id = match (purpose, own_id) {
            (Purpose::New(id), None) => Some(*id),
            (Purpose::Replacement { path: Some(path) }, Some(Some(own))) if own != *path => {
                fields.refuse("id", "is not the id of the path");
                None
            }
            (Purpose::Replacement { path: Some(path) }, _) => Some(*path),
            (Purpose::New(_) | Purpose::Replacement { path: None }, Some(own)) => own,
            (Purpose::Replacement { path: None }, None) => fields.required("id", None),
        };
        let name = fields.required("name", self.name);
        let name = name.and_then(|name| fields.check("name", UserName::new(name)));
        let first_name = fields.required("firstName", self.first_name);
        let last_name = fields.required("lastName", self.last_name);
        let password = match purpose {
            Purpose::New(_) => fields.required("password", self.password),
            Purpose::Replacement { .. } => self.password,
        };
        let is_empty = |password: &Secret<String>| password.expose().is_empty();
        if matches!(purpose, Purpose::Replacement { .. }) && password.as_ref().is_some_and(is_empty)
        {
            fields.refuse(
                "password",
                "may not be empty; leave it out to keep the old one",
            );
        }
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
        if let Some(password) = &password {
            fields.check("password", good_new_password(password, least));
        }
        labels::check(&notes, &self.tags, &mut fields);
        let failures = self.failed_login_attempts.unwrap_or_default();
        let count = fields.check("failedLoginAttempts", whole(failures, 0..=MOST_FAILURES));
        let has_roles = self.roles.is_some();
        let mut roles = Vec::new();
        for (n, role) in self.roles.iter().flatten().enumerate() {
            let role = fields.check(
                format!("administrativeRoles[{n}]"),
                known_role(role, known_roles),
            );
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
            Some(Checked {
                user,
                password,
                has_roles,
            })
        })
    }
}

fn known_role(id: &str, known: &[RoleId]) -> Result<RoleId, &'static str> {
    let id = id.parse().or(Err("is not a UUID"))?;
    if known.contains(&id) {
        Ok(id)
    } else {
        Err("is not the id of an administrative role")
    }
}
