//! Pushes: started, ended, collected, removed.

use std::sync::Arc;

use vestibule_engine::{PushId, PushOutcome};

use super::cast::{Actor, Shared, add, at};
use super::checks::{at_once, check_refused, done, is_alive, remove};
use crate::{PushStart, SecondFactor, Store, Swap};

/// Starts a push that nothing is in the way of.
async fn start(store: &Shared, start: &PushStart) {
    assert_eq!(store.start_push(start, &[]).await.unwrap(), Swap::Done);
}

/// The revision of a user's second factor.
async fn revision(store: &Shared, actor: Actor) -> u64 {
    actor.bearer(store).await.factor.revision
}

/// A push is read back with everything, by itself and in the order in which those of its user were
/// started.
pub async fn a_push_is_read_back(store: Arc<dyn Store>) {
    let alice = Actor::sign_in(&store, add(&store, 1, "alice").await, 1).await;
    let bob = Actor::sign_in(&store, add(&store, 2, "bob").await, 2).await;
    assert_eq!(store.pushes(alice.user).await.unwrap(), []);
    let mut expected = Vec::new();
    for (k, (started, outcome)) in (0..).zip([
        (5, None),
        (3, Some(PushOutcome::Challenged)),
        (5, Some(PushOutcome::Unavailable)),
        (-1, Some(PushOutcome::Accepted)),
        (9, Some(PushOutcome::Denied)),
    ]) {
        let mut one = alice.push(k, started, k);
        one.push.outcome = outcome;
        one.push.collected = k == 1;
        start(&store, &one).await;
        expected.push(one.push);
    }
    let other = bob.push(0, 0, 0);
    start(&store, &other).await;

    expected.sort_by_key(|push| (push.started, push.id));
    assert_eq!(store.pushes(alice.user).await.unwrap(), expected);
    for push in &expected {
        assert_eq!(store.push(push.id).await.unwrap().as_ref(), Some(push));
    }
    let others = store.pushes(bob.user).await.unwrap();
    assert_eq!(others, [other.push]);
    let unknown = PushId::from_random([9; 16]);
    assert_eq!(store.push(unknown).await.unwrap(), None);
}

/// A push makes the revision grow and leaves the rest of the second factor, also of who never had
/// one; the partial token stays.
pub async fn a_push_is_seen_in_the_revision(store: Arc<dyn Store>) {
    let user = add(&store, 1, "alice").await;
    let alice = Actor::sign_in(&store, user, 1).await;
    start(&store, &alice.push(0, 0, 0)).await;
    let expected = SecondFactor {
        revision: 1,
        ..SecondFactor::default()
    };
    assert_eq!(alice.bearer(&store).await.factor, expected);

    Actor::enrolled(&store, user, 2).await;
    let guess = alice.guess(&alice.bearer(&store).await);
    assert_eq!(store.settle(&guess, &[]).await.unwrap(), Swap::Done);
    let before = alice.bearer(&store).await.factor;
    start(&store, &alice.push(1, 0, before.revision)).await;
    let expected = SecondFactor {
        revision: before.revision + 1,
        ..before
    };
    assert_eq!(alice.bearer(&store).await.factor, expected);
    assert!(is_alive(&store, alice.partial()).await);
}

/// No push is started when the revision moved or the session has no partial token.
pub async fn a_push_is_refused_when_something_moved(store: Arc<dyn Store>) {
    let user = add(&store, 1, "alice").await;
    let one = Actor::enrolled(&store, user, 1).await;
    let two = Actor::sign_in(&store, user, 2).await;
    let bob = Actor::sign_in(&store, add(&store, 2, "bob").await, 3).await;
    let refused = async |start: PushStart, why: &str| {
        check_refused(&store, two, why, store.start_push(&start, &[])).await;
    };
    let now = revision(&store, two).await;
    for other in [0, 1, now - 1, now + 1, u64::from(u32::MAX)] {
        refused(two.push(0, 0, other), "another revision").await;
    }
    refused(one.push(0, 0, now), "a finished session").await;
    let mut others = two.push(0, 0, now);
    others.push.session = bob.session();
    refused(others, "another's session").await;
    store
        .end_session(two.user, two.session(), &[])
        .await
        .unwrap();
    refused(two.push(0, 0, now), "an ended session").await;
    store
        .end_session(bob.user, bob.session(), &[])
        .await
        .unwrap();
    refused(bob.push(0, 0, 0), "before any factor").await;
    remove(&store, user).await;
    for revision in [0, now] {
        refused(two.push(0, 0, revision), "a removed user").await;
    }
}

/// Of concurrent pushes that rest on one revision one is started, from one session or many.
pub async fn of_concurrent_pushes_one_is_started(store: Arc<dyn Store>) {
    let user = add(&store, 1, "alice").await;
    let mut sessions = Vec::new();
    for n in 1..=8 {
        sessions.push(Actor::sign_in(&store, user, n).await);
    }
    for round in 0..4 {
        let starts = sessions
            .iter()
            .flat_map(|session| [2 * round, 2 * round + 1].map(|k| session.push(k, 0, round)));
        let answers = at_once(starts.map(|start| {
            let store = store.clone();
            async move { store.start_push(&start, &[]).await }
        }))
        .await;
        assert_eq!(done(answers), 1, "round {round}");
        let kept = store.pushes(user).await.unwrap().len();
        assert_eq!(u64::try_from(kept).unwrap(), round + 1);
        let session = *sessions.first().unwrap();
        assert_eq!(revision(&store, session).await, round + 1);
    }
}

