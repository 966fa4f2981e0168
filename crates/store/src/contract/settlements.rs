//! New budgets, and what becomes of dialogues and partial tokens with them.

use std::sync::Arc;

use vestibule_engine::GuessBudget;

use super::cast::{Actor, add, at, sealed};
use super::checks::{at_once, check_refused, claim, done, is_alive, remove};
use crate::{DialogueChange, ListQuery, SecondFactor, Settlement, Store, Swap};

/// A settlement stores its budget and nothing else; the revision grows.
pub async fn a_settlement_stores_its_budget(store: Arc<dyn Store>) {
    let user = add(&store, 1, "alice").await;
    Actor::enrolled(&store, user, 1).await;
    let alice = Actor::sign_in(&store, user, 2).await;
    for _ in 0..7 {
        let before = alice.bearer(&store).await;
        let guess = alice.guess(&before);
        assert_eq!(store.settle(&guess, &[]).await.unwrap(), Swap::Done);
        let expected = SecondFactor {
            revision: before.factor.revision + 1,
            budget: guess.budget,
            seed: before.factor.seed,
        };
        assert_eq!(alice.bearer(&store).await.factor, expected);
    }
    let waits = alice.bearer(&store).await.factor.budget.waiting_until();
    assert!(waits.is_some());
}

/// A settlement is stored for who has no seed, too: all factors share the budget.
pub async fn a_settlement_needs_no_seed(store: Arc<dyn Store>) {
    let alice = Actor::sign_in(&store, add(&store, 1, "alice").await, 1).await;
    let guess = alice.guess(&alice.bearer(&store).await);
    assert_eq!(store.settle(&guess, &[]).await.unwrap(), Swap::Done);
    let expected = SecondFactor {
        revision: 1,
        budget: guess.budget,
        seed: None,
    };
    assert_eq!(alice.bearer(&store).await.factor, expected);
    assert_eq!(store.seeds(&ListQuery::default()).await.unwrap().total, 0);
}

/// A settlement that says so ends the partial token of its session, and no other.
pub async fn a_settlement_may_end_the_partial_token_of_its_session(store: Arc<dyn Store>) {
    let user = add(&store, 1, "alice").await;
    let (one, two) = (
        Actor::sign_in(&store, user, 1).await,
        Actor::sign_in(&store, user, 2).await,
    );
    let minted = store
        .mint(&one.partial(), &one.new_admin(1), None, &[])
        .await;
    assert_eq!(minted.unwrap(), Swap::Done);
    let guess = Settlement {
        ends_token: true,
        ..one.guess(&one.bearer(&store).await)
    };
    assert_eq!(store.settle(&guess, &[]).await.unwrap(), Swap::Done);
    assert!(!is_alive(&store, one.partial()).await);
    assert!(is_alive(&store, one.hash(1)).await);
    assert!(is_alive(&store, two.partial()).await);
    assert_eq!(two.bearer(&store).await.factor.budget, guess.budget);
}

/// Nothing is settled when the revision moved or the session has no partial token.
pub async fn a_settlement_is_refused_when_something_moved(store: Arc<dyn Store>) {
    let user = add(&store, 1, "alice").await;
    let one = Actor::enrolled(&store, user, 1).await;
    let two = Actor::sign_in(&store, user, 2).await;
    let right = two.guess(&two.bearer(&store).await);
    for revision in [0, 1, 3, u64::from(u32::MAX)] {
        let guess = Settlement {
            revision,
            ends_token: true,
            ..right.clone()
        };
        check_refused(&store, two, "another revision", store.settle(&guess, &[])).await;
    }
    let session = one.session();
    let guess = Settlement {
        session,
        ..right.clone()
    };
    check_refused(&store, two, "a finished session", store.settle(&guess, &[])).await;
    let bob = Actor::sign_in(&store, add(&store, 2, "bob").await, 3).await;
    let guess = Settlement {
        session: bob.session(),
        ..right.clone()
    };
    check_refused(&store, two, "another's session", store.settle(&guess, &[])).await;
    store
        .end_session(two.user, two.session(), &[])
        .await
        .unwrap();
    check_refused(&store, two, "an ended session", store.settle(&right, &[])).await;

    let first = bob.guess(&bob.bearer(&store).await);
    store
        .end_session(bob.user, bob.session(), &[])
        .await
        .unwrap();
    check_refused(&store, bob, "before any factor", store.settle(&first, &[])).await;
    remove(&store, user).await;
    check_refused(&store, two, "a removed user", store.settle(&right, &[])).await;
}

