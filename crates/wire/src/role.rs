//! Administrative roles.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{DateTime, Privilege};

/// A role as it is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AdministrativeRole {
    /// The id.
    pub id: String,
    /// The name.
    pub name: String,
    /// What administrators wrote down.
    pub notes: String,
    /// When the role was made.
    pub created: DateTime,
    /// When the role was last edited.
    pub updated: DateTime,
    /// Labels.
    pub tags: Vec<String>,
    /// What its holders may do.
    pub privileges: Vec<Privilege>,
}

/// The body of `POST /administrative-roles` and `PUT /administrative-roles/{id}`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AdministrativeRoleInput {
    /// The id, if the client chooses it.
    pub id: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// What administrators wrote down.
    pub notes: Option<String>,
    /// Labels.
    pub tags: Option<Vec<String>>,
    /// What its holders may do.
    pub privileges: Option<Vec<PrivilegeInput>>,
}

/// A privilege that is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PrivilegeInput {
    /// What may be done.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// To what.
    pub target: Option<String>,
    /// To which of them; to none of what can be narrowed, if it is absent.
    pub scope: Option<ScopeInput>,
    /// Added to the tags of what the holder creates.
    pub default_tags: Option<Vec<String>>,
    /// What the holder may assign.
    pub functions: Option<Vec<String>>,
}

/// A scope that is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ScopeInput {
    /// Every one, whatever the rest says.
    pub all: Option<bool>,
    /// Those with these ids.
    pub ids: Option<Vec<String>>,
    /// Those with these tags.
    pub tags: Option<Vec<String>>,
}

/// Which privileges there can be: the targets of each type.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TypeTargetMap {
    /// By type.
    pub action_matrix_map: BTreeMap<String, Vec<TypeTarget>>,
}

/// A target of a type.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TypeTarget {
    /// The target.
    pub name: String,
    /// Whether such a privilege can be narrowed to ids and tags.
    pub scopable: bool,
    /// Whether it can be narrowed to identity providers.
    pub scopable_by_idp: bool,
}