/// The first outcome of a push stays; that of one that is gone is nobody's.
pub async fn a_push_ends_once(store: Arc<dyn Store>) {
    let alice = Actor::sign_in(&store, add(&store, 1, "alice").await, 1).await;
    let (one, two) = (alice.push(0, 0, 0).push, alice.push(1, 0, 1).push);
    start(&store, &alice.push(0, 0, 0)).await;
    start(&store, &alice.push(1, 0, 1)).await;
    let outcome = async |push: PushId| store.push(push).await.unwrap().unwrap().outcome;
    for later in PushOutcome::ALL {
        let answer = store.end_push(one.id, later, &[]).await;
        answer.unwrap();
        assert_eq!(outcome(one.id).await, Some(PushOutcome::Accepted));
        assert_eq!(outcome(two.id).await, None);
    }
    let unknown = PushId::from_random([9; 16]);
    store
        .end_push(unknown, PushOutcome::Denied, &[])
        .await
        .unwrap();
    assert_eq!(store.push(unknown).await.unwrap(), None);

    let answers = at_once(PushOutcome::ALL.map(|outcome| {
        let store = store.clone();
        async move { store.end_push(two.id, outcome, &[]).await }
    }))
    .await;
    assert!(answers.iter().all(Result::is_ok));
    let stays = outcome(two.id).await;
    assert!(stays.is_some());
    store
        .end_push(two.id, PushOutcome::Denied, &[])
        .await
        .unwrap();
    assert_eq!(outcome(two.id).await, stays);
    assert_eq!(revision(&store, alice).await, 2, "an outcome is no start");
}

/// That a push was collected is noted for that push alone, and as often as one likes.
pub async fn a_push_is_collected(store: Arc<dyn Store>) {
    let alice = Actor::sign_in(&store, add(&store, 1, "alice").await, 1).await;
    let (one, two) = (alice.push(0, 0, 0), alice.push(1, 0, 1));
    start(&store, &one).await;
    start(&store, &two).await;
    let (one, two) = (one.push.id, two.push.id);
    store.end_push(one, PushOutcome::Denied, &[]).await.unwrap();
    for _ in 0..2 {
        store.collect_push(one).await.unwrap();
        let found = store.push(one).await.unwrap().unwrap();
        assert!(found.collected);
        assert_eq!(found.outcome, Some(PushOutcome::Denied));
        assert!(!store.push(two).await.unwrap().unwrap().collected);
    }
    let unknown = PushId::from_random([9; 16]);
    store.collect_push(unknown).await.unwrap();
}

/// Pushes are removed from the moment on at which they are of no use, a few at a time.
pub async fn useless_pushes_are_removed_a_few_at_a_time(store: Arc<dyn Store>) {
    let alice = Actor::sign_in(&store, add(&store, 1, "alice").await, 1).await;
    for k in 0..10 {
        let started = i64::try_from(k).unwrap();
        start(&store, &alice.push(k, started, k)).await;
    }
    // Its deadline is near, but it is counted for a minute.
    let mut short = alice.push(10, 0, 10);
    short.push.deadline = at(1);
    start(&store, &short).await;
    assert_eq!(short.push.useless_from(), at(60));

    assert_eq!(store.remove_useless_pushes(at(59), 9).await.unwrap(), 0);
    assert_eq!(store.remove_useless_pushes(at(60), 9).await.unwrap(), 1);
    assert_eq!(store.push(short.push.id).await.unwrap(), None);
    // The one that was started at 5 is of use until 105.
    for removed in [4, 2, 0] {
        let now = at(105);
        assert_eq!(store.remove_useless_pushes(now, 0).await.unwrap(), 0);
        assert_eq!(store.remove_useless_pushes(now, 4).await.unwrap(), removed);
    }
    let left = store.pushes(alice.user).await.unwrap();
    let left: Vec<_> = left.iter().map(|push| push.started).collect();
    assert_eq!(left, [at(6), at(7), at(8), at(9)]);
}

/// Pushes outlive their session, to be counted, and end with their user.
pub async fn pushes_end_with_their_user(store: Arc<dyn Store>) {
    let alice = Actor::sign_in(&store, add(&store, 1, "alice").await, 1).await;
    let bob = Actor::sign_in(&store, add(&store, 2, "bob").await, 2).await;
    for who in [alice, bob] {
        start(&store, &who.push(0, 0, 0)).await;
        store
            .end_session(who.user, who.session(), &[])
            .await
            .unwrap();
        store.reset_factor(who.user, None, &[]).await.unwrap();
        assert_eq!(store.pushes(who.user).await.unwrap().len(), 1);
    }
    remove(&store, alice.user).await;
    assert_eq!(store.pushes(alice.user).await.unwrap(), []);
    let gone = alice.push(0, 0, 0).push.id;
    assert_eq!(store.push(gone).await.unwrap(), None);
    assert_eq!(store.pushes(bob.user).await.unwrap().len(), 1);
}
