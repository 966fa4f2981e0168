//! Rows that somebody else has locked.

use std::any::Any;

use async_trait::async_trait;
use futures_util::future::{join, join_all};
use vestibule_engine::UserId;

use super::Fixture;
use super::cast::{Actor, Shared, add};
use super::checks::{claim, redeem};
use super::radius_cast::radius_is_due;
use crate::{StoreError, Swap};

/// A store whose rows another program can lock.
#[async_trait]
pub trait Lockable: Fixture {
    /// Locks a user's rows of a table, until what it gives is dropped.
    async fn lock(&self, table: &str, column: &str, user: UserId) -> Box<dyn Any + Send>;
}

/// How many others there are.
const OTHERS: u64 = 40;

/// Whose row is locked waits, and is served when it is not locked any more. Others are served
/// meanwhile, however many ask at once.
pub async fn a_locked_row_keeps_nobody_else_waiting(fixture: impl Lockable) {
    let store = fixture.store();
    radius_is_due(&store).await;
    let mut actors = Vec::new();
    for n in 0..=OTHERS {
        let user = add(&store, n + 1, &format!("user {n}")).await;
        Actor::enrolled(&store, user, n).await;
        actors.push(user);
    }
    let mut session = OTHERS;
    let tables = [
        ("users", "id"),
        ("tokens", "user_id"),
        ("second_factors", "user_id"),
    ];
    for (table, column) in tables {
        for change in [Change::Finish, Change::Settle, Change::Redeem] {
            let mut signed_in = Vec::new();
            for user in &actors {
                session += 1;
                signed_in.push(Actor::sign_in(&store, *user, session).await);
            }
            let (unlucky, others) = signed_in.split_first().unwrap();
            let changes = join_all(
                others
                    .iter()
                    .map(|other| change.made(&store, *other, session)),
            );
            let lock = fixture.lock(table, column, unlucky.user).await;
            let unlucky = change.made(&store, *unlucky, session);
            let (unlucky, ()) = join(unlucky, async {
                for other in changes.await {
                    assert_eq!(other.unwrap(), Swap::Done, "others, {change:?}, {table}");
                }
                drop(lock);
            })
            .await;
            assert_eq!(unlucky.unwrap(), Swap::Done, "{change:?}, {table}");
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Finish,
    Settle,
    Redeem,
}

impl Change {
    /// Makes it, with the step of this number.
    async fn made(self, store: &Shared, actor: Actor, step: u64) -> Result<Swap, StoreError> {
        let bearer = actor.bearer(store).await;
        match self {
            Self::Finish => claim(store, &actor.finish(&bearer, step)).await,
            Self::Settle => store.settle(&actor.guess(&bearer), &[]).await,
            Self::Redeem => redeem(store, &actor.redemption(&bearer, step)).await,
        }
    }
}
