//! Users: made, found, changed, removed.

use std::sync::Arc;

use uuid::Uuid;
use vestibule_engine::password::Lane;
use vestibule_engine::{GuessBudget, RoleId, UserId, UserName};

use super::cast::{
    Actor, Shared, add, at, at_once, check_refused, claim, failed, is_alive, key, new_user,
    password, picture,
};
use crate::{
    Creation, FactorReset, ListQuery, PasswordFailure, PasswordHash, SecondFactor, Store, Swap,
};

/// A user is read back with everything, whichever way.
pub async fn a_user_is_read_back(store: Arc<dyn Store>) {
    let mut alice = new_user(1, "Älice O'Hara");
    alice.user.first_name = "Älice".into();
    alice.user.last_name = "O'Hara; DROP TABLE users".into();
    alice.user.email = Some("alice@example.com".to_owned());
    alice.user.phone = Some("+41 44 000 00 00".to_owned());
    alice.user.notes = "a\nb\u{1f512}\"\\".into();
    alice.user.tags = vec!["z".to_owned(), String::new(), "a,{\"b\"}\\'".to_owned()];
    alice.user.password_failures = failed(7);
    alice.user.exempt_until = Some(at(5));
    alice.user.roles = vec![
        RoleId::from_uuid(Uuid::from_u128(9)),
        RoleId::from_uuid(Uuid::nil()),
    ];
    alice.user.created = at(-3);
    alice.user.updated = at(-2);
    let mut bob = new_user(2, "bob");
    bob.user.disabled = true;
    bob.password = None;
    for new in [&alice, &bob] {
        assert_eq!(store.add_user(new).await.unwrap(), Creation::Created);
    }

    let listed = store.users(&ListQuery::default()).await.unwrap().items;
    assert_eq!(listed, [bob.user.clone(), alice.user.clone()]);
    for new in [&alice, &bob] {
        let name = new.user.name.key();
        let found = store.user_by_name(&name).await.unwrap();
        assert_eq!(found.as_ref(), Some(&new.user));
        let device = Actor {
            user: new.user.id,
            n: 1,
        }
        .device();
        let standing = store
            .password_standing(&name, device)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(standing.user, new.user);
        assert_eq!(standing.password, new.password);
        assert_eq!(standing.exemption.until, new.user.exempt_until);
    }
}

/// Whether there is any user is told.
pub async fn a_user_is_there_once_one_was_made(store: Arc<dyn Store>) {
    assert!(!store.has_users().await.unwrap());
    let alice = add(&store, 1, "alice").await;
    assert!(store.has_users().await.unwrap());
    assert!(store.remove_user(alice).await.unwrap());
    assert!(!store.has_users().await.unwrap());
}

/// An id that is taken is refused, whatever the name, and nothing is written.
pub async fn an_id_is_taken_once(store: Arc<dyn Store>) {
    let alice = Actor {
        user: add(&store, 1, "alice").await,
        n: 1,
    };
    let before = picture(&store, alice).await;
    for name in ["bob", "alice"] {
        let answer = store.add_user(&new_user(1, name)).await.unwrap();
        assert_eq!(answer, Creation::IdTaken);
    }
    assert_eq!(picture(&store, alice).await, before);
}

/// A name that is taken is refused in every spelling, and nothing is written.
pub async fn a_name_is_taken_in_every_spelling(store: Arc<dyn Store>) {
    let jose = Actor {
        user: add(&store, 1, "jos\u{e9}").await,
        n: 1,
    };
    let before = picture(&store, jose).await;
    for name in ["jos\u{e9}", "JOS\u{c9}", "jose\u{301}", "Jose\u{301}"] {
        let answer = store.add_user(&new_user(2, name)).await.unwrap();
        assert_eq!(answer, Creation::NameTaken, "{name}");
        let found = store.user_by_name(&key(name)).await.unwrap().unwrap();
        assert_eq!((found.id, found.name.as_str()), (jose.user, "jos\u{e9}"));
    }
    assert_eq!(picture(&store, jose).await, before);
    add(&store, 2, "jose").await;
}

