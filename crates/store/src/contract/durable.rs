//! What outlives the process.

use vestibule_engine::PushOutcome;

use super::Durable;
use super::audit::{row, rows};
use super::cast::{Actor, Shared, add, at, key, new_user, sealed};
use super::checks::{claim, disable, picture, redeem, set};
use super::identity_providers::local_provider;
use super::radius_cast::{add_provider, due, replace, replaced};
use crate::{
    AdminMfaChange, Creation, DialogueChange, Finish, IN_DOUBT, Removal, Settlement, Swap,
};

async fn pictures_of(store: &Shared, actors: [Actor; 4]) -> Vec<String> {
    let mut pictures = Vec::new();
    for actor in actors {
        pictures.push(picture(store, actor).await);
    }
    pictures
}

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
    assert_eq!(store.settle(&guess, &[]).await.unwrap(), Swap::Done);
    let radius = add_provider(&store, 1).await;
    replace(&store, &replaced(&radius)).await;
    let change = AdminMfaChange {
        provider: Some(radius.provider.id),
        exempted: vec![("alice".to_owned(), Some(key("alice")))],
    };
    set(&store, &change).await;
    let local = local_provider(1);
    store.set_local_provider(&local, &[]).await.unwrap();
    let four = Actor::sign_in(&store, user, 4).await;
    let settlement = Settlement {
        dialogue: DialogueChange::Store(sealed(4)),
        ..four.guess(&four.bearer(&store).await)
    };
    assert_eq!(store.settle(&settlement, &[]).await.unwrap(), Swap::Done);
    let five = Actor::sign_in(&store, user, 5).await;
    let push = five.push(0, 0, five.bearer(&store).await.factor.revision);
    assert_eq!(store.start_push(&push, &[]).await.unwrap(), Swap::Done);
    let denied = PushOutcome::Denied;
    store.end_push(push.push.id, denied, &[]).await.unwrap();
    store.collect_push(push.push.id).await.unwrap();
    let redemption = five.redemption(&five.bearer(&store).await, 1);
    assert_eq!(redeem(&store, &redemption).await.unwrap(), Swap::Done);
    let canary = store.canary(&sealed(1)).await.unwrap();
    let pictures = pictures_of(&store, [one, three, four, five]).await;
    drop(store);
    fixture.abandon();

    let again = fixture.reopen().await;
    assert_eq!(
        pictures_of(&again, [one, three, four, five]).await,
        pictures
    );
    assert_eq!(again.local_provider().await.unwrap(), local);
    assert_eq!(redeem(&again, &redemption).await.unwrap(), Swap::Moved);
    assert_eq!(again.canary(&sealed(2)).await.unwrap(), canary);
    let six = Actor::sign_in(&again, user, 6).await;
    let replay = six.finish(&six.bearer(&again).await, 5);
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
        here.propose_seed(&alice.proposal(revision), &[])
            .await
            .unwrap(),
        Swap::Done
    );
    let finish = alice.finish(&alice.bearer(&there).await, 1);
    assert_eq!(claim(&there, &finish).await.unwrap(), Swap::Done);
    assert_eq!(claim(&here, &finish).await.unwrap(), Swap::Moved);
    disable(&here, user, true, at(1)).await;
    let minted = there
        .mint(&alice.hash(101), &alice.new_admin(1), None, &[])
        .await
        .unwrap();
    assert_eq!(minted, Swap::Moved);
    let radius = add_provider(&here, 1).await;
    replace(&there, &replaced(&radius)).await;
    set(&here, &due(Some(radius.provider.id))).await;
    let local = local_provider(2);
    here.set_local_provider(&local, &[]).await.unwrap();
    assert_eq!(there.local_provider().await.unwrap(), local);
    let in_use = there
        .remove_provider(radius.provider.id, &[])
        .await
        .unwrap();
    assert_eq!(in_use, Removal::InUse);
    assert_eq!(picture(&here, alice).await, picture(&there, alice).await);
    there.close().await;
    here.close().await;
}

/// What cannot be written down is not done, here for a row whose id is there; and what comes after
/// is written again.
pub async fn what_is_not_written_down_is_not_done(fixture: &dyn Durable) {
    let store = fixture.store();
    store.record(&[row(1)]).await.unwrap();
    let new = new_user(1, "alice");
    let failed = store.add_user(&new, &[row(2), row(1)]).await;
    assert!(failed.is_err());
    assert!(!store.has_users().await.unwrap());
    assert_eq!(rows(&store).await, [1]);
    let added = store.add_user(&new, &[row(2)]).await.unwrap();
    assert_eq!(added, Creation::Created);
    assert_eq!(rows(&store).await, [1, 2]);
    // Nobody knows how the write ended that failed, so what follows is not sealed for a while.
    let (_, settled) = store.own_chain(at(0)).unwrap();
    assert_eq!(settled, 1);
    let (_, settled) = store.own_chain(at(0).after(IN_DOUBT)).unwrap();
    assert_eq!(settled, 4);
}
