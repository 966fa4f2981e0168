//! The routes of the API.

mod admin_mfa;
mod authentication;
mod local_users;
mod names;
mod providers;
mod seeds;

use axum::routing::{delete, get, post};
use axum::{Json, Router};
use vestibule_wire::Version;

use crate::{App, error};

/// Whether a route wants to know the client's version. `/version` is how a client finds out what to
/// send, and what is not under `/admin` is not part of the API.
pub(crate) fn has_versions(route: &str) -> bool {
    route.starts_with("/admin/") && route != "/admin/version"
}

/// Everything under `/admin`.
pub(crate) fn api() -> Router<App> {
    Router::new()
        .route("/login", post(authentication::login))
        .route("/authentication", post(authentication::start))
        .route(
            "/authentication/otp/initialize",
            post(authentication::initialize_otp),
        )
        .route("/authentication/otp", post(authentication::finish_otp))
        .route("/authentication/logout", post(authentication::log_out))
        .route("/authorization", get(authentication::authorize))
        .route("/identity-providers/names", get(names::list))
        .route(
            "/mfa-providers",
            get(providers::list)
                .post(providers::add)
                .put(providers::put_by_body),
        )
        .route("/mfa-providers/test", post(providers::test))
        .route(
            "/mfa-providers/{id}",
            get(providers::get)
                .put(providers::put)
                .delete(providers::delete),
        )
        .route(
            "/admin-mfa-settings",
            get(admin_mfa::get)
                .put(admin_mfa::put)
                .delete(admin_mfa::delete),
        )
        .route("/otp/seeds", get(seeds::list))
        .route("/otp/seeds/{dn}", delete(seeds::delete))
        .route(
            "/local-users",
            get(local_users::list).post(local_users::add),
        )
        .route("/version", get(async || Json(Version::OURS)))
        .fallback(error::no_such_route)
        .method_not_allowed_fallback(error::no_such_method)
}
