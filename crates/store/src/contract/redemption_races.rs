//! Acceptances against ends, and providers against settings: whatever passes whatever, what was
//! ended stays ended, and what is due is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use vestibule_engine::mfa::TOTP_PROVIDER;

use super::cast::{Actor, Shared, key};
use super::checks::{at_once, check_full, redeem, set};
use super::races::{End, RIVALS, ROUNDS, Write, check_dead, newcomer, race, write};
use super::radius_cast::{add_provider, due, provider, radius_is_due, replaced};
use crate::{AdminMfaChange, Removal, Replacement, Store, Swap};

/// Redeems in several sessions of a user, at first of one who never had a second factor, against
/// an end; every second one notes its device.
async fn redemptions_against(store: Shared, end: End) {
    radius_is_due(&store).await;
    for round in 0..ROUNDS {
        let user = newcomer(&store, round).await;
        let mut actors = Vec::new();
        for n in 1..=RIVALS {
            actors.push(Actor::sign_in(&store, user, 100 * (round + 1) + n).await);
        }
        let last = *actors.last().unwrap();
        let rivals = actors.iter().map(|&actor| {
            let store = store.clone();
            write(async move {
                // Once more when another was faster, as the service does.
                for k in 1..=RIVALS {
                    let Some(bearer) = store.bearer(&actor.partial()).await? else {
                        return Ok(());
                    };
                    let mut redemption = actor.redemption(&bearer, k);
                    redemption.device_completed = (actor.n % 2 == 0).then(|| super::cast::at(2));
                    if redeem(&store, &redemption).await? == Swap::Done {
                        return Ok(());
                    }
                }
                Ok(())
            })
        });
        race(round, rivals.collect(), end.of(&store, last)).await;

        let tokens = |actor: Actor| (0..=RIVALS).map(move |k| actor.hash(k));
        match end {
            End::Session => check_dead(&store, tokens(last), round).await,
            End::Reset => {
                // Who was through before the reset stays in; who was not is out.
                check_dead(&store, actors.iter().map(|actor| actor.partial()), round).await;
                let again = Actor::sign_in(&store, user, 100 * (round + 1) + 50).await;
                check_full(&again.bearer(&store).await.factor.budget);
            }
            End::Disabling | End::Removal | End::NewPassword => {
                let all = actors.iter().flat_map(|&actor| tokens(actor));
                check_dead(&store, all, round).await;
            }
        }
    }
}

/// No redemption passes a logout.
pub async fn no_redemption_passes_the_end_of_a_session(store: Arc<dyn Store>) {
    redemptions_against(store, End::Session).await;
}

/// No redemption passes the disabling of its user.
pub async fn no_redemption_passes_a_disabling(store: Arc<dyn Store>) {
    redemptions_against(store, End::Disabling).await;
}

/// No redemption passes the removal of its user.
pub async fn no_redemption_passes_a_removal(store: Arc<dyn Store>) {
    redemptions_against(store, End::Removal).await;
}

/// No redemption passes a new password of its user.
pub async fn no_redemption_passes_a_new_password(store: Arc<dyn Store>) {
    redemptions_against(store, End::NewPassword).await;
}

/// No redemption passes the reset of its factor: no partial token stays.
pub async fn no_redemption_passes_a_reset(store: Arc<dyn Store>) {
    redemptions_against(store, End::Reset).await;
}

/// Redeems what users were accepted for while the provider moves. All of them are let off, so
/// that their partial tokens stay; whoever begins after the move was acknowledged is refused.
async fn redemptions_against_moves<F>(store: Shared, change: F)
where
    F: Fn(Shared, u64) -> Write,
{
    radius_is_due(&store).await;
    for round in 0..ROUNDS {
        let mut users = Vec::new();
        let mut names = Vec::new();
        for n in 0..RIVALS {
            let name = format!("user {round} {n}");
            users.push(super::cast::add(&store, 100 * (round + 1) + n, &name).await);
            names.push((name.clone(), Some(key(&name))));
        }
        let settings = AdminMfaChange {
            exempted: names,
            ..due(Some(provider(1, "").provider.id))
        };
        set(&store, &settings).await;
        let moved = Arc::new(AtomicBool::new(false));
        let mut rivals = Vec::new();
        for (n, user) in (0..).zip(users) {
            let actor = Actor::sign_in(&store, user, 100 * (round + 1) + n).await;
            let bearer = actor.bearer(&store).await;
            let (store, moved) = (store.clone(), Arc::clone(&moved));
            rivals.push(write(async move {
                let late = moved.load(Ordering::SeqCst);
                let answer = redeem(&store, &actor.redemption(&bearer, 1)).await?;
                assert!(!late || answer == Swap::Moved, "round {round}");
                Ok(())
            }));
        }
        let end = change(store.clone(), round);
        let end = write(async move {
            end.await?;
            moved.store(true, Ordering::SeqCst);
            Ok(())
        });
        race(round, rivals, end).await;
    }
}

/// No redemption passes the setting of another provider, or of none.
pub async fn no_redemption_passes_another_provider(store: Arc<dyn Store>) {
    redemptions_against_moves(store, |store, round| {
        let other = (round % 2 == 0).then_some(TOTP_PROVIDER);
        write(async move {
            let names = (0..RIVALS).map(|n| format!("user {round} {n}"));
            let exempted = names.map(|name| (name.clone(), Some(key(&name))));
            let change = AdminMfaChange {
                exempted: exempted.collect(),
                ..due(other)
            };
            store.set_admin_mfa(&change, &[]).await
        })
    })
    .await;
}

/// No redemption passes the replacement of its provider.
pub async fn no_redemption_passes_a_replaced_provider(store: Arc<dyn Store>) {
    redemptions_against_moves(store, |store, round| {
        let mut new = replaced(&provider(1, "RADIUS 1"));
        new.provider.revision += round;
        write(async move {
            let answer = store.replace_provider(&new, &[]).await?;
            assert_eq!(answer, Replacement::Done);
            Ok(())
        })
    })
    .await;
}

/// A provider is removed or becomes due, never both.
pub async fn a_removal_and_a_setting_exclude_each_other(store: Arc<dyn Store>) {
    for round in 0..ROUNDS {
        let id = add_provider(&store, round + 1).await.provider.id;
        let before = (round % 3 == 0).then_some(TOTP_PROVIDER);
        set(&store, &due(before)).await;
        let tasks = (0..RIVALS).map(|n| {
            let store = store.clone();
            async move {
                if (n + round) % 2 == 0 {
                    let removal = store.remove_provider(id, &[]).await.unwrap();
                    (removal == Removal::Removed, false)
                } else {
                    let set = store.set_admin_mfa(&due(Some(id)), &[]).await.unwrap();
                    (false, set.is_some())
                }
            }
        });
        let answers = at_once(tasks).await;
        let removed = answers.iter().filter(|(removed, _)| *removed).count();
        let is_due = answers.iter().any(|(_, is_due)| *is_due);
        assert_eq!(removed, usize::from(!is_due), "round {round}");
        let found = store.provider(id).await.unwrap();
        assert_eq!(found.is_some(), is_due, "round {round}");
        let settings = store.admin_mfa().await.unwrap().unwrap();
        let expected = if is_due { Some(id) } else { before };
        assert_eq!(settings.provider, expected, "round {round}");
    }
}
