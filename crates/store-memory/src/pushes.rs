//! Pushes.

use async_trait::async_trait;
use vestibule_engine::{Push, PushId, PushOutcome, Timestamp, UserId};
use vestibule_store::{PushStart, Pushes, StoreError, Swap, Trail};

use crate::MemoryStore;

#[async_trait]
impl Pushes for MemoryStore {
    async fn pushes(&self, user: UserId) -> Result<Vec<Push>, StoreError> {
        let tables = self.tables();
        let pushes = tables.pushes.values().filter(|push| push.user == user);
        let mut pushes: Vec<_> = pushes.cloned().collect();
        pushes.sort_by_key(|push| (push.started, push.id));
        Ok(pushes)
    }

    async fn push(&self, push: PushId) -> Result<Option<Push>, StoreError> {
        Ok(self.tables().pushes.get(&push).cloned())
    }

    async fn start_push(&self, start: &PushStart, trail: Trail<'_>) -> Result<Swap, StoreError> {
        let mut tables = self.tables();
        let push = &start.push;
        let factor = tables.factor(push.user);
        if factor.revision != start.revision || !tables.has_partial(push.user, push.session) {
            return Ok(Swap::Moved);
        }
        if tables.pushes.contains_key(&push.id) {
            return Err(StoreError::Bug("a push with this id is there".into()));
        }
        tables.factors.entry(push.user).or_default().revision += 1;
        tables.pushes.insert(push.id, push.clone());
        tables.write_down(trail);
        Ok(Swap::Done)
    }

    async fn end_push(
        &self,
        push: PushId,
        outcome: PushOutcome,
        trail: Trail<'_>,
    ) -> Result<(), StoreError> {
        let mut tables = self.tables();
        if let Some(push) = tables.pushes.get_mut(&push)
            && push.outcome.is_none()
        {
            push.outcome = Some(outcome);
            tables.write_down(trail);
        }
        Ok(())
    }

    async fn collect_push(&self, push: PushId) -> Result<(), StoreError> {
        if let Some(push) = self.tables().pushes.get_mut(&push) {
            push.collected = true;
        }
        Ok(())
    }

    async fn remove_useless_pushes(&self, now: Timestamp, most: u32) -> Result<u64, StoreError> {
        let mut tables = self.tables();
        let mut removed = 0;
        tables.pushes.retain(|_, push| {
            let goes = push.useless_from() <= now && removed < u64::from(most);
            removed += u64::from(goes);
            !goes
        });
        Ok(removed)
    }
}
