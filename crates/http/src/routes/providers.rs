//! Providers of second factors.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use vestibule_engine::privilege::{PrivilegeType, Target};
use vestibule_engine::{MfaProvider, Token};
use vestibule_service::{Caller, MfaProviderDraft};
use vestibule_wire as wire;

use crate::App;
use crate::bearer::{BearerToken, admit};
use crate::body::RawBody;
use crate::convert;
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

pub(super) async fn list(
    State(app): State<App>,
    BearerToken(token): BearerToken,
    RawQuery(query): RawQuery,
) -> ApiResult<Json<wire::List<wire::MfaProvider>>> {
    let caller = app.service.caller(&token).await?;
    let request = ListRequest::read(query.as_deref(), &FIELDS);
    let listing = app.service.mfa_providers(&caller, &request.query).await?;
    Ok(Json(request.answer(listing, "name", convert::mfa_provider)))
}

pub(super) async fn get(
    State(app): State<App>,
    BearerToken(token): BearerToken,
    PathText(id): PathText,
) -> ApiResult<Json<wire::MfaProvider>> {
    let caller = app.service.caller(&token).await?;
    let id = id.unwrap_or_default();
    let provider = app.service.mfa_provider(&caller, &id).await?;
    Ok(Json(convert::mfa_provider(provider)))
}

pub(super) async fn add(
    State(app): State<App>,
    BearerToken(token): BearerToken,
    body: RawBody,
) -> ApiResult<Json<wire::MfaProvider>> {
    let allowed = |caller: &Caller| caller.may(PrivilegeType::Create, Target::MfaProvider);
    let (caller, input) = admit(&app, &token, allowed, body).await?;
    let draft = draft(input);
    let provider = app.service.add_mfa_provider(&caller, draft).await?;
    Ok(Json(convert::mfa_provider(provider)))
}

pub(super) async fn put(
    State(app): State<App>,
    BearerToken(token): BearerToken,
    PathText(id): PathText,
    body: RawBody,
) -> ApiResult<Json<wire::MfaProvider>> {
    let id = id.unwrap_or_default();
    replace(&app, &token, Some(&id), body).await
}

/// What one client does when `POST` was a conflict: the id is in the body only.
pub(super) async fn put_by_body(
    State(app): State<App>,
    BearerToken(token): BearerToken,
    body: RawBody,
) -> ApiResult<Json<wire::MfaProvider>> {
    replace(&app, &token, None, body).await
}

async fn replace(
    app: &App,
    token: &Token,
    path: Option<&str>,
    body: RawBody,
) -> ApiResult<Json<wire::MfaProvider>> {
    let allowed = Caller::may_change::<MfaProvider>;
    let (caller, input) = admit(app, token, allowed, body).await?;
    let (service, draft) = (&app.service, draft(input));
    let provider = service.replace_mfa_provider(&caller, path, &draft).await?;
    Ok(Json(convert::mfa_provider(provider)))
}

pub(super) async fn delete(
    State(app): State<App>,
    BearerToken(token): BearerToken,
    PathText(id): PathText,
) -> ApiResult<StatusCode> {
    let caller = app.service.caller(&token).await?;
    let id = id.unwrap_or_default();
    app.service.remove_mfa_provider(&caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn test(
    State(app): State<App>,
    BearerToken(token): BearerToken,
    body: RawBody,
) -> ApiResult<Json<wire::MfaProviderTestResult>> {
    let allowed = |caller: &Caller| caller.may(PrivilegeType::Test, Target::MfaProvider);
    let (caller, input) = admit(&app, &token, allowed, body).await?;
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
