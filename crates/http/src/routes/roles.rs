//! Administrative roles.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use vestibule_engine::privilege::{PrivilegeType, Scopable, Target, allowed};
use vestibule_engine::{Role, Token};
use vestibule_service::{Caller, PrivilegeDraft, RoleDraft, ScopeDraft};
use vestibule_wire as wire;

use crate::App;
use crate::bearer::{BearerToken, admit};
use crate::body::RawBody;
use crate::convert;
use crate::error::ApiResult;
use crate::list::ListRequest;
use crate::path::PathText;

/// What the list can be filtered by.
const FIELDS: [&str; 4] = ["id", "name", "notes", "tags"];

pub(super) async fn list(
    State(app): State<App>,
    BearerToken(token): BearerToken,
    RawQuery(query): RawQuery,
) -> ApiResult<Json<wire::List<wire::AdministrativeRole>>> {
    let caller = app.service.caller(&token).await?;
    let request = ListRequest::read(query.as_deref(), &FIELDS);
    let listing = app.service.roles(&caller, &request.query).await?;
    Ok(Json(request.answer(listing, "name", convert::role)))
}

pub(super) async fn get(
    State(app): State<App>,
    BearerToken(token): BearerToken,
    PathText(id): PathText,
) -> ApiResult<Json<wire::AdministrativeRole>> {
    let caller = app.service.caller(&token).await?;
    let role = app.service.role(&caller, &id.unwrap_or_default()).await?;
    Ok(Json(convert::role(role)))
}

pub(super) async fn add(
    State(app): State<App>,
    BearerToken(token): BearerToken,
    body: RawBody,
) -> ApiResult<Json<wire::AdministrativeRole>> {
    let allowed = |caller: &Caller| caller.may(PrivilegeType::Create, Target::AdministrativeRole);
    let (caller, input) = admit(&app, &token, allowed, body).await?;
    let role = app.service.add_role(&caller, draft(input)).await?;
    Ok(Json(convert::role(role)))
}

pub(super) async fn put(
    State(app): State<App>,
    BearerToken(token): BearerToken,
    PathText(id): PathText,
    body: RawBody,
) -> ApiResult<Json<wire::AdministrativeRole>> {
    let id = id.unwrap_or_default();
    replace(&app, &token, Some(&id), body).await
}

/// What one client does when `POST` was a conflict: the id is in the body only.
pub(super) async fn put_by_body(
    State(app): State<App>,
    BearerToken(token): BearerToken,
    body: RawBody,
) -> ApiResult<Json<wire::AdministrativeRole>> {
    replace(&app, &token, None, body).await
}

async fn replace(
    app: &App,
    token: &Token,
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

pub(super) async fn delete(
    State(app): State<App>,
    BearerToken(token): BearerToken,
    PathText(id): PathText,
) -> ApiResult<StatusCode> {
    let caller = app.service.caller(&token).await?;
    let id = id.unwrap_or_default();
    app.service.remove_role(&caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn type_target_map(
    State(app): State<App>,
    BearerToken(token): BearerToken,
) -> ApiResult<Json<wire::TypeTargetMap>> {
    let caller = app.service.caller(&token).await?;
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
