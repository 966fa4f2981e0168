//! The claim of a step with all that follows from it.

use std::sync::Arc;

use uuid::Uuid;
use vestibule_engine::{SeedId, TokenKind};

use super::cast::{Actor, Shared, add, at, key, sealed, step};
use super::checks::{at_once, check_refused, claim, done, is_alive, remove};
use crate::{Finish, SeedState, Store, Swap};

/// The first code of a seed verifies it: sealed anew, with its step, and the budget of a success.
pub async fn the_first_code_verifies_the_seed(store: Arc<dyn Store>) {
    let alice = Actor::sign_in(&store, add(&store, 1, "alice").await, 1).await;
    let guess = alice.guess(&alice.bearer(&store).await);
    assert_eq!(store.settle(&guess, &[]).await.unwrap(), Swap::Done);
    assert_eq!(
        store.propose_seed(&alice.proposal(1), &[]).await.unwrap(),
        Swap::Done
    );
    let finish = Finish {
        verified_seed: Some(sealed(77)),
        ..alice.finish(&alice.bearer(&store).await, 3)
    };
    assert_eq!(claim(&store, &finish).await.unwrap(), Swap::Done);

    let bearer = store.bearer(&alice.hash(103)).await.unwrap().unwrap();
    assert_eq!(bearer.factor.revision, 3);
    assert_eq!(bearer.factor.budget, guess.budget.after_success());
    let seed = bearer.factor.seed.unwrap();
    assert_eq!((seed.id, seed.sealed), (alice.seed_id(), sealed(77)));
    assert_eq!(seed.state, SeedState::Verified { last_step: step(3) });
}

/// A later code claims its step and leaves the seed as it is sealed.
pub async fn a_later_code_claims_its_step(store: Arc<dyn Store>) {
    let user = add(&store, 1, "alice").await;
    Actor::enrolled(&store, user, 1).await;
    for n in 2..6 {
        let alice = Actor::sign_in(&store, user, n).await;
        let before = alice.bearer(&store).await.factor;
        let finish = alice.finish(&alice.bearer(&store).await, n);
        assert_eq!(claim(&store, &finish).await.unwrap(), Swap::Done);
        let after = store
            .bearer(&alice.hash(100 + n))
            .await
            .unwrap()
            .unwrap()
            .factor;
        assert_eq!(after.revision, before.revision + 1);
        assert_eq!(after.budget, before.budget.after_success());
        let seed = after.seed.unwrap();
        assert_eq!(seed.sealed, before.seed.unwrap().sealed);
        assert_eq!(seed.state, SeedState::Verified { last_step: step(n) });
    }
}

/// The partial token is gone the moment the verified one is there; other tokens stay.
pub async fn a_finish_rotates_the_token_and_no_other(store: Arc<dyn Store>) {
    let user = add(&store, 1, "alice").await;
    Actor::enrolled(&store, user, 1).await;
    let (two, three) = (
        Actor::sign_in(&store, user, 2).await,
        Actor::sign_in(&store, user, 3).await,
    );
    let minted = store
        .mint(&two.partial(), &two.new_admin(1), None, &[])
        .await;
    assert_eq!(minted.unwrap(), Swap::Done);
    let finish = two.finish(&two.bearer(&store).await, 1);
    assert_eq!(claim(&store, &finish).await.unwrap(), Swap::Done);

    assert!(!is_alive(&store, two.partial()).await);
    let bearer = store.bearer(&two.hash(101)).await.unwrap().unwrap();
    assert_eq!(&bearer.token, finish.verified.record());
    assert_eq!(bearer.token.kind, TokenKind::Verified);
    assert!(is_alive(&store, two.hash(1)).await);
    assert!(is_alive(&store, three.partial()).await);
}

/// The device is noted when told so, and otherwise left alone.
pub async fn a_finish_notes_the_device_when_told(store: Arc<dyn Store>) {
    let user = add(&store, 1, "alice").await;
    Actor::enrolled(&store, user, 1).await;
    for (n, noted) in [(2, None), (3, Some(at(33)))] {
        let alice = Actor::sign_in(&store, user, n).await;
        let finish = Finish {
            device_completed: noted,
            ..alice.finish(&alice.bearer(&store).await, n)
        };
        assert_eq!(claim(&store, &finish).await.unwrap(), Swap::Done);
        let bearer = store.bearer(&alice.hash(100 + n)).await.unwrap().unwrap();
        assert_eq!(bearer.device_completed, noted);
        let standing = store.password_standing(&key("alice"), alice.device()).await;
        let device = standing.unwrap().unwrap().device;
        assert_eq!(device.map(|device| device.last_completed), noted);
    }
}

