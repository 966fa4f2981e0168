//! The settings of the second factor for administrators.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use vestibule_engine::privilege::{PrivilegeType, Target};
use vestibule_service::{AdminMfaUpdate, Caller};
use vestibule_wire as wire;

use crate::App;
use crate::bearer::{BearerToken, admit};
use crate::body::RawBody;
use crate::client::Asked;
use crate::convert;
use crate::document::answers::{Administration, Input};
use crate::error::ApiResult;

/// Show which second factor is due
#[utoipa::path(
    get,
    path = "/admin/admin-mfa-settings",
    operation_id = "getAdminMfaSettings",
    tag = "MFA for administrators",
    security(("token" = [])),
    responses(
        (status = 200, description = "The settings.", body = wire::AdminMfaSettings),
        Administration
    )
)]
pub(super) async fn get(
    State(app): State<App>,
    Asked(origin): Asked,
    BearerToken(token): BearerToken,
) -> ApiResult<Json<wire::AdminMfaSettings>> {
    let caller = app.service.caller(&token, origin).await?;
    let settings = app.service.admin_mfa(&caller).await?;
    Ok(Json(convert::admin_mfa(settings)))
}

/// Set which second factor is due
///
/// What is absent is off.
#[utoipa::path(
    put,
    path = "/admin/admin-mfa-settings",
    operation_id = "putAdminMfaSettings",
    tag = "MFA for administrators",
    security(("token" = [])),
    request_body = wire::AdminMfaSettingsInput,
    responses((status = 204, description = "The settings are these now."), Administration, Input)
)]
pub(super) async fn put(
    State(app): State<App>,
    Asked(origin): Asked,
    BearerToken(token): BearerToken,
    body: RawBody,
) -> ApiResult<StatusCode> {
    let allowed = |caller: &Caller| caller.must(PrivilegeType::Edit, Target::GlobalSetting);
    let (caller, input): (_, wire::AdminMfaSettingsInput) =
        admit(&app, (&token, origin), allowed, body).await?;
    let update = AdminMfaUpdate {
        provider: input.provider_id,
        exempted: input.exempted_users.unwrap_or_default(),
    };
    app.service.set_admin_mfa(&caller, update).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Switch the second factor off
#[utoipa::path(
    delete,
    path = "/admin/admin-mfa-settings",
    operation_id = "deleteAdminMfaSettings",
    tag = "MFA for administrators",
    security(("token" = [])),
    responses(
        (status = 204, description = "No second factor is due, and the exemptions are forgotten."),
        Administration
    )
)]
pub(super) async fn delete(
    State(app): State<App>,
    Asked(origin): Asked,
    BearerToken(token): BearerToken,
) -> ApiResult<StatusCode> {
    let caller = app.service.caller(&token, origin).await?;
    app.service.reset_admin_mfa(&caller).await?;
    Ok(StatusCode::NO_CONTENT)
}
