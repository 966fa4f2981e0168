//! The settings of the second factor for administrators.

use serde::{Deserialize, Serialize};

/// The settings as they are. `exempted_users` is always there: an empty object looks like no
/// answer to some clients.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AdminMfaSettings {
    /// The provider; none is due when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    /// Who is let off: `CN=user,OU=provider`.
    pub exempted_users: Vec<String>,
}

/// The body of `PUT /admin-mfa-settings`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AdminMfaSettingsInput {
    /// The provider.
    pub provider_id: Option<String>,
    /// Who is let off.
    pub exempted_users: Option<Vec<String>>,
}
