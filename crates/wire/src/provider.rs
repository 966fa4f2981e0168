//! Providers of identities and of second factors.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{DateTime, Hidden, InputType};

/// The answer of `GET /identity-providers/names`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({
    "data": [{
        "name": "local",
        "displayName": "local",
        "type": "Credentials",
        "certificatePriorities": []
    }]
})))]
pub struct IdentityProviderNames {
    /// The providers that one can sign in with.
    pub data: Vec<IdentityProviderName>,
    /// What is shown before a sign-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub banner_message: Option<String>,
}

/// A provider that one can sign in with.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
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
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub enum IdentityProviderType {
    /// With a name and a password.
    Credentials,
}

/// A provider of second factors.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(
    json!({
        "id": "03542d1e-733c-4c43-a567-d28fbc4649a7",
        "name": "Default Time-Based OTP Provider",
        "notes": "Built-in default time-based OTP provider.",
        "created": "2026-01-31T08:15:00.000000Z",
        "updated": "2026-02-01T12:00:00.250000Z",
        "tags": ["builtin"],
        "type": "DefaultTimeBased",
        "inputType": "Numeric"
    }),
    json!({
        "id": "6f0b3c1e-95a2-4c58-8a3d-0d5f1b7e2c94",
        "name": "Company RADIUS",
        "notes": "",
        "created": "2026-01-31T08:15:00.000000Z",
        "updated": "2026-02-01T12:00:00.250000Z",
        "tags": [],
        "type": "Radius",
        "inputType": "Masked",
        "hostnames": ["radius.example.com"],
        "port": 1812,
        "authenticationProtocol": "CHAP",
        "timeout": 6,
        "mode": "Challenge",
        "useUserPassword": true,
        "requireMessageAuthenticator": true,
        "statusServer": false
    })
))]
pub struct MfaProvider {
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
    /// What it is.
    #[serde(rename = "type")]
    pub kind: MfaProviderType,
    /// How answers are shown.
    pub input_type: InputType,
    /// What only a `Radius` provider has.
    #[serde(flatten)]
    #[schema(ignore)]
    pub radius: Option<RadiusSettings>,
}

/// What a provider of second factors is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub enum MfaProviderType {
    /// RADIUS servers.
    Radius,
    /// Codes of an authenticator. Built in.
    DefaultTimeBased,
    /// FIDO2 devices. Built in.
    Fido2,
}

/// How passwords travel to a RADIUS server.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub enum RadiusProtocol {
    /// Encrypted with the shared secret.
    #[serde(rename = "PAP")]
    Pap,
    /// As the answer to a challenge.
    #[serde(rename = "CHAP")]
    Chap,
}

/// What RADIUS servers are asked for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub enum RadiusMode {
    /// Whether what was typed is right.
    OneFactor,
    /// A question, and whether what was typed answers it.
    Challenge,
    /// An approval elsewhere.
    Push,
}

/// What only a `Radius` provider has. Its secrets are never shown.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RadiusSettings {
    /// Names or addresses of the servers.
    pub hostnames: Vec<String>,
    /// The UDP port of all of them.
    pub port: u16,
    /// How passwords travel.
    pub authentication_protocol: RadiusProtocol,
    /// For how long a request may take, in seconds.
    pub timeout: u64,
    /// What the servers are asked for.
    pub mode: RadiusMode,
    /// Whether the first request carries the user's password.
    pub use_user_password: bool,
    /// Whether answers without Message-Authenticator are discarded. An extension of ours, as is
    /// all that follows.
    pub require_message_authenticator: bool,
    /// NAS-Identifier of the requests, if it is not the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nas_identifier: Option<String>,
    /// The address that requests are sent from, if the system does not choose it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_address: Option<String>,
    /// Whether the servers answer Status-Server.
    pub status_server: bool,
}

/// The body of `POST /mfa-providers`, of `PUT /mfa-providers/{id}` and of
/// `POST /mfa-providers/test`.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({
    "name": "Company RADIUS",
    "type": "Radius",
    "hostnames": ["radius.example.com"],
    "port": 1812,
    "sharedSecret": "shared with the servers",
    "mode": "Challenge",
    "useUserPassword": true
})))]
pub struct MfaProviderInput {
    /// The id.
    #[schema(format = "uuid")]
    pub id: Option<String>,
    /// The name.
    #[schema(required, min_length = 1, max_length = 255)]
    pub name: Option<String>,
    /// What administrators wrote down.
    #[schema(max_length = 16_384)]
    pub notes: Option<String>,
    /// Labels.
    pub tags: Option<Vec<String>>,
    /// `Radius`, `DefaultTimeBased` or `Fido2`.
    #[serde(rename = "type")]
    #[schema(required, value_type = Option<MfaProviderType>)]
    pub kind: Option<String>,
    /// `Masked`, `Numeric` or `Text`.
    #[schema(value_type = Option<InputType>)]
    pub input_type: Option<String>,
    /// Names or addresses of the servers.
    #[schema(min_items = 1, max_items = 16)]
    pub hostnames: Option<Vec<String>>,
    /// The UDP port; any JSON number.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 65_535)]
    pub port: Option<f64>,
    /// The secret that is shared with the servers.
    #[schema(value_type = Option<String>, format = Password, min_length = 1, max_length = 256)]
    pub shared_secret: Option<Hidden>,
    /// `PAP` or `CHAP`.
    #[schema(value_type = Option<RadiusProtocol>)]
    pub authentication_protocol: Option<String>,
    /// For how long a request may take, in seconds; any JSON number.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 300)]
    pub timeout: Option<f64>,
    /// `OneFactor`, `Challenge` or `Push`.
    #[schema(value_type = Option<RadiusMode>)]
    pub mode: Option<String>,
    /// Whether the first request carries the user's password.
    pub use_user_password: Option<bool>,
    /// What the first request carries otherwise.
    #[schema(value_type = Option<String>, format = Password, min_length = 1, max_length = 128)]
    pub challenge_shared_secret: Option<Hidden>,
    /// Whether answers without Message-Authenticator are discarded.
    pub require_message_authenticator: Option<bool>,
    /// NAS-Identifier of the requests; empty for the usual one.
    pub nas_identifier: Option<String>,
    /// The address that requests are sent from; empty to have the system choose it.
    pub source_address: Option<String>,
    /// Whether the servers answer Status-Server.
    pub status_server: Option<bool>,
}

