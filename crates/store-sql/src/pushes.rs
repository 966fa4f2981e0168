//! Pushes.

use sqlx::FromRow;
use uuid::Uuid;
use vestibule_engine::{MfaProviderId, Push, PushId, PushOutcome, SessionId, Timestamp, UserId};
use vestibule_store::StoreError;

/// The columns of a [`PushRow`].
#[macro_export]
macro_rules! push_columns {
    () => {
        "id, user_id, session, provider, provider_revision, started, deadline, outcome, collected"
    };
}

/// A push.
#[derive(FromRow)]
pub struct PushRow {
    id: Uuid,
    user_id: Uuid,
    session: Uuid,
    provider: Uuid,
    provider_revision: i64,
    started: i64,
    deadline: i64,
    outcome: Option<String>,
    collected: bool,
}

impl TryFrom<PushRow> for Push {
    type Error = StoreError;

    fn try_from(row: PushRow) -> Result<Self, StoreError> {
        let id = row.id;
        let wrong = || StoreError::inconsistent("pushes", &id);
        let outcome = row.outcome.as_deref();
        let outcome = outcome.map(|name| PushOutcome::from_name(name).ok_or_else(wrong));
        Ok(Self {
            id: PushId::from_uuid(row.id),
            user: UserId::from_uuid(row.user_id),
            session: SessionId::from_uuid(row.session),
            provider: MfaProviderId::from_uuid(row.provider),
            provider_revision: u64::try_from(row.provider_revision).map_err(|_| wrong())?,
            started: Timestamp::from_micros(row.started),
            deadline: Timestamp::from_micros(row.deadline),
            outcome: outcome.transpose()?,
            collected: row.collected,
        })
    }
}
