//! Administrative roles.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use vestibule_engine::privilege::{PrivilegeType, Scopable, Target, allowed};
use vestibule_engine::{Role, Token};
use vestibule_service::{Caller, Origin, PrivilegeDraft, RoleDraft, ScopeDraft};
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
const FIELDS: [&str; 4] = ["id", "name", "notes", "tags"];

/// List roles
#[utoipa::path(
    get,
    path = "/admin/administrative-roles",
    operation_id = "listAdministrativeRoles",
    tag = "Administrative roles",
    security(("token" = [])),
    params(ListParameters),
    responses(
        (
            status = 200,
            description = "A part of the list.",
            body = wire::List<wire::AdministrativeRole>
        ),
        Administration
    )
)]
pub(super) async fn list(
    State(app): State<App>,
    Asked(origin): Asked,
    BearerToken(token): BearerToken,
    RawQuery(query): RawQuery,
) -> ApiResult<Json<wire::List<wire::AdministrativeRole>>> {
    let caller = app.service.caller(&token, origin).await?;
    let request = ListRequest::read(query.as_deref(), &FIELDS);
    let listing = app.service.roles(&caller, &request.query).await?;
    Ok(Json(request.answer(listing, "name", convert::role)))
}

/// Show a role
#[utoipa::path(
    get,
    path = "/admin/administrative-roles/{id}",
    operation_id = "getAdministrativeRole",
    tag = "Administrative roles",
    security(("token" = [])),
    params(("id" = String, Path, description = "The id.", format = "uuid")),
    responses(
        (status = 200, description = "It.", body = wire::AdministrativeRole),
        Administration, NotFound
    )
)]
pub(super) async fn get(
    State(app): State<App>,
    Asked(origin): Asked,
    BearerToken(token): BearerToken,
    PathText(id): PathText,
) -> ApiResult<Json<wire::AdministrativeRole>> {
    let caller = app.service.caller(&token, origin).await?;
    let role = app.service.role(&caller, &id.unwrap_or_default()).await?;
    Ok(Json(convert::role(role)))
}

/// Make a role
///
/// Nobody gives what they may not do themselves.
#[utoipa::path(
    post,
    path = "/admin/administrative-roles",
    operation_id = "addAdministrativeRole",
    tag = "Administrative roles",
    security(("token" = [])),
    request_body = wire::AdministrativeRoleInput,
    responses(
        (status = 200, description = "What was made.", body = wire::AdministrativeRole),
        Administration, Input, Conflicting
    )
)]
pub(super) async fn add(
    State(app): State<App>,
    Asked(origin): Asked,
    BearerToken(token): BearerToken,
    body: RawBody,
) -> ApiResult<Json<wire::AdministrativeRole>> {
    let allowed = |caller: &Caller| caller.may(PrivilegeType::Create, Target::AdministrativeRole);
    let (caller, input) = admit(&app, (&token, origin), allowed, body).await?;
    let role = app.service.add_role(&caller, draft(input)).await?;
    Ok(Json(convert::role(role)))
}

/// Replace a role
///
/// What is absent goes back to its default. Counts at once for everybody who holds it.
#[utoipa::path(
    put,
    path = "/admin/administrative-roles/{id}",
    operation_id = "putAdministrativeRole",
    tag = "Administrative roles",
    security(("token" = [])),
    params(("id" = String, Path, description = "The id.", format = "uuid")),
    request_body = wire::AdministrativeRoleInput,
    responses(
        (status = 200, description = "As it is now.", body = wire::AdministrativeRole),
        Administration, Input, NotFound, Conflicting
    )
)]
pub(super) async fn put(
    State(app): State<App>,
    Asked(origin): Asked,
    BearerToken(token): BearerToken,
    PathText(id): PathText,
    body: RawBody,
) -> ApiResult<Json<wire::AdministrativeRole>> {
    let id = id.unwrap_or_default();
    replace(&app, (&token, origin), Some(&id), body).await
}

/// Replace a role, by the id in the body
///
/// What one client does when `POST` was a conflict.
#[utoipa::path(
    put,
    path = "/admin/administrative-roles",
    operation_id = "putAdministrativeRoleById",
    tag = "Administrative roles",
    security(("token" = [])),
    request_body = wire::AdministrativeRoleInput,
    responses(
        (status = 200, description = "As it is now.", body = wire::AdministrativeRole),
        Administration, Input, NotFound, Conflicting
    )
)]
pub(super) async fn put_by_body(
    State(app): State<App>,
    Asked(origin): Asked,
    BearerToken(token): BearerToken,
    body: RawBody,
) -> ApiResult<Json<wire::AdministrativeRole>> {
    replace(&app, (&token, origin), None, body).await
}

async fn replace(
    app: &App,
    token: (&Token, Origin),
    path: Option<&str>,
    body: RawBody,
) -> ApiResult<Json<wire::AdministrativeRole>> {
    let (caller, input) = admit(app, token, Caller::may_change::<Role>, body).await?;
    let replaced = app
        .service
        .replace_role(&caller, path, draft(input))
        .await?;
    Ok(Json(convert::role(replaced)))
}

/// Delete a role
///
/// Neither a built-in one, nor one that somebody holds.
#[utoipa::path(
    delete,
    path = "/admin/administrative-roles/{id}",
    operation_id = "deleteAdministrativeRole",
    tag = "Administrative roles",
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
    app.service.remove_role(&caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Show which privileges there can be
#[utoipa::path(
    get,
    path = "/admin/administrative-roles/type-target-map",
    operation_id = "getTypeTargetMap",
    tag = "Administrative roles",
    security(("token" = [])),
    responses(
        (status = 200, description = "The targets of each type.", body = wire::TypeTargetMap),
        Administration
    )
)]
pub(super) async fn type_target_map(
    State(app): State<App>,
    Asked(origin): Asked,
    BearerToken(token): BearerToken,
) -> ApiResult<Json<wire::TypeTargetMap>> {
    let caller = app.service.caller(&token, origin).await?;
    caller.may(PrivilegeType::View, Target::AdministrativeRole)?;
    let kinds = PrivilegeType::ALL.iter();
    Ok(Json(wire::TypeTargetMap {
        action_matrix_map: kinds
            .map(|&kind| (kind.as_str().to_owned(), targets(kind)))
            .collect(),
    }))
}

fn targets(kind: PrivilegeType) -> Vec<wire::TypeTarget> {
    let targets = Target::ALL.iter().filter_map(|&target| {
        let scopable = allowed(kind, target)?;
        Some(wire::TypeTarget {
            name: target.as_str().to_owned(),
            scopable: scopable == Scopable::ByObject,
            scopable_by_idp: scopable == Scopable::ByIdentityProvider,
        })
    });
    targets.collect()
}

fn draft(input: wire::AdministrativeRoleInput) -> RoleDraft {
    let privileges = input.privileges;
    RoleDraft {
        id: input.id,
        name: input.name,
        notes: input.notes,
        tags: input.tags.unwrap_or_default(),
        privileges: privileges.map(|each| each.into_iter().map(privilege).collect()),
    }
}

fn privilege(input: wire::PrivilegeInput) -> PrivilegeDraft {
    let scope = input.scope.unwrap_or_default();
    PrivilegeDraft {
        kind: input.kind,
        target: input.target,
        scope: ScopeDraft {
            all: scope.all.unwrap_or_default(),
            ids: scope.ids.unwrap_or_default(),
            tags: scope.tags.unwrap_or_default(),
        },
        default_tags: input.default_tags.unwrap_or_default(),
        functions: input.functions.unwrap_or_default(),
    }
}
