//! Users of the built-in identity provider.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{DateTime, Hidden};

/// A user as it is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({
    "id": "2f1c5d0e-6a4b-4d3c-9b8a-7e6f5d4c3b2a",
    "name": "alice",
    "notes": "",
    "created": "2026-01-31T08:15:00.000000Z",
    "updated": "2026-02-01T12:00:00.250000Z",
    "tags": ["operations"],
    "firstName": "Alice",
    "lastName": "Liddell",
    "email": "alice@example.com",
    "disabled": false,
    "failedLoginAttempts": 0,
    "administrativeRoles": ["b0adbc60-7ed4-11e4-b4a9-0800200c9a66"]
})))]
pub struct LocalUser {
    /// The id.
    #[schema(format = "uuid")]
    pub id: String,
    /// The name.
    pub name: String,
    /// What administrators wrote down.
    pub notes: String,
    /// When the user was made.
    #[schema(value_type = String, format = DateTime)]
    pub created: DateTime,
    /// When the user was last edited.
    #[schema(value_type = String, format = DateTime)]
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
    #[schema(value_type = Option<String>, format = DateTime)]
    pub lock_start: Option<DateTime>,
    /// Ids of the roles that the user holds.
    #[serde(default)]
    #[schema(required)]
    pub administrative_roles: Vec<String>,
}

/// The body of `POST /local-users` and `PUT /local-users/{id}`.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({
    "name": "alice",
    "firstName": "Alice",
    "lastName": "Liddell",
    "password": "correct horse battery staple",
    "email": "alice@example.com",
    "tags": ["operations"],
    "administrativeRoles": ["b0adbc60-7ed4-11e4-b4a9-0800200c9a66"]
})))]
pub struct LocalUserInput {
    /// The id, if the client chooses it.
    #[schema(format = "uuid")]
    pub id: Option<String>,
    /// The name.
    #[schema(required, min_length = 1, max_length = 253)]
    pub name: Option<String>,
    /// What administrators wrote down.
    #[schema(max_length = 16_384)]
    pub notes: Option<String>,
    /// Labels.
    pub tags: Option<Vec<String>>,
    /// The given name.
    #[schema(required, max_length = 1_024)]
    pub first_name: Option<String>,
    /// The family name.
    #[schema(required, max_length = 1_024)]
    pub last_name: Option<String>,
    /// The password.
    #[schema(value_type = Option<String>, format = Password, max_length = 1_024)]
    pub password: Option<Hidden>,
    /// Where mail goes.
    #[schema(max_length = 1_024)]
    pub email: Option<String>,
    /// Where calls go.
    #[schema(max_length = 1_024)]
    pub phone: Option<String>,
    /// Whether sign-ins are refused.
    pub disabled: Option<bool>,
    /// Wrong passwords so far; any JSON number.
    #[schema(value_type = Option<i32>, minimum = 0)]
    pub failed_login_attempts: Option<f64>,
    /// When the last lock began, in RFC 3339.
    #[schema(format = DateTime)]
    pub lock_start: Option<String>,
    /// Ids of roles; a `PUT` without them keeps the old ones.
    pub administrative_roles: Option<Vec<String>>,
}
