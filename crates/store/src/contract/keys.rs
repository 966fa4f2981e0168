//! The canary, and whether the store works.

use std::sync::Arc;

use super::cast::sealed;
use super::checks::at_once;
use crate::Store;

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
