//! Lists: filtered, sorted and cut.

use uuid::Uuid;
use vestibule_engine::{NameKey, Timestamp};
use vestibule_store::{Fields, ListOrder, ListQuery, Listing};

use crate::tables::{Account, Provider, StoredRole};

/// What can be an item of a list.
pub(crate) trait Listed {
    /// What it can be found by.
    fn fields(&self) -> &Fields;
    /// Its labels.
    fn tags(&self) -> &[String];
    /// Its name, as names are ordered.
    fn name(&self) -> NameKey;
    /// When it was made.
    fn created(&self) -> Timestamp;
    /// When it was changed.
    fn updated(&self) -> Timestamp;
    /// What breaks ties.
    fn id(&self) -> Uuid;
}

impl Listed for Account {
    fn fields(&self) -> &Fields {
        &self.fields
    }

    fn tags(&self) -> &[String] {
        &self.user.tags
    }

    fn name(&self) -> NameKey {
        self.user.name.key()
    }

    fn created(&self) -> Timestamp {
        self.user.created
    }

    fn updated(&self) -> Timestamp {
        self.user.updated
    }

    fn id(&self) -> Uuid {
        self.user.id.uuid()
    }
}

impl Listed for Provider {
    fn fields(&self) -> &Fields {
        &self.fields
    }

    fn tags(&self) -> &[String] {
        &self.stored.provider.tags
    }

    fn name(&self) -> NameKey {
        self.name_key.clone()
    }

    fn created(&self) -> Timestamp {
        self.stored.provider.created
    }

    fn updated(&self) -> Timestamp {
        self.stored.provider.updated
    }

    fn id(&self) -> Uuid {
        self.stored.provider.id.uuid()
    }
}

impl Listed for StoredRole {
    fn fields(&self) -> &Fields {
        &self.fields
    }

    fn tags(&self) -> &[String] {
        &self.role.tags
    }

    fn name(&self) -> NameKey {
        NameKey::of(&self.role.name)
    }

    fn created(&self) -> Timestamp {
        self.role.created
    }

    fn updated(&self) -> Timestamp {
        self.role.updated
    }

    fn id(&self) -> Uuid {
        self.role.id.uuid()
    }
}

/// The part of a list that a query wants; `item` makes an item of what is kept with it, `R`.
pub(crate) fn list<'a, L: Listed + 'a, R, T>(
    all: impl IntoIterator<Item = (&'a L, R)>,
    query: &ListQuery,
    item: impl Fn(&L, R) -> T,
) -> Listing<T> {
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let mut total = 0;
    let mut found: Vec<(&L, R)> = all
        .into_iter()
        .filter(|(listed, _)| {
            let scope = query.scope.as_ref();
            scope.is_none_or(|scope| scope.holds(listed.id(), listed.tags()))
        })
        .inspect(|_| total += 1)
        .filter(|(listed, _)| listed.fields().are_found_by(query))
        .collect();
    match query.order {
        ListOrder::Name => found.sort_by_cached_key(|(listed, _)| (listed.name(), listed.id())),
        ListOrder::Created => found.sort_by_key(|(listed, _)| (listed.created(), listed.id())),
        ListOrder::Updated => found.sort_by_key(|(listed, _)| (listed.updated(), listed.id())),
    }
    if query.descending {
        found.reverse();
    }
    let matching = count(found.len());
    let page = cut(found, query.range);
    Listing {
        items: page.map(|(listed, rest)| item(listed, rest)).collect(),
        matching,
        total,
    }
}

/// The part of a list that is in a range.
pub(crate) fn cut<T>(found: Vec<T>, range: Option<(u64, u64)>) -> impl Iterator<Item = T> {
    let place = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let (first, wanted) = match range {
        None => (0, usize::MAX),
        Some((first, last)) => (
            place(first),
            place(last.saturating_add(1).saturating_sub(first)),
        ),
    };
    found.into_iter().skip(first).take(wanted)
}
