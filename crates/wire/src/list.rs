//! The envelope of every list.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A part of a list.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct List<T> {
    /// The objects.
    pub data: Vec<T>,
    /// `first-last/count`, of those that match the queries.
    pub range: String,
    /// By what it is ordered.
    pub order_by: String,
    /// Whether from the last to the first.
    pub descending: bool,
    /// What was searched for.
    pub queries: Vec<String>,
    /// How many objects there are, whatever was searched for.
    pub total_count: u64,
    /// What was filtered by.
    pub filter_by: Vec<FilterBy>,
}

/// One filter.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct FilterBy {
    /// Of which field.
    pub name: String,
    /// What it holds.
    pub value: String,
}
