//! What changes of a user, and what ends with it.

use std::sync::Arc;

use uuid::Uuid;
use vestibule_engine::password::Lane;
use vestibule_engine::{GuessBudget, UserId, UserName};

use super::cast::{Actor, Shared, add, at, failed, key, new_user, password};
use super::checks::{check_refused, claim, disable, is_alive, remove};
use crate::{
    Creation, FactorReset, ListQuery, PasswordFailure, PasswordHash, SecondFactor, Store, Swap,
    UserWrite,
};

/// A user with failures of the account and of a device, a budget that shrank, a seed, a session
/// that is finished (1) and one that is not (2).
async fn troubled(store: &Shared) -> (Actor, Actor) {
    let user = add(store, 1, "alice").await;
    let (one, two) = (Actor::enrolled(store, user, 1).await, Actor { user, n: 2 });
    let noted = store
        .mint(&one.hash(100), &one.new_admin(1), Some(at(1)), &[])
        .await;
    assert_eq!(noted.unwrap(), Swap::Done);
    let two = Actor::sign_in(store, two.user, two.n).await;
    let guess = two.guess(&two.bearer(store).await);
    assert_eq!(store.settle(&guess, &[]).await.unwrap(), Swap::Done);
    for lane in [Lane::Account(failed(0)), Lane::Device(failed(0))] {
        let failure = PasswordFailure {
            lane: one.lane(lane),
            failures: failed(4),
        };
        assert_eq!(
            store.count_password_failure(&failure, &[]).await.unwrap(),
            Swap::Done
        );
    }
    (one, two)
}

/// A new password ends all sessions of the user, and the failures of the account and its devices;
/// the second factor and its budget stay.
pub async fn a_new_password_ends_sessions_and_failures(store: Arc<dyn Store>) {
    let (one, two) = troubled(&store).await;
    let bob = Actor::sign_in(&store, add(&store, 2, "bob").await, 3).await;
    let factor = two.bearer(&store).await.factor;
    let new = PasswordHash::new("new");
    assert!(
        store
            .set_password(one.user, &new, at(9), &[])
            .await
            .unwrap()
    );

    for token in [one.hash(1), one.hash(100), two.partial()] {
        assert!(!is_alive(&store, token).await);
    }
    assert!(is_alive(&store, bob.partial()).await);
    let standing = store
        .password_standing(&key("alice"), one.device())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(standing.password.as_ref(), Some(&new));
    assert_eq!(standing.user.password_failures, failed(0));
    assert_eq!(standing.device.unwrap().failures, failed(0));
    assert_eq!(standing.user.updated, at(9));
    check_refused(
        &store,
        two,
        "the old password",
        store.start_session(&two.start(), &[]),
    )
    .await;
    let start = crate::SessionStart {
        password: new.clone(),
        ..two.start()
    };
    assert_eq!(store.start_session(&start, &[]).await.unwrap(), Swap::Done);
    assert_eq!(two.bearer(&store).await.factor, factor);

    let nobody = UserId::from_uuid(Uuid::from_u128(99));
    assert!(!store.set_password(nobody, &new, at(9), &[]).await.unwrap());
}

/// Disabling a user ends all of the user's sessions, and no other's.
pub async fn disabling_ends_sessions(store: Arc<dyn Store>) {
    let (one, two) = troubled(&store).await;
    let bob = Actor::sign_in(&store, add(&store, 2, "bob").await, 3).await;
    disable(&store, one.user, true, at(9)).await;
    for token in [one.hash(1), one.hash(100), two.partial()] {
        assert!(!is_alive(&store, token).await);
    }
    assert!(is_alive(&store, bob.partial()).await);
    let user = store.user_by_name(&key("alice")).await.unwrap().unwrap();
    assert!(user.disabled);
    assert_eq!(user.updated, at(9));
    assert_eq!(user.password_failures, failed(4));

    let nobody = UserId::from_uuid(Uuid::from_u128(99));
    let answer = store.set_disabled(nobody, true, at(9), &[]).await.unwrap();
    assert_eq!(answer, UserWrite::Moved);
}

/// Enabling a user who is enabled ends nothing.
pub async fn enabling_ends_nothing(store: Arc<dyn Store>) {
    let alice = Actor::sign_in(&store, add(&store, 1, "alice").await, 1).await;
    disable(&store, alice.user, false, at(9)).await;
    let bearer = alice.bearer(&store).await;
    assert_eq!((bearer.user.disabled, bearer.user.updated), (false, at(9)));
    disable(&store, alice.user, true, at(9)).await;
    disable(&store, alice.user, false, at(10)).await;
    assert!(!is_alive(&store, alice.partial()).await);
    Actor::sign_in(&store, alice.user, 2).await;
}

