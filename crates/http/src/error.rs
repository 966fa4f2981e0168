//! From what went wrong to a status and a body, in one place.

use std::borrow::Cow;
use std::time::Duration;

use axum::Json;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use tracing::{error, warn};
use vestibule_engine::{FieldErrors, Refusal};
use vestibule_service::{Conflict, Denial, Missing, ServiceError, TokenRefusal};
use vestibule_wire::{ErrorBody, FailureType, FieldError, ids, messages};

/// When to come back to a store that does not work.
const STORE_RETRY: Duration = Duration::from_secs(2);

pub(crate) type ApiResult<T> = Result<T, ApiError>;

/// An error as its reader gets it.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    body: Box<ErrorBody>,
    retry_after: Option<Duration>,
    denial: Option<Box<Denial>>,
}

/// What an answer denies: for the envelope, which writes it down before the answer leaves.
#[derive(Clone, Debug)]
pub(crate) struct Denied(pub(crate) Box<Denial>);

impl ApiError {
    pub(crate) fn from_body(status: StatusCode, body: ErrorBody) -> Self {
        Self {
            status,
            body: Box::new(body),
            retry_after: None,
            denial: None,
        }
    }

    pub(crate) fn internal() -> Self {
        Self::from_body(
            StatusCode::INTERNAL_SERVER_ERROR,
            ErrorBody::new(ids::INTERNAL_SERVER_ERROR, messages::INTERNAL),
        )
    }

    fn unauthorized(
        failure: FailureType,
        message: &'static str,
        reason: Cow<'static, str>,
    ) -> Self {
        Self::from_body(
            StatusCode::UNAUTHORIZED,
            ErrorBody {
                failure_type: Some(failure),
                reason: Some(reason),
                ..ErrorBody::new(ids::UNAUTHORIZED, message)
            },
        )
    }

    /// A second factor that did not pass: one message for all, as clients show it.
    fn mfa(reason: Cow<'static, str>) -> Self {
        Self::unauthorized(FailureType::Mfa, messages::WRONG_OTP, reason)
    }

    fn unprocessable(message: &'static str, errors: Vec<FieldError>) -> Self {
        Self::from_body(
            StatusCode::UNPROCESSABLE_ENTITY,
            ErrorBody {
                errors: Some(errors),
                ..ErrorBody::new(ids::UNPROCESSABLE_ENTITY, message)
            },
        )
    }

    /// An address that made too many requests without a good token.
    pub(crate) fn too_many_requests(retry_after: Duration) -> Self {
        Self::later(
            StatusCode::TOO_MANY_REQUESTS,
            ids::TOO_MANY_REQUESTS,
            "Too many requests without a token from this address. Try again later.",
            retry_after,
        )
    }

