//! Changes of second factors: many in one statement, or one that waits for its locks.
//!
//! The statement of many passes over whoever is locked, so that nobody waits for a stranger's lock.
//! Whom it did not change is asked about alone: that waits for the lock, compares with what it finds
//! then, and is the answer.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use sqlx::{Row as _, query};
use uuid::Uuid;
use vestibule_engine::{GuessBudget, Timestamp, UserId};
use vestibule_store::{StoreError, Swap};
use vestibule_store_sql::{Item, Outcome, Together, Version, integer};

use crate::audit::{AuditEvent, Note};
use crate::connections::Connections;
use crate::error::{retrying, store_error};
use crate::{PostgresStore, Statement};

/// A change of somebody's second factor.
pub(crate) trait Change: Send + Sync + Sized + 'static {
    /// The statement of many. It yields users whose factors were changed, and others who have them in
    /// another revision.
    const MANY: &'static str;

    /// The statement of one.
    fn alone(&self) -> &'static str;

    /// Whether there is no row yet. Whoever makes one waits for others that make the same, so that
    /// is done alone.
    fn is_first(&self) -> bool {
        self.common().revision == 0
    }

    /// What all changes say.
    fn common(&self) -> &Common;

    /// Binds what comes after the first eight values.
    fn bind<'q>(statement: Statement<'q>, changes: &'q [Waiting<Self>]) -> Statement<'q>;
}

/// The user, the budget that they get, and what is noted of it: the first eight values of a change.
pub(crate) struct Common {
    user: Uuid,
    /// The revision of the factor that is changed, which each statement has in a place of its own.
    pub(crate) revision: i64,
    streak: i64,
    waiting_until: Option<i64>,
    recent: Vec<u8>,
    closed: bool,
    budget_row: i64,
    /// What is written down with it.
    rows: Vec<AuditEvent>,
}

impl Common {
    pub(crate) fn new(
        user: UserId,
        revision: u64,
        budget: &GuessBudget,
        note: &Note,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            user: user.uuid(),
            revision: integer(revision)?,
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

/// What a factor `f` becomes by what was given.
macro_rules! new_budget {
    () => {
        "revision = f.revision + 1, streak = partial.streak,
            waiting_until = partial.waiting_until, recent = partial.recent,
            closed = partial.closed, budget_row = partial.budget_row"
    };
}

/// Makes the factors of those who have none, and goes on with them as `done`.
macro_rules! first_factor {
    ($done:literal) => {
        concat!(
            "made AS (
                INSERT INTO second_factors
                    (user_id, revision, streak, waiting_until, recent, closed, budget_row)
                SELECT user_id, revision + 1, streak, waiting_until, recent, closed, budget_row
                FROM partial
                ON CONFLICT DO NOTHING RETURNING user_id
            ), ",
            $done,
            " AS (
                SELECT partial.* FROM partial JOIN made USING (user_id)"
        )
    };
}

/// Those who were not `done`, and whose factors are in another revision, locked or not: it only
/// grows.
macro_rules! moved {
    ($done:literal) => {
        concat!(
            " UNION ALL
              SELECT given.user_id, FALSE FROM given JOIN second_factors f USING (user_id)
              WHERE given.user_id NOT IN (SELECT user_id FROM ",
            $done,
            ") AND f.revision <> given.revision"
        )
    };
}

pub(crate) use {bind_columns, first_factor, moved, new_budget};

/// A change that waits for its statement.
pub(crate) struct Waiting<C>(Arc<C>);

impl<C> Deref for Waiting<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.0
    }
}

impl<C: Change> Item for Waiting<C> {
    type Ground = Connections;

    /// None if nothing was changed, for another reason than the revision.
    type Answer = Option<Swap>;

    fn rests_on(&self) -> Option<Version> {
        Some(Version {
            user: self.common().user,
            revision: self.common().revision,
        })
    }

    fn has_moved(answer: &Option<Swap>) -> bool {
        answer.is_some()
    }

    async fn run(items: &[Self], connections: &Connections) -> sqlx::Result<Vec<Option<Swap>>> {
        let swaps = run(C::MANY, items, connections).await?;
        let swap = |item: &Self| swaps.get(&item.common().user).copied();
        Ok(items.iter().map(swap).collect())
    }
}

/// What became of the factors of these users: changed, or found in another revision.
async fn run<C: Change>(
    statement: &'static str,
    changes: &[Waiting<C>],
    connections: &Connections,
) -> sqlx::Result<HashMap<Uuid, Swap>> {
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
    let swap = |is_changed| if is_changed { Swap::Done } else { Swap::Moved };
    let users = users.iter();
    users
        .map(|row| Ok((row.try_get(0)?, swap(row.try_get(1)?))))
        .collect()
}

impl PostgresStore {
    /// Makes a change, together with those that others make.
    pub(crate) async fn change<C: Change>(
        &self,
        all: &Together<Waiting<C>>,
        change: C,
        note: Note,
    ) -> Result<Swap, StoreError> {
        let change = Waiting(Arc::new(change));
        let alone = || async {
            let changes = std::slice::from_ref(&change);
            let swaps = run(change.alone(), changes, &self.connections).await;
            let swap = swaps.map_err(store_error)?.into_values().next();
            Ok(swap.unwrap_or(Swap::Moved))
        };
        let changed = if change.is_first() {
            retrying(alone).await
        } else {
            match all.ask(Waiting(Arc::clone(&change.0))).await {
                Ok(Outcome::Answered(Some(swap))) => Ok(swap),
                Ok(Outcome::Moved) => Ok(Swap::Moved),
                Ok(Outcome::Answered(None) | Outcome::Refused) => retrying(alone).await,
                Err(error) => Err(error),
            }
        };
        note.ended(changed)
    }
}
