//! The canary, master keys in the place of others, and whether the store works.

use std::sync::Arc;

use uuid::Uuid;

use super::audit::{row, rows};
use super::cast::{Shared, sealed};
use super::checks::{at_once, done};
use crate::{KeyReport, KeyRetirement, KeyStanding, KeyState, Retirement, Store, Swap};

/// The n-th key.
pub(super) fn key(n: u64) -> Uuid {
    sealed(n).key_id
}

pub(super) async fn state(store: &Shared) -> KeyState {
    store.key_state().await.unwrap()
}

/// Puts the second key in the place of the first.
pub(super) async fn rotate(store: &Shared) {
    store.canary(&sealed(1)).await.unwrap();
    assert_eq!(store.announce_key(key(2)).await.unwrap(), Swap::Done);
    let begun = store.begin_key(key(1), &sealed(2), &sealed(2), &[]).await;
    assert_eq!(begun.unwrap(), Swap::Done);
}

/// A key is announced before it is used, and what servers report is about the one announced last.
pub async fn a_key_is_announced_before_it_is_used(store: Arc<dyn Store>) {
    assert_eq!(state(&store).await, KeyState::default());
    assert_eq!(store.announce_key(key(2)).await.unwrap(), Swap::Moved);
    store.canary(&sealed(1)).await.unwrap();
    assert_eq!(store.announce_key(key(1)).await.unwrap(), Swap::Moved);
    let begin = |from, n| {
        let store = Arc::clone(&store);
        async move {
            store
                .begin_key(key(from), &sealed(n), &sealed(n), &[row(9)])
                .await
                .unwrap()
        }
    };
    assert_eq!(begin(1, 2).await, Swap::Moved);
    assert_eq!(store.announce_key(key(3)).await.unwrap(), Swap::Done);
    let report = |n: u64, key, has| KeyReport {
        server: Uuid::from_u128(n.into()),
        name: format!("server {n}"),
        key,
        has,
    };
    for (n, next, has) in [(1, key(3), true), (1, key(3), false), (2, key(2), true)] {
        store.report_key(&report(n, next, has)).await.unwrap();
    }
    let found = store.key_reports().await.unwrap();
    assert_eq!(found, [report(1, key(3), false)]);
    for _ in 0..2 {
        assert_eq!(store.announce_key(key(2)).await.unwrap(), Swap::Done);
        assert_eq!(store.key_reports().await.unwrap(), []);
        store.report_key(&report(2, key(2), true)).await.unwrap();
    }
    assert_eq!(state(&store).await.next(), Some(key(2)));
    assert_eq!(begin(1, 3).await, Swap::Moved);
    assert_eq!(begin(3, 2).await, Swap::Moved);
    assert_eq!(rows(&store).await, Vec::<u32>::new());
    store.pause_keys(true).await.unwrap();
    assert!(state(&store).await.paused);

    assert_eq!(begin(1, 2).await, Swap::Done);
    assert_eq!(rows(&store).await, [9]);
    let expected = KeyState {
        canary: Some(sealed(2)),
        paused: true,
        others: vec![(key(1), KeyStanding::Replaced(sealed(2)))],
    };
    assert_eq!(state(&store).await, expected, "it is still paused");
    assert_eq!(store.key_reports().await.unwrap(), []);
    assert_eq!(store.canary(&sealed(1)).await.unwrap(), sealed(2));
    // Not even one that nobody has heard of, as long as the first is not retired.
    for n in [1, 2, 3] {
        assert_eq!(store.announce_key(key(n)).await.unwrap(), Swap::Moved);
    }
    store.pause_keys(false).await.unwrap();
    let expected = KeyState {
        paused: false,
        ..expected
    };
    assert_eq!(state(&store).await, expected);
}

/// While a key is being replaced servers are asked which one they use, each time anew.
pub async fn servers_say_which_key_they_use(store: Arc<dyn Store>) {
    let report = |n: u64, has| KeyReport {
        server: Uuid::from_u128(n.into()),
        name: format!("server {n}"),
        key: key(2),
        has,
    };
    rotate(&store).await;
    for (n, has) in [(1, false), (2, true)] {
        store.report_key(&report(n, has)).await.unwrap();
    }
    let of_another = KeyReport {
        key: key(1),
        ..report(3, true)
    };
    store.report_key(&of_another).await.unwrap();
    let found = store.key_reports().await.unwrap();
    assert_eq!(found, [report(1, false), report(2, true)]);
    store.ask_servers().await.unwrap();
    assert_eq!(store.key_reports().await.unwrap(), []);
    store.report_key(&report(1, true)).await.unwrap();
    let retirement = KeyRetirement {
        key: key(1),
        audit: sealed(2),
        last_seal: 0,
    };
    let retired = store.retire_key(&retirement, &[]).await.unwrap();
    assert_eq!(retired, Retirement::Done);
    store.ask_servers().await.unwrap();
    store.report_key(&report(1, true)).await.unwrap();
    assert_eq!(store.key_reports().await.unwrap(), [], "nobody has asked");
}

/// Of many who use a key at once one does, and then it is used.
pub async fn of_concurrent_beginnings_one_is_written(store: Arc<dyn Store>) {
    store.canary(&sealed(1)).await.unwrap();
    assert_eq!(store.announce_key(key(2)).await.unwrap(), Swap::Done);
    let begun = at_once((0..8).map(|_| {
        let store = Arc::clone(&store);
        async move { store.begin_key(key(1), &sealed(2), &sealed(2), &[]).await }
    }));
    assert_eq!(done(begun.await), 1);
    assert_eq!(state(&store).await.in_use(), Some(key(2)));
}

/// The first canary stays, whatever comes later.
pub async fn the_first_canary_stays(store: Arc<dyn Store>) {
    for n in 1..4 {
        assert_eq!(store.canary(&sealed(n)).await.unwrap(), sealed(1));
    }
}

/// Of concurrent canaries one stays, and all are told which.
pub async fn of_concurrent_canaries_one_stays(store: Arc<dyn Store>) {
    let found = at_once((1..=16).map(|n| {
        let store = store.clone();
        async move { store.canary(&sealed(n)).await.unwrap() }
    }))
    .await;
    let stays = store.canary(&sealed(99)).await.unwrap();
    assert!(found.iter().all(|canary| *canary == stays));
    assert_ne!(stays, sealed(99));
}

/// A store that works says so.
pub async fn a_store_that_works_says_so(store: Arc<dyn Store>) {
    for _ in 0..2 {
        store.check().await.unwrap();
    }
    assert!(!store.has_users().await.unwrap());
}
