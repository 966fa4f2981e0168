//! The provider of identities, as administrators see and change it.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::DateTime;

/// A provider of identities: the built-in one, as there is no other.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the API has as many switches"
)]
#[schema(examples(json!({
    "id": "b5ea7cf0-6e75-11e4-9803-0800200c9a66",
    "name": "local",
    "notes": "Built-in Identity Provider on local database.",
    "created": "2026-01-31T08:15:00.000000Z",
    "updated": "2026-02-01T12:00:00.250000Z",
    "tags": ["builtin"],
    "type": "LocalDatabase",
    "adminProvider": true,
    "userLockoutThreshold": 5,
    "userLockoutDurationMinutes": 1,
    "minPasswordLength": 0,
    "deviceLimitPerUser": 100_000,
    "inactivityTimeoutMinutes": 0,
    "networkInactivityTimeoutEnabled": false,
    "blockLocalDnsRequests": false,
    "enforceWindowsNetworkProfileAsDomain": false,
    "ipPoolV4": "f572b4ab-7963-4a90-9e5a-3bf033bfe2cc",
    "ipPoolV6": "6935b379-205d-4fdd-847f-a0b5f14aff53",
    "claimMappings": [{
        "attributeName": "email",
        "claimName": "emails",
        "list": true,
        "encrypt": false
    }]
})))]
pub struct IdentityProvider {
    /// The id.
    #[schema(format = "uuid")]
    pub id: String,
    /// The name.
    pub name: String,
    /// What administrators wrote down.
    pub notes: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created: DateTime,
    /// When it was last edited.
    #[schema(value_type = String, format = DateTime)]
    pub updated: DateTime,
    /// Labels.
    pub tags: Vec<String>,
    /// `LocalDatabase`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether administrators sign in with it.
    pub admin_provider: bool,
    /// Wrong passwords in a row that lock.
    pub user_lockout_threshold: u32,
    /// For how many minutes.
    pub user_lockout_duration_minutes: u32,
    /// Characters that a new password must have.
    pub min_password_length: u32,
    /// How many devices a user may have. This, and all that follows, means nothing here.
    pub device_limit_per_user: u32,
    /// Minutes after which idle clients sign out; never, if 0.
    pub inactivity_timeout_minutes: u32,
    /// Whether clients sign out when the network is idle.
    pub network_inactivity_timeout_enabled: bool,
    /// Whether clients keep local DNS requests from the network.
    pub block_local_dns_requests: bool,
    /// Whether clients call the network that of a domain.
    pub enforce_windows_network_profile_as_domain: bool,
    /// The pool of IPv4 addresses.
    #[schema(format = "uuid")]
    pub ip_pool_v4: String,
    /// The pool of IPv6 addresses.
    #[schema(format = "uuid")]
    pub ip_pool_v6: String,
    /// Which claims users get.
    pub claim_mappings: Vec<ClaimMapping>,
}

/// From which attribute of a user a claim comes.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimMapping {
    /// The attribute.
    pub attribute_name: String,
    /// The claim.
    pub claim_name: String,
    /// Whether it is a list.
    pub list: bool,
    /// Whether it is encrypted.
    pub encrypt: bool,
}

/// The body of `PUT /identity-providers/{id}` and of `POST /identity-providers`.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({
    "name": "local",
    "type": "LocalDatabase",
    "userLockoutThreshold": 10,
    "userLockoutDurationMinutes": 5,
    "minPasswordLength": 12
})))]
pub struct IdentityProviderInput {
    /// The id.
    #[schema(format = "uuid")]
    pub id: Option<String>,
    /// The name.
    #[schema(required)]
    pub name: Option<String>,
    /// What administrators wrote down.
    #[schema(max_length = 16_384)]
    pub notes: Option<String>,
    /// Labels.
    pub tags: Option<Vec<String>>,
    /// `LocalDatabase`.
    #[serde(rename = "type")]
    #[schema(required)]
    pub kind: Option<String>,
    /// Whether administrators sign in with it.
    pub admin_provider: Option<bool>,
    /// Wrong passwords in a row that lock; any JSON number.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1_000)]
    pub user_lockout_threshold: Option<f64>,
    /// For how many minutes; any JSON number.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 525_600)]
    pub user_lockout_duration_minutes: Option<f64>,
    /// Characters that a new password must have; any JSON number.
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 256)]
    pub min_password_length: Option<f64>,
    /// How many devices a user may have; any JSON number.
    #[schema(value_type = Option<u32>)]
    pub device_limit_per_user: Option<f64>,
    /// Minutes after which idle clients sign out; any JSON number.
    #[schema(value_type = Option<u32>)]
    pub inactivity_timeout_minutes: Option<f64>,
    /// Whether clients sign out when the network is idle.
    pub network_inactivity_timeout_enabled: Option<bool>,
    /// Whether clients keep local DNS requests from the network.
    pub block_local_dns_requests: Option<bool>,
    /// Whether clients call the network that of a domain.
    pub enforce_windows_network_profile_as_domain: Option<bool>,
    /// The pool of IPv4 addresses.
    #[schema(format = "uuid")]
    pub ip_pool_v4: Option<String>,
    /// The pool of IPv6 addresses.
    #[schema(format = "uuid")]
    pub ip_pool_v6: Option<String>,
    /// Which claims users get.
    pub claim_mappings: Option<Vec<ClaimMappingInput>>,
    /// Commands that yield claims.
    #[schema(value_type = Option<Vec<Object>>, max_items = 0)]
    pub on_demand_claim_mappings: Option<Vec<IgnoredAny>>,
    /// Scripts that yield claims.
    #[schema(value_type = Option<Vec<Object>>, max_items = 0)]
    pub user_scripts: Option<Vec<IgnoredAny>>,
    /// Name servers of clients.
    #[schema(value_type = Option<Vec<Object>>, max_items = 0)]
    pub dns_servers: Option<Vec<IgnoredAny>>,
    /// Search domains of clients.
    #[schema(value_type = Option<Vec<Object>>, max_items = 0)]
    pub dns_search_domains: Option<Vec<IgnoredAny>>,
    /// The second factor of new devices; off, if nothing is in it.
    #[serde(rename = "onBoarding2FA")]
    #[schema(value_type = Option<Object>)]
    pub on_boarding_2fa: Option<BTreeMap<String, Option<IgnoredAny>>>,
}

