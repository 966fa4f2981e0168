//! Providers of identities and of second factors.

use serde::{Deserialize, Serialize};

use crate::InputType;

/// The answer of `GET /identity-providers/names`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IdentityProviderNames {
    /// The providers that one can sign in with.
    pub data: Vec<IdentityProviderName>,
    /// What is shown before a sign-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub banner_message: Option<String>,
}

/// A provider that one can sign in with.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IdentityProviderName {
    /// What to send as `providerName`.
    pub name: String,
    /// What to show.
    pub display_name: String,
    /// How one signs in.
    #[serde(rename = "type")]
    pub kind: IdentityProviderType,
    /// Always empty for credentials.
    pub certificate_priorities: Vec<String>,
}

/// How one signs in.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum IdentityProviderType {
    /// With a name and a password.
    Credentials,
}

/// A provider of second factors.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MfaProvider {
    /// The id.
    pub id: String,
    /// The name.
    pub name: String,
    /// What administrators wrote down.
    pub notes: String,
    /// Labels.
    pub tags: Vec<String>,
    /// `Radius`, `DefaultTimeBased` or `Fido2`.
    #[serde(rename = "type")]
    pub kind: String,
    /// How answers are shown.
    pub input_type: InputType,
}
