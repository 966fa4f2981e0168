//! Lists of providers: the same as those of users.

use std::sync::Arc;

use super::cast::{Shared, at};
use super::radius_cast::provider;
use crate::{Creation, ListOrder, ListQuery, Store};

/// Adds providers with these names and times, numbered from 1.
async fn providers(store: &Shared, all: &[(&str, i64, i64)]) {
    for (n, (name, created, updated)) in (1..).zip(all) {
        let mut new = provider(n, name);
        (new.provider.created, new.provider.updated) = (at(*created), at(*updated));
        assert_eq!(
            store.add_provider(&new, &[]).await.unwrap(),
            Creation::Created
        );
    }
}

/// The names in a list without those of the built-in providers, and how many match and are.
async fn names(store: &Shared, query: &ListQuery) -> (Vec<String>, u64, u64) {
    let list = store.providers(query).await.unwrap();
    let names = list.items.into_iter().map(|provider| provider.name);
    let names = names.filter(|name| !name.starts_with("Default"));
    (names.collect(), list.matching, list.total)
}

/// Providers are listed by the key of their name, byte by byte, or by their times, either way;
/// ties are broken by id.
pub async fn providers_are_listed_in_every_order(store: Arc<dyn Store>) {
    providers(
        &store,
        &[
            ("d", 5, 6),
            ("C", 5, 9),
            ("\u{c9}", 1, 6),
            ("a-b", 9, 6),
            ("a b", 9, 7),
        ],
    )
    .await;
    for (order, mut expected) in [
        (ListOrder::Name, ["a b", "a-b", "C", "d", "\u{c9}"]),
        (ListOrder::Created, ["\u{c9}", "d", "C", "a-b", "a b"]),
        (ListOrder::Updated, ["d", "\u{c9}", "a-b", "a b", "C"]),
    ] {
        for descending in [false, true] {
            let query = ListQuery {
                order,
                descending,
                ..ListQuery::default()
            };
            let (names, matching, total) = names(&store, &query).await;
            assert_eq!(names, expected, "{order:?} {descending}");
            assert_eq!((matching, total), (7, 7));
            expected.reverse();
        }
    }
}

/// A range is counted from 0 and includes both ends; one that is beyond the end is empty.
pub async fn a_range_of_providers_includes_both_ends(store: Arc<dyn Store>) {
    providers(&store, &[("b", 0, 0), ("a", 0, 0), ("c", 0, 0)]).await;
    for (range, descending, expected) in [
        ((0, 1), false, &["a", "b"][..]),
        ((1, 2), false, &["b", "c"]),
        ((2, u64::MAX), false, &["c"]),
        ((2, 2), true, &["c"]),
        ((4, 9), true, &["a"]),
        ((5, 9), false, &[]),
        ((1, 0), false, &[]),
    ] {
        let query = ListQuery {
            range: Some(range),
            descending,
            ..ListQuery::default()
        };
        let (names, matching, total) = names(&store, &query).await;
        assert_eq!(
            (names, matching, total),
            (expected.iter().map(|&name| name.to_owned()).collect(), 5, 5)
        );
    }
}

/// Providers are found by name, notes, tags and id, in lower case; wildcards mean themselves.
pub async fn providers_are_found_by_everything_that_names_them(store: Arc<dyn Store>) {
    let mut new = provider(0x00c0_ffee, "Z\u{dc}RICH 100%");
    new.provider.notes = "Second FLOOR".into();
    new.provider.tags = vec!["Builtin".to_owned(), "\u{c4}rzte".to_owned()];
    assert_eq!(
        store.add_provider(&new, &[]).await.unwrap(),
        Creation::Created
    );
    for (queries, matching) in [
        (&["z\u{fc}rich"][..], 1),
        (&["floor", "00%"], 1),
        (&["\u{e4}rzte"], 1),
        (&["000000c0ffee"], 1),
        (&["builtin"], 3),
        (&["builtin", "fido2"], 1),
        (&["built-in default time-based otp provider."], 1),
        (&["03542d1e-733c-4c43-a567-d28fbc4649a7"], 1),
        (&["radius.example"], 0),
        (&["%"], 1),
        (&["_"], 0),
        (&["floor\0"], 0),
        (&["floor", "fido2"], 0),
    ] {
        let query = ListQuery {
            queries: queries.iter().map(|&query| query.to_owned()).collect(),
            ..ListQuery::default()
        };
        let (_, found, total) = names(&store, &query).await;
        assert_eq!((found, total), (matching, 3), "{queries:?}");
    }
}