/// Of many who take one name at once, one gets it.
pub async fn of_many_who_take_a_name_one_gets_it(store: Arc<dyn Store>) {
    let answers = at_once((1..=16).map(|n| {
        let (store, name) = (store.clone(), if n % 2 == 0 { "alice" } else { "ALICE" });
        async move { store.add_user(&new_user(n, name)).await.unwrap() }
    }))
    .await;
    let count = |wanted| answers.iter().filter(|answer| **answer == wanted).count();
    assert_eq!(
        (count(Creation::Created), count(Creation::NameTaken)),
        (1, 15)
    );
    assert_eq!(store.users(&ListQuery::default()).await.unwrap().total, 1);
}

/// A text that cannot be a name is looked up like any other, and found to be nobody's.
pub async fn a_name_that_nobody_can_bear_is_nobodys(store: Arc<dyn Store>) {
    let alice = Actor {
        user: add(&store, 1, "alice").await,
        n: 1,
    };
    let long = "a".repeat(100_000);
    for name in [
        "",
        " alice",
        "alice\0",
        "\0",
        "a\u{fffd}",
        "%",
        "alic_",
        &long,
    ] {
        assert_eq!(
            store.user_by_name(&key(name)).await.unwrap(),
            None,
            "{name:?}"
        );
        let standing = store
            .password_standing(&key(name), alice.device())
            .await
            .unwrap();
        assert!(standing.is_none(), "{name:?}");
    }
}

/// A user with failures of the account and of a device, a budget that shrank, a seed, a session
/// that is finished (1) and one that is not (2).
async fn troubled(store: &Shared) -> (Actor, Actor) {
    let user = add(store, 1, "alice").await;
    let (one, two) = (Actor::enrolled(store, user, 1).await, Actor { user, n: 2 });
    let noted = store
        .mint(&one.hash(100), &one.new_admin(1), Some(at(1)))
        .await;
    assert_eq!(noted.unwrap(), Swap::Done);
    let two = Actor::sign_in(store, two.user, two.n).await;
    let guess = two.guess(&two.bearer(store).await);
    assert_eq!(store.count_guess(&guess).await.unwrap(), Swap::Done);
    for lane in [Lane::Account(failed(0)), Lane::Device(failed(0))] {
        let failure = PasswordFailure {
            lane: one.lane(lane),
            failures: failed(4),
        };
        assert_eq!(
            store.count_password_failure(&failure).await.unwrap(),
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
    assert!(store.set_password(one.user, &new, at(9)).await.unwrap());

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
        store.start_session(&two.start()),
    )
    .await;
    let start = crate::SessionStart {
        password: new.clone(),
        ..two.start()
    };
    assert_eq!(store.start_session(&start).await.unwrap(), Swap::Done);
    assert_eq!(two.bearer(&store).await.factor, factor);

    let nobody = UserId::from_uuid(Uuid::from_u128(99));
    assert!(!store.set_password(nobody, &new, at(9)).await.unwrap());
}

/// Disabling a user ends all of the user's sessions, and no other's.
pub async fn disabling_ends_sessions(store: Arc<dyn Store>) {
    let (one, two) = troubled(&store).await;
    let bob = Actor::sign_in(&store, add(&store, 2, "bob").await, 3).await;
    assert!(store.set_disabled(one.user, true, at(9)).await.unwrap());
    for token in [one.hash(1), one.hash(100), two.partial()] {
        assert!(!is_alive(&store, token).await);
    }
    assert!(is_alive(&store, bob.partial()).await);
    let user = store.user_by_name(&key("alice")).await.unwrap().unwrap();
    assert!(user.disabled);
    assert_eq!(user.updated, at(9));
    assert_eq!(user.password_failures, failed(4));

    let nobody = UserId::from_uuid(Uuid::from_u128(99));
    assert!(!store.set_disabled(nobody, true, at(9)).await.unwrap());
}

/// Enabling a user who is enabled ends nothing.
pub async fn enabling_ends_nothing(store: Arc<dyn Store>) {
    let alice = Actor::sign_in(&store, add(&store, 1, "alice").await, 1).await;
    assert!(store.set_disabled(alice.user, false, at(9)).await.unwrap());
    let bearer = alice.bearer(&store).await;
    assert_eq!((bearer.user.disabled, bearer.user.updated), (false, at(9)));
    assert!(store.set_disabled(alice.user, true, at(9)).await.unwrap());
    assert!(store.set_disabled(alice.user, false, at(10)).await.unwrap());
    assert!(!is_alive(&store, alice.partial()).await);
    Actor::sign_in(&store, alice.user, 2).await;
}

/// Unlocking ends the failures of account and devices and fills the budget; seed and sessions stay.
pub async fn unlocking_ends_failures_and_keeps_the_seed(store: Arc<dyn Store>) {
    let (one, two) = troubled(&store).await;
    let before = two.bearer(&store).await.factor;
    assert_ne!(before.budget, GuessBudget::default());
    assert!(store.unlock(one.user, at(9)).await.unwrap());

    let after = two.bearer(&store).await;
    assert_eq!(after.factor.budget, GuessBudget::default());
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
        store.unlock(bob.user, at(9)).await.unwrap(),
        "nothing to unlock"
    );
    assert_eq!(
        bob.bearer(&store).await.factor.budget,
        GuessBudget::default()
    );
    let nobody = UserId::from_uuid(Uuid::from_u128(99));
    assert!(!store.unlock(nobody, at(9)).await.unwrap());
}

