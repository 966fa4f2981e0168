//! Errors as the API writes them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The `id`s of errors: what programs compare.
#[expect(missing_docs, reason = "each is its own explanation")]
pub mod ids {
    pub const BAD_REQUEST: &str = "bad request";
    pub const UNAUTHORIZED: &str = "unauthorized";
    pub const FORBIDDEN: &str = "forbidden";
    pub const NOT_FOUND: &str = "not found";
    pub const METHOD_NOT_ALLOWED: &str = "method not allowed";
    pub const NOT_ACCEPTABLE: &str = "not acceptable";
    pub const REQUEST_TIMEOUT: &str = "request timeout";
    pub const CONFLICT: &str = "conflict";
    pub const PRECONDITION_FAILED: &str = "precondition failed";
    pub const PAYLOAD_TOO_LARGE: &str = "payload too large";
    pub const UNPROCESSABLE_ENTITY: &str = "unprocessable entity";
    pub const TOO_MANY_REQUESTS: &str = "too many requests";
    pub const INTERNAL_SERVER_ERROR: &str = "internal server error";
    pub const SERVICE_UNAVAILABLE: &str = "service unavailable";
}

/// The messages that clients show, or compare.
#[expect(missing_docs, reason = "each is its own explanation")]
pub mod messages {
    pub const WRONG_PASSWORD: &str = "Invalid username or password.";
    pub const WRONG_OTP: &str =
        "Invalid one-time password. Please make sure the time on your device is correct.";
    pub const NO_CHALLENGE: &str = "There is no open challenge. Start the second factor again.";
    pub const FORBIDDEN: &str = "You don't have permission to access this resource.";
    pub const SECOND_FACTOR_DUE: &str =
        "Administrative authorization requires two-factor authentication.";
    pub const INVALID: &str = "Validation failed.";
    pub const INTERNAL: &str = "An unexpected error occurred.";
}

/// Which factor failed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub enum FailureType {
    /// The password.
    Login,
    /// The second factor.
    Mfa,
}

/// One thing wrong with one field; reads "`field` `message`".
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct FieldError {
    /// The path of the field.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

/// The body of every error.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Error)]
pub struct ErrorBody {
    /// What programs compare.
    #[serde(default)]
    #[schema(required)]
    pub id: Cow<'static, str>,
    /// What people read.
    #[serde(default)]
    #[schema(required)]
    pub message: Cow<'static, str>,
    /// 401 of a sign-in: which factor failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_type: Option<FailureType>,
    /// 401 of a sign-in: the same in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Cow<'static, str>>,
    /// 406: the oldest version that is spoken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_supported_version: Option<u16>,
    /// 406: the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_supported_version: Option<u16>,
    /// 412: that a second factor is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otp_required: Option<bool>,
    /// 412: of whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// 422: everything that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<Vec<FieldError>>,
}

impl ErrorBody {
    /// An error with nothing but what every error has.
    pub fn new(id: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            id: id.into(),
            message: message.into(),
            ..Self::default()
        }
    }
}
