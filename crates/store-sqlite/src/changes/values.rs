//! What a change says.

use serde::Serialize;
use uuid::Uuid;
use vestibule_engine::{GuessBudget, NewToken, SessionId, Timestamp, TokenHash, UserId};
use vestibule_store::{Finish, Redemption, Sealed, Settlement, StoreError};
use vestibule_store_sql::{Version, integer, new_dialogue};

use crate::audit::hexadecimal;

/// A change, as the statements read it: ids and octets are in hexadecimal digits.
#[derive(Serialize)]
pub(crate) struct Change {
    #[serde(skip)]
    version: Version,
    user: String,
    session: String,
    revision: i64,
    streak: u32,
    waiting_until: Option<i64>,
    recent: String,
    closed: bool,
    budget_row: i64,
    #[serde(flatten)]
    kind: Kind,
}

/// What is changed besides the budget.
#[derive(Serialize)]
#[serde(untagged)]
enum Kind {
    /// A step is claimed, and the seed verified if it is new.
    Claim {
        #[serde(flatten)]
        rotation: Rotation,
        step: i64,
        seed: String,
        seed_key_id: Option<String>,
        seed_sealed: Option<String>,
    },
    /// An acceptance is redeemed.
    Redemption {
        #[serde(flatten)]
        rotation: Rotation,
        provider: String,
        provider_revision: i64,
    },
    /// The dialogue and the partial token of the session may end, or be others.
    Settlement {
        ends_token: bool,
        sets_dialogue: bool,
        dialogue_key_id: Option<String>,
        dialogue_sealed: Option<String>,
    },
}

/// A partial token that becomes a verified one, in its row.
#[derive(Serialize)]
struct Rotation {
    partial: String,
    hash: String,
    kind: &'static str,
    expires: i64,
    session_expires: i64,
    device: String,
    /// When its device is noted, if it is.
    completed: Option<i64>,
}

impl Rotation {
    fn new(partial: TokenHash, verified: &NewToken, completed: Option<Timestamp>) -> Self {
        let verified = verified.record();
        Self {
            partial: hexadecimal(partial.as_bytes()),
            hash: hexadecimal(verified.hash.as_bytes()),
            kind: verified.kind.as_str(),
            expires: verified.expires.as_micros(),
            session_expires: verified.session_expires.as_micros(),
            device: id(verified.device.uuid()),
            completed: completed.map(Timestamp::as_micros),
        }
    }
}

impl Change {
    fn new(
        user: UserId,
        session: SessionId,
        revision: u64,
        budget: &GuessBudget,
        kind: Kind,
    ) -> Result<Self, StoreError> {
        let (user, revision) = (user.uuid(), integer(revision)?);
        Ok(Self {
            version: Version { user, revision },
            user: id(user),
            session: id(session.uuid()),
            revision,
            streak: budget.streak(),
            waiting_until: budget.waiting_until().map(Timestamp::as_micros),
            recent: hexadecimal(&budget.recent().to_bytes()),
            closed: budget.is_closed(),
            budget_row: integer(budget.row())?,
            kind,
        })
    }

    /// A step is claimed.
    pub(crate) fn claim(finish: &Finish) -> Result<Self, StoreError> {
        let claim = &finish.claim;
        let (seed_key_id, seed_sealed) = halves(finish.verified_seed.as_ref());
        let kind = Kind::Claim {
            rotation: Rotation::new(finish.partial, &finish.verified, finish.device_completed),
            step: integer(claim.step().number())?,
            seed: id(claim.seed().uuid()),
            seed_key_id,
            seed_sealed,
        };
        let (user, session) = (claim.user(), claim.session());
        Self::new(user, session, claim.revision(), claim.budget(), kind)
    }

    /// An acceptance is redeemed.
    pub(crate) fn redemption(redemption: &Redemption) -> Result<Self, StoreError> {
        let Redemption {
            acceptance,
            partial,
            verified,
            device_completed,
        } = redemption;
        let kind = Kind::Redemption {
            rotation: Rotation::new(*partial, verified, *device_completed),
            provider: id(acceptance.provider().uuid()),
            provider_revision: integer(acceptance.provider_revision())?,
        };
        let (user, session) = (acceptance.user(), acceptance.session());
        Self::new(
            user,
            session,
            acceptance.revision(),
            acceptance.budget(),
            kind,
        )
    }

    /// A budget is stored.
    pub(crate) fn settlement(settlement: &Settlement) -> Result<Self, StoreError> {
        let dialogue = new_dialogue(&settlement.dialogue);
        let (dialogue_key_id, dialogue_sealed) = halves(dialogue.flatten());
        let kind = Kind::Settlement {
            ends_token: settlement.ends_token,
            sets_dialogue: dialogue.is_some(),
            dialogue_key_id,
            dialogue_sealed,
        };
        let (user, session) = (settlement.user, settlement.session);
        Self::new(user, session, settlement.revision, &settlement.budget, kind)
    }

    /// What it rests on.
    pub(crate) const fn version(&self) -> Version {
        self.version
    }
}

fn halves(sealed: Option<&Sealed>) -> (Option<String>, Option<String>) {
    let halves = sealed.map(|sealed| (id(sealed.key_id), hexadecimal(&sealed.bytes)));
    halves.unzip()
}

fn id(id: Uuid) -> String {
    hexadecimal(id.as_bytes())
}
