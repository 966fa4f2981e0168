//! Administrative roles.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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
