//! What outlives the process.

use vestibule_engine::mfa::TOTP_PROVIDER;

use super::Durable;
use super::cast::{Actor, add, at, key, sealed};
use super::checks::{claim, picture};
use crate::{AdminMfaChange, Finish, Swap};

/// All that was acknowledged is there when the database is opened again after a process that
/// ended without closing it.
pub async fn what_was_acknowledged_is_there_after_a_crash(fixture: &dyn Durable) {
    let store = fixture.store();
    let user = add(&store, 1, "alice").await;
    let one = Actor::enrolled(&store, user, 1).await;
    let two = Actor::sign_in(&store, user, 2).await;
    let finish = Finish {
        device_completed: Some(at(2)),
        ..two.finish(&two.bearer(&store).await, 5)
    };
    assert_eq!(claim(&store, &finish).await.unwrap(), Swap::Done);
    let three = Actor::sign_in(&store, user, 3).await;
    let guess = three.guess(&three.bearer(&store).await);
    assert_eq!(store.count_guess(&guess).await.unwrap(), Swap::Done);
    let change = AdminMfaChange {
        provider: Some(TOTP_PROVIDER),
        exempted: vec![("alice".to_owned(), Some(key("alice")))],
    };
    let _ = store.set_admin_mfa(&change).await.unwrap();
    let canary = store.canary(&sealed(1)).await.unwrap();
    let pictures = [picture(&store, one).await, picture(&store, three).await];
    drop(store);
    fixture.abandon();

    let again = fixture.reopen().await;
    assert_eq!(
        [picture(&again, one).await, picture(&again, three).await],
        pictures
    );
    assert_eq!(again.canary(&sealed(2)).await.unwrap(), canary);
    let four = Actor::sign_in(&again, user, 4).await;
    let replay = four.finish(&four.bearer(&again).await, 5);
    assert_eq!(claim(&again, &replay).await.unwrap(), Swap::Moved);
    again.close().await;
}

/// What was answered is seen at once by every other process on the same database.
pub async fn every_answer_is_seen_by_another_process(fixture: &dyn Durable) {
    let (here, there) = (fixture.store(), fixture.reopen().await);
    let user = add(&here, 1, "alice").await;
    let alice = Actor::sign_in(&there, user, 1).await;
    let revision = alice.bearer(&here).await.factor.revision;
    assert_eq!(
        here.propose_seed(&alice.proposal(revision)).await.unwrap(),
        Swap::Done
    );
    let finish = alice.finish(&alice.bearer(&there).await, 1);
    assert_eq!(claim(&there, &finish).await.unwrap(), Swap::Done);
    assert_eq!(claim(&here, &finish).await.unwrap(), Swap::Moved);
    assert!(here.set_disabled(user, true, at(1)).await.unwrap());
    let minted = there
        .mint(&alice.hash(101), &alice.new_admin(1), None)
        .await
        .unwrap();
    assert_eq!(minted, Swap::Moved);
    assert_eq!(picture(&here, alice).await, picture(&there, alice).await);
    there.close().await;
    here.close().await;
}
