//! FIDO2 devices. Nobody can register one yet, so there are none.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use vestibule_engine::privilege::{PrivilegeType, Target};
use vestibule_service::{Listing, Missing, ServiceError};
use vestibule_wire as wire;

use crate::App;
use crate::bearer::BearerToken;
use crate::error::ApiResult;
use crate::list::ListRequest;

pub(super) async fn list(
    State(app): State<App>,
    BearerToken(token): BearerToken,
    RawQuery(query): RawQuery,
) -> ApiResult<Json<wire::List<wire::Fido2Device>>> {
    let caller = app.service.caller(&token).await?;
    caller.must(PrivilegeType::View, Target::Fido2Device)?;
    let request = ListRequest::read(query.as_deref()).by_name_only();
    let none = Listing {
        items: Vec::new(),
        matching: 0,
        total: 0,
    };
    Ok(Json(request.answer(none, "username", |device| device)))
}

pub(super) async fn delete(
    State(app): State<App>,
    BearerToken(token): BearerToken,
) -> ApiResult<StatusCode> {
    let caller = app.service.caller(&token).await?;
    caller.must(PrivilegeType::Delete, Target::Fido2Device)?;
    Err(ServiceError::NotFound(Missing::Fido2Device).into())
}
