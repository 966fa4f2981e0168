//! Users of the built-in identity provider.

use axum::Json;
use axum::extract::{RawQuery, State};
use vestibule_engine::Timestamp;
use vestibule_engine::invalid::Fields;
use vestibule_engine::privilege::{PrivilegeType, Target};
use vestibule_service::UserDraft;
use vestibule_wire as wire;

use crate::App;
use crate::bearer::{BearerToken, admit};
use crate::body::RawBody;
use crate::convert;
use crate::error::ApiResult;
use crate::list::ListRequest;

pub(super) async fn list(
    State(app): State<App>,
    BearerToken(token): BearerToken,
    RawQuery(query): RawQuery,
) -> ApiResult<Json<wire::List<wire::LocalUser>>> {
    let caller = app.service.caller(&token).await?;
    let request = ListRequest::read(query.as_deref());
    let listing = app.service.users(&caller, &request.query).await?;
    Ok(Json(request.answer(listing, "name", convert::local_user)))
}

pub(super) async fn add(
    State(app): State<App>,
    BearerToken(token): BearerToken,
    body: RawBody,
) -> ApiResult<Json<wire::LocalUser>> {
    let privilege = (PrivilegeType::Create, Target::LocalUser);
    let (caller, input): (_, wire::LocalUserInput) = admit(&app, &token, privilege, body).await?;
    let mut fields = Fields::default();
    let lock_start = input
        .lock_start
        .as_deref()
        .and_then(|text| fields.check("lockStart", instant(text)));
    let draft = UserDraft {
        id: input.id,
        name: input.name,
        first_name: input.first_name,
        last_name: input.last_name,
        password: input.password.map(convert::secret),
        email: input.email,
        phone: input.phone,
        notes: input.notes,
        tags: input.tags.unwrap_or_default(),
        disabled: input.disabled.unwrap_or_default(),
        failed_login_attempts: input.failed_login_attempts,
        lock_start,
        roles: input.administrative_roles.unwrap_or_default(),
    };
    let user = app.service.add_user(&caller, draft, fields).await?;
    Ok(Json(convert::local_user(user)))
}

fn instant(text: &str) -> Result<Timestamp, &'static str> {
    let at: wire::DateTime = text.parse().or(Err("is not a date and time of RFC 3339"))?;
    Ok(Timestamp::from_micros(at.as_micros()))
}
