//! The OpenAPI document: what the routes say of themselves, and what is true of all of them.
//!
//! A route is registered together with its operation, which stands beside its handler. What the
//! envelope of every request adds to the answers is added to the operations here.

pub(crate) mod answers;
mod envelope;
mod lists;
mod nulls;
mod parameters;
mod unions;

pub(crate) use parameters::{AuditParameters, ListParameters};

use serde_json::Value;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::server::Server;
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder};
use utoipa::{PartialSchema as _, ToSchema as _};
use vestibule_wire::{
    ErrorBody, MEDIA_TYPE_PREFIX, MEDIA_TYPE_SUFFIX, PEER_VERSIONS, RadiusSettings,
};

use crate::routes;

/// The tags of operations, with what they are about.
const TAGS: [(&str, &str); 10] = [
    (
        "Sign-in",
        "The password, then the second factor, then administration; and the way out.",
    ),
    ("Versions", "Which versions of the API are spoken."),
    ("Administrative roles", "What administrators may do."),
    ("Identity providers", "Where users come from."),
    (
        "Local users",
        "The users of the built-in identity provider.",
    ),
    (
        "MFA providers",
        "Second factors: codes, and RADIUS servers.",
    ),
    (
        "MFA for administrators",
        "Which second factor is due, and of whom.",
    ),
    (
        "Seeds and devices",
        "What users have for their second factor.",
    ),
    (
        "Audit trail",
        "What was done and tried, by whom, and how it ended.",
    ),
    ("Documentation", "This document, and a page about it."),
];

/// The media type that clients ask for: that of the newest version.
fn media_type() -> String {
    format!(
        "{MEDIA_TYPE_PREFIX}{}{MEDIA_TYPE_SUFFIX}",
        PEER_VERSIONS.end()
    )
}

/// The document before there is any route in it.
pub(crate) fn blank() -> OpenApi {
    let description = format!(
        "A controller for multi-factor authentication.\n\n\
         **Versions.** Every call but those for documentation and `GET /admin/version` names the version of the API \
         that it speaks: `Accept: {}`, with {} to {} for the number. Answers without it are 406. The answers of all \
         versions are the same, and bear the shorter name of what they are: `Content-Type: application/json`.\n\n\
         **Tokens.** `POST /admin/login` yields a token for administration where no second factor is due. Otherwise \
         `POST /admin/authentication` yields a partial one, `POST /admin/authentication/otp` a verified one in \
         its place, and `GET /admin/authorization` the one for administration.\n\n\
         **What is absent.** No answer holds a `null`: what has no value is left out. In requests `null` means the same \
         as nothing, and unknown fields are ignored.\n\n\
         **Requests** have an id, which is in the `X-Request-Id` header of the answer and in the log of the server. \
         Beside what each operation answers, 404 and 405 with an `Error` are for paths and methods that are not here, \
         and 431 without a body for headers of more than 8 KiB.",
        media_type(),
        PEER_VERSIONS.start(),
        PEER_VERSIONS.end(),
    );
    let mut bearer = Http::new(HttpAuthScheme::Bearer);
    bearer.description = Some(
        "32 octets in standard base64: partial, verified or for administration. \
         Each operation says which it takes."
            .to_owned(),
    );
    let tags = TAGS.map(|(name, about)| {
        TagBuilder::new()
            .name(name)
            .description(Some(about))
            .build()
    });
    // What no operation names by itself.
    let mut schemas = vec![
        (ErrorBody::name().into_owned(), ErrorBody::schema()),
        (
            RadiusSettings::name().into_owned(),
            RadiusSettings::schema(),
        ),
    ];
    ErrorBody::schemas(&mut schemas);
    RadiusSettings::schemas(&mut schemas);
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Vestibule")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(description))
                .license(Some(
                    LicenseBuilder::new()
                        .name("Apache-2.0 OR MIT")
                        .identifier(Some("Apache-2.0 OR MIT"))
                        .build(),
                ))
                .build(),
        )
        .servers(Some([Server::new("/")]))
        .tags(Some(tags))
        .components(Some(
            ComponentsBuilder::new()
                .security_scheme("token", SecurityScheme::Http(bearer))
                .schemas_from_iter(schemas)
                .responses_from_iter(answers::all())
                .build(),
        ))
        .build()
}

/// The OpenAPI document of the API, as JSON for people and programs.
///
/// # Errors
/// It is no JSON, which would be a fault of this program.
pub fn document() -> serde_json::Result<String> {
    write(&routes::api().into_openapi())
}

/// Writes a document down, with what is true of all routes.
pub(crate) fn write(routes: &OpenApi) -> serde_json::Result<String> {
    let mut document = serde_json::to_value(routes)?;
    nulls::remove(&mut document);
    lists::name(&mut document);
    unions::name(&mut document);
    envelope::add(&mut document);
    Ok(format!("{document:#}\n"))
}

/// What is at a place of the document, if it is an object.
fn object<'a>(
    document: &'a mut Value,
    place: &str,
) -> Option<&'a mut serde_json::Map<String, Value>> {
    document.pointer_mut(place)?.as_object_mut()
}
