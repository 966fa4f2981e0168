//! Administrative roles.

use axum::Json;
use axum::extract::State;
use vestibule_engine::privilege::{PrivilegeType, Scopable, Target, allowed};
use vestibule_wire as wire;

use crate::App;
use crate::bearer::BearerToken;
use crate::error::ApiResult;

pub(super) async fn type_target_map(
    State(app): State<App>,
    BearerToken(token): BearerToken,
) -> ApiResult<Json<wire::TypeTargetMap>> {
    let caller = app.service.caller(&token).await?;
    caller.must(PrivilegeType::View, Target::AdministrativeRole)?;
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
