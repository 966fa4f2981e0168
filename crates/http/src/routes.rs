//! The routes of the API.

mod admin_mfa;
mod authentication;
mod fido2_devices;
mod identity_providers;
mod local_users;
mod names;
mod providers;
mod roles;
mod seeds;

use axum::routing::{delete, get, post};
use axum::{Json, Router};
use vestibule_wire::Version;

use crate::App;
use crate::around::Patient;

/// Whether a route wants to know the client's version. `/version` is how a client finds out what to
/// send, and what is not under `/admin` is not part of the API.
pub(crate) fn has_versions(route: &str) -> bool {
    route.starts_with("/admin/") && route != "/admin/version"
}

/// Everything under `/admin`. The paths are whole: a router inside a router would wrap each request
/// once more.
pub(crate) fn api() -> Router<App> {
    Router::new()
        .route("/admin/login", post(authentication::login))
        .route("/admin/authentication", post(authentication::start))
        .route(
            "/admin/authentication/otp/initialize",
            post(authentication::initialize_otp),
        )
        .route(
            "/admin/authentication/otp",
            post(Patient(authentication::finish_otp)),
        )
        .route(
            "/admin/authentication/logout",
            post(authentication::log_out),
        )
        .route("/admin/authorization", get(authentication::authorize))
        .route("/admin/identity-providers/names", get(names::list))
        .route(
            "/admin/identity-providers",
            get(identity_providers::list).post(identity_providers::add),
        )
        .route(
            "/admin/identity-providers/{id}",
            get(identity_providers::get)
                .put(identity_providers::put)
                .delete(identity_providers::delete),
        )
        .route(
            "/admin/mfa-providers",
            get(providers::list)
                .post(providers::add)
                .put(providers::put_by_body),
        )
        .route("/admin/mfa-providers/test", post(providers::test))
        .route(
            "/admin/mfa-providers/{id}",
            get(providers::get)
                .put(providers::put)
                .delete(providers::delete),
        )
        .route(
            "/admin/admin-mfa-settings",
            get(admin_mfa::get)
                .put(admin_mfa::put)
                .delete(admin_mfa::delete),
        )
        .route("/admin/otp/seeds", get(seeds::list))
        .route("/admin/otp/seeds/{dn}", delete(seeds::delete))
        .route("/admin/fido2-devices", get(fido2_devices::list))
        .route("/admin/fido2-devices/{dn}", delete(fido2_devices::delete))
        .route(
            "/admin/administrative-roles/type-target-map",
            get(roles::type_target_map),
        )
        .route(
            "/admin/administrative-roles",
            get(roles::list).post(roles::add).put(roles::put_by_body),
        )
        .route(
            "/admin/administrative-roles/{id}",
            get(roles::get).put(roles::put).delete(roles::delete),
        )
        .route(
            "/admin/local-users",
            get(local_users::list)
                .post(local_users::add)
                .put(local_users::put_by_body),
        )
        .route(
            "/admin/local-users/{id}",
            get(local_users::get)
                .put(local_users::put)
                .delete(local_users::delete),
        )
        .route("/admin/version", get(async || Json(Version::OURS)))
}
