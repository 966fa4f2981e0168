//! The examples of the schemas are what they are examples of.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    AdminMfaSettings, AdminMfaSettingsInput, AdministrativeRole, AdministrativeRoleInput,
    AuditEvent, FinishOtp, IdentityProvider, IdentityProviderInput, IdentityProviderNames,
    InitializeOtp, InitializeOtpResponse, LocalUser, LocalUserInput, LoginResponse, MfaProvider,
    MfaProviderInput, MfaProviderTestResult, OtpSeed, SignIn, TypeTargetMap, Version,
};

/// All that stands under `examples` in a schema.
fn examples(schema: &Value) -> Vec<&Value> {
    let own = schema.get("examples").and_then(Value::as_array);
    let members = schema.get("oneOf").and_then(Value::as_array);
    let of_members = members.into_iter().flatten().flat_map(examples);
    own.into_iter().flatten().chain(of_members).collect()
}

/// There are examples, and each is read and written as it stands there.
#[track_caller]
fn check<T: ToSchema + Serialize + DeserializeOwned>(count: usize) {
    let schema = serde_json::to_value(T::schema()).unwrap();
    let examples = examples(&schema);
    assert_eq!(examples.len(), count, "{schema:#}");
    for example in examples {
        let read: T = serde_json::from_value(example.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), *example);
    }
}

/// There is an example, it is read, and the schema knows all of its fields.
#[track_caller]
fn check_input<T: ToSchema + DeserializeOwned>() {
    let schema = serde_json::to_value(T::schema()).unwrap();
    let examples = examples(&schema);
    assert_eq!(examples.len(), 1, "{schema:#}");
    for example in examples {
        serde_json::from_value::<T>(example.clone()).unwrap();
        for field in example.as_object().unwrap().keys() {
            assert!(schema["properties"].get(field).is_some(), "{field}");
        }
        for field in schema["required"].as_array().into_iter().flatten() {
            assert!(example.get(field.as_str().unwrap()).is_some(), "{field}");
        }
    }
}

#[test]
fn answers_are_read_and_written_as_they_are() {
    check::<AdminMfaSettings>(1);
    check::<AdministrativeRole>(1);
    check::<AuditEvent>(1);
    check::<IdentityProvider>(1);
    check::<IdentityProviderNames>(1);
    check::<InitializeOtpResponse>(4);
    check::<LocalUser>(1);
    check::<LoginResponse>(1);
    check::<MfaProvider>(2);
    check::<MfaProviderTestResult>(1);
    check::<OtpSeed>(1);
    check::<TypeTargetMap>(1);
    check::<Version>(1);
}

#[test]
fn requests_are_read() {
    check::<FinishOtp>(1);
    check::<InitializeOtp>(1);
    check::<SignIn>(1);
    check_input::<AdminMfaSettingsInput>();
    check_input::<AdministrativeRoleInput>();
    check_input::<IdentityProviderInput>();
    check_input::<LocalUserInput>();
    check_input::<MfaProviderInput>();
}
