//! Providers of second factors.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use vestibule_engine::privilege::{PrivilegeType, Target};
use vestibule_engine::{MfaProvider, Token};
use vestibule_service::{Caller, MfaProviderDraft, Origin};
use vestibule_wire as wire;

use crate::App;
use crate::bearer::{BearerToken, admit};
use crate::body::RawBody;
use crate::client::Asked;
use crate::convert;
use crate::document::ListParameters;
use crate::document::answers::{Administration, Conflicting, Input, NotFound};
use crate::error::ApiResult;
use crate::list::ListRequest;
use crate::path::PathText;

/// What the list can be filtered by.
const FIELDS: [&str; 7] = [
    "id",
    "name",
    "notes",
    "tags",
    "type",
    "inputType",
    "hostnames",
];

/// List providers
#[utoipa::path(
    get,
    path = "/admin/mfa-providers",
    operation_id = "listMfaProviders",
    tag = "MFA providers",
    security(("token" = [])),
    params(ListParameters),
    responses(
        (status = 200, description = "A part of the list.", body = wire::List<wire::MfaProvider>),
        Administration
    )
)]
pub(super) async fn list(
    State(app): State<App>,
    Asked(origin): Asked,
    BearerToken(token): BearerToken,
    RawQuery(query): RawQuery,
) -> ApiResult<Json<wire::List<wire::MfaProvider>>> {
    let caller = app.service.caller(&token, origin).await?;
    let request = ListRequest::read(query.as_deref(), &FIELDS);
    let listing = app.service.mfa_providers(&caller, &request.query).await?;
    Ok(Json(request.answer(listing, "name", convert::mfa_provider)))
}

/// Show a provider
#[utoipa::path(
    get,
    path = "/admin/mfa-providers/{id}",
    operation_id = "getMfaProvider",
    tag = "MFA providers",
    security(("token" = [])),
    params(("id" = String, Path, description = "The id.", format = "uuid")),
    responses(
        (status = 200, description = "It.", body = wire::MfaProvider),
        Administration, NotFound
    )
)]
pub(super) async fn get(
    State(app): State<App>,
    Asked(origin): Asked,
    BearerToken(token): BearerToken,
    PathText(id): PathText,
) -> ApiResult<Json<wire::MfaProvider>> {
    let caller = app.service.caller(&token, origin).await?;
    let id = id.unwrap_or_default();
    let provider = app.service.mfa_provider(&caller, &id).await?;
    Ok(Json(convert::mfa_provider(provider)))
}

/// Make a provider
///
/// Of the type `Radius`: `hostnames`, `port` and `sharedSecret` are needed.
#[utoipa::path(
    post,
    path = "/admin/mfa-providers",
    operation_id = "addMfaProvider",
    tag = "MFA providers",
    security(("token" = [])),
    request_body = wire::MfaProviderInput,
    responses(
        (status = 200, description = "What was made.", body = wire::MfaProvider),
        Administration, Input, Conflicting
    )
)]
pub(super) async fn add(
    State(app): State<App>,
    Asked(origin): Asked,
    BearerToken(token): BearerToken,
    body: RawBody,
) -> ApiResult<Json<wire::MfaProvider>> {
    let allowed = |caller: &Caller| caller.may(PrivilegeType::Create, Target::MfaProvider);
    let (caller, input) = admit(&app, (&token, origin), allowed, body).await?;
    let draft = draft(input);
    let provider = app.service.add_mfa_provider(&caller, draft).await?;
    Ok(Json(convert::mfa_provider(provider)))
}

/// Replace a provider
///
/// What is absent goes back to its default, but for the secrets, which stay. `type` cannot be changed.
#[utoipa::path(
    put,
    path = "/admin/mfa-providers/{id}",
    operation_id = "putMfaProvider",
    tag = "MFA providers",
    security(("token" = [])),
    params(("id" = String, Path, description = "The id.", format = "uuid")),
    request_body = wire::MfaProviderInput,
    responses(
        (status = 200, description = "As it is now.", body = wire::MfaProvider),
        Administration, Input, NotFound, Conflicting
    )
)]
pub(super) async fn put(
    State(app): State<App>,
    Asked(origin): Asked,
    BearerToken(token): BearerToken,
    PathText(id): PathText,
    body: RawBody,
) -> ApiResult<Json<wire::MfaProvider>> {
    let id = id.unwrap_or_default();
    replace(&app, (&token, origin), Some(&id), body).await
}

