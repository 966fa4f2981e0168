//! Users: made, found, changed, removed.

use std::sync::Arc;

use uuid::Uuid;
use vestibule_engine::RoleId;

use super::cast::{Actor, add, at, failed, key, new_user};
use super::checks::{at_once, picture, remove};
use crate::{Creation, ListQuery, Store};

/// A user is read back with everything, whichever way.
pub async fn a_user_is_read_back(store: Arc<dyn Store>) {
    let mut alice = new_user(1, "Älice O'Hara");
    alice.user.first_name = "Älice".into();
    alice.user.last_name = "O'Hara; DROP TABLE users".into();
    alice.user.email = Some("alice@example.com".to_owned());
    alice.user.phone = Some("+41 44 000 00 00".to_owned());
    alice.user.notes = "a\nb\u{1f512}\"\\".into();
    alice.user.tags = vec!["z".to_owned(), String::new(), "a,{\"b\"}\\'".to_owned()];
    alice.user.password_failures = failed(7);
    alice.user.exempt_until = Some(at(5));
    alice.user.roles = vec![
        RoleId::from_uuid(Uuid::from_u128(9)),
        RoleId::from_uuid(Uuid::nil()),
    ];
    alice.user.created = at(-3);
    alice.user.updated = at(-2);
    let mut bob = new_user(2, "bob");
    bob.user.disabled = true;
    bob.password = None;
    for new in [&alice, &bob] {
        assert_eq!(store.add_user(new, &[]).await.unwrap(), Creation::Created);
    }

    let listed = store.users(&ListQuery::default()).await.unwrap().items;
    assert_eq!(listed, [bob.user.clone(), alice.user.clone()]);
    for new in [&alice, &bob] {
        let name = new.user.name.key();
        let found = store.user_by_name(&name).await.unwrap();
        assert_eq!(found.as_ref(), Some(&new.user));
        let device = Actor {
            user: new.user.id,
            n: 1,
        }
        .device();
        let standing = store
            .password_standing(&name, device)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(standing.user, new.user);
        assert_eq!(standing.password, new.password);
        assert_eq!(standing.exemption.until, new.user.exempt_until);
    }
}

/// Whether there is any user is told.
pub async fn a_user_is_there_once_one_was_made(store: Arc<dyn Store>) {
    assert!(!store.has_users().await.unwrap());
    let alice = add(&store, 1, "alice").await;
    assert!(store.has_users().await.unwrap());
    remove(&store, alice).await;
    assert!(!store.has_users().await.unwrap());
}

/// An id that is taken is refused, whatever the name, and nothing is written.
pub async fn an_id_is_taken_once(store: Arc<dyn Store>) {
    let alice = Actor {
        user: add(&store, 1, "alice").await,
        n: 1,
    };
    let before = picture(&store, alice).await;
    for name in ["bob", "alice"] {
        let answer = store.add_user(&new_user(1, name), &[]).await.unwrap();
        assert_eq!(answer, Creation::IdTaken);
    }
    assert_eq!(picture(&store, alice).await, before);
}

/// A name that is taken is refused in every spelling, and nothing is written.
pub async fn a_name_is_taken_in_every_spelling(store: Arc<dyn Store>) {
    let jose = Actor {
        user: add(&store, 1, "jos\u{e9}").await,
        n: 1,
    };
    let before = picture(&store, jose).await;
    for name in ["jos\u{e9}", "JOS\u{c9}", "jose\u{301}", "Jose\u{301}"] {
        let answer = store.add_user(&new_user(2, name), &[]).await.unwrap();
        assert_eq!(answer, Creation::NameTaken, "{name}");
        let found = store.user_by_name(&key(name)).await.unwrap().unwrap();
        assert_eq!((found.id, found.name.as_str()), (jose.user, "jos\u{e9}"));
    }
    assert_eq!(picture(&store, jose).await, before);
    add(&store, 2, "jose").await;
}

/// Of many who take one name at once, one gets it.
pub async fn of_many_who_take_a_name_one_gets_it(store: Arc<dyn Store>) {
    let answers = at_once((1..=16).map(|n| {
        let (store, name) = (store.clone(), if n % 2 == 0 { "alice" } else { "ALICE" });
        async move { store.add_user(&new_user(n, name), &[]).await.unwrap() }
    }))
    .await;
    let count = |wanted| answers.iter().filter(|answer| **answer == wanted).count();
    assert_eq!(
        (count(Creation::Created), count(Creation::NameTaken)),
        (1, 15)
    );
    assert_eq!(store.users(&ListQuery::default()).await.unwrap().total, 1);
}

/// A text that cannot be a name is looked up like any other, and found to be nobody's.
pub async fn a_name_that_nobody_can_bear_is_nobodys(store: Arc<dyn Store>) {
    let alice = Actor {
        user: add(&store, 1, "alice").await,
        n: 1,
    };
    let long = "a".repeat(100_000);
    for name in [
        "",
        " alice",
        "alice\0",
        "\0",
        "a\u{fffd}",
        "%",
        "alic_",
        &long,
    ] {
        assert_eq!(
            store.user_by_name(&key(name)).await.unwrap(),
            None,
            "{name:?}"
        );
        let standing = store
            .password_standing(&key(name), alice.device())
            .await
            .unwrap();
        assert!(standing.is_none(), "{name:?}");
    }
}
