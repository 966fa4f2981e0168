//! The routes of the API.

mod admin_mfa;
mod audit_events;
mod authentication;
mod documentation;
mod fido2_devices;
mod identity_providers;
mod local_users;
mod names;
mod providers;
mod roles;
mod seeds;
mod version;

#[cfg(feature = "fuzzing")]
pub(crate) use authentication::host;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;
use crate::around::patient;
use crate::document;

/// Whether a route wants to know the client's version. `/version` is how a client finds out what to
/// send, documentation is read by browsers, and what is not under `/admin` is not part of the API.
pub(crate) fn has_versions(route: &str) -> bool {
    route.starts_with("/admin/")
        && !["/admin/version", "/admin/openapi.json"].contains(&route)
        && !route.starts_with("/admin/docs")
}

/// Everything under `/admin`, with its document. The paths are whole: a router inside a router
/// would wrap each request once more.
pub(crate) fn api() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(document::blank())
        .routes(routes!(authentication::login))
        .routes(routes!(authentication::start))
        .routes(routes!(authentication::initialize_otp))
        .routes(patient(
            routes!(authentication::finish_otp),
            authentication::finish_otp,
        ))
        .routes(routes!(authentication::log_out))
        .routes(routes!(authentication::authorize))
        .routes(routes!(names::list))
        .routes(routes!(identity_providers::list, identity_providers::add))
        .routes(routes!(
            identity_providers::get,
            identity_providers::put,
            identity_providers::delete
        ))
        .routes(routes!(
            providers::list,
            providers::add,
            providers::put_by_body
        ))
        .routes(routes!(providers::test))
        .routes(routes!(providers::get, providers::put, providers::delete))
        .routes(routes!(admin_mfa::get, admin_mfa::put, admin_mfa::delete))
        .routes(routes!(seeds::list))
        .routes(routes!(seeds::delete))
        .routes(routes!(fido2_devices::list))
        .routes(routes!(fido2_devices::delete))
        .routes(routes!(roles::type_target_map))
        .routes(routes!(roles::list, roles::add, roles::put_by_body))
        .routes(routes!(roles::get, roles::put, roles::delete))
        .routes(routes!(
            local_users::list,
            local_users::add,
            local_users::put_by_body
        ))
        .routes(routes!(
            local_users::get,
            local_users::put,
            local_users::delete
        ))
        .routes(routes!(audit_events::list))
        .routes(routes!(version::get))
        .routes(routes!(documentation::openapi))
        .routes(routes!(documentation::page))
        .routes(routes!(documentation::part))
}
