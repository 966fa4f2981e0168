//! FIDO2 devices. Nobody can register one yet, so there are none.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use vestibule_engine::privilege::{PrivilegeType, Reach, Target};
use vestibule_service::{Listing, Missing, ServiceError};
use vestibule_wire as wire;

use crate::App;
use crate::bearer::BearerToken;
use crate::client::Asked;
use crate::document::ListParameters;
use crate::document::answers::{Administration, NotFound};
use crate::error::ApiResult;
use crate::list::ListRequest;

/// What the list can be filtered by.
const FIELDS: [&str; 3] = ["userDistinguishedName", "username", "providerName"];

/// List FIDO2 devices
///
/// Nobody can register one yet.
#[utoipa::path(
    get,
    path = "/admin/fido2-devices",
    operation_id = "listFido2Devices",
    tag = "Seeds and devices",
    security(("token" = [])),
    params(ListParameters),
    responses(
        (status = 200, description = "Devices.", body = wire::List<wire::Fido2Device>),
        Administration
    )
)]
pub(super) async fn list(
    State(app): State<App>,
    Asked(origin): Asked,
    BearerToken(token): BearerToken,
    RawQuery(query): RawQuery,
) -> ApiResult<Json<wire::List<wire::Fido2Device>>> {
    let caller = app.service.caller(&token, origin).await?;
    caller.may(PrivilegeType::View, Target::Fido2Device)?;
    let request = ListRequest::read(query.as_deref(), &FIELDS).by_name_only();
    Ok(Json(request.answer(
        Listing::empty(),
        "username",
        |device| device,
    )))
}

/// Delete the FIDO2 devices of a user
///
/// Nobody can register one yet, so nobody has one.
#[utoipa::path(
    delete,
    path = "/admin/fido2-devices/{dn}",
    operation_id = "deleteFido2Devices",
    tag = "Seeds and devices",
    security(("token" = [])),
    params((
        "dn" = String,
        Path,
        description = "Whose, as a distinguished name: `CN=user,OU=provider`.",
        example = "CN=alice,OU=local"
    )),
    responses(Administration, NotFound)
)]
pub(super) async fn delete(
    State(app): State<App>,
    Asked(origin): Asked,
    BearerToken(token): BearerToken,
) -> ApiResult<StatusCode> {
    let caller = app.service.caller(&token, origin).await?;
    Err(
        match caller.may(PrivilegeType::Delete, Target::Fido2Device)? {
            Reach::Everything => ServiceError::NotFound(Missing::Fido2Device).into(),
            Reach::Within(_) | Reach::Nothing => caller
                .denied(PrivilegeType::Delete, Target::Fido2Device)
                .into(),
        },
    )
}
