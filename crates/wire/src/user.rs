//! Users of the built-in identity provider.

use serde::{Deserialize, Serialize};

use crate::{DateTime, Hidden};

/// A user as it is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LocalUser {
    /// The id.
    pub id: String,
    /// The name.
    pub name: String,
    /// What administrators wrote down.
    pub notes: String,
    /// When the user was made.
    pub created: DateTime,
    /// When the user was last edited.
    pub updated: DateTime,
    /// Labels.
    pub tags: Vec<String>,
    /// The given name.
    pub first_name: String,
    /// The family name.
    pub last_name: String,
    /// Where mail goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Where calls go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// Whether sign-ins are refused.
    pub disabled: bool,
    /// Wrong passwords since the last right one.
    pub failed_login_attempts: u32,
    /// When the last lock began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock_start: Option<DateTime>,
    /// Ids of the roles that the user holds.
    #[serde(default)]
    pub administrative_roles: Vec<String>,
}

/// The body of `POST /local-users` and `PUT /local-users/{id}`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct LocalUserInput {
    /// The id, if the client chooses it.
    pub id: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// What administrators wrote down.
    pub notes: Option<String>,
    /// Labels.
    pub tags: Option<Vec<String>>,
    /// The given name.
    pub first_name: Option<String>,
    /// The family name.
    pub last_name: Option<String>,
    /// The password.
    pub password: Option<Hidden>,
    /// Where mail goes.
    pub email: Option<String>,
    /// Where calls go.
    pub phone: Option<String>,
    /// Whether sign-ins are refused.
    pub disabled: Option<bool>,
    /// Wrong passwords so far; any JSON number.
    pub failed_login_attempts: Option<f64>,
    /// When the last lock began, in RFC 3339.
    pub lock_start: Option<String>,
    /// Ids of roles; a `PUT` without them keeps the old ones.
    pub administrative_roles: Option<Vec<String>>,
}
