//! Tokens.

use async_trait::async_trait;
use vestibule_engine::{NewToken, SessionId, Timestamp, TokenHash};
use vestibule_store::{Bearer, StoreError, Swap, Tokens};

use crate::MemoryStore;

#[async_trait]
impl Tokens for MemoryStore {
    async fn bearer(&self, token: &TokenHash) -> Result<Option<Bearer>, StoreError> {
        let tables = self.tables();
        let Some(token) = tables.tokens.get(token) else {
            return Ok(None);
        };
        let Some(account) = tables.accounts.get(&token.user) else {
            return Err(StoreError::inconsistent("tokens", &token.user));
        };
        let device = tables.devices.get(&(token.user, token.device));
        Ok(Some(Bearer {
            token: token.clone(),
            user: account.user.clone(),
            provider: tables.provider(),
            exemption: tables.exemption(&account.user),
            factor: tables.factor(token.user),
            device_completed: device.map(|known| known.last_completed),
        }))
    }

    async fn mint(
        &self,
        bearer: &TokenHash,
        token: &NewToken,
        completed: Option<Timestamp>,
    ) -> Result<Swap, StoreError> {
        let mut tables = self.tables();
        let Some(bearer) = tables.tokens.get(bearer).cloned() else {
            return Ok(Swap::Moved);
        };
        let enabled = tables
            .accounts
            .get(&bearer.user)
            .is_some_and(|account| !account.user.disabled);
        if !enabled {
            return Ok(Swap::Moved);
        }
        let token = token.record();
        tables.check_new(token)?;
        tables.tokens.insert(token.hash, token.clone());
        if let Some(at) = completed {
            tables.note_device(bearer.user, bearer.device, at);
        }
        Ok(Swap::Done)
    }

    async fn end_session(&self, session: SessionId) -> Result<(), StoreError> {
        self.tables()
            .tokens
            .retain(|_, token| token.session != session);
        Ok(())
    }

    async fn remove_expired(&self, now: Timestamp, most: u32) -> Result<u64, StoreError> {
        let mut tables = self.tables();
        let mut removed = 0;
        tables.tokens.retain(|_, token| {
            let goes = token.expires < now && removed < u64::from(most);
            removed += u64::from(goes);
            !goes
        });
        Ok(removed)
    }
}
