//! Seeds.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use vestibule_wire as wire;

use crate::App;
use crate::bearer::BearerToken;
use crate::convert;
use crate::error::ApiResult;
use crate::list::ListRequest;
use crate::path::PathText;

/// What the list can be filtered by.
const FIELDS: [&str; 3] = ["userDistinguishedName", "username", "providerName"];

pub(super) async fn list(
    State(app): State<App>,
    BearerToken(token): BearerToken,
    RawQuery(query): RawQuery,
) -> ApiResult<Json<wire::List<wire::OtpSeed>>> {
    let caller = app.service.caller(&token).await?;
    let request = ListRequest::read(query.as_deref(), &FIELDS).by_name_only();
    let listing = app.service.seeds(&caller, &request.query).await?;
    Ok(Json(
        request.answer(listing, "username", |seed| convert::seed(&seed)),
    ))
}

pub(super) async fn delete(
    State(app): State<App>,
    BearerToken(token): BearerToken,
    PathText(dn): PathText,
) -> ApiResult<StatusCode> {
    let caller = app.service.caller(&token).await?;
    // Nobody can have a name that is none.
    let name = dn.and_then(|dn| dn.parse().ok());
    app.service.reset_seed(&caller, name.as_ref()).await?;
    Ok(StatusCode::NO_CONTENT)
}