    fn later(status: StatusCode, id: &'static str, message: &'static str, after: Duration) -> Self {
        Self {
            retry_after: Some(after),
            ..Self::from_body(status, ErrorBody::new(id, message))
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        if let Some(after) = self.retry_after {
            // Whole seconds, never too few.
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if let Some(denial) = self.denial {
            response.extensions_mut().insert(Denied(denial));
        }
        response
    }
}

impl From<FieldErrors> for ApiError {
    fn from(errors: FieldErrors) -> Self {
        ServiceError::Invalid(errors).into()
    }
}

impl From<ServiceError> for ApiError {
    /// No arm is for all others: a new error must choose its status here.
    fn from(error: ServiceError) -> Self {
        let plain = |status, id, message: &'static str| {
            Self::from_body(status, ErrorBody::new(id, message))
        };
        match error {
            ServiceError::Invalid(errors) => {
                let errors = errors.errors().iter().map(|error| FieldError {
                    field: error.field.to_string(),
                    message: error.message.to_string(),
                });
                Self::unprocessable(messages::INVALID, errors.collect())
            }
            ServiceError::SignInRefused(_) => Self::unauthorized(
                FailureType::Login,
                messages::WRONG_PASSWORD,
                messages::WRONG_PASSWORD.into(),
            ),
            // This one tells nothing but where the client stands, and what to do.
            ServiceError::SecondFactorRefused(Refusal::NoDialogue) => {
                Self::mfa(messages::NO_CHALLENGE.into())
            }
            ServiceError::SecondFactorRefused(_) => Self::mfa(messages::WRONG_OTP.into()),
            ServiceError::SecondFactorAskedAgain { message } => Self::mfa(if message.is_empty() {
                messages::WRONG_OTP.into()
            } else {
                message.into()
            }),
            ServiceError::AuthenticationServerSilent => Self::later(
                StatusCode::SERVICE_UNAVAILABLE,
                ids::SERVICE_UNAVAILABLE,
                "The authentication server does not answer. Try again shortly.",
                STORE_RETRY,
            ),
            ServiceError::AcceptedTooEarly { .. } => {
                error!(cause = %chain(&error), "A RADIUS server is not set up for its provider");
                plain(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    ids::INTERNAL_SERVER_ERROR,
                    "The authentication server accepted without asking for a second factor. \
                     Tell an administrator: it is not set up for this.",
                )
            }
            ServiceError::TooManyPushes { retry_after } => Self::later(
                StatusCode::TOO_MANY_REQUESTS,
                ids::TOO_MANY_REQUESTS,
                "Another approval of this user is waiting, or there were too many. Try again later.",
                retry_after,
            ),
            ServiceError::SecondFactorNotDue => Self::unprocessable(
                "Multi-factor authentication is not enabled for this user.",
                Vec::new(),
            ),
            ServiceError::SecondFactorDue { username } => Self::from_body(
                StatusCode::PRECONDITION_FAILED,
                ErrorBody {
                    otp_required: Some(true),
                    username: Some(username),
                    ..ErrorBody::new(ids::PRECONDITION_FAILED, messages::SECOND_FACTOR_DUE)
                },
            ),
            ServiceError::EnrolmentOver => plain(
                StatusCode::FORBIDDEN,
                ids::FORBIDDEN,
                "The time to set up an authenticator is over. Ask an administrator.",
            ),
            ServiceError::TokenRefused(reason) => plain(
                StatusCode::UNAUTHORIZED,
                ids::UNAUTHORIZED,
                token_message(reason),
            ),
            ServiceError::Forbidden(denial) => Self {
                denial: Some(denial),
                ..plain(StatusCode::FORBIDDEN, ids::FORBIDDEN, messages::FORBIDDEN)
            },
            ServiceError::NotFound(what) => {
                plain(StatusCode::NOT_FOUND, ids::NOT_FOUND, missing_message(what))
            }
            ServiceError::Conflict(what) => {
                plain(StatusCode::CONFLICT, ids::CONFLICT, conflict_message(what))
            }
            ServiceError::TooManyFailures { retry_after } => Self::later(
                StatusCode::TOO_MANY_REQUESTS,
                ids::TOO_MANY_REQUESTS,
                "Too many failed sign-ins from this address. Try again later.",
                retry_after,
            ),
            ServiceError::Unavailable(ref cause) => {
                warn!(cause = %chain(&**cause), "Unavailable");
                Self::later(
                    StatusCode::SERVICE_UNAVAILABLE,
                    ids::SERVICE_UNAVAILABLE,
                    "The service is temporarily unavailable. Try again shortly.",
                    STORE_RETRY,
                )
            }
            ServiceError::Bug { .. } => {
                error!(cause = %chain(&error), "A request failed by a fault of this program");
                Self::internal()
            }
        }
    }
}

/// An error with all that led to it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

const fn token_message(reason: TokenRefusal) -> &'static str {
    match reason {
        TokenRefusal::Missing => "A token is needed, as `Authorization: Bearer <token>`.",
        TokenRefusal::Unknown | TokenRefusal::Expired => "The token is invalid or has expired.",
        TokenRefusal::WrongKind => "The token is not good for this step of the sign-in.",
    }
}

const fn missing_message(what: Missing) -> &'static str {
    match what {
        Missing::Seed => "The user has no seed.",
        Missing::Fido2Device => "The user has no FIDO2 device.",
        Missing::IdentityProvider => "There is no such identity provider.",
        Missing::MfaProvider => "There is no such MFA provider.",
        Missing::Role => "There is no such administrative role.",
        Missing::User => "There is no such user.",
    }
}

const fn conflict_message(what: Conflict) -> &'static str {
    match what {
        Conflict::UserName => "A local user with this name exists already.",
        Conflict::UserId => "A local user with this id exists already.",
        Conflict::UserBuiltIn => "The local user is built in and cannot be deleted.",
        Conflict::LastAdministrator => {
            "The local user is the last enabled one who may do everything. Give another one the role first."
        }
        Conflict::MfaProviderName => "An MFA provider with this name exists already.",
        Conflict::MfaProviderId => "An MFA provider with this id exists already.",
        Conflict::IdentityProviderBuiltIn => {
            "The identity provider is built in and cannot be deleted."
        }
        Conflict::MfaProviderBuiltIn => "The MFA provider is built in and cannot be deleted.",
        Conflict::RoleName => "An administrative role with this name exists already.",
        Conflict::RoleId => "An administrative role with this id exists already.",
        Conflict::RoleBuiltIn => "The administrative role is built in and cannot be deleted.",
        Conflict::RoleInUse => {
            "A local user holds the administrative role. Take it from every user first."
        }
        Conflict::RoleNeeded => {
            "Nobody else who is enabled may do everything. Give a role that allows it to another user first."
        }
        Conflict::MfaProviderInUse => {
            "The MFA provider is the providerId of the admin MFA settings. Choose another one there first."
        }
    }
}

pub(crate) async fn no_such_route() -> ApiError {
    ApiError::from_body(
        StatusCode::NOT_FOUND,
        ErrorBody::new(ids::NOT_FOUND, "There is no such resource."),
    )
}

pub(crate) async fn no_such_method() -> ApiError {
    ApiError::from_body(
        StatusCode::METHOD_NOT_ALLOWED,
        ErrorBody::new(
            ids::METHOD_NOT_ALLOWED,
            "The resource does not have this method.",
        ),
    )
}