/// Until when an operator has let a user off is kept, and taken back.
pub async fn an_exemption_until_is_kept(store: Arc<dyn Store>) {
    let alice = Actor::sign_in(&store, add(&store, 1, "alice").await, 1).await;
    for until in [Some(at(60)), None] {
        assert!(
            store
                .set_exempt_until(alice.user, until, at(9))
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
    assert!(!store.set_exempt_until(nobody, None, at(9)).await.unwrap());
}

/// Removing a user removes tokens, seed and devices, and nothing of anybody else.
pub async fn removing_a_user_removes_all_that_is_the_users(store: Arc<dyn Store>) {
    let (one, two) = troubled(&store).await;
    let bob = Actor::enrolled(&store, add(&store, 2, "bob").await, 3).await;
    assert!(store.remove_user(one.user).await.unwrap());
    for token in [one.hash(1), one.hash(100), two.partial()] {
        assert!(!is_alive(&store, token).await);
    }
    assert_eq!(store.user_by_name(&key("alice")).await.unwrap(), None);
    assert_eq!(store.users(&ListQuery::default()).await.unwrap().total, 1);
    assert_eq!(store.seeds(&ListQuery::default()).await.unwrap().total, 1);
    assert!(is_alive(&store, bob.hash(100)).await);
    assert_eq!(
        store.reset_factor(one.user).await.unwrap(),
        FactorReset::NoSeed
    );
    assert!(!store.remove_user(one.user).await.unwrap());
    check_refused(&store, two, "removed", store.start_session(&two.start())).await;
}

/// Who takes a name that is free again, even with the old id, has nothing of who bore it before.
pub async fn a_name_that_is_free_again_is_another_user(store: Arc<dyn Store>) {
    let (one, two) = troubled(&store).await;
    let finish = two.finish(&two.bearer(&store).await, 5);
    assert!(store.remove_user(one.user).await.unwrap());
    let mut again = new_user(1, "alice");
    again.user.name = UserName::new("Alice").unwrap();
    assert_eq!(store.add_user(&again).await.unwrap(), Creation::Created);

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
