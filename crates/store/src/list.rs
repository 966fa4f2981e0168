//! Lists, as every list of the API is asked for.

/// Which part of a list is wanted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ListQuery {
    /// Each must occur in the searchable text of an object; in lower case already.
    pub queries: Vec<String>,
    /// The first and the last place wanted, both included, from 0; all when there is none.
    pub range: Option<(u64, u64)>,
    /// By what it is ordered. Ties are broken by id, so that pages do not overlap.
    pub order: ListOrder,
    /// From the last to the first.
    pub descending: bool,
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
    /// How many match the queries.
    pub matching: u64,
    /// How many there are.
    pub total: u64,
}
