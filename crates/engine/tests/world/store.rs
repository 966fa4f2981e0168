//! A store as naive as can be: what a store must do, in maps and vectors.

use std::collections::HashMap;

use vestibule_engine::attempt::{Enrolment, Standing};
use vestibule_engine::{
    ClaimedStep, GuessBudget, NewToken, Seed, SeedId, SessionId, StepToClaim, Timestamp, TokenHash,
    TokenKind, TokenRecord, TotpStep, UserId, WrongGuess,
};

/// Everything that is remembered.
#[derive(Default)]
pub(crate) struct Store {
    pub(crate) factors: HashMap<UserId, Factor>,
    pub(crate) tokens: HashMap<TokenHash, TokenRecord>,
}

/// A user's second factor.
#[derive(Clone, Default)]
pub(crate) struct Factor {
    pub(crate) revision: u64,
    pub(crate) budget: GuessBudget,
    pub(crate) seed: Option<StoredSeed>,
}

/// A seed, unsealed.
#[derive(Clone, Copy)]
pub(crate) struct StoredSeed {
    pub(crate) id: SeedId,
    pub(crate) bytes: [u8; 20],
    pub(crate) state: SeedState,
}

/// How far a seed may be trusted.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum SeedState {
    Unverified {
        shown_to: SessionId,
        created: Timestamp,
    },
    Verified {
        last_step: TotpStep,
    },
}

impl Factor {
    fn enrolment(&self) -> Enrolment {
        let Some(StoredSeed { id, bytes, state }) = self.seed else {
            return Enrolment::Missing;
        };
        let seed = Seed::from_bytes(bytes);
        match state {
            SeedState::Unverified { shown_to, created } => Enrolment::Unverified {
                id,
                seed,
                shown_to,
                created,
            },
            SeedState::Verified { last_step } => Enrolment::Verified {
                id,
                seed,
                last_step,
            },
        }
    }
}

impl Store {
    pub(crate) fn factor(&self, user: UserId) -> Factor {
        self.factors.get(&user).cloned().unwrap_or_default()
    }

    /// How the bearer of a partial token stands; `None` when it is none, or not live.
    pub(crate) fn standing(&self, token: &TokenHash, now: Timestamp) -> Option<Standing> {
        let bearer = self.tokens.get(token)?;
        if bearer.kind != TokenKind::Partial || !bearer.is_live(now) {
            return None;
        }
        let factor = self.factor(bearer.user);
        Some(Standing {
            user: bearer.user,
            session: bearer.session,
            revision: factor.revision,
            enrolment: factor.enrolment(),
            budget: factor.budget,
        })
    }

    pub(crate) fn insert(&mut self, token: &NewToken) {
        self.tokens
            .insert(token.record().hash, token.record().clone());
    }

    /// Whether a new seed was stored.
    pub(crate) fn propose(&mut self, user: UserId, revision: u64, seed: StoredSeed) -> bool {
        let factor = self.factors.entry(user).or_default();
        let verified = factor
            .seed
            .is_some_and(|seed| matches!(seed.state, SeedState::Verified { .. }));
        if factor.revision != revision || verified {
            return false;
        }
        factor.revision += 1;
        factor.seed = Some(seed);
        true
    }

    /// Whether a wrong guess was counted.
    pub(crate) fn count(&mut self, guess: &WrongGuess) -> bool {
        let has_token = self
            .tokens
            .values()
            .any(|token| token.session == guess.session && token.kind == TokenKind::Partial);
        let factor = self.factors.entry(guess.user).or_default();
        if factor.revision != guess.revision || !has_token {
            return false;
        }
        factor.revision += 1;
        factor.budget = guess.budget.clone();
        if guess.ends_token {
            self.tokens.retain(|_, token| {
                token.session != guess.session || token.kind != TokenKind::Partial
            });
        }
        true
    }

    /// Claims a step and rotates the partial token, all or nothing.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the store that has done it"
    )]
    pub(crate) fn finish(
        &mut self,
        claim: &StepToClaim,
        partial: &TokenHash,
        verified: &NewToken,
    ) -> Option<ClaimedStep> {
        let factor = self.factors.get_mut(&claim.user())?;
        let seed = factor
            .seed
            .as_mut()
            .filter(|seed| seed.id == claim.seed())?;
        let is_later = match seed.state {
            SeedState::Unverified { .. } => true,
            SeedState::Verified { last_step } => claim.step() > last_step,
        };
        let token = self.tokens.get(partial)?;
        if factor.revision != claim.revision() || !is_later || token.kind != TokenKind::Partial {
            return None;
        }
        factor.revision += 1;
        factor.budget = claim.budget().clone();
        seed.state = SeedState::Verified {
            last_step: claim.step(),
        };
        self.tokens.remove(partial);
        self.insert(verified);
        Some(claim.dangerous_claimed())
    }

    /// What an administrator's reset does.
    pub(crate) fn reset(&mut self, user: UserId) {
        let factor = self.factors.entry(user).or_default();
        *factor = Factor {
            revision: factor.revision + 1,
            budget: factor.budget.reset(),
            seed: None,
        };
        self.tokens
            .retain(|_, token| token.user != user || token.kind != TokenKind::Partial);
    }

    pub(crate) fn end_session(&mut self, session: SessionId) {
        self.tokens.retain(|_, token| token.session != session);
    }
}
