//! Tokens: borne, minted, ended, expired.

use std::sync::Arc;

use vestibule_engine::mfa::{Exemption, TOTP_PROVIDER};
use vestibule_engine::token::Lifetimes;
use vestibule_engine::{NewToken, SessionId, TokenKind};

use super::cast::{Actor, add, at, key};
use super::checks::{check_refused, claim, disable, is_alive, remove, set};
use crate::{AdminMfaChange, ProviderVersion, SecondFactor, SessionStart, Store, Swap};

/// A token that is not there has no bearer.
pub async fn nobody_bears_an_unknown_token(store: Arc<dyn Store>) {
    let alice = Actor::sign_in(&store, add(&store, 1, "alice").await, 1).await;
    assert!(!is_alive(&store, alice.hash(1)).await);
}

/// A bearer is known with token, user, settings, exemption, second factor and device; also when
/// the token has expired, which is for the caller to see.
pub async fn a_bearer_is_known_with_everything(store: Arc<dyn Store>) {
    let alice = Actor::sign_in(&store, add(&store, 1, "alice").await, 1).await;
    let bare = alice.bearer(&store).await;
    assert_eq!(&bare.token, alice.new_partial().record());
    assert_eq!(
        bare.user,
        store.user_by_name(&key("alice")).await.unwrap().unwrap()
    );
    assert_eq!(
        (bare.provider, bare.exemption),
        (None, Exemption::default())
    );
    assert_eq!(
        (bare.factor, bare.dialogue, bare.device_completed),
        (SecondFactor::default(), None, None)
    );

    for (text, listed) in [("bob", false), ("alice", true)] {
        let change = AdminMfaChange {
            provider: Some(TOTP_PROVIDER),
            exempted: vec![(text.to_owned(), Some(key(text))); 2],
        };
        let settings = set(&store, &change).await;
        assert_eq!(settings.exempted.len(), 2);
        let alice = Actor::enrolled(&store, alice.user, if listed { 3 } else { 2 }).await;
        let bearer = store.bearer(&alice.hash(100)).await.unwrap().unwrap();
        let provider = ProviderVersion {
            id: TOTP_PROVIDER,
            revision: 1,
        };
        assert_eq!(
            (bearer.provider, bearer.exemption.listed),
            (Some(provider), listed)
        );
        assert!(bearer.factor.seed.is_some());
        assert_eq!(bearer.token.kind, TokenKind::Verified);
        store.reset_factor(alice.user, None, &[]).await.unwrap();
    }
}

/// A minted token is one more of its session; the bearer's stays.
pub async fn a_token_is_minted_in_the_session(store: Arc<dyn Store>) {
    let alice = Actor::sign_in(&store, add(&store, 1, "alice").await, 1).await;
    for (bearer, k) in [(0, 1), (0, 2), (1, 3)] {
        let token = alice.new_admin(k);
        let minted = store
            .mint(&alice.hash(bearer), &token, None, &[])
            .await
            .unwrap();
        assert_eq!(minted, Swap::Done);
        let found = store.bearer(&alice.hash(k)).await.unwrap().unwrap();
        assert_eq!(&found.token, token.record());
        assert_eq!(found.device_completed, None);
    }
    assert!(is_alive(&store, alice.partial()).await);
}

/// A completed sign-in is noted for the device of the token, for its user alone.
pub async fn a_mint_notes_the_device_when_told(store: Arc<dyn Store>) {
    let alice = Actor::sign_in(&store, add(&store, 1, "alice").await, 1).await;
    let bob = Actor {
        user: add(&store, 2, "bob").await,
        ..alice
    };
    for (k, noted) in [(1, Some(at(5))), (2, None), (3, Some(at(6)))] {
        let minted = store
            .mint(&alice.partial(), &alice.new_admin(k), noted, &[])
            .await
            .unwrap();
        assert_eq!(minted, Swap::Done);
        let expected = noted.or(Some(at(5)));
        assert_eq!(alice.bearer(&store).await.device_completed, expected);
    }
    let standing = store
        .password_standing(&key("bob"), bob.device())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(standing.device, None);
}

/// Nothing is minted for a token that is gone, or a user who is gone or disabled.
pub async fn a_mint_is_refused_when_something_moved(store: Arc<dyn Store>) {
    let user = add(&store, 1, "alice").await;
    let one = Actor::enrolled(&store, user, 1).await;
    let two = Actor::sign_in(&store, user, 2).await;
    let noted = Some(at(5));
    let token = one.new_admin(1);
    check_refused(
        &store,
        one,
        "spent",
        store.mint(&one.partial(), &token, noted, &[]),
    )
    .await;
    store
        .end_session(one.user, one.session(), &[])
        .await
        .unwrap();
    check_refused(
        &store,
        one,
        "ended",
        store.mint(&one.hash(100), &token, noted, &[]),
    )
    .await;
    let token = two.new_admin(1);
    disable(&store, user, true, at(0)).await;
    check_refused(
        &store,
        two,
        "disabled",
        store.mint(&two.partial(), &token, noted, &[]),
    )
    .await;
    remove(&store, user).await;
    check_refused(
        &store,
        two,
        "removed",
        store.mint(&two.partial(), &token, noted, &[]),
    )
    .await;
}

/// The end of a session ends all its tokens, and no other's; a session that is not there ends.
pub async fn an_ended_session_has_no_tokens(store: Arc<dyn Store>) {
    let user = add(&store, 1, "alice").await;
    let one = Actor::enrolled(&store, user, 1).await;
    let two = Actor::sign_in(&store, user, 2).await;
    for k in 1..4 {
        let minted = store
            .mint(&one.hash(100), &one.new_admin(k), None, &[])
            .await
            .unwrap();
        assert_eq!(minted, Swap::Done);
    }
    store
        .end_session(one.user, one.session(), &[])
        .await
        .unwrap();
    for k in [1, 2, 3, 100] {
        assert!(!is_alive(&store, one.hash(k)).await);
    }
    assert!(is_alive(&store, two.partial()).await);
    store
        .end_session(one.user, one.session(), &[])
        .await
        .unwrap();
    store
        .end_session(one.user, SessionId::from_uuid(uuid::Uuid::nil()), &[])
        .await
        .unwrap();
    let finish = two.finish(&two.bearer(&store).await, 1);
    assert_eq!(claim(&store, &finish).await.unwrap(), Swap::Done);
}

/// Expired tokens are removed, at most so many at a time; live ones stay.
pub async fn expired_tokens_are_removed_a_few_at_a_time(store: Arc<dyn Store>) {
    let user = add(&store, 1, "alice").await;
    for n in 1..=10 {
        let alice = Actor { user, n };
        let now = at(i64::try_from(n).unwrap());
        let (session, device) = (alice.session(), alice.device());
        let lifetimes = Lifetimes::default();
        let partial = NewToken::partial(&alice.token(0), session, user, device, &lifetimes, now);
        let start = SessionStart {
            partial,
            ..alice.start()
        };
        assert_eq!(store.start_session(&start, &[]).await.unwrap(), Swap::Done);
    }
    let now = at(7)
        .after(Lifetimes::default().partial)
        .before(std::time::Duration::from_secs(1));
    let now = now.after(std::time::Duration::from_millis(500));
    for removed in [4, 2, 0] {
        assert_eq!(store.remove_expired(now, 4).await.unwrap(), removed);
    }
    assert_eq!(store.remove_expired(now, 0).await.unwrap(), 0);
    for n in 1..=10 {
        assert_eq!(
            is_alive(&store, Actor { user, n }.partial()).await,
            n > 6,
            "{n}"
        );
    }
}
