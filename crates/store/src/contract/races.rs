//! Ends against beginnings: whatever passes whatever, what was ended stays ended.
//!
//! Each test runs many rounds, each on its own user: an end in the midst of writes that would
//! make or change tokens. When all have answered, no token may be alive that the end was about.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use vestibule_engine::{TokenHash, UserId};

use super::cast::{Actor, Shared, add, at};
use super::checks::{check_full, claim, is_alive, redeem, set};
use super::radius_cast::{due, radius_is_due, replaced};
use super::stress::stress;
use crate::{PasswordHash, Store, StoreError, Swap};

/// How often each race is run.
pub(super) const ROUNDS: u64 = 24;
/// Beginnings around each end.
pub(super) const RIVALS: u64 = 6;

pub(super) type Write = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>;

pub(super) fn write<T>(
    write: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Write {
    Box::pin(async move { write.await.map(|_| ()) })
}

/// Starts the end among the rivals, in each round at another place, and waits for all.
pub(super) async fn race(round: u64, mut rivals: Vec<Write>, end: Write) {
    let places = u64::try_from(rivals.len()).unwrap() + 1;
    rivals.insert(usize::try_from(round % places).unwrap(), end);
    let tasks: Vec<_> = rivals.into_iter().map(tokio::spawn).collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
}

pub(super) async fn check_dead(
    store: &Shared,
    tokens: impl IntoIterator<Item = TokenHash>,
    round: u64,
) {
    for (n, token) in tokens.into_iter().enumerate() {
        assert!(!is_alive(store, token).await, "round {round}, token {n}");
    }
}

/// How a test ends tokens.
#[derive(Clone, Copy)]
pub(super) enum End {
    Session,
    Disabling,
    Removal,
    NewPassword,
    Reset,
}

impl End {
    pub(super) fn of(self, store: &Shared, actor: Actor) -> Write {
        let store = store.clone();
        let user = actor.user;
        match self {
            Self::Session => {
                write(async move { store.end_session(actor.user, actor.session(), &[]).await })
            }
            Self::Disabling => {
                write(async move { store.set_disabled(user, true, at(1), &[]).await })
            }
            Self::Removal => write(async move { store.remove_user(user, None, &[]).await }),
            Self::NewPassword => write(async move {
                let password = PasswordHash::new("new");
                store.set_password(user, &password, at(1), &[]).await
            }),
            Self::Reset => write(async move { store.reset_factor(user, None, &[]).await }),
        }
    }
}

pub(super) async fn newcomer(store: &Shared, round: u64) -> UserId {
    add(store, round + 1, &format!("user {round}")).await
}

/// Mints, from the partial token and from tokens just minted, against an end.
async fn mints_against(store: Shared, end: End) {
    for round in 0..ROUNDS {
        let user = newcomer(&store, round).await;
        let alice = Actor::sign_in(&store, user, round + 1).await;
        let rivals = (1..=RIVALS).map(|k| {
            let store = store.clone();
            write(async move {
                let noted = (k % 2 == 0).then(|| at(2));
                let first = store
                    .mint(&alice.partial(), &alice.new_admin(2 * k), noted, &[])
                    .await?;
                let from = alice.hash(2 * k);
                let second = store
                    .mint(&from, &alice.new_admin(2 * k + 1), noted, &[])
                    .await?;
                assert!(first == Swap::Done || second == Swap::Moved);
                Ok(())
            })
        });
        race(round, rivals.collect(), end.of(&store, alice)).await;
        check_dead(&store, (0..=2 * RIVALS + 1).map(|k| alice.hash(k)), round).await;
    }
}

/// Finishes in several sessions of a user against an end; every second one notes its device.
async fn finishes_against(store: Shared, end: End) {
    for round in 0..ROUNDS {
        let user = newcomer(&store, round).await;
        let first = 100 * (round + 1);
        let enrolled = Actor::enrolled(&store, user, first).await;
        let mut actors = Vec::new();
        for n in 1..=RIVALS {
            actors.push(Actor::sign_in(&store, user, first + n).await);
        }
        let last = *actors.last().unwrap();
        let rivals = actors.iter().map(|&actor| {
            let store = store.clone();
            write(async move {
                // Once more when another was faster, as the service does.
                for n in 1..=RIVALS {
                    let Some(bearer) = store.bearer(&actor.partial()).await? else {
                        return Ok(());
                    };
                    if bearer.factor.seed.is_none() {
                        return Ok(());
                    }
                    let mut finish = actor.finish(&bearer, (actor.n - 99) * RIVALS + n);
                    finish.device_completed = (actor.n % 2 == 0).then(|| at(2));
                    if claim(&store, &finish).await? == Swap::Done {
                        return Ok(());
                    }
                }
                Ok(())
            })
        });
        race(round, rivals.collect(), end.of(&store, last)).await;

        let tokens = |actor: Actor| {
            let verified = (1..=RIVALS).map(move |n| actor.hash(100 + (actor.n - 99) * RIVALS + n));
            verified.chain([actor.partial()])
        };
        match end {
            End::Session => check_dead(&store, tokens(last), round).await,
            End::Reset => {
                // Who was through before the reset stays in; who was not is out, without a seed.
                check_dead(&store, actors.iter().map(|actor| actor.partial()), round).await;
                let bearer = store.bearer(&enrolled.hash(100)).await.unwrap().unwrap();
                assert_eq!(bearer.factor.seed, None);
                check_full(&bearer.factor.budget);
            }
            End::Disabling | End::Removal | End::NewPassword => {
                check_dead(
                    &store,
                    actors.iter().flat_map(|&actor| tokens(actor)),
                    round,
                )
                .await;
            }
        }
    }
}

/// Sign-ins of a user, with the old password, against an end; each also mints.
async fn sessions_against(store: Shared, end: End) {
    for round in 0..ROUNDS {
        let user = newcomer(&store, round).await;
        let actors = (1..=RIVALS).map(|n| Actor {
            user,
            n: 100 * (round + 1) + n,
        });
        let rivals = actors.clone().map(|actor| {
            let store = store.clone();
            write(async move {
                if store.start_session(&actor.start(), &[]).await? == Swap::Done {
                    let token = actor.new_admin(1);
                    let _ = store
                        .mint(&actor.partial(), &token, Some(at(2)), &[])
                        .await?;
                }
                Ok(())
            })
        });
        let any = Actor { user, n: 0 };
        race(round, rivals.collect(), end.of(&store, any)).await;
        let tokens = actors.flat_map(|actor| [actor.partial(), actor.hash(1)]);
        check_dead(&store, tokens, round).await;
    }
}

/// No mint passes a logout.
pub async fn no_mint_passes_the_end_of_a_session(store: Arc<dyn Store>) {
    mints_against(store, End::Session).await;
}

/// No mint passes the disabling of its user.
pub async fn no_mint_passes_a_disabling(store: Arc<dyn Store>) {
    mints_against(store, End::Disabling).await;
}

/// No mint passes the removal of its user.
pub async fn no_mint_passes_a_removal(store: Arc<dyn Store>) {
    mints_against(store, End::Removal).await;
}

/// No mint passes a new password of its user.
pub async fn no_mint_passes_a_new_password(store: Arc<dyn Store>) {
    mints_against(store, End::NewPassword).await;
}

/// No finish passes a logout.
pub async fn no_finish_passes_the_end_of_a_session(store: Arc<dyn Store>) {
    finishes_against(store, End::Session).await;
}

/// No finish passes the disabling of its user.
pub async fn no_finish_passes_a_disabling(store: Arc<dyn Store>) {
    finishes_against(store, End::Disabling).await;
}

/// No finish passes the removal of its user.
pub async fn no_finish_passes_a_removal(store: Arc<dyn Store>) {
    finishes_against(store, End::Removal).await;
}

/// No finish passes the reset of its factor: no seed comes back, and no partial token stays.
pub async fn no_finish_passes_a_reset(store: Arc<dyn Store>) {
    finishes_against(store, End::Reset).await;
}

/// No session starts past the disabling of its user.
pub async fn no_session_starts_past_a_disabling(store: Arc<dyn Store>) {
    sessions_against(store, End::Disabling).await;
}

/// No session starts past the removal of its user.
pub async fn no_session_starts_past_a_removal(store: Arc<dyn Store>) {
    sessions_against(store, End::Removal).await;
}

/// No session starts with a password past its change.
pub async fn no_session_starts_past_a_new_password(store: Arc<dyn Store>) {
    sessions_against(store, End::NewPassword).await;
}

/// Writes to one second factor that cross each other leave what one order of them leaves.
pub async fn writes_at_once_fit_into_one_order(store: Arc<dyn Store>) {
    let tried = stress(&[store], 0..2 * ROUNDS).await.unwrap();
    assert!(tried.done > 0 && tried.moved > 0, "nothing met: {tried:?}");
}

/// Everything at once on one user, with the settings and the cleaning besides: nothing fails, and
/// the removal that comes last leaves nothing.
pub async fn all_at_once_ends_well(store: Arc<dyn Store>) {
    use vestibule_engine::mfa::{FIDO2_PROVIDER, TOTP_PROVIDER};
    let mut radius = radius_is_due(&store).await;
    for round in 0..ROUNDS {
        set(&store, &due(Some(radius.provider.id))).await;
        radius = replaced(&radius);
        let user = newcomer(&store, round).await;
        let one = Actor::enrolled(&store, user, 100 * (round + 1)).await;
        let two = Actor::sign_in(&store, user, one.n + 1).await;
        let bearer = two.bearer(&store).await;
        let (guess, finish) = (two.guess(&bearer), two.finish(&bearer, 5));
        let (redemption, push) = (two.redemption(&bearer, 1), two.push(0, 0, 2));
        let three = Actor {
            n: one.n + 2,
            ..one
        };
        let name = vestibule_engine::NameKey::of(&format!("user {round}"));
        let even = round % 2 == 0;
        let change = crate::AdminMfaChange {
            provider: Some(if even { TOTP_PROVIDER } else { FIDO2_PROVIDER }),
            exempted: vec![("listed".to_owned(), Some(name))],
        };
        let on = |act: fn(Shared, Actor) -> Write| act(store.clone(), one);
        let (guesses, finishes, settings) = (store.clone(), store.clone(), store.clone());
        let (redemptions, pushes, providers) = (store.clone(), store.clone(), store.clone());
        let new = radius.clone();
        let writes = vec![
            write(async move { guesses.settle(&guess, &[]).await }),
            write(async move { claim(&finishes, &finish).await }),
            write(async move { redeem(&redemptions, &redemption).await }),
            write(async move { pushes.start_push(&push, &[]).await }),
            write(async move { settings.set_admin_mfa(&change, &[]).await }),
            write(async move { providers.replace_provider(&new, &[]).await }),
            on(|store, _| write(async move { store.remove_useless_pushes(at(999), 9).await })),
            on(|store, one| {
                let three = Actor {
                    n: one.n + 2,
                    ..one
                };
                write(async move { store.start_session(&three.start(), &[]).await })
            }),
            on(|store, _| write(async move { store.remove_expired(at(1 << 30), 100).await })),
            on(|store, one| write(async move { store.unlock(one.user, at(3), &[]).await })),
            on(|store, one| {
                let token = one.new_admin(1);
                write(async move { store.mint(&one.hash(100), &token, Some(at(2)), &[]).await })
            }),
            End::Reset.of(&store, one),
            End::NewPassword.of(&store, one),
        ];
        race(round, writes, End::Removal.of(&store, one)).await;
        let tokens = [
            one.hash(1),
            one.hash(100),
            two.hash(1),
            two.partial(),
            two.hash(105),
            three.partial(),
        ];
        check_dead(&store, tokens, round).await;
    }
    assert!(!store.has_users().await.unwrap());
}
