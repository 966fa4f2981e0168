//! New budgets, with what becomes of the dialogue and the partial token of a session.

use uuid::Uuid;
use vestibule_store::{DialogueChange, Sealed, Settlement, StoreError, Swap, Trail};
use vestibule_store_sql::new_dialogue;

use crate::audit::noted_each;
use crate::factors::{Change, Common, Waiting, bind_columns, first_factor, moved, new_budget};
use crate::{PostgresStore, Statement};

/// Locks the partial token of a session, and changes it when the budget was stored and the
/// settlement says so. It is deleted or updated, never both in one statement.
macro_rules! settlement {
    ($passes_over:literal, $before:literal, $partial:literal, $settled:expr) => {
        concat!(
            "WITH given AS (
                SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bytea[],
                    $5::boolean[], $6::bigint[], $9::uuid[], $10::bigint[],
                    $11::boolean[], $12::boolean[], $13::uuid[], $14::bytea[])
                AS given (user_id, streak, waiting_until, recent, closed, budget_row,
                    session, revision, ends_token, changes, dialogue_key_id, dialogue_sealed)
            ), ",
            $before,
            "partial AS (
                SELECT given.* FROM given JOIN tokens t
                ON t.session = given.session AND t.user_id = given.user_id
                    AND t.kind = 'partial' ",
            $partial,
            $passes_over,
            "), ",
            $settled,
            "), ended AS (
                DELETE FROM tokens t USING settled
                WHERE t.session = settled.session AND t.kind = 'partial' AND settled.ends_token
                    AND t.user_id = settled.user_id
            ), dialogue AS (
                UPDATE tokens t SET dialogue_key_id = settled.dialogue_key_id,
                    dialogue_sealed = settled.dialogue_sealed
                FROM settled
                WHERE t.session = settled.session AND t.kind = 'partial' AND settled.changes
                    AND NOT settled.ends_token AND t.user_id = settled.user_id
            )",
            noted_each!("settled"),
            " SELECT user_id, TRUE FROM settled",
            moved!("settled")
        )
    };
}

/// A new row looks at its user, so the user is locked first.
const FIRST_SETTLEMENT: &str = settlement!(
    "",
    "owner AS (
        SELECT id FROM users WHERE id IN (SELECT user_id FROM given) FOR KEY SHARE
    ), ",
    "WHERE t.user_id IN (SELECT id FROM owner) FOR UPDATE OF t ",
    first_factor!("settled")
);

macro_rules! later_settlement {
    ($passes_over:literal) => {
        settlement!(
            $passes_over,
            "",
            "JOIN second_factors f ON f.user_id = given.user_id FOR UPDATE OF t, f ",
            concat!(
                "settled AS (
                    UPDATE second_factors f SET ",
                new_budget!(),
                " FROM partial
                  WHERE f.user_id = partial.user_id AND f.revision = partial.revision
                  RETURNING partial.*"
            )
        )
    };
}

/// A budget that is stored.
pub(crate) struct Settling {
    common: Common,
    session: Uuid,
    ends_token: bool,
    dialogue: DialogueChange,
}

impl Settling {
    /// What takes the dialogue's place, if anything does.
    fn sealed(&self) -> Option<&Sealed> {
        new_dialogue(&self.dialogue).flatten()
    }
}

impl Change for Settling {
    const MANY: &'static str = later_settlement!("SKIP LOCKED");

    fn alone(&self) -> &'static str {
        if self.is_first() {
            FIRST_SETTLEMENT
        } else {
            later_settlement!("")
        }
    }

    fn common(&self) -> &Common {
        &self.common
    }

    fn bind<'q>(statement: Statement<'q>, changes: &'q [Waiting<Self>]) -> Statement<'q> {
        bind_columns!(
            statement,
            changes,
            |change| change.session,
            change.common.revision,
            change.ends_token,
            new_dialogue(&change.dialogue).is_some(),
            change.sealed().map(|sealed| sealed.key_id),
            change.sealed().map(|sealed| sealed.bytes.as_slice()),
        )
    }
}

impl PostgresStore {
    pub(crate) async fn store_settlement(
        &self,
        settlement: &Settlement,
        trail: Trail<'_>,
    ) -> Result<Swap, StoreError> {
        let note = self.note(trail).await?;
        let settling = Settling {
            common: Common::new(
                settlement.user,
                settlement.revision,
                &settlement.budget,
                &note,
            )?,
            session: settlement.session.uuid(),
            ends_token: settlement.ends_token,
            dialogue: settlement.dialogue.clone(),
        };
        self.change(&self.settlements, settling, note).await
    }
}
