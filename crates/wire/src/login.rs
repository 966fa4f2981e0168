//! Signing in.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{DateTime, Hidden};

/// The body of `POST /authentication` and `POST /login`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({
    "providerName": "local",
    "deviceId": "4c07bc67-57ea-42dd-b702-c2d6c45419fc",
    "username": "alice",
    "password": "correct horse battery staple"
})))]
pub struct SignIn {
    /// The identity provider, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required)]
    pub provider_name: Option<String>,
    /// The machine that signs in; a UUID.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required, format = "uuid")]
    pub device_id: Option<String>,
    /// The user's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required)]
    pub username: Option<String>,
    /// The user's password.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required, value_type = Option<String>, format = Password)]
    pub password: Option<Hidden>,
}

/// The answer to every step that yields a token.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({
    "user": {
        "name": "alice",
        "needTwoFactorAuth": false,
        "canAccessAuditLogs": true,
        "privileges": [{
            "type": "All",
            "target": "All",
            "scope": { "all": true, "ids": [], "tags": [] }
        }]
    },
    "token": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "expires": "2026-02-01T12:00:00.250000Z"
})))]
pub struct LoginResponse {
    /// Whose token it is.
    pub user: LoginUser,
    /// The token.
    #[schema(value_type = String)]
    pub token: Hidden,
    /// When the session ends.
    #[schema(value_type = String, format = DateTime)]
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
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
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
    #[schema(required)]
    pub privileges: Vec<Privilege>,
}

/// A privilege.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Privilege {
    /// What may be done.
    #[serde(rename = "type")]
    pub kind: String,
    /// To what.
    pub target: String,
    /// To which of them.
    #[serde(default)]
    #[schema(required)]
    pub scope: Scope,
    /// Added to the tags of what the holder creates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub default_tags: Vec<String>,
    /// What the holder may assign.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub functions: Vec<String>,
}

/// Which objects a privilege is about.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Scope {
    /// Every one.
    #[serde(default)]
    #[schema(required)]
    pub all: bool,
    /// Those with these ids.
    #[serde(default)]
    #[schema(required)]
    pub ids: Vec<String>,
    /// Those with these tags.
    #[serde(default)]
    #[schema(required)]
    pub tags: Vec<String>,
}