/// No step is claimed when the revision, the seed, the step or the token moved.
pub async fn a_finish_is_refused_when_something_moved(store: Arc<dyn Store>) {
    let user = add(&store, 1, "alice").await;
    let one = Actor::enrolled(&store, user, 1).await;
    let two = Actor::sign_in(&store, user, 2).await;
    let bob = Actor::enrolled(&store, add(&store, 2, "bob").await, 3).await;
    let bearer = two.bearer(&store).await;
    let refused = async |finish: Finish, why: &str| {
        let finish = Finish {
            device_completed: Some(at(1)),
            ..finish
        };
        check_refused(&store, two, why, claim(&store, &finish)).await;
    };
    for revision in [0, 1, 3, 4] {
        let mut other = bearer.clone();
        other.factor.revision = revision;
        refused(two.finish(&other, 5), "another revision").await;
    }
    let mut other = bearer.clone();
    other.factor.seed.as_mut().unwrap().id = SeedId::from_uuid(Uuid::from_u128(99));
    refused(two.finish(&other, 5), "another seed").await;
    refused(two.finish(&bearer, 0), "the last step").await;
    let finish = two.finish(&bearer, 5);
    refused(
        Finish {
            partial: two.hash(9),
            ..finish.clone()
        },
        "no such token",
    )
    .await;
    refused(
        Finish {
            partial: one.hash(100),
            ..finish.clone()
        },
        "a verified token",
    )
    .await;
    let four = Actor::sign_in(&store, user, 4).await;
    refused(
        Finish {
            partial: four.partial(),
            ..finish.clone()
        },
        "another session",
    )
    .await;
    let five = Actor::sign_in(&store, bob.user, 5).await;
    refused(
        Finish {
            partial: five.partial(),
            ..finish.clone()
        },
        "another user",
    )
    .await;

    store
        .end_session(two.user, two.session(), &[])
        .await
        .unwrap();
    refused(finish.clone(), "an ended session").await;
    remove(&store, user).await;
    refused(finish, "a removed user").await;
}

/// Who finished cannot finish again with the same step, however fresh the reading.
pub async fn a_step_is_claimed_once(store: Arc<dyn Store>) {
    let user = add(&store, 1, "alice").await;
    Actor::enrolled(&store, user, 1).await;
    for (n, steps) in [(2, 7), (3, 9)] {
        let alice = Actor::sign_in(&store, user, n).await;
        let finish = alice.finish(&alice.bearer(&store).await, steps);
        assert_eq!(claim(&store, &finish).await.unwrap(), Swap::Done);
        check_refused(&store, alice, "twice", claim(&store, &finish)).await;
        let again = Actor::sign_in(&store, user, n + 10).await;
        for earlier in [steps, steps - 1, 1] {
            let late = again.finish(&again.bearer(&store).await, earlier);
            check_refused(&store, again, "not later", claim(&store, &late)).await;
        }
    }
}

/// A user with a seed and so many sessions at its door, numbered from 2.
async fn at_the_door(store: &Shared, sessions: u64) -> Vec<Actor> {
    let user = add(store, 1, "alice").await;
    Actor::enrolled(store, user, 1).await;
    let mut actors = Vec::new();
    for n in 2..2 + sessions {
        actors.push(Actor::sign_in(store, user, n).await);
    }
    actors
}

/// Of 64 sessions that finish with one code at once, one gets through, again and again; the
/// others keep their partial tokens and have nothing else.
pub async fn a_step_is_claimed_by_one_of_many_sessions(store: Arc<dyn Store>) {
    let mut actors = at_the_door(&store, 64).await;
    for n in 1..=4 {
        let bearer = actors.first().unwrap().bearer(&store).await;
        let answers = at_once(actors.iter().map(|actor| {
            let mut bearer = bearer.clone();
            bearer.token.session = actor.session();
            let (store, finish) = (store.clone(), actor.finish(&bearer, n));
            async move { claim(&store, &finish).await.unwrap() }
        }))
        .await;
        let fresh = answers
            .iter()
            .filter(|answer| **answer == Swap::Done)
            .count();
        assert_eq!(fresh, 1, "step {n}");
        let mut left = Vec::new();
        for (actor, answer) in actors.into_iter().zip(answers) {
            let passed = answer == Swap::Done;
            assert_eq!(is_alive(&store, actor.hash(100 + n)).await, passed);
            assert_eq!(is_alive(&store, actor.partial()).await, !passed);
            if !passed {
                left.push(actor);
            }
        }
        actors = left;
        let factor = actors.first().unwrap().bearer(&store).await.factor;
        assert_eq!(factor.revision, bearer.factor.revision + 1);
    }
}

/// One partial token becomes one verified token, whatever the steps that are claimed with it.
pub async fn a_partial_token_is_spent_once(store: Arc<dyn Store>) {
    let actors = at_the_door(&store, 4).await;
    for alice in actors {
        let bearer = alice.bearer(&store).await;
        let steps = 10 * alice.n..10 * alice.n + 16;
        let answers = at_once(steps.clone().map(|n| {
            let (store, finish) = (store.clone(), alice.finish(&bearer, n));
            async move { claim(&store, &finish).await }
        }))
        .await;
        assert_eq!(done(answers), 1);
        let mut alive = 0;
        for n in steps {
            alive += u32::from(is_alive(&store, alice.hash(100 + n)).await);
        }
        assert_eq!(alive, 1);
        assert!(!is_alive(&store, alice.partial()).await);
    }
}

/// Of a wrong guess and a right code that rest on one revision, one is written.
pub async fn a_settlement_and_a_finish_of_one_revision_exclude_each_other(store: Arc<dyn Store>) {
    let mut actors = at_the_door(&store, 40).await.into_iter();
    let mut n = 0;
    while let (Some(guesser), Some(finisher)) = (actors.next(), actors.next()) {
        n += 1;
        // So that the guesses of earlier rounds do not add up to a wait.
        store.unlock(guesser.user, at(0), &[]).await.unwrap();
        let before = guesser.bearer(&store).await.factor.revision;
        let guess = guesser.guess(&guesser.bearer(&store).await);
        let finish = finisher.finish(&finisher.bearer(&store).await, n);
        let (one, two) = (store.clone(), store.clone());
        let (guessed, finished) = tokio::join!(
            tokio::spawn(async move { one.settle(&guess, &[]).await }),
            tokio::spawn(async move { claim(&two, &finish).await }),
        );
        assert_eq!(done([guessed.unwrap(), finished.unwrap()]), 1);
        let bearer = guesser.bearer(&store).await;
        assert_eq!(bearer.factor.revision, before + 1);
    }
}
