//! The settings of the second factor for administrators.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The settings as they are. `exempted_users` is always there: an empty object looks like no
/// answer to some clients.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({
    "providerId": "03542d1e-733c-4c43-a567-d28fbc4649a7",
    "exemptedUsers": ["CN=terraform,OU=local"]
})))]
pub struct AdminMfaSettings {
    /// The provider; none is due when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = "uuid")]
    pub provider_id: Option<String>,
    /// Who is let off: `CN=user,OU=provider`.
    pub exempted_users: Vec<String>,
}

/// The body of `PUT /admin-mfa-settings`.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({
    "providerId": "03542d1e-733c-4c43-a567-d28fbc4649a7",
    "exemptedUsers": ["CN=terraform,OU=local"]
})))]
pub struct AdminMfaSettingsInput {
    /// The provider.
    #[schema(format = "uuid")]
    pub provider_id: Option<String>,
    /// Who is let off.
    pub exempted_users: Option<Vec<String>>,
}
