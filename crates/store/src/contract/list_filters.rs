//! Lists: what filters and scopes leave of them.

use std::sync::Arc;

use uuid::Uuid;
use vestibule_engine::privilege::Scope;
use vestibule_engine::role::API_ACCESS;

use super::cast::{Actor, Shared, add, at, new_user};
use super::checks::{authority, disable};
use crate::{Creation, Filter, ListQuery, Store, Swap, UserChange, UserWrite};

fn filters(filters: &[(&'static str, &str)]) -> ListQuery {
    let filters = filters.iter().map(|&(field, text)| Filter {
        field,
        text: text.to_owned(),
    });
    ListQuery {
        filters: filters.collect(),
        ..ListQuery::default()
    }
}

fn scope(ids: &[u64], tags: &[&str]) -> ListQuery {
    ListQuery {
        scope: Some(Scope::Some {
            ids: ids.iter().map(|&id| Uuid::from_u128(id.into())).collect(),
            tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
        }),
        ..ListQuery::default()
    }
}

async fn tagged(store: &Shared, n: u64, name: &str, tags: &[&str]) {
    let mut new = new_user(n, name);
    new.user.first_name = format!("First {n}");
    new.user.tags = tags.iter().map(|&tag| tag.to_owned()).collect();
    assert_eq!(store.add_user(&new, &[]).await.unwrap(), Creation::Created);
}

/// Checks the names that are found, how many match and how many may be seen.
async fn check(store: &Shared, query: &ListQuery, expected: &[&str], total: u64) {
    let list = store.users(query).await.unwrap();
    let found: Vec<_> = list.items.iter().map(|user| user.name.as_str()).collect();
    assert_eq!(found, expected, "{query:?}");
    let matching = u64::try_from(expected.len()).unwrap();
    assert_eq!((list.matching, list.total), (matching, total), "{query:?}");
}

/// Each filter must occur in its own field, and beside the queries; an object without the field is
/// not found.
pub async fn every_filter_must_hold(store: Arc<dyn Store>) {
    tagged(&store, 1, "anna", &["Red", "big"]).await;
    tagged(&store, 2, "berta", &["red"]).await;
    tagged(&store, 3, "first", &["big", "blue"]).await;
    check(&store, &filters(&[("name", "a")]), &["anna", "berta"], 3).await;
    check(&store, &filters(&[("tags", "red")]), &["anna", "berta"], 3).await;
    let both = filters(&[("tags", "red"), ("tags", "big")]);
    check(&store, &both, &["anna"], 3).await;
    check(&store, &filters(&[("firstName", "first 3")]), &["first"], 3).await;
    check(&store, &filters(&[("name", "first 3")]), &[], 3).await;
    check(&store, &filters(&[("hostnames", "")]), &[], 3).await;
    check(&store, &filters(&[("name", "%")]), &[], 3).await;
    check(&store, &filters(&[("name", "a\0")]), &[], 3).await;
    let mut query = filters(&[("tags", "big")]);
    query.queries = vec!["blue".to_owned()];
    check(&store, &query, &["first"], 3).await;
    let mut query = filters(&[("tags", "red")]);
    query.range = Some((1, 5));
    let page = store.users(&query).await.unwrap();
    assert_eq!((page.items.len(), page.matching), (1, 2));

    let roles = store.roles(&filters(&[("name", "api")])).await.unwrap();
    let found: Vec<_> = roles.items.iter().map(|role| role.id).collect();
    assert_eq!((found.as_slice(), roles.total), (&[API_ACCESS][..], 2));
    let fido = store
        .providers(&filters(&[("type", "fido2")]))
        .await
        .unwrap();
    assert_eq!((fido.matching, fido.total), (1, 2));
}

/// A scope leaves what has one of its ids or one of its tags, as they are spelled; all else is not
/// even counted.
pub async fn a_scope_shows_and_counts_what_it_holds(store: Arc<dyn Store>) {
    tagged(&store, 1, "anna", &["red", "a\"b"]).await;
    tagged(&store, 2, "berta", &["Red"]).await;
    tagged(&store, 3, "carla", &[]).await;
    check(&store, &scope(&[], &["red"]), &["anna"], 1).await;
    check(&store, &scope(&[], &["re"]), &[], 0).await;
    check(&store, &scope(&[], &["a\"b", "Red"]), &["anna", "berta"], 2).await;
    check(&store, &scope(&[3, 9], &["red"]), &["anna", "carla"], 2).await;
    check(&store, &scope(&[], &[]), &[], 0).await;
    check(&store, &scope(&[], &["red\0"]), &[], 0).await;
    let mut all = scope(&[], &[]);
    all.scope = Some(Scope::All);
    check(&store, &all, &["anna", "berta", "carla"], 3).await;
    let mut query = scope(&[3], &["red"]);
    query.queries = vec!["carla".to_owned()];
    check(&store, &query, &["carla"], 2).await;
    query.descending = true;
    query.queries.clear();
    query.range = Some((0, 0));
    let page = store.users(&query).await.unwrap();
    assert_eq!((page.items.len(), page.matching, page.total), (1, 2, 2));

    let builtin = scope(&[], &["builtin"]);
    assert_eq!(store.roles(&builtin).await.unwrap().total, 2);
    assert_eq!(store.providers(&builtin).await.unwrap().total, 2);
    assert_eq!(store.roles(&scope(&[], &["red"])).await.unwrap().total, 0);
}

/// Seeds are filtered by what names their user.
pub async fn seeds_are_filtered_by_their_user(store: Arc<dyn Store>) {
    for (n, name) in [(1, "anna"), (2, "berta")] {
        let actor = Actor::sign_in(&store, add(&store, n, name).await, n).await;
        let proposal = actor.proposal(0);
        assert_eq!(
            store.propose_seed(&proposal, &[]).await.unwrap(),
            Swap::Done
        );
    }
    add(&store, 3, "nobody").await;
    let found = async |field, text| {
        let list = store.seeds(&filters(&[(field, text)])).await.unwrap();
        assert_eq!(list.total, 2);
        list.matching
    };
    assert_eq!(found("username", "a").await, 2);
    assert_eq!(found("username", "an").await, 1);
    assert_eq!(found("username", "nobody").await, 0);
    assert_eq!(found("providerName", "loc").await, 2);
    assert_eq!(found("userDistinguishedName", "cn=berta").await, 1);
    let mut local = filters(&[]);
    local.scope = Some(Scope::All);
    assert_eq!(store.seeds(&local).await.unwrap().matching, 2);
}

/// What was changed is found by what it is, and no longer by what it was.
pub async fn a_changed_object_is_found_as_it_is(store: Arc<dyn Store>) {
    tagged(&store, 1, "anna", &["old"]).await;
    let user = new_user(1, "anna").user.id;
    disable(&store, user, true, at(1)).await;
    check(&store, &filters(&[("disabled", "true")]), &["anna"], 1).await;
    disable(&store, user, false, at(1)).await;
    check(&store, &filters(&[("disabled", "true")]), &[], 1).await;
    let mut change = UserChange {
        user: store.user(user).await.unwrap().unwrap(),
        password: None,
        authority: authority(&store).await,
    };
    change.user.tags = vec!["new".to_owned()];
    change.user.email = Some("A@example.org".to_owned());
    assert_eq!(
        store.replace_user(&change, &[]).await.unwrap(),
        UserWrite::Done
    );
    check(&store, &filters(&[("tags", "old")]), &[], 1).await;
    check(
        &store,
        &filters(&[("tags", "new"), ("email", "a@")]),
        &["anna"],
        1,
    )
    .await;
    check(&store, &scope(&[], &["old"]), &[], 0).await;
    check(&store, &scope(&[], &["new"]), &["anna"], 1).await;
}
