//! Signing in.

use serde::{Deserialize, Serialize};

use crate::{DateTime, Hidden};

/// The body of `POST /authentication` and `POST /login`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SignIn {
    /// The identity provider, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_name: Option<String>,
    /// The machine that signs in; a UUID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    /// The user's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The user's password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Hidden>,
}

/// The answer to every step that yields a token.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoginResponse {
    /// Whose token it is.
    pub user: LoginUser,
    /// The token.
    pub token: Hidden,
    /// When the session ends.
    pub expires: DateTime,
    /// What the operator wants everybody to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_of_the_day: Option<String>,
    /// `hosted` or `connected`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ztp_collective_type: Option<String>,
    /// `standard` or `demo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ztp_account_type: Option<String>,
    /// Whether certificate revocation lists are on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crl_enabled: Option<bool>,
}

/// The user of a token.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoginUser {
    /// The name.
    pub name: String,
    /// Whether a second factor is due before administration.
    pub need_two_factor_auth: bool,
    /// Whether audit logs may be read.
    pub can_access_audit_logs: bool,
    /// What may be done; empty before administration.
    #[serde(default)]
    pub privileges: Vec<Privilege>,
}

/// A privilege.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Privilege {
    /// What may be done.
    #[serde(rename = "type")]
    pub kind: String,
    /// To what.
    pub target: String,
    /// To which of them.
    #[serde(default)]
    pub scope: Scope,
    /// Added to the tags of what the holder creates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub default_tags: Vec<String>,
    /// What the holder may assign.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub functions: Vec<String>,
}

/// Which objects a privilege is about.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Scope {
    /// Every one.
    pub all: bool,
    /// Those with these ids.
    pub ids: Vec<String>,
    /// Those with these tags.
    pub tags: Vec<String>,
}
