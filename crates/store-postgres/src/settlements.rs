//! New budgets, with what becomes of the dialogue and the partial token of a session.

use vestibule_store::{Settlement, StoreError, Swap, Trail};

use crate::PostgresStore;
use crate::audit::noted;
use crate::error::retrying;
use crate::second_factors::with_budget;
use vestibule_store_sql::{integer, new_dialogue};

/// Locks the partial token of a session, and changes it when the budget was stored and the
/// settlement says so. It is deleted or updated, never both in one statement.
macro_rules! settlement {
    ($whose:literal, $settled:literal) => {
        concat!(
            "WITH owner AS (
                SELECT id FROM users WHERE id = $1 FOR KEY SHARE
            ), partial AS (
                SELECT user_id FROM tokens
                WHERE session = $7 AND user_id = ",
            $whose,
            " AND kind = 'partial'
                FOR UPDATE
            ), settled AS (",
            $settled,
            " RETURNING user_id
            ), ended AS (
                DELETE FROM tokens
                WHERE session = $7 AND kind = 'partial' AND $9
                    AND user_id = (SELECT user_id FROM settled)
            ), dialogue AS (
                UPDATE tokens SET dialogue_key_id = $11, dialogue_sealed = $12
                WHERE session = $7 AND kind = 'partial' AND $10 AND NOT $9
                    AND user_id = (SELECT user_id FROM settled)
            )",
            noted!("settled", "$13"),
            " SELECT 1 FROM settled"
        )
    };
}

/// A new row looks at its user, so the user is locked first.
const FIRST_SETTLEMENT: &str = settlement!(
    "(SELECT id FROM owner)",
    "INSERT INTO second_factors
        (user_id, revision, streak, waiting_until, recent, closed, budget_row)
     SELECT user_id, $8 + 1, $2, $3, $4, $5, $6 FROM partial LIMIT 1
     ON CONFLICT DO NOTHING"
);

const SETTLEMENT: &str = settlement!(
    "$1",
    "UPDATE second_factors SET revision = revision + 1, streak = $2, waiting_until = $3,
        recent = $4, closed = $5, budget_row = $6
     WHERE user_id = (SELECT user_id FROM partial LIMIT 1) AND revision = $8"
);

impl PostgresStore {
    pub(crate) async fn store_settlement(
        &self,
        settlement: &Settlement,
        trail: Trail<'_>,
    ) -> Result<Swap, StoreError> {
        let revision = integer(settlement.revision)?;
        let statement = if revision == 0 {
            FIRST_SETTLEMENT
        } else {
            SETTLEMENT
        };
        let dialogue = new_dialogue(&settlement.dialogue);
        let sealed = dialogue.flatten();
        let note = self.note(trail).await?;
        let settled = retrying(|| async {
            let settle = with_budget(statement, settlement.user, &settlement.budget)?
                .bind(settlement.session.uuid())
                .bind(revision)
                .bind(settlement.ends_token)
                .bind(dialogue.is_some())
                .bind(sealed.map(|sealed| sealed.key_id))
                .bind(sealed.map(|sealed| sealed.bytes.as_slice()))
                .bind(note.rows());
            self.swap(settle).await
        })
        .await;
        note.ended(settled)
    }
}
