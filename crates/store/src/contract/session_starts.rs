//! The start of sessions.

use std::sync::Arc;

use uuid::Uuid;
use vestibule_engine::UserId;
use vestibule_engine::password::Lane;

use super::cast::{Actor, at, failed, new_user};
use super::checks::{check_refused, disable, is_alive};
use super::first_factors::{failure, failures, known};
use crate::{Creation, PasswordHash, SessionStart, Store, Swap};

/// The start of a session ends the failures of the account, and stores the partial token.
pub async fn a_session_ends_the_failures_of_the_account(store: Arc<dyn Store>) {
    let alice = known(&store).await;
    for lane in [Lane::Account(failed(0)), Lane::Device(failed(0))] {
        let counted = failure(alice, lane, failed(3));
        assert_eq!(
            store.count_password_failure(&counted, &[]).await.unwrap(),
            Swap::Done
        );
    }
    let elsewhere = Actor { n: 2, ..alice };
    let lane = elsewhere.lane(Lane::Account(failed(3)));
    let start = SessionStart {
        lane,
        ..elsewhere.start()
    };
    assert_eq!(store.start_session(&start, &[]).await.unwrap(), Swap::Done);
    assert_eq!(failures(&store, alice).await, (failed(0), Some(failed(3))));
    let bearer = elsewhere.bearer(&store).await;
    assert_eq!(&bearer.token, start.partial.record());
    assert_eq!(bearer.user.updated, at(0), "a sign-in is no edit");
}

/// The start of a session from a known device ends its failures and those of the account.
pub async fn a_session_from_a_known_device_ends_both_failures(store: Arc<dyn Store>) {
    let alice = known(&store).await;
    for lane in [Lane::Account(failed(0)), Lane::Device(failed(0))] {
        let counted = failure(alice, lane, failed(2));
        assert_eq!(
            store.count_password_failure(&counted, &[]).await.unwrap(),
            Swap::Done
        );
    }
    // The same device in another session.
    let again = Actor { n: 2, ..alice };
    let mut start = again.start();
    start.lane = alice.lane(Lane::Device(failed(2)));
    assert_eq!(store.start_session(&start, &[]).await.unwrap(), Swap::Done);
    assert_eq!(failures(&store, alice).await, (failed(0), Some(failed(0))));
    assert!(is_alive(&store, again.partial()).await);
}

/// No session starts when the failures, the password or the user moved.
pub async fn a_session_is_refused_when_something_moved(store: Arc<dyn Store>) {
    let alice = known(&store).await;
    let counted = failure(alice, Lane::Account(failed(0)), failed(3));
    assert_eq!(
        store.count_password_failure(&counted, &[]).await.unwrap(),
        Swap::Done
    );
    let again = Actor { n: 2, ..alice };
    let right = || SessionStart {
        lane: again.lane(Lane::Account(failed(3))),
        ..again.start()
    };
    check_refused(
        &store,
        again,
        "other failures",
        store.start_session(&again.start(), &[]),
    )
    .await;
    let other = SessionStart {
        password: PasswordHash::new("other"),
        ..right()
    };
    check_refused(
        &store,
        again,
        "another password",
        store.start_session(&other, &[]),
    )
    .await;
    let nobody = Actor {
        user: UserId::from_uuid(Uuid::from_u128(99)),
        n: 2,
    };
    check_refused(
        &store,
        again,
        "nobody",
        store.start_session(&nobody.start(), &[]),
    )
    .await;

    let mut without = new_user(3, "carol");
    without.password = None;
    assert_eq!(
        store.add_user(&without, &[]).await.unwrap(),
        Creation::Created
    );
    let carol = Actor {
        user: without.user.id,
        n: 3,
    };
    check_refused(
        &store,
        carol,
        "no password",
        store.start_session(&carol.start(), &[]),
    )
    .await;

    disable(&store, alice.user, true, at(0)).await;
    check_refused(
        &store,
        again,
        "disabled",
        store.start_session(&right(), &[]),
    )
    .await;
    disable(&store, alice.user, false, at(0)).await;
    assert_eq!(
        store.start_session(&right(), &[]).await.unwrap(),
        Swap::Done
    );
}

/// The same on the lane of a device; the failures of the account do not matter there.
pub async fn a_session_from_a_device_is_refused_when_something_moved(store: Arc<dyn Store>) {
    let alice = known(&store).await;
    for (lane, failures) in [
        (Lane::Account(failed(0)), failed(4)),
        (Lane::Device(failed(0)), failed(3)),
    ] {
        let counted = failure(alice, lane, failures);
        assert_eq!(
            store.count_password_failure(&counted, &[]).await.unwrap(),
            Swap::Done
        );
    }
    let again = Actor { n: 2, ..alice };
    let with = |lane| SessionStart {
        lane,
        ..again.start()
    };
    let other = with(alice.lane(Lane::Device(failed(2))));
    check_refused(
        &store,
        again,
        "other failures",
        store.start_session(&other, &[]),
    )
    .await;
    let unknown = with(again.lane(Lane::Device(failed(0))));
    check_refused(
        &store,
        again,
        "unknown device",
        store.start_session(&unknown, &[]),
    )
    .await;
    let right = || with(alice.lane(Lane::Device(failed(3))));
    let other = SessionStart {
        password: PasswordHash::new("other"),
        ..right()
    };
    check_refused(
        &store,
        again,
        "another password",
        store.start_session(&other, &[]),
    )
    .await;
    disable(&store, alice.user, true, at(0)).await;
    check_refused(
        &store,
        again,
        "disabled",
        store.start_session(&right(), &[]),
    )
    .await;
    disable(&store, alice.user, false, at(0)).await;
    assert_eq!(
        store.start_session(&right(), &[]).await.unwrap(),
        Swap::Done
    );
}
