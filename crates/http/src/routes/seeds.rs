//! Seeds.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use vestibule_wire as wire;

use crate::App;
use crate::bearer::BearerToken;
use crate::client::Asked;
use crate::convert;
use crate::document::ListParameters;
use crate::document::answers::{Administration, NotFound};
use crate::error::ApiResult;
use crate::list::ListRequest;
use crate::path::PathText;

/// What the list can be filtered by.
const FIELDS: [&str; 3] = ["userDistinguishedName", "username", "providerName"];

/// List the seeds of one-time passwords
#[utoipa::path(
    get,
    path = "/admin/otp/seeds",
    operation_id = "listSeeds",
    tag = "Seeds and devices",
    security(("token" = [])),
    params(ListParameters),
    responses(
        (
            status = 200,
            description = "Who has a seed. Seeds themselves are never shown.",
            body = wire::List<wire::OtpSeed>
        ),
        Administration
    )
)]
pub(super) async fn list(
    State(app): State<App>,
    Asked(origin): Asked,
    BearerToken(token): BearerToken,
    RawQuery(query): RawQuery,
) -> ApiResult<Json<wire::List<wire::OtpSeed>>> {
    let caller = app.service.caller(&token, origin).await?;
    let request = ListRequest::read(query.as_deref(), &FIELDS).by_name_only();
    let listing = app.service.seeds(&caller, &request.query).await?;
    Ok(Json(
        request.answer(listing, "username", |seed| convert::seed(&seed)),
    ))
}

/// Reset the seed of a user
///
/// The next sign-in shows a new one. The guess budget is full again, also where there is no seed.
#[utoipa::path(
    delete,
    path = "/admin/otp/seeds/{dn}",
    operation_id = "deleteSeed",
    tag = "Seeds and devices",
    security(("token" = [])),
    params((
        "dn" = String,
        Path,
        description = "Whose, as a distinguished name: `CN=user,OU=provider`.",
        example = "CN=alice,OU=local"
    )),
    responses(
        (status = 204, description = "The seed is gone, and the guess budget full."),
        Administration, NotFound
    )
)]
pub(super) async fn delete(
    State(app): State<App>,
    Asked(origin): Asked,
    BearerToken(token): BearerToken,
    PathText(dn): PathText,
) -> ApiResult<StatusCode> {
    let caller = app.service.caller(&token, origin).await?;
    // Nobody can have a name that is none.
    let name = dn.and_then(|dn| dn.parse().ok());
    app.service.reset_seed(&caller, name.as_ref()).await?;
    Ok(StatusCode::NO_CONTENT)
}
