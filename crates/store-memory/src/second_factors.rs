//! Second factors.

use async_trait::async_trait;
use vestibule_engine::{SessionId, Timestamp, TokenHash, TokenKind, TokenRecord, UserId};
use vestibule_store::{
    Authority, Claim, DialogueChange, FactorReset, Finish, ListOrder, ListQuery, Listing,
    ProposedSeed, ProviderVersion, Redeeming, Redemption, SecondFactor, SecondFactors, SeedState,
    SeedSummary, Settlement, StoreError, StoredSeed, Swap, Trail,
};

use crate::MemoryStore;
use crate::lists::list;
use crate::tables::Tables;

#[async_trait]
impl SecondFactors for MemoryStore {
    async fn propose_seed(
        &self,
        seed: &ProposedSeed,
        trail: Trail<'_>,
    ) -> Result<Swap, StoreError> {
        let mut tables = self.tables();
        tables.keys.take([&seed.sealed])?;
        let factor = tables.factor(seed.user);
        let verified = |seed: &StoredSeed| matches!(seed.state, SeedState::Verified { .. });
        if !tables.accounts.contains_key(&seed.user)
            || factor.revision != seed.revision
            || factor.seed.as_ref().is_some_and(verified)
        {
            return Ok(Swap::Moved);
        }
        let new = SecondFactor {
            revision: factor.revision + 1,
            budget: factor.budget,
            seed: Some(StoredSeed {
                id: seed.id,
                sealed: seed.sealed.clone(),
                state: SeedState::Unverified {
                    shown_to: seed.shown_to,
                    created: seed.created,
                },
            }),
        };
        tables.factors.insert(seed.user, new);
        tables.write_down(trail);
        Ok(Swap::Done)
    }

    async fn settle(&self, settlement: &Settlement, trail: Trail<'_>) -> Result<Swap, StoreError> {
        let mut tables = self.tables();
        if let DialogueChange::Store(sealed) = &settlement.dialogue {
            tables.keys.take([sealed])?;
        }
        let (user, session) = (settlement.user, settlement.session);
        let factor = tables.factor(user);
        if factor.revision != settlement.revision || !tables.has_partial(user, session) {
            return Ok(Swap::Moved);
        }
        let new = SecondFactor {
            revision: factor.revision + 1,
            budget: settlement.budget.clone(),
            seed: factor.seed,
        };
        tables.factors.insert(user, new);
        for token in tables.partial_tokens(user, session) {
            match &settlement.dialogue {
                DialogueChange::Keep => {}
                DialogueChange::End => token.dialogue = None,
                DialogueChange::Store(sealed) => token.dialogue = Some(sealed.clone()),
            }
        }
        if settlement.ends_token {
            tables.end_partial_tokens(|token| token.user == user && token.session == session);
        }
        tables.write_down(trail);
        Ok(Swap::Done)
    }

