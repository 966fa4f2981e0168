//! Tokens.

use async_trait::async_trait;
use vestibule_engine::{NewToken, SessionId, Timestamp, TokenHash, UserId};
use vestibule_store::{Bearer, StoreError, Swap, Tokens, Trail};

use crate::MemoryStore;

#[async_trait]
impl Tokens for MemoryStore {
    async fn bearer(&self, token: &TokenHash) -> Result<Option<Bearer>, StoreError> {
        let tables = self.tables();
        let Some(stored) = tables.tokens.get(token) else {
            return Ok(None);
        };
        let token = &stored.record;
        let Some(account) = tables.accounts.get(&token.user) else {
            return Err(StoreError::inconsistent("tokens", &token.user));
        };
        let device = tables.devices.get(&(token.user, token.device));
        let holdings = tables.holdings(&account.user.roles);
        Ok(Some(Bearer {
            token: token.clone(),
            user: account.user.clone(),
            privileges: holdings.privileges(),
            authority: holdings.authority,
            provider: tables.provider_version(),
            exemption: tables.exemption(&account.user),
            factor: tables.factor(token.user),
            dialogue: stored.dialogue.clone(),
            device_completed: device.map(|known| known.last_completed),
        }))
    }

    async fn mint(
        &self,
        bearer: &TokenHash,
        token: &NewToken,
        completed: Option<Timestamp>,
        trail: Trail<'_>,
    ) -> Result<Swap, StoreError> {
        let mut tables = self.tables();
        let Some(bearer) = tables.tokens.get(bearer) else {
            return Ok(Swap::Moved);
        };
        let bearer = bearer.record.clone();
        let enabled = tables
            .accounts
            .get(&bearer.user)
            .is_some_and(|account| !account.user.disabled);
        if !enabled {
            return Ok(Swap::Moved);
        }
        let token = token.record();
        tables.check_new(token)?;
        tables.insert_token(token);
        if let Some(at) = completed {
            tables.note_device(bearer.user, bearer.device, at);
        }
        tables.write_down(trail);
        Ok(Swap::Done)
    }

    async fn end_session(
        &self,
        user: UserId,
        session: SessionId,
        trail: Trail<'_>,
    ) -> Result<(), StoreError> {
        let mut tables = self.tables();
        tables.end_tokens(|token| token.user == user && token.session == session);
        tables.write_down(trail);
        Ok(())
    }

    async fn remove_expired(&self, now: Timestamp, most: u32) -> Result<u64, StoreError> {
        let mut tables = self.tables();
        let mut removed = 0;
        tables.tokens.retain(|_, token| {
            let goes = token.record.expires < now && removed < u64::from(most);
            removed += u64::from(goes);
            !goes
        });
        Ok(removed)
    }
}
