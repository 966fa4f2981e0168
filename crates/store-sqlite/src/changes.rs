//! Changes of second factors: steps that are claimed, acceptances that are redeemed and budgets that
//! are stored, for all who wait in one transaction.
//!
//! A commit waits for the disk, which takes longer than all else. So whoever comes while one is under
//! way is in the next one, together with everybody else who came meanwhile. Nothing can move inside a
//! transaction: each change is compared first with all that it rests on, and written if it passed.
//! One that did not leaves nothing, and the others do not notice.

mod statements;
mod values;

use std::sync::Arc;

use sqlx::{Row as _, query};
use vestibule_store::{StoreError, Swap, Trail};
use vestibule_store_sql::{Item, Outcome, Version};

use crate::SqliteStore;
use crate::audit::Note;
use crate::error::store_error;
use crate::write::Writer;
pub(crate) use statements::{STATEMENTS, TABLE};
pub(crate) use values::Change;

/// A change that waits for its transaction.
#[derive(Clone)]
pub(crate) struct Waiting {
    version: Version,
    /// The change and its rows of the audit trail, as the statements read them.
    text: Arc<str>,
}

impl Waiting {
    pub(crate) fn new(change: &Change, note: Option<&Note>) -> Result<Self, StoreError> {
        let values = serde_json::to_string(change);
        let values = values.map_err(|error| StoreError::Bug(Box::new(error)))?;
        let rows = note.map_or("[]", Note::rows);
        Ok(Self {
            version: change.version(),
            text: format!("[{values},{rows}]").into(),
        })
    }
}

/// What became of a change.
#[derive(Clone, Copy)]
pub(crate) struct Became {
    pub(crate) swap: Swap,
    /// Whether the revision that it rests on is not there any more.
    has_moved: bool,
}

impl Item for Waiting {
    type Ground = Writer;
    type Answer = Became;

    fn rests_on(&self) -> Option<Version> {
        Some(self.version)
    }

    fn has_moved(answer: &Became) -> bool {
        answer.has_moved
    }

    async fn run(items: &[Self], writer: &Writer) -> Result<Vec<Became>, StoreError> {
        let texts: Vec<_> = items.iter().map(|item| &*item.text).collect();
        let mut write = writer.begin(None).await?;
        let rows = query(STATEMENTS)
            .bind(format!("[{}]", texts.join(",")))
            .fetch_all(write.on())
            .await
            .map_err(store_error)?;
        let nothing = Became {
            swap: Swap::Moved,
            has_moved: false,
        };
        let mut answers = vec![nothing; items.len()];
        let mut is_changed = false;
        for row in rows {
            let number: u32 = row.try_get(0).map_err(store_error)?;
            let passed = row.try_get(1).map_err(store_error)?;
            let has_moved = row.try_get(2).map_err(store_error)?;
            is_changed |= passed;
            let answer = usize::try_from(number).ok();
            if let Some(answer) = answer.and_then(|number| answers.get_mut(number)) {
                let swap = if passed { Swap::Done } else { Swap::Moved };
                *answer = Became { swap, has_moved };
            }
        }
        if is_changed {
            write.commit().await?;
        } else {
            let _ = write.moved().await?;
        }
        Ok(answers)
    }
}

impl SqliteStore {
    /// Makes a change, together with those that others make.
    pub(crate) async fn change(
        &self,
        change: &Change,
        trail: Trail<'_>,
    ) -> Result<Swap, StoreError> {
        let note = self.note(trail).await?;
        let waiting = Waiting::new(change, note.as_ref())?;
        let swap = match self.changes.ask(waiting.clone()).await? {
            Outcome::Answered(became) => became.swap,
            Outcome::Moved => Swap::Moved,
            Outcome::Refused => {
                let alone = Item::run(&[waiting], &self.writer).await?;
                alone.first().map_or(Swap::Moved, |became| became.swap)
            }
        };
        if let Some(note) = note {
            note.end();
        }
        Ok(swap)
    }
}