    async fn finish(&self, finish: &Finish, trail: Trail<'_>) -> Result<Claim, StoreError> {
        let mut tables = self.tables();
        tables.keys.take(&finish.verified_seed)?;
        let Some((factor, partial)) = tables.finished(finish) else {
            return Ok(Claim::Moved);
        };
        let verified = finish.verified.record();
        tables.check_new(verified)?;
        tables.factors.insert(partial.user, factor);
        tables.rotate(&partial, verified, finish.device_completed);
        tables.write_down(trail);
        #[expect(
            clippy::disallowed_methods,
            reason = "the compare-and-set is committed when the lock is released"
        )]
        Ok(Claim::Fresh(finish.claim.dangerous_claimed()))
    }

    async fn redeem(
        &self,
        redemption: &Redemption,
        trail: Trail<'_>,
    ) -> Result<Redeeming, StoreError> {
        let mut tables = self.tables();
        let Some((factor, partial)) = tables.redeemed(redemption) else {
            return Ok(Redeeming::Moved);
        };
        let verified = redemption.verified.record();
        tables.check_new(verified)?;
        tables.factors.insert(partial.user, factor);
        tables.rotate(&partial, verified, redemption.device_completed);
        tables.write_down(trail);
        #[expect(
            clippy::disallowed_methods,
            reason = "the compare-and-set is committed when the lock is released"
        )]
        Ok(Redeeming::Fresh(redemption.acceptance.dangerous_redeemed()))
    }

    async fn reset_factor(
        &self,
        user: UserId,
        authority: Option<Authority>,
        trail: Trail<'_>,
    ) -> Result<FactorReset, StoreError> {
        let mut tables = self.tables();
        if authority.is_some_and(|authority| tables.has_moved_since(authority)) {
            return Ok(FactorReset::Moved);
        }
        if !tables.accounts.contains_key(&user) {
            return Ok(FactorReset::NoSeed);
        }
        let factor = tables.factors.entry(user).or_default();
        let seed = factor.seed.take();
        factor.budget = factor.budget.reset();
        factor.revision += 1;
        tables.end_partial_tokens(|token| token.user == user);
        tables.write_down(trail);
        Ok(if seed.is_some() {
            FactorReset::Reset
        } else {
            FactorReset::NoSeed
        })
    }

    async fn seeds(&self, query: &ListQuery) -> Result<Listing<SeedSummary>, StoreError> {
        let tables = self.tables();
        let seeded = tables.factors.iter().filter_map(|(user, factor)| {
            let account = tables.accounts.get(user)?;
            Some((account, factor.seed.as_ref()?))
        });
        let by_name = ListQuery {
            order: ListOrder::Name,
            ..query.clone()
        };
        Ok(list(seeded, &by_name, |account, seed| SeedSummary {
            user: account.user.id,
            user_name: account.user.name.clone(),
            verified: matches!(seed.state, SeedState::Verified { .. }),
        }))
    }
}

impl Tables {
    /// The factor that a finish leaves and the partial token that it spends, if nothing that it
    /// rests on moved.
    fn finished(&self, finish: &Finish) -> Option<(SecondFactor, TokenRecord)> {
        let claim = &finish.claim;
        let partial = self.partial(&finish.partial, claim.user(), claim.session())?;
        let factor = self.factors.get(&claim.user())?;
        let seed = factor.seed.as_ref()?;
        let later = match seed.state {
            SeedState::Unverified { .. } => true,
            SeedState::Verified { last_step } => last_step < claim.step(),
        };
        if factor.revision != claim.revision() || seed.id != claim.seed() || !later {
            return None;
        }
        let sealed = finish.verified_seed.as_ref().unwrap_or(&seed.sealed);
        let factor = SecondFactor {
            revision: factor.revision + 1,
            budget: claim.budget().clone(),
            seed: Some(StoredSeed {
                id: seed.id,
                sealed: sealed.clone(),
                state: SeedState::Verified {
                    last_step: claim.step(),
                },
            }),
        };
        Some((factor, partial.clone()))
    }

    /// The factor that a redemption leaves and the partial token that it spends, if nothing that
    /// it rests on moved.
    fn redeemed(&self, redemption: &Redemption) -> Option<(SecondFactor, TokenRecord)> {
        let acceptance = &redemption.acceptance;
        let (user, session) = (acceptance.user(), acceptance.session());
        let partial = self.partial(&redemption.partial, user, session)?;
        let asked = ProviderVersion {
            id: acceptance.provider(),
            revision: acceptance.provider_revision(),
        };
        let factor = self.factor(user);
        if factor.revision != acceptance.revision() || self.provider_version() != Some(asked) {
            return None;
        }
        let factor = SecondFactor {
            revision: factor.revision + 1,
            budget: acceptance.budget().clone(),
            seed: factor.seed,
        };
        Some((factor, partial.clone()))
    }

    /// A partial token, if it is this user's in this session.
    fn partial(&self, hash: &TokenHash, user: UserId, session: SessionId) -> Option<&TokenRecord> {
        let token = &self.tokens.get(hash)?.record;
        let is_it =
            token.kind == TokenKind::Partial && token.user == user && token.session == session;
        is_it.then_some(token)
    }

    /// Puts a verified token in the place of a partial one, whose dialogue ends, and notes the
    /// device when told so.
    fn rotate(&mut self, partial: &TokenRecord, verified: &TokenRecord, noted: Option<Timestamp>) {
        self.tokens.remove(&partial.hash);
        self.insert_token(verified);
        if let Some(at) = noted {
            self.note_device(partial.user, partial.device, at);
        }
    }
}
