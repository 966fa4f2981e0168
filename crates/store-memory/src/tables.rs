//! What is kept, and the few things that several transactions do to it.

use std::collections::{BTreeMap, HashMap};

use vestibule_engine::mfa::Exemption;
use vestibule_engine::password::Device;
use vestibule_engine::{
    DeviceId, MfaProviderId, NameKey, SessionId, Timestamp, TokenHash, TokenKind, TokenRecord,
    User, UserId,
};
use vestibule_store::{
    AdminMfa, Canary, ListQuery, Listing, PasswordHash, SecondFactor, StoreError,
};

/// Everything.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(crate) accounts: HashMap<UserId, Account>,
    pub(crate) names: BTreeMap<NameKey, UserId>,
    pub(crate) devices: HashMap<(UserId, DeviceId), Device>,
    pub(crate) factors: HashMap<UserId, SecondFactor>,
    pub(crate) tokens: HashMap<TokenHash, TokenRecord>,
    pub(crate) admin_mfa: Option<AdminMfa>,
    pub(crate) canary: Option<Canary>,
}

/// A user with what is kept beside.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) user: User,
    pub(crate) password: Option<PasswordHash>,
    /// What the user can be found by.
    pub(crate) search: String,
}

impl Account {
    pub(crate) fn matches(&self, query: &ListQuery) -> bool {
        query.queries.iter().all(|part| self.search.contains(part))
    }
}

impl Tables {
    pub(crate) fn account_by_name(&self, name: &NameKey) -> Option<&Account> {
        self.accounts.get(self.names.get(name)?)
    }

    pub(crate) fn factor(&self, user: UserId) -> SecondFactor {
        self.factors.get(&user).cloned().unwrap_or_default()
    }

    pub(crate) fn provider(&self) -> Option<MfaProviderId> {
        self.admin_mfa.as_ref()?.provider
    }

    pub(crate) fn exemption(&self, user: &User) -> Exemption {
        let entries = self
            .admin_mfa
            .iter()
            .flat_map(|settings| &settings.exempted);
        Exemption {
            listed: entries.into_iter().any(|entry| entry.user == Some(user.id)),
            until: user.exempt_until,
        }
    }

    /// Notes that a sign-in was completed from a device; its failures stay what they are.
    pub(crate) fn note_device(&mut self, user: UserId, device: DeviceId, at: Timestamp) {
        self.devices
            .entry((user, device))
            .and_modify(|known| known.last_completed = at)
            .or_insert_with(|| Device {
                last_completed: at,
                failures: vestibule_engine::password::PasswordFailures::default(),
            });
    }

    /// Stores a token. Of 256 random bits no two are the same, so a second one is a fault.
    pub(crate) fn check_new(&self, token: &TokenRecord) -> Result<(), StoreError> {
        if self.tokens.contains_key(&token.hash) {
            return Err(StoreError::Bug("a token with this hash is there".into()));
        }
        Ok(())
    }

    pub(crate) fn has_partial(&self, user: UserId, session: SessionId) -> bool {
        self.tokens.values().any(|token| {
            token.session == session && token.user == user && token.kind == TokenKind::Partial
        })
    }

    pub(crate) fn end_tokens_of(&mut self, user: UserId) {
        self.tokens.retain(|_, token| token.user != user);
    }

    pub(crate) fn end_partial_tokens(&mut self, ends: impl Fn(&TokenRecord) -> bool) {
        self.tokens
            .retain(|_, token| token.kind != TokenKind::Partial || !ends(token));
    }
}

/// Turns and cuts what is sorted already.
pub(crate) fn page<T>(mut sorted: Vec<T>, query: &ListQuery, total: usize) -> Listing<T> {
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let matching = count(sorted.len());
    if query.descending {
        sorted.reverse();
    }
    let items = match query.range {
        None => sorted,
        Some((first, last)) => {
            let place = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
            let wanted = place(last.saturating_add(1).saturating_sub(first));
            sorted.into_iter().skip(place(first)).take(wanted).collect()
        }
    };
    Listing {
        items,
        matching,
        total: count(total),
    }
}
