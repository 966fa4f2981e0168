//! Refusals, as the document has them: one for each status, and groups of them that go together.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use utoipa::IntoResponses;
use utoipa::PartialSchema as _;
use utoipa::openapi::example::Example;
use utoipa::openapi::header::Header;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{ContentBuilder, Ref, RefOr};
use vestibule_wire::{ErrorBody, FailureType, FieldError, PEER_VERSIONS, ids, messages};

pub(super) const NOT_ACCEPTABLE: &str = "NotAcceptable";
/// The name of the answer to those who ask too often.
pub(super) const TOO_MANY_REQUESTS: &str = "TooManyRequests";
pub(super) const INTERNAL: &str = "InternalServerError";

/// A refusal: its name in the document, what it means, and bodies that it can have.
struct Refusal {
    name: &'static str,
    description: &'static str,
    bodies: Vec<(&'static str, ErrorBody)>,
    /// Whether it says when to come back.
    later: bool,
}

impl Refusal {
    fn new(
        name: &'static str,
        description: &'static str,
        bodies: impl Into<Vec<(&'static str, ErrorBody)>>,
    ) -> Self {
        let bodies = bodies.into();
        Self {
            name,
            description,
            bodies,
            later: false,
        }
    }

    fn later(self) -> Self {
        Self {
            later: true,
            ..self
        }
    }

    /// With the fields that all of its bodies have.
    fn response(&self) -> Response {
        let bodies: Vec<_> = self
            .bodies
            .iter()
            .map(|(name, body)| (*name, json!(body)))
            .collect();
        let fields = bodies.iter().map(|(_, body)| keys(body));
        let required = fields.reduce(|all, some| &all & &some).unwrap_or_default();
        let ids: BTreeSet<_> = self.bodies.iter().map(|(_, body)| &*body.id).collect();
        let own = required.iter().fold(
            ObjectBuilder::new().property(
                "id",
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .enum_values(Some(ids)),
            ),
            ObjectBuilder::required,
        );
        let schema = AllOfBuilder::new()
            .item(Ref::from_schema_name("Error"))
            .item(own);
        let examples = bodies.into_iter().map(|(name, body)| {
            let mut example = Example::new();
            example.value = Some(body);
            (name, example)
        });
        let content = ContentBuilder::new()
            .schema(Some(Schema::from(schema)))
            .examples_from_iter(examples)
            .build();
        let response = ResponseBuilder::new()
            .description(self.description)
            .content("application/json", content);
        if self.later {
            let mut header = Header::new(u32::schema());
            header.description = Some("Whole seconds after which to come back.".to_owned());
            response.header("Retry-After", header).build()
        } else {
            response.build()
        }
    }
}

fn keys(body: &Value) -> BTreeSet<String> {
    let keys = body
        .as_object()
        .into_iter()
        .flat_map(|fields| fields.keys());
    keys.cloned().collect()
}

/// All refusals, by name.
pub(super) fn all() -> impl Iterator<Item = (&'static str, Response)> {
    let all = of_requests()
        .into_iter()
        .chain(of_callers())
        .chain(of_states());
    all.map(|refusal| (refusal.name, refusal.response()))
}

/// What can be wrong with the request itself.
fn of_requests() -> Vec<Refusal> {
    let plain = |id, message: &'static str| [("error", ErrorBody::new(id, message))];
    let versions = ErrorBody {
        min_supported_version: Some(*PEER_VERSIONS.start()),
        max_supported_version: Some(*PEER_VERSIONS.end()),
        ..ErrorBody::new(
            ids::NOT_ACCEPTABLE,
            format!(
                "Invalid 'Accept' header. Current version: {}, Received: application/json",
                super::media_type()
            ),
        )
    };
    let invalid = ErrorBody {
        errors: Some(vec![FieldError {
            field: "name".to_owned(),
            message: "may not be empty".to_owned(),
        }]),
        ..ErrorBody::new(ids::UNPROCESSABLE_ENTITY, messages::INVALID)
    };
    vec![
        Refusal::new(
            NOT_ACCEPTABLE,
            "The client does not say, in `Accept`, that it speaks a version that is spoken here.",
            [("error", versions)],
        ),
        Refusal::new(
            "BadRequest",
            "The body is not JSON, or a value in it has another JSON type.",
            plain(ids::BAD_REQUEST, "The body is not a JSON object."),
        ),
        Refusal::new(
            "RequestTimeout",
            "The body took more than ten seconds to arrive.",
            plain(ids::REQUEST_TIMEOUT, "The body took too long to arrive."),
        ),
        Refusal::new(
            "PayloadTooLarge",
            "The body is longer than 64 KiB.",
            plain(
                ids::PAYLOAD_TOO_LARGE,
                "The body may not be longer than 65536 bytes.",
            ),
        ),
        Refusal::new(
            "UnprocessableEntity",
            "Values make no sense: `errors` has all of them, to be read as \"`field` `message`\".",
            [("error", invalid)],
        ),
    ]
}

/// What can be wrong with who calls.
fn of_callers() -> Vec<Refusal> {
    let plain = |id, message: &'static str| [("error", ErrorBody::new(id, message))];
    let failed = |failure, message: &'static str| ErrorBody {
        failure_type: Some(failure),
        reason: Some(message.into()),
        ..ErrorBody::new(ids::UNAUTHORIZED, message)
    };
    let token = || ErrorBody::new(ids::UNAUTHORIZED, "The token is invalid or has expired.");
    let due = ErrorBody {
        otp_required: Some(true),
        username: Some("alice".to_owned()),
        ..ErrorBody::new(ids::PRECONDITION_FAILED, messages::SECOND_FACTOR_DUE)
    };
    vec![
        Refusal::new(
            "TokenRefused",
            "There is no token, or it is not good for this.",
            [("token", token())],
        ),
        Refusal::new(
            "SignInRefused",
            "User or password are wrong, or the user is locked or disabled.",
            [(
                "password",
                failed(FailureType::Login, messages::WRONG_PASSWORD),
            )],
        ),
        Refusal::new(
            "SecondFactorRefused",
            "There is no token, or it is not good for this, or the second factor did not pass.",
            [
                ("token", token()),
                ("code", failed(FailureType::Mfa, messages::WRONG_OTP)),
            ],
        ),
        Refusal::new(
            "Forbidden",
            "The user may not do that.",
            plain(ids::FORBIDDEN, messages::FORBIDDEN),
        ),
        Refusal::new(
            "SecondFactorDue",
            "A second factor is due.",
            [("error", due)],
        ),
        Refusal::new(
            TOO_MANY_REQUESTS,
            "Too many failed sign-ins or requests without a token from one address, or another push of the user waits.",
            plain(
                ids::TOO_MANY_REQUESTS,
                "Too many failed sign-ins from this address. Try again later.",
            ),
        )
        .later(),
    ]
}

/// What can be wrong with what is there already.
fn of_states() -> Vec<Refusal> {
    let plain = |id, message: &'static str| [("error", ErrorBody::new(id, message))];
    vec![
        Refusal::new(
            "NotFound",
            "There is no such thing.",
            plain(ids::NOT_FOUND, "There is no such user."),
        ),
        Refusal::new(
            "Conflict",
            "Name or id are taken, or the thing is in use or built in.",
            plain(ids::CONFLICT, "A local user with this name exists already."),
        ),
        Refusal::new(
            "ServiceUnavailable",
            "The database does not work just now, or no RADIUS server answers.",
            plain(
                ids::SERVICE_UNAVAILABLE,
                "The service is temporarily unavailable. Try again shortly.",
            ),
        )
        .later(),
        Refusal::new(
            INTERNAL,
            "A fault of the server, or a RADIUS server that accepts without asking for a second factor.",
            plain(ids::INTERNAL_SERVER_ERROR, messages::INTERNAL),
        ),
    ]
}

/// Defines groups of refusals that go together.
macro_rules! groups {
    ($($(#[$doc:meta])* $group:ident { $($status:literal: $name:literal),+ $(,)? })+) => {$(
        $(#[$doc])*
        pub(crate) struct $group;

        impl IntoResponses for $group {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                let refusals = [$(($status, $name)),+];
                let refusals = refusals.into_iter();
                refusals
                    .map(|(status, name)| (status.to_owned(), Ref::from_response_name(name).into()))
                    .collect()
            }
        }
    )+};
}

groups! {
    /// Of whatever needs a token.
    Bearer { "401": "TokenRefused", "503": "ServiceUnavailable" }
    /// Of whatever needs a token for administration.
    Administration { "401": "TokenRefused", "403": "Forbidden", "503": "ServiceUnavailable" }
    /// Of whatever needs a password.
    SignIn { "401": "SignInRefused", "503": "ServiceUnavailable" }
    /// Of the beginning of the second factor.
    Enrolment { "401": "SecondFactorRefused", "403": "Forbidden", "503": "ServiceUnavailable" }
    /// Of its end.
    SecondFactor { "401": "SecondFactorRefused", "503": "ServiceUnavailable" }
    /// Of whatever takes a body.
    Input {
        "400": "BadRequest",
        "408": "RequestTimeout",
        "413": "PayloadTooLarge",
        "422": "UnprocessableEntity",
    }
    /// Of whatever takes values that have to make sense.
    Unprocessable { "422": "UnprocessableEntity" }
    /// Of whatever admits to administration.
    Admission { "403": "Forbidden", "412": "SecondFactorDue" }
    /// Of whatever is about one thing.
    NotFound { "404": "NotFound" }
    /// Of whatever can stand in the way of another thing.
    Conflicting { "409": "Conflict" }
}
