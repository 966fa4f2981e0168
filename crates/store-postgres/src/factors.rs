//! Changes of second factors: many in one statement, or one that waits for its locks.
//!
//! The statement of many passes over whoever is locked, so that nobody waits for a stranger's lock.
//! Whom it did not change is asked about alone: that waits for the lock, compares with what it finds
//! then, and is the answer.

use std::collections::HashSet;
use std::sync::Arc;

use sqlx::{Row as _, query};
use uuid::Uuid;
use vestibule_engine::{GuessBudget, Timestamp, UserId};
use vestibule_store::{StoreError, Swap};
use vestibule_store_sql::integer;

use crate::audit::{AuditEvent, Note};
use crate::connections::Connections;
use crate::error::{retrying, store_error};
use crate::together::{Item, Outcome, Together};
use crate::{PostgresStore, Statement};

/// A change of somebody's second factor.
pub(crate) trait Change: Send + Sync + Sized + 'static {
    /// The statement of many, which yields the users whose factors it changed.
    const MANY: &'static str;

    /// The statement of one.
    fn alone(&self) -> &'static str;

    /// Whether there is no row yet. Whoever makes one waits for others that make the same, so that
    /// is done alone.
    fn is_first(&self) -> bool;

    /// The user, the budget that they get, and what is noted of it.
    fn common(&self) -> &Common;

    /// Binds what comes after the first eight values.
    fn bind<'q>(statement: Statement<'q>, changes: &'q [Arc<Self>]) -> Statement<'q>;
}

/// The first eight values of a change.
pub(crate) struct Common {
    user: Uuid,
    streak: i64,
    waiting_until: Option<i64>,
    recent: Vec<u8>,
    closed: bool,
    budget_row: i64,
    /// What is written down with it.
    rows: Vec<AuditEvent>,
}

impl Common {
    pub(crate) fn new(user: UserId, budget: &GuessBudget, note: &Note) -> Result<Self, StoreError> {
        Ok(Self {
            user: user.uuid(),
            streak: budget.streak().into(),
            waiting_until: budget.waiting_until().map(Timestamp::as_micros),
            recent: budget.recent().to_bytes().to_vec(),
            closed: budget.is_closed(),
            budget_row: integer(budget.row())?,
            rows: note.rows().to_vec(),
        })
    }
}

/// Binds a column of each of these values.
macro_rules! bind_columns {
    ($statement:expr, $changes:expr, |$change:ident| $($value:expr),+ $(,)?) => {
        $statement$(.bind($changes.iter().map(|$change| $value).collect::<Vec<_>>()))+
    };
}

pub(crate) use bind_columns;

impl<C: Change> Item for Arc<C> {
    type Answer = bool;

    fn rival(&self) -> Option<Uuid> {
        Some(self.common().user)
    }

    async fn run(items: &[Self], connections: &Connections) -> sqlx::Result<Vec<bool>> {
        let users = run(C::MANY, items, connections).await?;
        let is_changed = |item: &Self| users.contains(&item.common().user);
        Ok(items.iter().map(is_changed).collect())
    }
}

/// The users whose factors a statement changed.
async fn run<C: Change>(
    statement: &'static str,
    changes: &[Arc<C>],
    connections: &Connections,
) -> sqlx::Result<HashSet<Uuid>> {
    let bound = bind_columns!(
        query(statement),
        changes,
        |change| change.common().user,
        change.common().streak,
        change.common().waiting_until,
        change.common().recent.as_slice(),
        change.common().closed,
        change.common().budget_row,
    );
    let rows = changes.iter().map(|change| change.common());
    let rows = rows.flat_map(|common| common.rows.iter().map(|row| (row, common.user)));
    let (rows, whose): (Vec<_>, Vec<_>) = rows.unzip();
    let bound = bound.bind(rows).bind(whose);
    let users = C::bind(bound, changes).fetch_all(connections).await?;
    users.iter().map(|row| row.try_get(0)).collect()
}

impl PostgresStore {
    /// Makes a change, together with those that others make.
    pub(crate) async fn change<C: Change>(
        &self,
        all: &Together<Arc<C>>,
        change: C,
        note: Note,
    ) -> Result<Swap, StoreError> {
        let change = Arc::new(change);
        let alone = || async {
            let changes = std::slice::from_ref(&change);
            let users = run(change.alone(), changes, &self.connections).await;
            Ok(if users.map_err(store_error)?.is_empty() {
                Swap::Moved
            } else {
                Swap::Done
            })
        };
        let changed = if change.is_first() {
            retrying(alone).await
        } else {
            match all.ask(Arc::clone(&change)).await {
                Ok(Outcome::Answered(true)) => Ok(Swap::Done),
                Ok(Outcome::Answered(false) | Outcome::Refused) => retrying(alone).await,
                Err(error) => Err(error),
            }
        };
        note.ended(changed)
    }
}
