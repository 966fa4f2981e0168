//! What the tests of the contract look at.

use std::fmt::Write as _;
use std::future::Future;

use vestibule_engine::{GuessBudget, Timestamp, TokenHash, UserId};

use super::cast::{Actor, Shared};
use crate::{
    AdminMfa, AdminMfaChange, Authority, Claim, Finish, ListQuery, PasswordHash, Redeeming,
    Redemption, StoreError, Swap, UserWrite,
};

/// A finish, with an answer that compares.
pub(super) async fn claim(store: &Shared, finish: &Finish) -> Result<Swap, StoreError> {
    Ok(match store.finish(finish, &[]).await? {
        Claim::Fresh(_) => Swap::Done,
        Claim::Moved => Swap::Moved,
    })
}

/// A redemption, with an answer that compares.
pub(super) async fn redeem(store: &Shared, redemption: &Redemption) -> Result<Swap, StoreError> {
    Ok(match store.redeem(redemption, &[]).await? {
        Redeeming::Fresh(_) => Swap::Done,
        Redeeming::Moved => Swap::Moved,
    })
}

/// Disables a user, or enables one.
pub(super) async fn disable(store: &Shared, user: UserId, disabled: bool, now: Timestamp) {
    let answer = store.set_disabled(user, disabled, now, &[]).await.unwrap();
    assert_eq!(answer, UserWrite::Done);
}

/// Deletes a user.
pub(super) async fn remove(store: &Shared, user: UserId) {
    let answer = store.remove_user(user, None, &[]).await.unwrap();
    assert_eq!(answer, UserWrite::Done);
}

/// Settings with a provider that is there, or none.
pub(super) async fn set(store: &Shared, change: &AdminMfaChange) -> AdminMfa {
    store.set_admin_mfa(change, &[]).await.unwrap().unwrap()
}

/// Checks that nothing is taken from a budget, whichever row of failures it is.
#[track_caller]
pub(super) fn check_full(budget: &GuessBudget) {
    let full = GuessBudget::default();
    let full = GuessBudget::restore(
        budget.row(),
        full.streak(),
        full.waiting_until(),
        full.recent().clone(),
        full.is_closed(),
    );
    assert_eq!(*budget, full);
}

pub(super) async fn is_alive(store: &Shared, token: TokenHash) -> bool {
    store.bearer(&token).await.unwrap().is_some()
}

/// How many of concurrent answers are `Done`.
pub(super) fn done(answers: impl IntoIterator<Item = Result<Swap, StoreError>>) -> usize {
    let answers = answers.into_iter().map(Result::unwrap);
    answers.filter(|answer| *answer == Swap::Done).count()
}

/// All that can be read about the user of a session, to be compared with later.
pub(super) async fn picture(store: &Shared, actor: Actor) -> String {
    let everybody = store.users(&ListQuery::default()).await.unwrap();
    let mut picture = format!("{everybody:#?}\n");
    for user in &everybody.items {
        let standing = store
            .password_standing(&user.name.key(), actor.device())
            .await
            .unwrap();
        let password = standing
            .as_ref()
            .and_then(|standing| standing.password.as_ref());
        let password = password.map(PasswordHash::expose);
        let pushes = store.pushes(user.id).await.unwrap();
        let _ = writeln!(picture, "{standing:#?} {password:?} {pushes:#?}");
    }
    for k in 0..8 {
        let bearer = store.bearer(&actor.hash(k)).await.unwrap();
        let _ = writeln!(picture, "{k}: {bearer:#?}");
    }
    for provider in store.providers(&ListQuery::default()).await.unwrap().items {
        let stored = store.provider(provider.id).await.unwrap();
        let _ = writeln!(picture, "{provider:#?} {stored:#?}");
    }
    let seeds = store.seeds(&ListQuery::default()).await.unwrap();
    let settings = store.admin_mfa().await.unwrap();
    let local = store.local_provider().await.unwrap();
    picture + &format!("{seeds:#?}\n{settings:#?}\n{local:#?}")
}

/// Checks that a write is refused and leaves nothing.
pub(super) async fn check_refused(
    store: &Shared,
    actor: Actor,
    why: &str,
    write: impl Future<Output = Result<Swap, StoreError>>,
) {
    let before = picture(store, actor).await;
    assert_eq!(write.await.unwrap(), Swap::Moved, "{why}");
    assert_eq!(picture(store, actor).await, before, "{why}");
}

/// Lets tasks run at once and gives their answers in order.
pub(super) async fn at_once<T: Send + 'static>(
    tasks: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let tasks: Vec<_> = tasks.into_iter().map(tokio::spawn).collect();
    let answers = futures_util::future::join_all(tasks).await;
    answers.into_iter().map(Result::unwrap).collect()
}

/// The present authority.
pub(super) async fn authority(store: &Shared) -> Authority {
    store.holdings(&[]).await.unwrap().authority
}
