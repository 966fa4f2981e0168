//! Second factors.

use async_trait::async_trait;
use vestibule_engine::{GuessBudget, TokenKind, UserId, WrongGuess};
use vestibule_store::{
    Claim, FactorReset, Finish, ListQuery, Listing, ProposedSeed, SecondFactor, SecondFactors,
    SeedState, SeedSummary, StoreError, StoredSeed, Swap,
};

use crate::MemoryStore;
use crate::tables::{Tables, page};

#[async_trait]
impl SecondFactors for MemoryStore {
    async fn propose_seed(&self, seed: &ProposedSeed) -> Result<Swap, StoreError> {
        let mut tables = self.tables();
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
        Ok(Swap::Done)
    }

    async fn count_guess(&self, guess: &WrongGuess) -> Result<Swap, StoreError> {
        let mut tables = self.tables();
        let factor = tables.factor(guess.user);
        let has_partial = tables.has_partial(guess.user, guess.session);
        if factor.revision != guess.revision || !has_partial {
            return Ok(Swap::Moved);
        }
        let new = SecondFactor {
            revision: factor.revision + 1,
            budget: guess.budget.clone(),
            seed: factor.seed,
        };
        tables.factors.insert(guess.user, new);
        if guess.ends_token {
            tables.end_partial_tokens(|token| token.session == guess.session);
        }
        Ok(Swap::Done)
    }

    async fn finish(&self, finish: &Finish) -> Result<Claim, StoreError> {
        let mut tables = self.tables();
        let Some((factor, partial)) = tables.finished(finish) else {
            return Ok(Claim::Moved);
        };
        let verified = finish.verified.record();
        tables.check_new(verified)?;
        tables.factors.insert(partial.user, factor);
        tables.tokens.remove(&partial.hash);
        tables.tokens.insert(verified.hash, verified.clone());
        if let Some(at) = finish.device_completed {
            tables.note_device(partial.user, partial.device, at);
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "the compare-and-set is committed when the lock is released"
        )]
        Ok(Claim::Fresh(finish.claim.dangerous_claimed()))
    }

    async fn reset_factor(&self, user: UserId) -> Result<FactorReset, StoreError> {
        let mut tables = self.tables();
        if !tables.accounts.contains_key(&user) {
            return Ok(FactorReset::NoSeed);
        }
        let factor = tables.factors.entry(user).or_default();
        let seed = factor.seed.take();
        factor.budget = GuessBudget::default();
        factor.revision += 1;
        tables.end_partial_tokens(|token| token.user == user);
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
        let mut found = Vec::new();
        let mut total = 0;
        for (account, seed) in seeded {
            total += 1;
            if account.matches(query) {
                found.push(SeedSummary {
                    user: account.user.id,
                    user_name: account.user.name.clone(),
                    verified: matches!(seed.state, SeedState::Verified { .. }),
                });
            }
        }
        found.sort_by_cached_key(|seed| (seed.user_name.key(), seed.user));
        Ok(page(found, query, total))
    }
}

impl Tables {
    /// The factor that a finish leaves and the partial token that it spends, if nothing that it
    /// rests on moved.
    fn finished(&self, finish: &Finish) -> Option<(SecondFactor, vestibule_engine::TokenRecord)> {
        let claim = &finish.claim;
        let partial = self.tokens.get(&finish.partial)?;
        if partial.kind != TokenKind::Partial
            || partial.session != claim.session()
            || partial.user != claim.user()
        {
            return None;
        }
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
}