/// What a test of a provider found.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[schema(examples(json!({ "success": true })))]
pub struct MfaProviderTestResult {
    /// Whether it works.
    pub success: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What to think of although it works. An extension of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn built_in() -> MfaProvider {
        MfaProvider {
            id: "03542d1e-733c-4c43-a567-d28fbc4649a7".to_owned(),
            name: "N".to_owned(),
            notes: String::new(),
            created: DateTime::from_micros(0),
            updated: DateTime::from_micros(0),
            tags: Vec::new(),
            kind: MfaProviderType::DefaultTimeBased,
            input_type: InputType::Numeric,
            radius: None,
        }
    }

    fn radius() -> MfaProvider {
        MfaProvider {
            kind: MfaProviderType::Radius,
            radius: Some(RadiusSettings {
                hostnames: vec!["mfa.company.com".to_owned()],
                port: 1812,
                authentication_protocol: RadiusProtocol::Chap,
                timeout: 6,
                mode: RadiusMode::Challenge,
                use_user_password: false,
                require_message_authenticator: true,
                nas_identifier: None,
                source_address: None,
                status_server: false,
            }),
            ..built_in()
        }
    }

    #[track_caller]
    fn check(provider: &MfaProvider, keys: &[&str]) {
        let written = serde_json::to_string(provider).unwrap();
        assert!(!written.contains("null"), "{written}");
        let value: Value = serde_json::from_str(&written).unwrap();
        let mut expected = vec![
            "id",
            "name",
            "notes",
            "created",
            "updated",
            "tags",
            "type",
            "inputType",
        ];
        expected.extend(keys);
        expected.sort_unstable();
        let mut found: Vec<_> = value.as_object().unwrap().keys().collect();
        found.sort_unstable();
        assert_eq!(found, expected);
        let read: MfaProvider = serde_json::from_str(&written).unwrap();
        assert_eq!(read, *provider);
    }

    #[test]
    fn a_built_in_provider_has_nothing_of_radius() {
        check(&built_in(), &[]);
    }

    #[test]
    fn a_radius_provider_is_written_without_nulls_and_points() {
        let always = [
            "hostnames",
            "port",
            "authenticationProtocol",
            "timeout",
            "mode",
            "useUserPassword",
            "requireMessageAuthenticator",
            "statusServer",
        ];
        check(&radius(), &always);
        let written = serde_json::to_value(radius()).unwrap();
        assert_eq!(
            (&written["port"], &written["timeout"]),
            (&json!(1812), &json!(6))
        );
        let mut full = radius();
        if let Some(settings) = &mut full.radius {
            settings.nas_identifier = Some("nas".to_owned());
            settings.source_address = Some("192.0.2.1".to_owned());
        }
        check(
            &full,
            &[&always[..], &["nasIdentifier", "sourceAddress"]].concat(),
        );
    }

    #[test]
    fn what_is_written_can_be_read_as_input() {
        let written = serde_json::to_string(&radius()).unwrap();
        let input: MfaProviderInput = serde_json::from_str(&written).unwrap();
        assert_eq!((input.port, input.timeout), (Some(1812.0), Some(6.0)));
        assert_eq!(input.kind.as_deref(), Some("Radius"));
        assert!(input.shared_secret.is_none());
    }

    #[test]
    fn secrets_of_an_input_do_not_print() {
        let body = json!({ "sharedSecret": "hunter2", "challengeSharedSecret": "hunter3" });
        let input: MfaProviderInput = serde_json::from_value(body).unwrap();
        assert!(!format!("{input:?}").contains("hunter"), "{input:?}");
    }

    #[track_caller]
    fn check_input(body: &Value, read: bool) {
        let input = serde_json::from_value::<MfaProviderInput>(body.clone());
        assert_eq!(input.is_ok(), read, "{body}");
    }

    #[test]
    fn only_a_wrong_json_type_is_refused() {
        check_input(&json!({}), true);
        check_input(
            &json!({ "name": null, "port": null, "hostnames": null }),
            true,
        );
        check_input(&json!({ "port": 1812.5, "timeout": -1, "mode": "x" }), true);
        check_input(&json!({ "created": 7, "updated": {}, "readOnly": 1 }), true);
        for bad in [
            json!({ "port": "1812" }),
            json!({ "timeout": true }),
            json!({ "hostnames": "a" }),
            json!({ "hostnames": [null] }),
            json!({ "tags": [1] }),
            json!({ "useUserPassword": "true" }),
            json!({ "sharedSecret": 1 }),
            json!({ "statusServer": 1 }),
            json!({ "mode": 1 }),
        ] {
            check_input(&bad, false);
        }
    }
}
