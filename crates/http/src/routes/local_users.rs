//! Users of the built-in identity provider.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use vestibule_engine::invalid::Fields;
use vestibule_engine::privilege::{PrivilegeType, Target};
use vestibule_engine::{Timestamp, Token, User};
use vestibule_service::{Caller, Origin, UserDraft};
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
const FIELDS: [&str; 9] = [
    "id",
    "name",
    "notes",
    "tags",
    "firstName",
    "lastName",
    "email",
    "phone",
    "disabled",
];

/// List users
#[utoipa::path(
    get,
    path = "/admin/local-users",
    operation_id = "listLocalUsers",
    tag = "Local users",
    security(("token" = [])),
    params(ListParameters),
    responses(
        (status = 200, description = "A part of the list.", body = wire::List<wire::LocalUser>),
        Administration
    )
)]
pub(super) async fn list(
    State(app): State<App>,
    Asked(origin): Asked,
    BearerToken(token): BearerToken,
    RawQuery(query): RawQuery,
) -> ApiResult<Json<wire::List<wire::LocalUser>>> {
    let caller = app.service.caller(&token, origin).await?;
    let request = ListRequest::read(query.as_deref(), &FIELDS);
    let listing = app.service.users(&caller, &request.query).await?;
    Ok(Json(request.answer(listing, "name", convert::local_user)))
}

/// Show a user
#[utoipa::path(
    get,
    path = "/admin/local-users/{id}",
    operation_id = "getLocalUser",
    tag = "Local users",
    security(("token" = [])),
    params(("id" = String, Path, description = "The id.", format = "uuid")),
    responses((status = 200, description = "It.", body = wire::LocalUser), Administration, NotFound)
)]
pub(super) async fn get(
    State(app): State<App>,
    Asked(origin): Asked,
    BearerToken(token): BearerToken,
    PathText(id): PathText,
) -> ApiResult<Json<wire::LocalUser>> {
    let caller = app.service.caller(&token, origin).await?;
    let user = app.service.user(&caller, &id.unwrap_or_default()).await?;
    Ok(Json(convert::local_user(user)))
}

/// Make a user
///
/// `password` is needed; with an empty one the user cannot sign in.
#[utoipa::path(
    post,
    path = "/admin/local-users",
    operation_id = "addLocalUser",
    tag = "Local users",
    security(("token" = [])),
    request_body = wire::LocalUserInput,
    responses(
        (status = 200, description = "What was made.", body = wire::LocalUser),
        Administration, Input, Conflicting
    )
)]
pub(super) async fn add(
    State(app): State<App>,
    Asked(origin): Asked,
    BearerToken(token): BearerToken,
    body: RawBody,
) -> ApiResult<Json<wire::LocalUser>> {
    let allowed = |caller: &Caller| caller.may(PrivilegeType::Create, Target::LocalUser);
    let (caller, input) = admit(&app, (&token, origin), allowed, body).await?;
    let (draft, fields) = draft(input);
    let user = app.service.add_user(&caller, draft, fields).await?;
    Ok(Json(convert::local_user(user)))
}

/// Replace a user
///
/// What is absent goes back to its default, but for the password and `administrativeRoles`, which
/// stay.
#[utoipa::path(
    put,
    path = "/admin/local-users/{id}",
    operation_id = "putLocalUser",
    tag = "Local users",
    security(("token" = [])),
    params(("id" = String, Path, description = "The id.", format = "uuid")),
    request_body = wire::LocalUserInput,
    responses(
        (status = 200, description = "As it is now.", body = wire::LocalUser),
        Administration, Input, NotFound, Conflicting
    )
)]
pub(super) async fn put(
    State(app): State<App>,
    Asked(origin): Asked,
    BearerToken(token): BearerToken,
    PathText(id): PathText,
    body: RawBody,
) -> ApiResult<Json<wire::LocalUser>> {
    let id = id.unwrap_or_default();
    replace(&app, (&token, origin), Some(&id), body).await
}

/// Replace a user, by the id in the body
///
/// What one client does when `POST` was a conflict.
#[utoipa::path(
    put,
    path = "/admin/local-users",
    operation_id = "putLocalUserById",
    tag = "Local users",
    security(("token" = [])),
    request_body = wire::LocalUserInput,
    responses(
        (status = 200, description = "As it is now.", body = wire::LocalUser),
        Administration, Input, NotFound, Conflicting
    )
)]
pub(super) async fn put_by_body(
    State(app): State<App>,
    Asked(origin): Asked,
    BearerToken(token): BearerToken,
    body: RawBody,
) -> ApiResult<Json<wire::LocalUser>> {
    replace(&app, (&token, origin), None, body).await
}

async fn replace(
    app: &App,
    token: (&Token, Origin),
    path: Option<&str>,
    body: RawBody,
) -> ApiResult<Json<wire::LocalUser>> {
    let (caller, input) = admit(app, token, Caller::may_change::<User>, body).await?;
    let (draft, fields) = draft(input);
    let replaced = app
        .service
        .replace_user(&caller, path, draft, fields)
        .await?;
    Ok(Json(convert::local_user(replaced)))
}

/// Delete a user
///
/// Ends all of the user's sessions. The last enabled user who may do everything stays, and so does
/// the built-in one.
#[utoipa::path(
    delete,
    path = "/admin/local-users/{id}",
    operation_id = "deleteLocalUser",
    tag = "Local users",
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
    app.service.remove_user(&caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a client asks for, and what is wrong with it already.
fn draft(input: wire::LocalUserInput) -> (UserDraft, Fields) {
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
        roles: input.administrative_roles,
    };
    (draft, fields)
}

fn instant(text: &str) -> Result<Timestamp, &'static str> {
    let at: wire::DateTime = text.parse().or(Err("is not a date and time of RFC 3339"))?;
    Ok(Timestamp::from_micros(at.as_micros()))
}