/// Of concurrent settlements that rest on one revision one is stored, from one session or many.
pub async fn of_concurrent_settlements_one_is_stored(store: Arc<dyn Store>) {
    let user = add(&store, 1, "alice").await;
    let mut sessions = Vec::new();
    for n in 1..=16 {
        sessions.push(Actor::sign_in(&store, user, n).await);
    }
    for round in 0..4 {
        let settlements = sessions
            .iter()
            .flat_map(|session| [*session; 4])
            .map(|session| {
                let store = store.clone();
                let budget =
                    (0..=round).fold(GuessBudget::default(), |b, _| b.after_failure(at(0)));
                let guess = Settlement {
                    user,
                    session: session.session(),
                    revision: round,
                    budget,
                    dialogue: DialogueChange::Keep,
                    ends_token: false,
                };
                async move { store.settle(&guess, &[]).await }
            });
        assert_eq!(done(at_once(settlements).await), 1, "round {round}");
        let factor = sessions.first().unwrap().bearer(&store).await.factor;
        assert_eq!(
            (factor.revision, factor.budget.recent().count()),
            (round + 1, { u32::try_from(round + 1).unwrap() })
        );
    }
}

/// A dialogue is kept with the partial token of its session until another takes its place, it
/// ends, or the token becomes a verified one. Other sessions have nothing to do with it.
pub async fn a_dialogue_is_kept_with_its_partial_token(store: Arc<dyn Store>) {
    let user = add(&store, 1, "alice").await;
    Actor::enrolled(&store, user, 1).await;
    let (one, two) = (
        Actor::sign_in(&store, user, 2).await,
        Actor::sign_in(&store, user, 3).await,
    );
    let minted = store
        .mint(&one.partial(), &one.new_admin(1), None, &[])
        .await;
    assert_eq!(minted.unwrap(), Swap::Done);
    let store_it = |n| DialogueChange::Store(sealed(n));
    for (who, change, expected) in [
        (one, DialogueChange::End, [None, None]),
        (one, store_it(1), [Some(1), None]),
        (two, store_it(2), [Some(1), Some(2)]),
        (one, DialogueChange::Keep, [Some(1), Some(2)]),
        (one, store_it(3), [Some(3), Some(2)]),
        (two, DialogueChange::End, [Some(3), None]),
        (two, DialogueChange::Keep, [Some(3), None]),
        (two, store_it(4), [Some(3), Some(4)]),
    ] {
        // The budget moves along, and back, so that nothing ever waits.
        let before = who.bearer(&store).await;
        let settlement = Settlement {
            dialogue: change.clone(),
            budget: before.factor.budget.after_success(),
            ..who.guess(&before)
        };
        assert_eq!(store.settle(&settlement, &[]).await.unwrap(), Swap::Done);
        for (who, expected) in [one, two].into_iter().zip(expected) {
            let bearer = who.bearer(&store).await;
            assert_eq!(bearer.dialogue, expected.map(sealed), "{change:?}");
            assert_eq!(bearer.factor.revision, before.factor.revision + 1);
            assert_eq!(bearer.factor.budget, settlement.budget);
        }
        let admin = store.bearer(&one.hash(1)).await.unwrap().unwrap();
        assert_eq!(admin.dialogue, None);
    }

    let finish = one.finish(&one.bearer(&store).await, 5);
    assert_eq!(claim(&store, &finish).await.unwrap(), Swap::Done);
    let verified = store.bearer(&one.hash(105)).await.unwrap().unwrap();
    assert_eq!(verified.dialogue, None);
    assert_eq!(two.bearer(&store).await.dialogue, Some(sealed(4)));
}

/// A dialogue ends with its token, whatever the settlement says of it.
pub async fn a_dialogue_ends_with_its_token(store: Arc<dyn Store>) {
    let user = add(&store, 1, "alice").await;
    for (n, change) in (1..).zip([
        DialogueChange::Keep,
        DialogueChange::End,
        DialogueChange::Store(sealed(9)),
    ]) {
        let alice = Actor::sign_in(&store, user, n).await;
        for (dialogue, ends_token) in [(DialogueChange::Store(sealed(n)), false), (change, true)] {
            let settlement = Settlement {
                dialogue,
                ends_token,
                ..alice.guess(&alice.bearer(&store).await)
            };
            assert_eq!(store.settle(&settlement, &[]).await.unwrap(), Swap::Done);
        }
        assert!(!is_alive(&store, alice.partial()).await);
        let again = Actor::sign_in(&store, user, n).await;
        assert_eq!(again.bearer(&store).await.dialogue, None);
        store
            .end_session(again.user, again.session(), &[])
            .await
            .unwrap();
    }
}
