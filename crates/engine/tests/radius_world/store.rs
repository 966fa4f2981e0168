//! A store as naive as can be: what a store must do for factors that a RADIUS server judges.

use std::collections::HashMap;
use std::time::Duration;

use vestibule_engine::provider::RadiusMode;
use vestibule_engine::radius::{
    Acceptance, Dialogue, DialogueChange, RadiusStanding, Redeemed, Settle,
};
use vestibule_engine::{GuessBudget, MfaProviderId, Push, PushId, SessionId, Timestamp, UserId};

/// How long a partial token lives.
pub(crate) const PARTIAL_LIVES: Duration = Duration::from_mins(15);

/// Everything that is remembered.
pub(crate) struct Store {
    pub(crate) factors: HashMap<UserId, Factor>,
    pub(crate) partials: HashMap<SessionId, Partial>,
    pub(crate) pushes: Vec<Push>,
    pub(crate) provider: (MfaProviderId, u64),
    pub(crate) mode: RadiusMode,
}

/// A user's second factor.
#[derive(Clone, Default)]
pub(crate) struct Factor {
    pub(crate) revision: u64,
    pub(crate) budget: GuessBudget,
}

/// A partial token.
pub(crate) struct Partial {
    pub(crate) user: UserId,
    pub(crate) expires: Timestamp,
    /// As it is sealed.
    dialogue: Option<Vec<u8>>,
}

impl Store {
    pub(crate) fn new(provider: MfaProviderId) -> Self {
        Self {
            factors: HashMap::new(),
            partials: HashMap::new(),
            pushes: Vec::new(),
            provider: (provider, 1),
            mode: RadiusMode::Challenge,
        }
    }

    pub(crate) fn factor(&self, user: UserId) -> Factor {
        self.factors.get(&user).cloned().unwrap_or_default()
    }

    pub(crate) fn sign_in(&mut self, user: UserId, session: SessionId, now: Timestamp) {
        let partial = Partial {
            user,
            expires: now.after(PARTIAL_LIVES),
            dialogue: None,
        };
        self.partials.insert(session, partial);
    }

    pub(crate) fn is_live(&self, session: SessionId, now: Timestamp) -> bool {
        let partial = self.partials.get(&session);
        partial.is_some_and(|partial| now < partial.expires)
    }

    /// How the bearer of a partial token stands; `None` when it is not live.
    pub(crate) fn standing(&self, session: SessionId, now: Timestamp) -> Option<RadiusStanding> {
        let partial = self.partials.get(&session)?;
        if now >= partial.expires {
            return None;
        }
        let factor = self.factor(partial.user);
        let dialogue = partial.dialogue.as_ref().map(|sealed| {
            Dialogue::from_bytes(sealed).unwrap_or_else(|| panic!("a dialogue is not read back"))
        });
        Some(RadiusStanding {
            user: partial.user,
            session,
            revision: factor.revision,
            budget: factor.budget,
            provider: self.provider.0,
            provider_revision: self.provider.1,
            mode: self.mode,
            dialogue,
        })
    }

    /// Whether a settlement was written.
    pub(crate) fn settle(&mut self, settle: &Settle) -> bool {
        let factor = self.factors.entry(settle.user).or_default();
        let Some(partial) = self.partials.get_mut(&settle.session) else {
            return false;
        };
        if factor.revision != settle.revision || partial.user != settle.user {
            return false;
        }
        factor.revision += 1;
        factor.budget = settle.budget.clone();
        match &settle.dialogue {
            DialogueChange::Keep => {}
            DialogueChange::End => partial.dialogue = None,
            DialogueChange::Store(dialogue) => partial.dialogue = Some(dialogue.to_bytes()),
        }
        if settle.ends_token {
            self.partials.remove(&settle.session);
        }
        true
    }

    /// Redeems an acceptance and spends the partial token, all or nothing.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the store that has done it"
    )]
    pub(crate) fn redeem(&mut self, acceptance: &Acceptance) -> Option<Redeemed> {
        let factor = self.factors.entry(acceptance.user()).or_default();
        let partial = self.partials.get(&acceptance.session())?;
        let asked = (acceptance.provider(), acceptance.provider_revision());
        let moved = factor.revision != acceptance.revision() || asked != self.provider;
        if moved || partial.user != acceptance.user() {
            return None;
        }
        factor.revision += 1;
        factor.budget = acceptance.budget().clone();
        self.partials.remove(&acceptance.session());
        Some(acceptance.dangerous_redeemed())
    }

    pub(crate) fn pushes_of(&self, user: UserId) -> Vec<Push> {
        let own = self.pushes.iter().filter(|push| push.user == user);
        own.cloned().collect()
    }

    /// Whether a push was stored, which may then be sent.
    pub(crate) fn start_push(&mut self, push: &Push, revision: u64) -> bool {
        let factor = self.factors.entry(push.user).or_default();
        if factor.revision != revision || !self.partials.contains_key(&push.session) {
            return false;
        }
        factor.revision += 1;
        self.pushes.push(push.clone());
        true
    }

    pub(crate) fn collect_push(&mut self, id: PushId) {
        for push in self.pushes.iter_mut().filter(|push| push.id == id) {
            push.collected = true;
        }
    }

    /// What an administrator does to a budget.
    pub(crate) fn unlock(&mut self, user: UserId) {
        let factor = self.factors.entry(user).or_default();
        factor.revision += 1;
        factor.budget = factor.budget.reset();
    }

    /// The same, and the partial tokens of the user end.
    pub(crate) fn reset(&mut self, user: UserId) {
        self.unlock(user);
        self.partials.retain(|_, partial| partial.user != user);
    }
}
