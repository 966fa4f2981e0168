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
use crate::convert;
use crate::error::ApiResult;

pub(super) async fn get(
    State(app): State<App>,
    BearerToken(token): BearerToken,
) -> ApiResult<Json<wire::AdminMfaSettings>> {
    let caller = app.service.caller(&token).await?;
    let settings = app.service.admin_mfa(&caller).await?;
    Ok(Json(convert::admin_mfa(settings)))
}

pub(super) async fn put(
    State(app): State<App>,
    BearerToken(token): BearerToken,
    body: RawBody,
) -> ApiResult<StatusCode> {
    let allowed = |caller: &Caller| caller.must(PrivilegeType::Edit, Target::GlobalSetting);
    let (caller, input): (_, wire::AdminMfaSettingsInput) =
        admit(&app, &token, allowed, body).await?;
    let update = AdminMfaUpdate {
        provider: input.provider_id,
        exempted: input.exempted_users.unwrap_or_default(),
    };
    app.service.set_admin_mfa(&caller, update).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn delete(
    State(app): State<App>,
    BearerToken(token): BearerToken,
) -> ApiResult<StatusCode> {
    let caller = app.service.caller(&token).await?;
    app.service.reset_admin_mfa(&caller).await?;
    Ok(StatusCode::NO_CONTENT)
}
