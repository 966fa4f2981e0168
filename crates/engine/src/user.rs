//! Users of the built-in provider.

use uuid::Uuid;

use crate::password::PasswordFailures;
use crate::{RoleId, Timestamp, UserId, UserName};

/// The built-in administrator.
pub const ADMIN: UserId =
    UserId::from_uuid(Uuid::from_u128(0x5e36_0c9d_8756_41b4_9597_6017_1288_1a5c));
/// The tag of everything that is built in.
pub const BUILTIN_TAG: &str = "builtin";

/// A user, without anything secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct User {
    /// The id, for good.
    pub id: UserId,
    /// The name, as it was given.
    pub name: UserName,
    /// The given name.
    pub first_name: String,
    /// The family name.
    pub last_name: String,
    /// Where mail goes.
    pub email: Option<String>,
    /// Where calls go.
    pub phone: Option<String>,
    /// What administrators wrote down.
    pub notes: String,
    /// Labels.
    pub tags: Vec<String>,
    /// Whether sign-ins are refused.
    pub disabled: bool,
    /// Wrong passwords from devices that are not known.
    pub password_failures: PasswordFailures,
    /// An operator has let this user off the second factor until then.
    pub exempt_until: Option<Timestamp>,
    /// The roles that this user holds.
    pub roles: Vec<RoleId>,
    /// When the user was made.
    pub created: Timestamp,
    /// When the user was last edited.
    pub updated: Timestamp,
}

impl User {
    /// Whether this user can sign in and holds one of these roles.
    pub fn holds_one_of(&self, roles: &[RoleId]) -> bool {
        !self.disabled && self.roles.iter().any(|held| roles.contains(held))
    }
}
