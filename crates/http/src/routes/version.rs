//! Versions.

use axum::Json;
use vestibule_wire::Version;

/// Show which versions of the API are spoken
#[utoipa::path(
    get,
    path = "/admin/version",
    operation_id = "getVersion",
    tag = "Versions",
    responses((status = 200, description = "The versions.", body = Version))
)]
pub(super) async fn get() -> Json<Version> {
    Json(Version::OURS)
}
