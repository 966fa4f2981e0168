//! The provider of identities.

use std::sync::Arc;

use vestibule_engine::LocalProvider;
use vestibule_engine::identity::MinPasswordLength;
use vestibule_engine::password::LockoutPolicy;

use super::cast::{Actor, Shared, add, at, key};
use super::checks::at_once;
use super::first_factors::known;
use crate::Store;

/// The provider as somebody edited it; everything about it follows from the number.
pub(super) fn local_provider(n: u32) -> LocalProvider {
    LocalProvider {
        notes: format!("n {n} \u{1f512}\n'\""),
        tags: vec!["builtin".to_owned(), format!("t\"{n}")],
        lockout: LockoutPolicy::new(5 + n, 1 + n).unwrap(),
        min_password_length: MinPasswordLength::new(n).unwrap(),
        updated: at(n.into()),
    }
}

async fn set(store: &Shared, new: &LocalProvider) {
    store.set_local_provider(new, &[]).await.unwrap();
    assert_eq!(store.local_provider().await.unwrap(), *new);
}

/// The provider is there from the beginning.
pub async fn the_local_provider_is_there(store: Arc<dyn Store>) {
    let found = store.local_provider().await.unwrap();
    assert_eq!(found, LocalProvider::built_in());
}

/// The provider is replaced as a whole, with whatever may be chosen.
pub async fn the_local_provider_is_replaced(store: Arc<dyn Store>) {
    set(&store, &local_provider(1)).await;
    let (thresholds, minutes) = (LockoutPolicy::THRESHOLDS, LockoutPolicy::MINUTES);
    let lengths = MinPasswordLength::LENGTHS;
    for (threshold, minutes, length) in [
        (*thresholds.start(), *minutes.start(), *lengths.start()),
        (*thresholds.end(), *minutes.end(), *lengths.end()),
    ] {
        let bound = LocalProvider {
            notes: String::new(),
            tags: Vec::new(),
            lockout: LockoutPolicy::new(threshold, minutes).unwrap(),
            min_password_length: MinPasswordLength::new(length).unwrap(),
            updated: at(0),
        };
        set(&store, &bound).await;
    }
    set(&store, &LocalProvider::built_in()).await;
}

/// Every sign-in is decided by the lockout that was set last, whoever signs in from wherever.
pub async fn a_standing_has_the_lockout_of_the_moment(store: Arc<dyn Store>) {
    let alice = known(&store).await;
    let elsewhere = Actor { n: 2, ..alice };
    add(&store, 2, "bob").await;
    let lockouts = async || {
        let mut found = Vec::new();
        for (name, actor) in [("alice", alice), ("alice", elsewhere), ("bob", alice)] {
            let standing = store.password_standing(&key(name), actor.device()).await;
            found.push(standing.unwrap().unwrap().lockout);
        }
        found
    };
    assert_eq!(lockouts().await, [LockoutPolicy::default(); 3]);
    for n in [7, 2] {
        let new = local_provider(n);
        set(&store, &new).await;
        assert_eq!(lockouts().await, [new.lockout; 3]);
    }
}

/// Of concurrent replacements one stays, whole.
pub async fn concurrent_replacements_do_not_mix(store: Arc<dyn Store>) {
    for _ in 0..4 {
        at_once((1..=8).map(|n| {
            let store = store.clone();
            async move {
                store
                    .set_local_provider(&local_provider(n), &[])
                    .await
                    .unwrap();
            }
        }))
        .await;
        let found = store.local_provider().await.unwrap();
        assert!((1..=8).any(|n| found == local_provider(n)), "{found:?}");
    }
}
