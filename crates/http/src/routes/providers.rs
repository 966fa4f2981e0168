//! Providers of second factors.

use axum::Json;
use axum::extract::{RawQuery, State};
use vestibule_wire as wire;

use crate::App;
use crate::bearer::BearerToken;
use crate::convert;
use crate::error::ApiResult;
use crate::list::ListRequest;
use crate::path::PathText;

pub(super) async fn list(
    State(app): State<App>,
    BearerToken(token): BearerToken,
    RawQuery(query): RawQuery,
) -> ApiResult<Json<wire::List<wire::MfaProvider>>> {
    let caller = app.service.caller(&token).await?;
    let request = ListRequest::read(query.as_deref()).by_name_only();
    let listing = app.service.mfa_providers(&caller, &request.query)?;
    Ok(Json(request.answer(listing, "name", convert::mfa_provider)))
}

pub(super) async fn get(
    State(app): State<App>,
    BearerToken(token): BearerToken,
    PathText(id): PathText,
) -> ApiResult<Json<wire::MfaProvider>> {
    let caller = app.service.caller(&token).await?;
    let provider = app.service.mfa_provider(&caller, &id.unwrap_or_default())?;
    Ok(Json(convert::mfa_provider(provider)))
}
