//! Passwords: what decides, failures, and the start of sessions.

use std::sync::Arc;

use uuid::Uuid;
use vestibule_engine::UserId;
use vestibule_engine::mfa::{Exemption, TOTP_PROVIDER};
use vestibule_engine::password::{Device, Lane, PasswordFailures};

use super::cast::{Actor, Shared, add, at, failed, key, password};
use super::checks::{at_once, check_refused, done};
use crate::{AdminMfaChange, PasswordFailure, Store, Swap};

/// A user who completed a sign-in, the 1st, from a device that is known since.
pub(super) async fn known(store: &Shared) -> Actor {
    let alice = Actor::sign_in(store, add(store, 1, "alice").await, 1).await;
    let minted = store
        .mint(&alice.partial(), &alice.new_admin(1), Some(at(1)), &[])
        .await;
    assert_eq!(minted.unwrap(), Swap::Done);
    alice
}

pub(super) fn failure(actor: Actor, lane: Lane, failures: PasswordFailures) -> PasswordFailure {
    PasswordFailure {
        lane: actor.lane(lane),
        failures,
    }
}

/// The failures of the account and those of the device.
pub(super) async fn failures(
    store: &Shared,
    actor: Actor,
) -> (PasswordFailures, Option<PasswordFailures>) {
    let standing = store.password_standing(&key("alice"), actor.device()).await;
    let standing = standing.unwrap().unwrap();
    let device = standing.device.map(|device| device.failures);
    (standing.user.password_failures, device)
}

/// Who is not there has no standing.
pub async fn nobody_has_no_standing(store: Arc<dyn Store>) {
    let alice = Actor {
        user: add(&store, 1, "alice").await,
        n: 1,
    };
    let found = store
        .password_standing(&key("bob"), alice.device())
        .await
        .unwrap();
    assert!(found.is_none());
}

/// A standing shows the device, the provider and the exemption.
pub async fn a_standing_shows_what_decides(store: Arc<dyn Store>) {
    let alice = known(&store).await;
    let change = AdminMfaChange {
        provider: Some(TOTP_PROVIDER),
        exempted: vec![("alice".to_owned(), Some(key("alice")))],
    };
    let _ = store.set_admin_mfa(&change, &[]).await.unwrap();
    store
        .set_exempt_until(alice.user, Some(at(7)), at(0), &[])
        .await
        .unwrap();

    let standing = store
        .password_standing(&key("ALICE"), alice.device())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(standing.password, Some(password(alice.user)));
    let device = Device {
        last_completed: at(1),
        failures: failed(0),
    };
    assert_eq!(standing.device, Some(device));
    assert_eq!(standing.provider, Some(TOTP_PROVIDER));
    let exemption = Exemption {
        listed: true,
        until: Some(at(7)),
    };
    assert_eq!(standing.exemption, exemption);

    let elsewhere = Actor { n: 2, ..alice }.device();
    let standing = store
        .password_standing(&key("alice"), elsewhere)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(standing.device, None);
}

/// A failure is counted if the failures of the account are what they were.
pub async fn failures_of_the_account_are_counted_from_what_they_were(store: Arc<dyn Store>) {
    let alice = known(&store).await;
    for count in 0..5 {
        let counted = failure(alice, Lane::Account(failed(count)), failed(count + 1));
        assert_eq!(
            store.count_password_failure(&counted, &[]).await.unwrap(),
            Swap::Done
        );
        assert_eq!(
            failures(&store, alice).await,
            (failed(count + 1), Some(failed(0)))
        );
    }
    let other_lock = PasswordFailures {
        count: 5,
        lock_start: Some(at(1)),
    };
    let no_lock = PasswordFailures {
        count: 5,
        lock_start: None,
    };
    for read in [failed(0), failed(4), failed(6), other_lock, no_lock] {
        let moved = failure(alice, Lane::Account(read), failed(9));
        check_refused(
            &store,
            alice,
            "moved",
            store.count_password_failure(&moved, &[]),
        )
        .await;
    }
    let nobody = Actor {
        user: UserId::from_uuid(Uuid::from_u128(99)),
        n: 1,
    };
    let gone = failure(nobody, Lane::Account(failed(0)), failed(9));
    check_refused(
        &store,
        alice,
        "nobody",
        store.count_password_failure(&gone, &[]),
    )
    .await;
}

/// The failures of a device are counted apart from those of the account and of other devices.
pub async fn failures_of_a_device_are_its_own(store: Arc<dyn Store>) {
    let alice = known(&store).await;
    let counted = failure(alice, Lane::Device(failed(0)), failed(3));
    assert_eq!(
        store.count_password_failure(&counted, &[]).await.unwrap(),
        Swap::Done
    );
    assert_eq!(failures(&store, alice).await, (failed(0), Some(failed(3))));
    check_refused(
        &store,
        alice,
        "moved",
        store.count_password_failure(&counted, &[]),
    )
    .await;

    let elsewhere = Actor { n: 2, ..alice };
    let unknown = failure(elsewhere, Lane::Device(failed(0)), failed(1));
    check_refused(
        &store,
        alice,
        "unknown device",
        store.count_password_failure(&unknown, &[]),
    )
    .await;
    let bob = Actor {
        user: add(&store, 2, "bob").await,
        ..alice
    };
    let foreign = failure(bob, Lane::Device(failed(3)), failed(4));
    check_refused(
        &store,
        alice,
        "another's device",
        store.count_password_failure(&foreign, &[]),
    )
    .await;
}

/// Of concurrent failures that rest on the same reading one is counted.
pub async fn of_concurrent_failures_one_is_counted(store: Arc<dyn Store>) {
    let alice = known(&store).await;
    for lane in [Lane::Account(failed(0)), Lane::Device(failed(0))] {
        let answers = at_once((0..16).map(|_| {
            let (store, failure) = (store.clone(), failure(alice, lane, failed(1)));
            async move { store.count_password_failure(&failure, &[]).await }
        }))
        .await;
        assert_eq!(done(answers), 1, "{lane:?}");
    }
    assert_eq!(failures(&store, alice).await, (failed(1), Some(failed(1))));
}

/// Devices of long ago are forgotten, at most so many at a time; who comes from one uses the tries
/// of the account again. The others stay.
pub async fn devices_of_long_ago_are_forgotten_a_few_at_a_time(store: Arc<dyn Store>) {
    let user = add(&store, 1, "alice").await;
    for n in 1..=10 {
        let alice = Actor::sign_in(&store, user, n).await;
        let completed = Some(at(i64::try_from(n).unwrap()));
        let minted = store
            .mint(&alice.partial(), &alice.new_admin(1), completed, &[])
            .await;
        assert_eq!(minted.unwrap(), Swap::Done);
    }
    assert_eq!(store.forget_devices(at(7), 0).await.unwrap(), 0);
    for forgotten in [4, 2, 0] {
        assert_eq!(store.forget_devices(at(7), 4).await.unwrap(), forgotten);
    }
    for n in 1..=10 {
        let (_, device) = failures(&store, Actor { user, n }).await;
        assert_eq!(device.is_some(), n > 6, "{n}");
    }

    let forgotten = Actor { user, n: 1 };
    let by_device = failure(forgotten, Lane::Device(failed(0)), failed(1));
    let refused = store.count_password_failure(&by_device, &[]);
    check_refused(&store, forgotten, "a forgotten device", refused).await;
    let by_account = failure(forgotten, Lane::Account(failed(0)), failed(1));
    let counted = store.count_password_failure(&by_account, &[]).await;
    assert_eq!(counted.unwrap(), Swap::Done);
    assert_eq!(failures(&store, forgotten).await, (failed(1), None));
}
