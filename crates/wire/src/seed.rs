//! What users have for their second factor: seeds of one-time passwords, and devices.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::DateTime;

/// That a user has a seed. The seed itself is never shown.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({
    "userDistinguishedName": "CN=alice,OU=local",
    "username": "alice",
    "providerName": "local",
    "verified": true
})))]
pub struct OtpSeed {
    /// Whose: `CN=user,OU=provider`.
    pub user_distinguished_name: String,
    /// The user's name.
    pub username: String,
    /// The identity provider's name.
    pub provider_name: String,
    /// Whether a code of it was seen.
    pub verified: bool,
}

/// A FIDO2 device that a user has registered.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Fido2Device {
    /// Whose: `CN=user,OU=provider`.
    pub user_distinguished_name: String,
    /// The user's name.
    pub username: String,
    /// The identity provider's name.
    pub provider_name: String,
    /// The id of the device.
    pub device_id: String,
    /// What the user calls it; may be empty.
    pub device_name: String,
    /// When it was registered.
    #[schema(value_type = String, format = DateTime)]
    pub registered: DateTime,
}
