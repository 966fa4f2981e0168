//! What one can sign in with.

use axum::Json;
use axum::extract::State;
use vestibule_engine::subject::LOCAL_PROVIDER;
use vestibule_wire::{IdentityProviderName, IdentityProviderNames, IdentityProviderType};

use crate::App;

/// List what one can sign in with
#[utoipa::path(
    get,
    path = "/admin/identity-providers/names",
    operation_id = "listIdentityProviderNames",
    tag = "Sign-in",
    responses(
        (
            status = 200,
            description = "The names to send as `providerName`.",
            body = IdentityProviderNames
        ),
    )
)]
pub(super) async fn list(State(app): State<App>) -> Json<IdentityProviderNames> {
    Json(IdentityProviderNames {
        data: vec![IdentityProviderName {
            name: LOCAL_PROVIDER.to_owned(),
            display_name: LOCAL_PROVIDER.to_owned(),
            kind: IdentityProviderType::Credentials,
            certificate_priorities: Vec::new(),
        }],
        banner_message: app.site.banner.clone(),
    })
}
