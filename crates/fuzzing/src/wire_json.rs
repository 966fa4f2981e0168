//! The JSON of the API, as clients read it: what is read and written again stays what it is, and
//! never holds a null.
//!
//! The input is JSON; it is read as every body that there is.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use vestibule_wire as wire;

/// Checks what is made of a text.
pub fn check(octets: &[u8]) {
    // What the server reads.
    both::<wire::FinishOtp>(octets);
    both::<wire::InitializeOtp>(octets);
    both::<wire::SignIn>(octets);
    both::<wire::ClaimMapping>(octets);
    reads::<wire::AdminMfaSettingsInput>(octets);
    reads::<wire::AdministrativeRoleInput>(octets);
    reads::<wire::IdentityProviderInput>(octets);
    reads::<wire::LocalUserInput>(octets);
    reads::<wire::MfaProviderInput>(octets);
    // What it writes, and clients read.
    both::<wire::AdminMfaSettings>(octets);
    both::<wire::AdministrativeRole>(octets);
    both::<wire::AuditEvent>(octets);
    both::<wire::ErrorBody>(octets);
    both::<wire::Fido2Device>(octets);
    both::<wire::IdentityProvider>(octets);
    both::<wire::IdentityProviderNames>(octets);
    both::<wire::InitializeOtpResponse>(octets);
    both::<wire::List<wire::LocalUser>>(octets);
    both::<wire::LocalUser>(octets);
    both::<wire::LoginResponse>(octets);
    both::<wire::MfaProvider>(octets);
    both::<wire::MfaProviderTestResult>(octets);
    both::<wire::OtpSeed>(octets);
    both::<wire::TypeTargetMap>(octets);
    both::<wire::Version>(octets);
}

fn reads<T: DeserializeOwned>(octets: &[u8]) -> Option<T> {
    serde_json::from_slice(octets).ok()
}

fn both<T: DeserializeOwned + Serialize>(octets: &[u8]) {
    let Some(read) = reads::<T>(octets) else {
        return;
    };
    let written = serde_json::to_vec(&read).expect("JSON");
    let value: Value = serde_json::from_slice(&written).expect("JSON");
    assert!(!holds_null(&value), "{value}");
    let again = reads::<T>(&written).unwrap_or_else(|| panic!("not read again: {value}"));
    let again = serde_json::to_vec(&again).expect("JSON");
    assert_eq!(again, written, "{value}");
}

fn holds_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(values) => values.iter().any(holds_null),
        Value::Object(values) => values.values().any(holds_null),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