/// From which attribute of a user a claim comes.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimMappingInput {
    /// The attribute.
    pub attribute_name: Option<String>,
    /// The claim.
    pub claim_name: Option<String>,
    /// Whether it is a list.
    pub list: Option<bool>,
    /// Whether it is encrypted.
    pub encrypt: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn local() -> IdentityProvider {
        IdentityProvider {
            id: "b5ea7cf0-6e75-11e4-9803-0800200c9a66".to_owned(),
            name: "local".to_owned(),
            notes: String::new(),
            created: DateTime::from_micros(0),
            updated: DateTime::from_micros(0),
            tags: Vec::new(),
            kind: "LocalDatabase".to_owned(),
            admin_provider: true,
            user_lockout_threshold: 5,
            user_lockout_duration_minutes: 1,
            min_password_length: 0,
            device_limit_per_user: 100_000,
            inactivity_timeout_minutes: 0,
            network_inactivity_timeout_enabled: false,
            block_local_dns_requests: false,
            enforce_windows_network_profile_as_domain: false,
            ip_pool_v4: "4".to_owned(),
            ip_pool_v6: "6".to_owned(),
            claim_mappings: vec![ClaimMapping::default()],
        }
    }

    #[test]
    fn what_is_written_can_be_read_as_input() {
        let written = serde_json::to_string(&local()).unwrap();
        let input: IdentityProviderInput = serde_json::from_str(&written).unwrap();
        assert_eq!(input.kind.as_deref(), Some("LocalDatabase"));
        assert_eq!(input.user_lockout_threshold, Some(5.0));
        assert_eq!(input.user_lockout_duration_minutes, Some(1.0));
        assert_eq!(input.ip_pool_v4.as_deref(), Some("4"));
        assert_eq!(input.ip_pool_v6.as_deref(), Some("6"));
        assert_eq!(input.claim_mappings.unwrap().len(), 1);
        let read: IdentityProvider = serde_json::from_str(&written).unwrap();
        assert_eq!(read, local());
    }

    #[track_caller]
    fn check_input(body: &Value, read: bool) {
        let input = serde_json::from_value::<IdentityProviderInput>(body.clone());
        assert_eq!(input.is_ok(), read, "{body}");
    }

    #[test]
    fn only_a_wrong_json_type_is_refused() {
        check_input(&json!({}), true);
        check_input(&json!({ "name": null, "onBoarding2FA": null }), true);
        check_input(&json!({ "onBoarding2FA": { "mfaProviderId": null } }), true);
        check_input(
            &json!({ "userLockoutThreshold": -1, "minPasswordLength": 1.5 }),
            true,
        );
        check_input(&json!({ "created": 7, "updated": {}, "scope": 1 }), true);
        check_input(&json!({ "dnsServers": [1], "claimMappings": [{}] }), true);
        for bad in [
            json!({ "userLockoutThreshold": "5" }),
            json!({ "adminProvider": 1 }),
            json!({ "dnsServers": {} }),
            json!({ "onBoarding2FA": [] }),
            json!({ "claimMappings": [1] }),
            json!({ "tags": [null] }),
            json!({ "ipPoolV4": 4 }),
        ] {
            check_input(&bad, false);
        }
    }
}
