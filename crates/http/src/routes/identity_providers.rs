//! The provider of identities.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use vestibule_engine::LocalProvider;
use vestibule_engine::privilege::{PrivilegeType, Target};
use vestibule_service::{Caller, ClaimMapping, IdentityProviderDraft};
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

/// List providers of identities
#[utoipa::path(
    get,
    path = "/admin/identity-providers",
    operation_id = "listIdentityProviders",
    tag = "Identity providers",
    security(("token" = [])),
    params(ListParameters),
    responses(
        (
            status = 200,
            description = "A part of the list.",
            body = wire::List<wire::IdentityProvider>
        ),
        Administration
    )
)]
pub(super) async fn list(
    State(app): State<App>,
    Asked(origin): Asked,
    BearerToken(token): BearerToken,
    RawQuery(query): RawQuery,
) -> ApiResult<Json<wire::List<wire::IdentityProvider>>> {
    let caller = app.service.caller(&token, origin).await?;
    let request = ListRequest::read(query.as_deref(), &FIELDS);
    let service = &app.service;
    let listing = service.identity_providers(&caller, &request.query).await?;
    Ok(Json(request.answer(
        listing,
        "name",
        convert::identity_provider,
    )))
}

/// Show a provider of identities
#[utoipa::path(
    get,
    path = "/admin/identity-providers/{id}",
    operation_id = "getIdentityProvider",
    tag = "Identity providers",
    security(("token" = [])),
    params(("id" = String, Path, description = "The id.", format = "uuid")),
    responses(
        (status = 200, description = "It.", body = wire::IdentityProvider),
        Administration, NotFound
    )
)]
pub(super) async fn get(
    State(app): State<App>,
    Asked(origin): Asked,
    BearerToken(token): BearerToken,
    PathText(id): PathText,
) -> ApiResult<Json<wire::IdentityProvider>> {
    let caller = app.service.caller(&token, origin).await?;
    let id = id.unwrap_or_default();
    let provider = app.service.identity_provider(&caller, &id).await?;
    Ok(Json(convert::identity_provider(provider)))
}

/// Make a provider of identities
///
/// There can be no other than the built-in one.
#[utoipa::path(
    post,
    path = "/admin/identity-providers",
    operation_id = "addIdentityProvider",
    tag = "Identity providers",
    security(("token" = [])),
    request_body = wire::IdentityProviderInput,
    responses(Administration, Input)
)]
pub(super) async fn add(
    State(app): State<App>,
    Asked(origin): Asked,
    BearerToken(token): BearerToken,
    body: RawBody,
) -> ApiResult<Json<wire::IdentityProvider>> {
    let allowed = |caller: &Caller| caller.may(PrivilegeType::Create, Target::IdentityProvider);
    let (caller, input) = admit(&app, (&token, origin), allowed, body).await?;
    let provider = app.service.add_identity_provider(&caller, &draft(input))?;
    Ok(Json(convert::identity_provider(provider)))
}

/// Replace a provider of identities
///
/// What is absent goes back to its default. Fields that are not supported may be sent as they were found.
#[utoipa::path(
    put,
    path = "/admin/identity-providers/{id}",
    operation_id = "putIdentityProvider",
    tag = "Identity providers",
    security(("token" = [])),
    params(("id" = String, Path, description = "The id.", format = "uuid")),
    request_body = wire::IdentityProviderInput,
    responses(
        (status = 200, description = "As it is now.", body = wire::IdentityProvider),
        Administration, Input, NotFound
    )
)]
pub(super) async fn put(
    State(app): State<App>,
    Asked(origin): Asked,
    BearerToken(token): BearerToken,
    PathText(id): PathText,
    body: RawBody,
) -> ApiResult<Json<wire::IdentityProvider>> {
    let allowed = Caller::may_change::<LocalProvider>;
    let (caller, input) = admit(&app, (&token, origin), allowed, body).await?;
    let (id, draft) = (id.unwrap_or_default(), draft(input));
    let replaced = app.service.replace_identity_provider(&caller, &id, &draft);
    Ok(Json(convert::identity_provider(replaced.await?)))
}

/// Delete a provider of identities
///
/// The only one there is cannot be deleted.
#[utoipa::path(
    delete,
    path = "/admin/identity-providers/{id}",
    operation_id = "deleteIdentityProvider",
    tag = "Identity providers",
    security(("token" = [])),
    params(("id" = String, Path, description = "The id.", format = "uuid")),
    responses(Administration, NotFound, Conflicting)
)]
pub(super) async fn delete(
    State(app): State<App>,
    Asked(origin): Asked,
    BearerToken(token): BearerToken,
    PathText(id): PathText,
) -> ApiResult<StatusCode> {
    let caller = app.service.caller(&token, origin).await?;
    let id = id.unwrap_or_default();
    app.service.remove_identity_provider(&caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn draft(input: wire::IdentityProviderInput) -> IdentityProviderDraft {
    let unsupported = unsupported(&input);
    let claims = |claims: Vec<_>| claims.into_iter().map(claim).collect();
    IdentityProviderDraft {
        id: input.id,
        name: input.name,
        kind: input.kind,
        notes: input.notes,
        tags: input.tags.unwrap_or_default(),
        admin_provider: input.admin_provider,
        lockout_threshold: input.user_lockout_threshold,
        lockout_minutes: input.user_lockout_duration_minutes,
        min_password_length: input.min_password_length,
        ip_pool_v4: input.ip_pool_v4,
        ip_pool_v6: input.ip_pool_v6,
        device_limit_per_user: input.device_limit_per_user,
        inactivity_timeout_minutes: input.inactivity_timeout_minutes,
        claim_mappings: input.claim_mappings.map(claims),
        unsupported,
    }
}

fn claim(input: wire::ClaimMappingInput) -> ClaimMapping {
    ClaimMapping {
        attribute: input.attribute_name.unwrap_or_default().into(),
        claim: input.claim_name.unwrap_or_default().into(),
        list: input.list.unwrap_or_default(),
        encrypt: input.encrypt.unwrap_or_default(),
    }
}

/// The fields that do nothing here, as far as they ask for something.
fn unsupported(input: &wire::IdentityProviderInput) -> Vec<&'static str> {
    let on = |switch: Option<bool>| switch == Some(true);
    let some = |list: &Option<Vec<_>>| list.as_ref().is_some_and(|list| !list.is_empty());
    let on_boarding = input.on_boarding_2fa.as_ref();
    let fields = [
        (
            "networkInactivityTimeoutEnabled",
            on(input.network_inactivity_timeout_enabled),
        ),
        ("blockLocalDnsRequests", on(input.block_local_dns_requests)),
        (
            "enforceWindowsNetworkProfileAsDomain",
            on(input.enforce_windows_network_profile_as_domain),
        ),
        (
            "onDemandClaimMappings",
            some(&input.on_demand_claim_mappings),
        ),
        ("userScripts", some(&input.user_scripts)),
        ("dnsServers", some(&input.dns_servers)),
        ("dnsSearchDomains", some(&input.dns_search_domains)),
        (
            "onBoarding2FA",
            on_boarding.is_some_and(|fields| fields.values().any(Option::is_some)),
        ),
    ];
    let asked = fields.into_iter().filter(|(_, asked)| *asked);
    asked.map(|(field, _)| field).collect()
}
