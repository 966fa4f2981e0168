//! Lists: what they hold, in which order, and which part.

use std::sync::Arc;

use vestibule_engine::UserName;

use super::cast::{Actor, Shared, add, at, new_user};
use super::checks::claim;
use crate::{Creation, ListOrder, ListQuery, SeedSummary, Store, Swap};

/// Adds users with these names, numbered from 1.
async fn people(store: &Shared, names: &[&str]) {
    for (n, name) in (1..).zip(names) {
        add(store, n, name).await;
    }
}

/// The names in a list of users, and how many match and are.
async fn names(store: &Shared, query: &ListQuery) -> (Vec<String>, u64, u64) {
    let list = store.users(query).await.unwrap();
    let names = list.items.iter().map(|user| user.name.as_str().to_owned());
    (names.collect(), list.matching, list.total)
}

fn range(first: u64, last: u64) -> ListQuery {
    ListQuery {
        range: Some((first, last)),
        ..ListQuery::default()
    }
}

fn search(queries: &[&str]) -> ListQuery {
    ListQuery {
        queries: queries.iter().map(|&query| query.to_owned()).collect(),
        ..ListQuery::default()
    }
}

/// Users are listed by the key of their name, byte by byte, either way.
pub async fn users_are_listed_by_name(store: Arc<dyn Store>) {
    assert_eq!(names(&store, &ListQuery::default()).await, (vec![], 0, 0));
    people(
        &store,
        &["b", "C", "a_", "a b", "A", "\u{e9}", "z", "a-b", "Ab"],
    )
    .await;
    let mut expected = ["A", "a b", "a-b", "a_", "Ab", "b", "C", "z", "\u{e9}"];
    assert_eq!(names(&store, &ListQuery::default()).await.0, expected);
    let descending = ListQuery {
        descending: true,
        ..ListQuery::default()
    };
    expected.reverse();
    assert_eq!(names(&store, &descending).await.0, expected);
}

/// Users are listed by when they were made or changed; ties are broken by id.
pub async fn users_are_listed_by_their_times(store: Arc<dyn Store>) {
    for (n, name, created, updated) in [
        (1, "d", 5, 6),
        (2, "c", 5, 9),
        (3, "b", 1, 6),
        (4, "a", 9, 6),
    ] {
        let mut new = new_user(n, name);
        (new.user.created, new.user.updated) = (at(created), at(updated));
        assert_eq!(store.add_user(&new, &[]).await.unwrap(), Creation::Created);
    }
    for (order, mut expected) in [
        (ListOrder::Created, ["b", "d", "c", "a"]),
        (ListOrder::Updated, ["d", "b", "a", "c"]),
    ] {
        let query = ListQuery {
            order,
            ..ListQuery::default()
        };
        assert_eq!(names(&store, &query).await.0, expected, "{order:?}");
        expected.reverse();
        let query = ListQuery {
            descending: true,
            ..query
        };
        assert_eq!(names(&store, &query).await.0, expected, "{order:?}");
    }
}

/// A range is counted from 0 and includes both ends; the totals are of the whole list.
pub async fn a_range_includes_both_ends(store: Arc<dyn Store>) {
    people(&store, &["a", "b", "c", "d", "e"]).await;
    for (first, last, expected) in [
        (0, 0, vec!["a"]),
        (0, 4, vec!["a", "b", "c", "d", "e"]),
        (1, 3, vec!["b", "c", "d"]),
        (4, 4, vec!["e"]),
        (3, 9, vec!["d", "e"]),
        (2, u64::MAX, vec!["c", "d", "e"]),
    ] {
        let expected = expected.into_iter().map(str::to_owned).collect();
        assert_eq!(names(&store, &range(first, last)).await, (expected, 5, 5));
    }
    let last_two = ListQuery {
        descending: true,
        ..range(0, 1)
    };
    assert_eq!(names(&store, &last_two).await.0, ["e", "d"]);
}

/// A range that begins after the end, or ends before it begins, is empty.
pub async fn a_range_beyond_the_end_is_empty(store: Arc<dyn Store>) {
    people(&store, &["a", "b"]).await;
    for (first, last) in [(2, 5), (1, 0), (u64::MAX - 1, u64::MAX - 1)] {
        assert_eq!(names(&store, &range(first, last)).await, (vec![], 2, 2));
    }
}

/// Pages put together are the list, in every order.
pub async fn pages_do_not_overlap(store: Arc<dyn Store>) {
    for n in 1..=23 {
        let mut new = new_user(n, &format!("u{}", n * 7 % 23));
        new.user.created = at(i64::try_from(n % 3).unwrap());
        assert_eq!(store.add_user(&new, &[]).await.unwrap(), Creation::Created);
    }
    for order in [ListOrder::Name, ListOrder::Created, ListOrder::Updated] {
        for descending in [false, true] {
            let all = ListQuery {
                order,
                descending,
                ..ListQuery::default()
            };
            let mut paged = Vec::new();
            for page in 0..5 {
                let query = ListQuery {
                    range: Some((page * 5, page * 5 + 4)),
                    ..all.clone()
                };
                paged.extend(names(&store, &query).await.0);
            }
            assert_eq!(paged, names(&store, &all).await.0, "{order:?} {descending}");
        }
    }
}