/// Unlocking ends the failures of account and devices and fills the budget; seed and sessions stay.
pub async fn unlocking_ends_failures_and_keeps_the_seed(store: Arc<dyn Store>) {
    let (one, two) = troubled(&store).await;
    let before = two.bearer(&store).await.factor;
    assert_ne!(before.budget.streak(), 0);
    assert!(store.unlock(one.user, at(9), &[]).await.unwrap());

    let after = two.bearer(&store).await;
    assert_eq!(after.factor.budget, before.budget.reset());
    assert_eq!(after.factor.seed, before.seed);
    assert!(after.factor.revision > before.revision);
    assert_eq!(
        (after.user.password_failures, after.user.updated),
        (failed(0), at(9))
    );
    let standing = store
        .password_standing(&key("alice"), one.device())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(standing.device.unwrap().failures, failed(0));
    assert!(is_alive(&store, one.hash(1)).await);

    let bob = Actor::sign_in(&store, add(&store, 2, "bob").await, 3).await;
    assert!(
        store.unlock(bob.user, at(9), &[]).await.unwrap(),
        "nothing to unlock"
    );
    assert_eq!(
        bob.bearer(&store).await.factor.budget,
        GuessBudget::default()
    );
    let nobody = UserId::from_uuid(Uuid::from_u128(99));
    assert!(!store.unlock(nobody, at(9), &[]).await.unwrap());
}

/// Until when an operator has let a user off is kept, and taken back.
pub async fn an_exemption_until_is_kept(store: Arc<dyn Store>) {
    let alice = Actor::sign_in(&store, add(&store, 1, "alice").await, 1).await;
    for until in [Some(at(60)), None] {
        assert!(
            store
                .set_exempt_until(alice.user, until, at(9), &[])
                .await
                .unwrap()
        );
        let bearer = alice.bearer(&store).await;
        assert_eq!(
            (bearer.exemption.until, bearer.exemption.listed),
            (until, false)
        );
        assert_eq!(
            (bearer.user.exempt_until, bearer.user.updated),
            (until, at(9))
        );
    }
    let nobody = UserId::from_uuid(Uuid::from_u128(99));
    assert!(
        !store
            .set_exempt_until(nobody, None, at(9), &[])
            .await
            .unwrap()
    );
}

/// Removing a user removes tokens, seed and devices, and nothing of anybody else.
pub async fn removing_a_user_removes_all_that_is_the_users(store: Arc<dyn Store>) {
    let (one, two) = troubled(&store).await;
    let bob = Actor::enrolled(&store, add(&store, 2, "bob").await, 3).await;
    remove(&store, one.user).await;
    for token in [one.hash(1), one.hash(100), two.partial()] {
        assert!(!is_alive(&store, token).await);
    }
    assert_eq!(store.user_by_name(&key("alice")).await.unwrap(), None);
    assert_eq!(store.users(&ListQuery::default()).await.unwrap().total, 1);
    assert_eq!(store.seeds(&ListQuery::default()).await.unwrap().total, 1);
    assert!(is_alive(&store, bob.hash(100)).await);
    assert_eq!(
        store.reset_factor(one.user, None, &[]).await.unwrap(),
        FactorReset::NoSeed
    );
    let again = store.remove_user(one.user, None, &[]).await.unwrap();
    assert_eq!(again, UserWrite::Moved);
    check_refused(
        &store,
        two,
        "removed",
        store.start_session(&two.start(), &[]),
    )
    .await;
}

/// Who takes a name that is free again, even with the old id, has nothing of who bore it before.
pub async fn a_name_that_is_free_again_is_another_user(store: Arc<dyn Store>) {
    let (one, two) = troubled(&store).await;
    let finish = two.finish(&two.bearer(&store).await, 5);
    remove(&store, one.user).await;
    let mut again = new_user(1, "alice");
    again.user.name = UserName::new("Alice").unwrap();
    assert_eq!(
        store.add_user(&again, &[]).await.unwrap(),
        Creation::Created
    );

    check_refused(&store, two, "of the one before", claim(&store, &finish)).await;
    let standing = store
        .password_standing(&key("alice"), one.device())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(standing.user, again.user);
    assert_eq!(standing.password, Some(password(one.user)));
    assert_eq!(standing.device, None);
    let three = Actor::sign_in(&store, one.user, 3).await;
    assert_eq!(three.bearer(&store).await.factor, SecondFactor::default());
}
