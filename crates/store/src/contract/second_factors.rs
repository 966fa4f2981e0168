//! Second factors: proposals, wrong guesses, resets.

use std::sync::Arc;

use uuid::Uuid;
use vestibule_engine::{GuessBudget, UserId, WrongGuess};

use super::cast::{Actor, add, at, sealed};
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
    assert_eq!(store.count_guess(&guess).await.unwrap(), Swap::Done);
    for (revision, who) in [(1, alice), (2, again), (3, again)] {
        let proposal = who.proposal(revision);
        assert_eq!(store.propose_seed(&proposal).await.unwrap(), Swap::Done);
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
        check_refused(&store, alice, why, store.propose_seed(&proposal)).await;
    };
    propose(alice.proposal(1), "a revision that never was").await;
    assert_eq!(
        store.propose_seed(&alice.proposal(0)).await.unwrap(),
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
            async move { store.propose_seed(&proposal).await }
        }))
        .await;
        assert_eq!(done(answers), 1);
        assert_eq!(alice.bearer(&store).await.factor.revision, revision + 1);
    }
}

/// A wrong guess stores its budget and nothing else; the revision grows.
pub async fn a_guess_is_counted(store: Arc<dyn Store>) {
    let user = add(&store, 1, "alice").await;
    Actor::enrolled(&store, user, 1).await;
    let alice = Actor::sign_in(&store, user, 2).await;
    for _ in 0..7 {
        let before = alice.bearer(&store).await;
        let guess = alice.guess(&before);
        assert_eq!(store.count_guess(&guess).await.unwrap(), Swap::Done);
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

/// A guess is counted for who has no seed, too: other factors share the budget.
pub async fn a_guess_is_counted_without_a_seed(store: Arc<dyn Store>) {
    let alice = Actor::sign_in(&store, add(&store, 1, "alice").await, 1).await;
    let guess = alice.guess(&alice.bearer(&store).await);
    assert_eq!(store.count_guess(&guess).await.unwrap(), Swap::Done);
    let expected = SecondFactor {
        revision: 1,
        budget: guess.budget,
        seed: None,
    };
    assert_eq!(alice.bearer(&store).await.factor, expected);
    assert_eq!(store.seeds(&ListQuery::default()).await.unwrap().total, 0);
}

/// A guess that says so ends the partial token of its session, and no other.
pub async fn a_guess_may_end_the_partial_tokens_of_its_session(store: Arc<dyn Store>) {
    let user = add(&store, 1, "alice").await;
    let (one, two) = (
        Actor::sign_in(&store, user, 1).await,
        Actor::sign_in(&store, user, 2).await,
    );
    let minted = store.mint(&one.partial(), &one.new_admin(1), None).await;
    assert_eq!(minted.unwrap(), Swap::Done);
    let guess = WrongGuess {
        ends_token: true,
        ..one.guess(&one.bearer(&store).await)
    };
    assert_eq!(store.count_guess(&guess).await.unwrap(), Swap::Done);
    assert!(!is_alive(&store, one.partial()).await);
    assert!(is_alive(&store, one.hash(1)).await);
    assert!(is_alive(&store, two.partial()).await);
    assert_eq!(two.bearer(&store).await.factor.budget, guess.budget);
}

/// No guess is counted when the revision moved or the session has no partial token.
pub async fn a_guess_is_refused_when_something_moved(store: Arc<dyn Store>) {
    let user = add(&store, 1, "alice").await;
    let one = Actor::enrolled(&store, user, 1).await;
    let two = Actor::sign_in(&store, user, 2).await;
    let right = two.guess(&two.bearer(&store).await);
    for revision in [0, 1, 3, u64::from(u32::MAX)] {
        let guess = WrongGuess {
            revision,
            ends_token: true,
            ..right.clone()
        };
        check_refused(&store, two, "another revision", store.count_guess(&guess)).await;
    }
    let session = one.session();
    let guess = WrongGuess {
        session,
        ..right.clone()
    };
    check_refused(&store, two, "a finished session", store.count_guess(&guess)).await;
    let bob = Actor::sign_in(&store, add(&store, 2, "bob").await, 3).await;
    let guess = WrongGuess {
        session: bob.session(),
        ..right.clone()
    };
    check_refused(&store, two, "another's session", store.count_guess(&guess)).await;
    store.end_session(two.session()).await.unwrap();
    check_refused(&store, two, "an ended session", store.count_guess(&right)).await;

    let first = bob.guess(&bob.bearer(&store).await);
    store.end_session(bob.session()).await.unwrap();
    check_refused(&store, bob, "before any factor", store.count_guess(&first)).await;
    store.remove_user(user).await.unwrap();
    check_refused(&store, two, "a removed user", store.count_guess(&right)).await;
}

/// Of concurrent guesses that rest on one revision one is counted, from one session or many.
pub async fn of_concurrent_guesses_one_is_counted(store: Arc<dyn Store>) {
    let user = add(&store, 1, "alice").await;
    let mut sessions = Vec::new();
    for n in 1..=16 {
        sessions.push(Actor::sign_in(&store, user, n).await);
    }
    for round in 0..4 {
        let guesses = sessions
            .iter()
            .flat_map(|session| [*session; 4])
            .map(|session| {
                let store = store.clone();
                let budget =
                    (0..=round).fold(GuessBudget::default(), |b, _| b.after_failure(at(0)));
                let guess = WrongGuess {
                    user,
                    session: session.session(),
                    revision: round,
                    budget,
                    ends_token: false,
                };
                async move { store.count_guess(&guess).await }
            });
        assert_eq!(done(at_once(guesses).await), 1, "round {round}");
        let factor = sessions.first().unwrap().bearer(&store).await.factor;
        assert_eq!(
            (factor.revision, factor.budget.recent().count()),
            (round + 1, { u32::try_from(round + 1).unwrap() })
        );
    }
}

/// A reset removes the seed, fills the budget, ends the partial tokens; the revision goes on.
pub async fn a_reset_leaves_nothing_but_the_revision(store: Arc<dyn Store>) {
    let user = add(&store, 1, "alice").await;
    let one = Actor::enrolled(&store, user, 1).await;
    let two = Actor::sign_in(&store, user, 2).await;
    let bob = Actor::enrolled(&store, add(&store, 2, "bob").await, 3).await;
    let guess = two.guess(&two.bearer(&store).await);
    assert_eq!(store.count_guess(&guess).await.unwrap(), Swap::Done);
    let before = two.bearer(&store).await;
    let finish = two.finish(&before, 5);

    assert_eq!(store.reset_factor(user).await.unwrap(), FactorReset::Reset);
    assert!(!is_alive(&store, two.partial()).await);
    assert!(
        is_alive(&store, one.hash(100)).await,
        "it is finished, so not partial"
    );
    check_refused(&store, two, "the seed is gone", claim(&store, &finish)).await;
    let three = Actor::sign_in(&store, user, 4).await;
    let after = three.bearer(&store).await.factor;
    assert_eq!((after.seed, after.budget), (None, GuessBudget::default()));
    assert!(after.revision > before.factor.revision);

    // Whatever was read before the reset is of no use after it, in particular a revision of 0.
    for revision in 0..after.revision {
        check_refused(
            &store,
            three,
            "old",
            store.propose_seed(&three.proposal(revision)),
        )
        .await;
    }
    let fresh = three.proposal(after.revision);
    assert_eq!(store.propose_seed(&fresh).await.unwrap(), Swap::Done);
    let seed = three.bearer(&store).await.factor.seed.unwrap();
    assert_eq!(seed.sealed, sealed(4));
    assert!(is_alive(&store, bob.hash(100)).await);
    assert_eq!(store.seeds(&ListQuery::default()).await.unwrap().total, 2);
}

/// A reset of who has no seed says so, and fills the budget all the same.
pub async fn a_reset_without_a_seed_says_so(store: Arc<dyn Store>) {
    let alice = Actor::sign_in(&store, add(&store, 1, "alice").await, 1).await;
    let guess = alice.guess(&alice.bearer(&store).await);
    assert_eq!(store.count_guess(&guess).await.unwrap(), Swap::Done);
    assert_eq!(
        store.reset_factor(alice.user).await.unwrap(),
        FactorReset::NoSeed
    );
    let again = Actor::sign_in(&store, alice.user, 2).await;
    let factor = again.bearer(&store).await.factor;
    assert_eq!((factor.seed, factor.budget), (None, GuessBudget::default()));
    assert!(factor.revision > 1);

    let bob = add(&store, 2, "bob").await;
    assert_eq!(store.reset_factor(bob).await.unwrap(), FactorReset::NoSeed);
    let nobody = UserId::from_uuid(Uuid::from_u128(99));
    assert_eq!(
        store.reset_factor(nobody).await.unwrap(),
        FactorReset::NoSeed
    );
}
