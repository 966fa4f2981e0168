//! The redemption of an Access-Accept with all that follows from it.

use std::sync::Arc;

use vestibule_engine::TokenKind;
use vestibule_engine::mfa::TOTP_PROVIDER;

use super::cast::{Actor, add, at, key, sealed};
use super::checks::{at_once, check_refused, done, is_alive, redeem, remove, set};
use super::radius_cast::{add_provider, due, radius_is_due, replace, replaced};
use crate::{
    AdminMfaChange, Bearer, DialogueChange, ProviderVersion, Redemption, SecondFactor, Settlement,
    Store, Swap,
};

/// An acceptance rotates the partial token and no other, ends its dialogue and stores the budget
/// of a success, also for who never had a second factor; a seed stays as it is.
pub async fn an_acceptance_is_redeemed(store: Arc<dyn Store>) {
    radius_is_due(&store).await;
    let user = add(&store, 1, "alice").await;
    let new = Actor::sign_in(&store, user, 1).await;
    let redemption = new.redemption(&new.bearer(&store).await, 1);
    assert_eq!(redeem(&store, &redemption).await.unwrap(), Swap::Done);
    let bearer = store.bearer(&new.hash(1)).await.unwrap().unwrap();
    let expected = SecondFactor {
        revision: 1,
        budget: redemption.acceptance.budget().clone(),
        seed: None,
    };
    assert_eq!(bearer.factor, expected);
    assert!(!is_alive(&store, new.partial()).await);

    Actor::enrolled(&store, user, 2).await;
    let (one, two) = (
        Actor::sign_in(&store, user, 3).await,
        Actor::sign_in(&store, user, 4).await,
    );
    let minted = store
        .mint(&one.partial(), &one.new_admin(1), None, &[])
        .await;
    assert_eq!(minted.unwrap(), Swap::Done);
    for (who, n) in [(one, 1), (two, 2)] {
        let settlement = Settlement {
            dialogue: DialogueChange::Store(sealed(n)),
            ..who.guess(&who.bearer(&store).await)
        };
        assert_eq!(store.settle(&settlement, &[]).await.unwrap(), Swap::Done);
    }
    let before = one.bearer(&store).await;
    let redemption = one.redemption(&before, 2);
    assert_eq!(redeem(&store, &redemption).await.unwrap(), Swap::Done);
    assert!(!is_alive(&store, one.partial()).await);
    let bearer = store.bearer(&one.hash(2)).await.unwrap().unwrap();
    assert_eq!(&bearer.token, redemption.verified.record());
    assert_eq!(bearer.token.kind, TokenKind::Verified);
    assert_eq!((bearer.dialogue, bearer.device_completed), (None, None));
    let expected = SecondFactor {
        revision: before.factor.revision + 1,
        budget: before.factor.budget.after_success(),
        seed: before.factor.seed,
    };
    assert_eq!(bearer.factor, expected);
    assert!(is_alive(&store, one.hash(1)).await);
    assert_eq!(two.bearer(&store).await.dialogue, Some(sealed(2)));
}

/// The device is noted when told so, and otherwise left alone.
pub async fn a_redemption_notes_the_device_when_told(store: Arc<dyn Store>) {
    radius_is_due(&store).await;
    let user = add(&store, 1, "alice").await;
    for (n, noted) in [(1, Some(at(22))), (2, None), (3, Some(at(33)))] {
        let alice = Actor::sign_in(&store, user, n).await;
        let redemption = Redemption {
            device_completed: noted,
            ..alice.redemption(&alice.bearer(&store).await, 1)
        };
        assert_eq!(redeem(&store, &redemption).await.unwrap(), Swap::Done);
        let bearer = store.bearer(&alice.hash(1)).await.unwrap().unwrap();
        assert_eq!(bearer.device_completed, noted);
        let standing = store.password_standing(&key("alice"), alice.device()).await;
        let device = standing.unwrap().unwrap().device;
        assert_eq!(device.map(|device| device.last_completed), noted);
    }
}

/// No acceptance is redeemed when the revision or the token moved.
pub async fn a_redemption_is_refused_when_something_moved(store: Arc<dyn Store>) {
    radius_is_due(&store).await;
    let user = add(&store, 1, "alice").await;
    let one = Actor::sign_in(&store, user, 1).await;
    let first = one.redemption(&one.bearer(&store).await, 9);
    assert_eq!(redeem(&store, &first).await.unwrap(), Swap::Done);
    let two = Actor::sign_in(&store, user, 2).await;
    let bob = Actor::sign_in(&store, add(&store, 2, "bob").await, 3).await;
    let bearer = two.bearer(&store).await;
    let refused = async |redemption: &Redemption, why: &str| {
        let redemption = Redemption {
            device_completed: Some(at(1)),
            ..redemption.clone()
        };
        check_refused(&store, two, why, redeem(&store, &redemption)).await;
    };
    refused(&first, "twice").await;
    for revision in [0, 2, 3, u64::from(u32::MAX)] {
        let mut other = bearer.clone();
        other.factor.revision = revision;
        refused(&two.redemption(&other, 1), "another revision").await;
    }
    let right = two.redemption(&bearer, 1);
    let three = Actor::sign_in(&store, user, 4).await;
    for (partial, why) in [
        (two.hash(8), "no such token"),
        (one.hash(9), "a verified token"),
        (three.partial(), "another session"),
        (bob.partial(), "another user"),
    ] {
        let redemption = Redemption {
            partial,
            ..right.clone()
        };
        refused(&redemption, why).await;
    }
    let first = bob.redemption(&bob.bearer(&store).await, 1);
    for (actor, redemption) in [(two, &right), (bob, &first)] {
        store
            .end_session(actor.user, actor.session(), &[])
            .await
            .unwrap();
        refused(redemption, "an ended session").await;
    }
    for user in [two.user, bob.user] {
        remove(&store, user).await;
    }
    refused(&right, "a removed user").await;
    refused(&first, "a removed user without a factor").await;
}