/// Replace a provider, by the id in the body
///
/// What one client does when `POST` was a conflict.
#[utoipa::path(
    put,
    path = "/admin/mfa-providers",
    operation_id = "putMfaProviderById",
    tag = "MFA providers",
    security(("token" = [])),
    request_body = wire::MfaProviderInput,
    responses(
        (status = 200, description = "As it is now.", body = wire::MfaProvider),
        Administration, Input, NotFound, Conflicting
    )
)]
pub(super) async fn put_by_body(
    State(app): State<App>,
    Asked(origin): Asked,
    BearerToken(token): BearerToken,
    body: RawBody,
) -> ApiResult<Json<wire::MfaProvider>> {
    replace(&app, (&token, origin), None, body).await
}

async fn replace(
    app: &App,
    token: (&Token, Origin),
    path: Option<&str>,
    body: RawBody,
) -> ApiResult<Json<wire::MfaProvider>> {
    let allowed = Caller::may_change::<MfaProvider>;
    let (caller, input) = admit(app, token, allowed, body).await?;
    let (service, draft) = (&app.service, draft(input));
    let provider = service.replace_mfa_provider(&caller, path, &draft).await?;
    Ok(Json(convert::mfa_provider(provider)))
}

/// Delete a provider
///
/// Neither a built-in one, nor the one that is due.
#[utoipa::path(
    delete,
    path = "/admin/mfa-providers/{id}",
    operation_id = "deleteMfaProvider",
    tag = "MFA providers",
    security(("token" = [])),
    params(("id" = String, Path, description = "The id.", format = "uuid")),
    responses((status = 204, description = "It is gone."), Administration, NotFound, Conflicting)
)]
pub(super) async fn delete(
    State(app): State<App>,
    Asked(origin): Asked,
    BearerToken(token): BearerToken,
    PathText(id): PathText,
) -> ApiResult<StatusCode> {
    let caller = app.service.caller(&token, origin).await?;
    let id = id.unwrap_or_default();
    app.service.remove_mfa_provider(&caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ask the servers of a provider
///
/// Stores nothing. Takes ten seconds at most.
#[utoipa::path(
    post,
    path = "/admin/mfa-providers/test",
    operation_id = "testMfaProvider",
    tag = "MFA providers",
    security(("token" = [])),
    request_body = wire::MfaProviderInput,
    responses(
        (
            status = 200,
            description = "Whether a server answered, and if not, why.",
            body = wire::MfaProviderTestResult
        ),
        Administration, Input
    )
)]
pub(super) async fn test(
    State(app): State<App>,
    Asked(origin): Asked,
    BearerToken(token): BearerToken,
    body: RawBody,
) -> ApiResult<Json<wire::MfaProviderTestResult>> {
    let allowed = |caller: &Caller| caller.may(PrivilegeType::Test, Target::MfaProvider);
    let (caller, input) = admit(&app, (&token, origin), allowed, body).await?;
    let (service, draft) = (&app.service, draft(input));
    let found = service.test_mfa_provider(&caller, &draft).await?;
    Ok(Json(wire::MfaProviderTestResult {
        success: found.error.is_none(),
        error: found.error,
        warning: found.warning,
    }))
}

fn draft(input: wire::MfaProviderInput) -> MfaProviderDraft {
    MfaProviderDraft {
        id: input.id,
        name: input.name,
        notes: input.notes,
        tags: input.tags.unwrap_or_default(),
        kind: input.kind,
        input_type: input.input_type,
        hostnames: input.hostnames,
        port: input.port,
        shared_secret: input.shared_secret.map(convert::secret),
        protocol: input.authentication_protocol,
        timeout: input.timeout,
        mode: input.mode,
        use_user_password: input.use_user_password.unwrap_or_default(),
        challenge_secret: input.challenge_shared_secret.map(convert::secret),
        require_message_authenticator: input.require_message_authenticator,
        nas_identifier: input.nas_identifier,
        source_address: input.source_address,
        status_server: input.status_server,
    }
}