/// Every query must occur; what matches is counted, and ranges are of what matches.
pub async fn all_queries_must_occur(store: Arc<dyn Store>) {
    people(&store, &["anna one", "anna two", "berta two", "Anton TWO"]).await;
    let check = async |queries: &[&str], expected: &[&str]| {
        let (found, matching, total) = names(&store, &search(queries)).await;
        assert_eq!(found, expected, "{queries:?}");
        assert_eq!(
            (usize::try_from(matching).unwrap(), total),
            (expected.len(), 4)
        );
    };
    check(&["two"], &["anna two", "Anton TWO", "berta two"]).await;
    check(&["two", "an"], &["anna two", "Anton TWO"]).await;
    check(&["an", "two"], &["anna two", "Anton TWO"]).await;
    check(&["one", "two"], &[]).await;
    check(&[""], &["anna one", "anna two", "Anton TWO", "berta two"]).await;
    check(&["one", "one"], &["anna one"]).await;
    check(&["two\0"], &[]).await;
    let second = ListQuery {
        range: Some((1, 1)),
        ..search(&["two"])
    };
    let expected = (vec!["Anton TWO".to_owned()], 3, 4);
    assert_eq!(names(&store, &second).await, expected);
}

/// Nothing in a query has a meaning of its own.
pub async fn wildcards_mean_themselves(store: Arc<dyn Store>) {
    people(
        &store,
        &["a%b", "a_b", "a*b", "a\\b", "a'b", "axb", "a[x]b", "a?b"],
    )
    .await;
    for name in ["a%b", "a_b", "a*b", "a\\b", "a'b", "axb", "a[x]b", "a?b"] {
        // The distinguished name holds a backslash too, before what it escapes.
        let found = names(&store, &search(&[&format!("{name}\n")])).await.0;
        assert_eq!(found, [name]);
    }
    for query in ["%", "_", "*", "?", "'", "[x]"] {
        assert_eq!(names(&store, &search(&[query])).await.1, 1, "{query}");
    }
}

/// Users are found by name, notes, tags, id and distinguished name, in lower case.
pub async fn users_are_found_by_everything_that_names_them(store: Arc<dyn Store>) {
    let mut new = new_user(0x00c0_ffee, "Z\u{dc}RICH, Hans");
    new.user.notes = "Second FLOOR".into();
    new.user.tags = vec!["Builtin".to_owned(), "\u{c4}rzte".to_owned()];
    new.user.email = Some("nowhere@example.com".to_owned());
    assert_eq!(store.add_user(&new, &[]).await.unwrap(), Creation::Created);
    add(&store, 1, "other").await;
    for query in [
        "z\u{fc}rich",
        "floor",
        "built",
        "\u{e4}rzte",
        "000000c0ffee",
        "cn=z\u{fc}rich\\, hans,ou=local",
    ] {
        assert_eq!(names(&store, &search(&[query])).await.1, 1, "{query}");
    }
    assert_eq!(names(&store, &search(&["nowhere"])).await.1, 0);
    assert_eq!(names(&store, &search(&["cn=", "ou=local"])).await.1, 2);
}

/// Users with a seed are listed by name, whatever order is asked for; others are not.
pub async fn seeds_are_listed_by_the_name_of_the_user(store: Arc<dyn Store>) {
    people(&store, &["nobody", "Zoe", "anna", "Bob", "berta"]).await;
    let mut expected = Vec::new();
    for (n, name, verified) in [
        (3, "anna", true),
        (5, "berta", false),
        (4, "Bob", true),
        (2, "Zoe", false),
    ] {
        let alice = Actor::sign_in(&store, new_user(n, name).user.id, n).await;
        assert_eq!(
            store.propose_seed(&alice.proposal(0), &[]).await.unwrap(),
            Swap::Done
        );
        if verified {
            let finish = alice.finish(&alice.bearer(&store).await, 1);
            assert_eq!(claim(&store, &finish).await.unwrap(), Swap::Done);
        }
        let user_name = UserName::new(name).unwrap();
        expected.push(SeedSummary {
            user: alice.user,
            user_name,
            verified,
        });
    }
    for order in [ListOrder::Name, ListOrder::Created, ListOrder::Updated] {
        let query = ListQuery {
            order,
            ..ListQuery::default()
        };
        let list = store.seeds(&query).await.unwrap();
        assert_eq!((&list.items, list.matching, list.total), (&expected, 4, 4));
    }
    let list = store.seeds(&search(&["b", "cn="])).await.unwrap();
    assert_eq!((list.matching, list.total), (2, 4));
    let query = ListQuery {
        descending: true,
        ..range(1, 2)
    };
    let list = store.seeds(&query).await.unwrap();
    expected.reverse();
    assert_eq!(list.items, expected.get(1..3).unwrap());
    assert_eq!((list.matching, list.total), (4, 4));
}