/// No acceptance is redeemed when its provider is not the one of the settings, as it was
/// configured when it asked; whoever is let off keeps the partial token, and is refused like all.
pub async fn a_redemption_is_refused_when_its_provider_moved(store: Arc<dyn Store>) {
    let first = radius_is_due(&store).await;
    let second = add_provider(&store, 2).await;
    let old = Actor::enrolled(&store, add(&store, 1, "alice").await, 1).await;
    let let_off = |provider| AdminMfaChange {
        exempted: ["alice", "bob"]
            .map(|name| (name.to_owned(), Some(key(name))))
            .into(),
        ..due(provider)
    };
    add(&store, 2, "bob").await;
    let bob = super::cast::new_user(2, "bob").user.id;
    // One who has a row of a second factor, and one who has none.
    for user in [old.user, bob] {
        set(&store, &let_off(Some(first.provider.id))).await;
        let alice = Actor::sign_in(&store, user, 10).await;
        let bearer = alice.bearer(&store).await;
        let refused = async |bearer: &Bearer, why: &str| {
            let redemption = Redemption {
                device_completed: Some(at(1)),
                ..alice.redemption(bearer, 1)
            };
            check_refused(&store, alice, why, redeem(&store, &redemption)).await;
        };
        let now = bearer.provider.unwrap();
        for revision in [0, now.revision - 1, now.revision + 1] {
            let mut other = bearer.clone();
            other.provider = Some(ProviderVersion { revision, ..now });
            refused(&other, "another revision of the provider").await;
        }
        for id in [second.provider.id, TOTP_PROVIDER] {
            let mut other = bearer.clone();
            other.provider = Some(ProviderVersion { id, revision: 1 });
            refused(&other, "a provider that is not due").await;
            set(&store, &let_off(Some(id))).await;
            refused(&bearer, "another provider is due").await;
        }
        set(&store, &let_off(None)).await;
        refused(&bearer, "none is due").await;
        set(&store, &let_off(Some(first.provider.id))).await;
        let current = store.provider(now.id).await.unwrap().unwrap();
        replace(&store, &replaced(&current)).await;
        refused(&bearer, "the provider was replaced").await;

        let redemption = alice.redemption(&alice.bearer(&store).await, 1);
        assert_eq!(redeem(&store, &redemption).await.unwrap(), Swap::Done);
        store
            .end_session(alice.user, alice.session(), &[])
            .await
            .unwrap();
    }
}

/// One partial token becomes one verified token, however often it is accepted, whether there was
/// a second factor before or not.
pub async fn a_partial_token_is_redeemed_once(store: Arc<dyn Store>) {
    radius_is_due(&store).await;
    let user = add(&store, 1, "alice").await;
    for n in 1..=4 {
        let alice = Actor::sign_in(&store, user, n).await;
        let bearer = alice.bearer(&store).await;
        let answers = at_once((1..=16).map(|k| {
            let (store, redemption) = (store.clone(), alice.redemption(&bearer, k));
            async move { redeem(&store, &redemption).await }
        }))
        .await;
        assert_eq!(done(answers), 1);
        let mut verified = 0;
        for k in 1..=16 {
            verified += u32::from(is_alive(&store, alice.hash(k)).await);
        }
        assert_eq!(verified, 1);
        assert!(!is_alive(&store, alice.partial()).await);
    }
}

/// Of a settlement, a push and an acceptance that rest on one revision, one is written: in one
/// session or several, whether there was a second factor before or not.
pub async fn writes_of_one_revision_exclude_each_other(store: Arc<dyn Store>) {
    radius_is_due(&store).await;
    for round in 0..24 {
        let user = add(&store, round + 1, &format!("user {round}")).await;
        let mut actors = Vec::new();
        for n in 0..3 {
            actors.push(Actor::sign_in(&store, user, 100 * (round + 1) + n).await);
        }
        if round % 4 < 2 {
            store.reset_factor(user, None, &[]).await.unwrap();
            for actor in &mut actors {
                actor.n += 10;
                Actor::sign_in(&store, user, actor.n).await;
            }
        }
        let [one, two, three] = actors[..] else {
            panic!("three sessions");
        };
        let [two, three] = if round % 2 == 0 {
            [two, three]
        } else {
            [one, one]
        };
        let bearer = one.bearer(&store).await;
        let before = bearer.factor.revision;
        let settlement = two.guess(&bearer);
        let push = three.push(0, 0, before);
        let redemption = one.redemption(&bearer, 1);
        let stores = [store.clone(), store.clone(), store.clone()];
        let [a, b, c] = stores;
        let answers = tokio::join!(
            tokio::spawn(async move { a.settle(&settlement, &[]).await }),
            tokio::spawn(async move { redeem(&b, &redemption).await }),
            tokio::spawn(async move { c.start_push(&push, &[]).await }),
        );
        let answers = [answers.0, answers.1, answers.2].map(Result::unwrap);
        assert_eq!(done(answers), 1, "round {round}");
        let any = Actor::sign_in(&store, user, 100 * (round + 1) + 50).await;
        let after = any.bearer(&store).await.factor.revision;
        assert_eq!(after, before + 1, "round {round}");
    }
}
