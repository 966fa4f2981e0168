//! Lists, as every list of the API is asked for.

use vestibule_engine::privilege::Scope;

/// Which part of a list is wanted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ListQuery {
    /// Each must occur in the searchable text of an object; in lower case already.
    pub queries: Vec<String>,
    /// Each must hold.
    pub filters: Vec<Filter>,
    /// What whoever asks may see: all else is neither shown nor counted. Everything when there is
    /// none.
    pub scope: Option<Scope>,
    /// The first and the last place wanted, both included, from 0; all when there is none.
    pub range: Option<(u64, u64)>,
    /// By what it is ordered. Ties are broken by id, so that pages do not overlap.
    pub order: ListOrder,
    /// From the last to the first.
    pub descending: bool,
}

impl ListQuery {
    /// Whether everything matches and may be seen.
    pub fn is_unrestricted(&self) -> bool {
        self.queries.is_empty() && self.filters.is_empty() && self.scope.is_none()
    }
}

/// A text that must occur in one field of an object.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Filter {
    /// The name of the field; no object has one that it does not know.
    pub field: &'static str,
    /// The text, in lower case already.
    pub text: String,
}

/// By what a list can be ordered.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ListOrder {
    /// By the key of the name, so without regard to case.
    #[default]
    Name,
    /// By the time it was made.
    Created,
    /// By the time it was changed.
    Updated,
}

/// A part of a list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listing<T> {
    /// The objects in the range.
    pub items: Vec<T>,
    /// How many match the queries and filters.
    pub matching: u64,
    /// How many there are that may be seen.
    pub total: u64,
}

impl<T> Listing<T> {
    /// Nothing, of nothing.
    pub const fn empty() -> Self {
        Self {
            items: Vec::new(),
            matching: 0,
            total: 0,
        }
    }
}
