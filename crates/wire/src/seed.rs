//! Seeds of one-time passwords.

use serde::{Deserialize, Serialize};

/// That a user has a seed. The seed itself is never shown.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
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
