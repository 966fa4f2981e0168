//! Administrative roles.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{DateTime, Privilege};

/// A role as it is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({
    "id": "9d2f7c31-5b8e-4f60-a1c4-3e6b8d0f2a57",
    "name": "Help desk",
    "notes": "",
    "created": "2026-01-31T08:15:00.000000Z",
    "updated": "2026-02-01T12:00:00.250000Z",
    "tags": [],
    "privileges": [{
        "type": "View",
        "target": "LocalUser",
        "scope": { "all": true, "ids": [], "tags": [] }
    }]
})))]
pub struct AdministrativeRole {
    /// The id.
    #[schema(format = "uuid")]
    pub id: String,
    /// The name.
    pub name: String,
    /// What administrators wrote down.
    pub notes: String,
    /// When the role was made.
    #[schema(value_type = String, format = DateTime)]
    pub created: DateTime,
    /// When the role was last edited.
    #[schema(value_type = String, format = DateTime)]
    pub updated: DateTime,
    /// Labels.
    pub tags: Vec<String>,
    /// What its holders may do.
    pub privileges: Vec<Privilege>,
}

/// The body of `POST /administrative-roles` and `PUT /administrative-roles/{id}`.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({
    "name": "Help desk",
    "privileges": [{
        "type": "View",
        "target": "LocalUser",
        "scope": { "all": true, "ids": [], "tags": [] }
    }]
})))]
pub struct AdministrativeRoleInput {
    /// The id, if the client chooses it.
    #[schema(format = "uuid")]
    pub id: Option<String>,
    /// The name.
    #[schema(required, min_length = 1, max_length = 255)]
    pub name: Option<String>,
    /// What administrators wrote down.
    #[schema(max_length = 16_384)]
    pub notes: Option<String>,
    /// Labels.
    pub tags: Option<Vec<String>>,
    /// What its holders may do.
    pub privileges: Option<Vec<PrivilegeInput>>,
}

/// A privilege that is asked for.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PrivilegeInput {
    /// What may be done.
    #[serde(rename = "type")]
    #[schema(required)]
    pub kind: Option<String>,
    /// To what.
    #[schema(required)]
    pub target: Option<String>,
    /// To which of them; to none of what can be narrowed, if it is absent.
    pub scope: Option<ScopeInput>,
    /// Added to the tags of what the holder creates.
    pub default_tags: Option<Vec<String>>,
    /// What the holder may assign.
    pub functions: Option<Vec<String>>,
}

/// A scope that is asked for.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
pub struct ScopeInput {
    /// Every one, whatever the rest says.
    pub all: Option<bool>,
    /// Those with these ids.
    pub ids: Option<Vec<String>>,
    /// Those with these tags.
    pub tags: Option<Vec<String>>,
}

/// Which privileges there can be: the targets of each type.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({
    "actionMatrixMap": {
        "Test": [{ "name": "MfaProvider", "scopable": true, "scopableByIdp": false }]
    }
})))]
pub struct TypeTargetMap {
    /// By type.
    pub action_matrix_map: BTreeMap<String, Vec<TypeTarget>>,
}

/// A target of a type.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TypeTarget {
    /// The target.
    pub name: String,
    /// Whether such a privilege can be narrowed to ids and tags.
    pub scopable: bool,
    /// Whether it can be narrowed to identity providers.
    pub scopable_by_idp: bool,
}
