//! Dialogues at rest, sealed with the partial token.

use uuid::Uuid;
use vestibule_engine::radius::{Dialogue, RadiusStanding};
use vestibule_engine::{SessionId, UserId};
use vestibule_store::{Bearer, Sealed};

use super::RadiusProvider;
use crate::known::KnownProvider;
use crate::{Inner, Place, ServiceError};

impl Inner {
    /// What the engine must know of a bearer, with the dialogue opened.
    pub(super) fn radius_standing(
        &self,
        bearer: &Bearer,
        known: &KnownProvider,
        provider: &RadiusProvider,
    ) -> Result<RadiusStanding, ServiceError> {
        Ok(RadiusStanding {
            user: bearer.user.id,
            session: bearer.token.session,
            revision: bearer.factor.revision,
            budget: bearer.factor.budget.clone(),
            provider: known.version.id,
            provider_revision: known.version.revision,
            mode: provider.settings().mode,
            dialogue: match &bearer.dialogue {
                None => None,
                Some(sealed) => Some(self.open_sealed(bearer, sealed)?),
            },
        })
    }

    fn open_sealed(&self, bearer: &Bearer, sealed: &Sealed) -> Result<Dialogue, ServiceError> {
        let user = bearer.user.id.uuid();
        let place = place(bearer.token.session, &user);
        Dialogue::from_bytes(&self.keyring.open(sealed, place)?)
            .ok_or_else(|| ServiceError::bug("a dialogue cannot be read", "sealed otherwise"))
    }

    pub(super) fn seal_dialogue(
        &self,
        dialogue: &Dialogue,
        session: SessionId,
        user: UserId,
    ) -> Result<Sealed, ServiceError> {
        let bytes = zeroize::Zeroizing::new(dialogue.to_bytes());
        let user = user.uuid();
        let place = place(session, &user);
        Ok(self.keyring.seal(&bytes, place, &*self.random)?)
    }
}

/// Where a dialogue lies: with the token of this session and this user, and no other.
pub(crate) fn place(session: SessionId, user: &Uuid) -> Place<'_> {
    Place {
        table: "tokens",
        row: session.uuid(),
        purpose: "radius dialogue",
        detail: user.as_bytes(),
    }
}
