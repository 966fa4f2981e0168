//! Second factors: proposals and resets.

use std::sync::Arc;

use uuid::Uuid;
use vestibule_engine::UserId;

use super::cast::{Actor, add, sealed};
use super::checks::{at_once, check_refused, claim, done, is_alive};
use crate::{
    FactorReset, ListQuery, ProposedSeed, SecondFactor, SeedState, Store, StoredSeed, Swap,
};

/// Who never had a second factor has the default one.
pub async fn who_never_had_a_factor_has_the_default(store: Arc<dyn Store>) {
    let alice = Actor::sign_in(&store, add(&store, 1, "alice").await, 1).await;
    assert_eq!(alice.bearer(&store).await.factor, SecondFactor::default());
}

/// A proposed seed is there, unverified, until another takes its place; the budget stays.
pub async fn a_seed_is_proposed_and_replaced(store: Arc<dyn Store>) {
    let alice = Actor::sign_in(&store, add(&store, 1, "alice").await, 1).await;
    let again = Actor::sign_in(&store, alice.user, 2).await;
    let guess = alice.guess(&alice.bearer(&store).await);
    assert_eq!(store.settle(&guess, &[]).await.unwrap(), Swap::Done);
    for (revision, who) in [(1, alice), (2, again), (3, again)] {
        let proposal = who.proposal(revision);
        assert_eq!(
            store.propose_seed(&proposal, &[]).await.unwrap(),
            Swap::Done
        );
        let expected = SecondFactor {
            revision: revision + 1,
            budget: guess.budget.clone(),
            seed: Some(StoredSeed {
                id: proposal.id,
                sealed: proposal.sealed,
                state: SeedState::Unverified {
                    shown_to: who.session(),
                    created: proposal.created,
                },
            }),
        };
        assert_eq!(alice.bearer(&store).await.factor, expected);
    }
}

/// No seed is proposed when the revision moved, a verified one is there, or the user is gone.
pub async fn a_proposal_is_refused_when_something_moved(store: Arc<dyn Store>) {
    let alice = Actor::sign_in(&store, add(&store, 1, "alice").await, 1).await;
    let propose = async |proposal: ProposedSeed, why| {
        check_refused(&store, alice, why, store.propose_seed(&proposal, &[])).await;
    };
    propose(alice.proposal(1), "a revision that never was").await;
    assert_eq!(
        store.propose_seed(&alice.proposal(0), &[]).await.unwrap(),
        Swap::Done
    );
    propose(alice.proposal(0), "an old revision").await;
    propose(alice.proposal(2), "a later revision").await;

    let finish = alice.finish(&alice.bearer(&store).await, 0);
    assert_eq!(claim(&store, &finish).await.unwrap(), Swap::Done);
    for revision in 0..4 {
        propose(alice.proposal(revision), "a verified seed").await;
    }
    let user = UserId::from_uuid(Uuid::from_u128(99));
    propose(
        ProposedSeed {
            user,
            ..alice.proposal(0)
        },
        "nobody",
    )
    .await;
}

/// Of concurrent proposals for one revision one is kept, also for the first.
pub async fn of_concurrent_proposals_one_is_kept(store: Arc<dyn Store>) {
    let alice = Actor::sign_in(&store, add(&store, 1, "alice").await, 1).await;
    for revision in 0..4 {
        let answers = at_once((1..=16).map(|n| {
            let (store, proposal) = (store.clone(), Actor { n, ..alice }.proposal(revision));
            async move { store.propose_seed(&proposal, &[]).await }
        }))
        .await;
        assert_eq!(done(answers), 1);
        assert_eq!(alice.bearer(&store).await.factor.revision, revision + 1);
    }
}

/// A reset removes the seed, fills the budget, ends the partial tokens; the revision goes on.
pub async fn a_reset_leaves_nothing_but_the_revision(store: Arc<dyn Store>) {
    let user = add(&store, 1, "alice").await;
    let one = Actor::enrolled(&store, user, 1).await;
    let two = Actor::sign_in(&store, user, 2).await;
    let bob = Actor::enrolled(&store, add(&store, 2, "bob").await, 3).await;
    let guess = two.guess(&two.bearer(&store).await);
    assert_eq!(store.settle(&guess, &[]).await.unwrap(), Swap::Done);
    let before = two.bearer(&store).await;
    let finish = two.finish(&before, 5);

    assert_eq!(
        store.reset_factor(user, None, &[]).await.unwrap(),
        FactorReset::Reset
    );
    assert!(!is_alive(&store, two.partial()).await);
    assert!(
        is_alive(&store, one.hash(100)).await,
        "it is finished, so not partial"
    );
    check_refused(&store, two, "the seed is gone", claim(&store, &finish)).await;
    let three = Actor::sign_in(&store, user, 4).await;
    let after = three.bearer(&store).await.factor;
    let full = before.factor.budget.reset();
    assert_eq!((after.seed, after.budget), (None, full));
    assert!(after.revision > before.factor.revision);

    // Whatever was read before the reset is of no use after it, in particular a revision of 0.
    for revision in 0..after.revision {
        check_refused(
            &store,
            three,
            "old",
            store.propose_seed(&three.proposal(revision), &[]),
        )
        .await;
    }
    let fresh = three.proposal(after.revision);
    assert_eq!(store.propose_seed(&fresh, &[]).await.unwrap(), Swap::Done);
    let seed = three.bearer(&store).await.factor.seed.unwrap();
    assert_eq!(seed.sealed, sealed(4));
    assert!(is_alive(&store, bob.hash(100)).await);
    assert_eq!(store.seeds(&ListQuery::default()).await.unwrap().total, 2);
}

/// A reset of who has no seed says so, and fills the budget all the same.
pub async fn a_reset_without_a_seed_says_so(store: Arc<dyn Store>) {
    let alice = Actor::sign_in(&store, add(&store, 1, "alice").await, 1).await;
    let guess = alice.guess(&alice.bearer(&store).await);
    assert_eq!(store.settle(&guess, &[]).await.unwrap(), Swap::Done);
    assert_eq!(
        store.reset_factor(alice.user, None, &[]).await.unwrap(),
        FactorReset::NoSeed
    );
    let again = Actor::sign_in(&store, alice.user, 2).await;
    let factor = again.bearer(&store).await.factor;
    let full = guess.budget.reset();
    assert_eq!((factor.seed, factor.budget), (None, full));
    assert!(factor.revision > 1);

    let bob = add(&store, 2, "bob").await;
    assert_eq!(
        store.reset_factor(bob, None, &[]).await.unwrap(),
        FactorReset::NoSeed
    );
    let nobody = UserId::from_uuid(Uuid::from_u128(99));
    assert_eq!(
        store.reset_factor(nobody, None, &[]).await.unwrap(),
        FactorReset::NoSeed
    );
}
