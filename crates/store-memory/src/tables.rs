//! What is kept, and the few things that several transactions do to it.

use std::collections::{BTreeMap, HashMap};

use vestibule_engine::mfa::Exemption;
use vestibule_engine::password::Device;
use vestibule_engine::{
    DeviceId, LocalProvider, MfaProviderId, NameKey, Push, PushId, Role, RoleId, SessionId,
    Timestamp, TokenHash, TokenKind, TokenRecord, User, UserId,
};
use vestibule_engine::{provider, role};
use vestibule_store::{
    AdminMfa, Authority, Canary, Fields, PasswordHash, ProviderVersion, Sealed, SecondFactor,
    StoreError, StoredProvider,
};

use crate::audit::AuditTables;
use crate::keys::KeyTables;

/// Everything.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) accounts: HashMap<UserId, Account>,
    pub(crate) names: BTreeMap<NameKey, UserId>,
    pub(crate) devices: HashMap<(UserId, DeviceId), Device>,
    pub(crate) factors: HashMap<UserId, SecondFactor>,
    pub(crate) tokens: HashMap<TokenHash, StoredToken>,
    pub(crate) pushes: HashMap<PushId, Push>,
    pub(crate) providers: HashMap<MfaProviderId, Provider>,
    pub(crate) roles: BTreeMap<RoleId, StoredRole>,
    pub(crate) authority: Authority,
    pub(crate) admin_mfa: Option<AdminMfa>,
    pub(crate) local_provider: LocalProvider,
    pub(crate) canary: Option<Canary>,
    pub(crate) keys: KeyTables,
    pub(crate) audit: AuditTables,
}

/// A user with what is kept beside.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) user: User,
    pub(crate) password: Option<PasswordHash>,
    /// What the user can be found by.
    pub(crate) fields: Fields,
}

/// A token with what is kept beside.
#[derive(Clone, Debug)]
pub(crate) struct StoredToken {
    pub(crate) record: TokenRecord,
    pub(crate) dialogue: Option<Sealed>,
}

/// A provider with what is kept beside.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) stored: StoredProvider,
    pub(crate) name_key: NameKey,
    /// What the provider can be found by.
    pub(crate) fields: Fields,
}

/// A role with what is kept beside.
#[derive(Debug)]
pub(crate) struct StoredRole {
    pub(crate) role: Role,
    /// What the role can be found by.
    pub(crate) fields: Fields,
}

impl From<Role> for StoredRole {
    fn from(role: Role) -> Self {
        let fields = Fields::from(&role);
        Self { role, fields }
    }
}

impl Default for Tables {
    /// The tables of a new store: nothing but the built-in providers and roles.
    fn default() -> Self {
        let providers = provider::built_in().map(|provider| {
            let stored = StoredProvider {
                provider,
                shared_secret: None,
                challenge_secret: None,
            };
            (stored.provider.id, Provider::from(stored))
        });
        let roles = role::built_in().map(|role| (role.id, StoredRole::from(role)));
        Self {
            accounts: HashMap::new(),
            names: BTreeMap::new(),
            devices: HashMap::new(),
            factors: HashMap::new(),
            tokens: HashMap::new(),
            pushes: HashMap::new(),
            providers: HashMap::from(providers),
            roles: BTreeMap::from(roles),
            authority: Authority::default(),
            admin_mfa: None,
            local_provider: LocalProvider::built_in(),
            canary: None,
            keys: KeyTables::default(),
            audit: AuditTables::default(),
        }
    }
}

impl Tables {
    /// Those of these roles that there are, in the order of their ids.
    pub(crate) fn roles_among<'t>(&'t self, ids: &'t [RoleId]) -> impl Iterator<Item = &'t Role> {
        let all = self.roles.values().map(|stored| &stored.role);
        all.filter(|role| ids.contains(&role.id))
    }

    /// Whether what was decided at an authority is out of date.
    pub(crate) fn has_moved_since(&self, authority: Authority) -> bool {
        self.authority != authority
    }

    pub(crate) fn account_by_name(&self, name: &NameKey) -> Option<&Account> {
        self.accounts.get(self.names.get(name)?)
    }

    pub(crate) fn factor(&self, user: UserId) -> SecondFactor {
        self.factors.get(&user).cloned().unwrap_or_default()
    }

    pub(crate) fn provider(&self) -> Option<MfaProviderId> {
        self.admin_mfa.as_ref()?.provider
    }

    /// The provider of the settings, as it is configured now.
    pub(crate) fn provider_version(&self) -> Option<ProviderVersion> {
        let provider = &self.providers.get(&self.provider()?)?.stored.provider;
        Some(ProviderVersion {
            id: provider.id,
            revision: provider.revision,
        })
    }

    /// Ends the exemptions that are bound to a user.
    pub(crate) fn end_exemptions(&mut self, user: UserId) {
        let entries = self
            .admin_mfa
            .iter_mut()
            .flat_map(|settings| &mut settings.exempted);
        for entry in entries.filter(|entry| entry.user == Some(user)) {
            entry.user = None;
        }
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

    /// Of 256 random bits no two are the same, so a second token with a hash is a fault.
    pub(crate) fn check_new(&self, token: &TokenRecord) -> Result<(), StoreError> {
        if self.tokens.contains_key(&token.hash) {
            return Err(StoreError::Bug("a token with this hash is there".into()));
        }
        Ok(())
    }

    /// Stores a token, as [`Tables::check_new`] allows.
    pub(crate) fn insert_token(&mut self, record: &TokenRecord) {
        let token = StoredToken {
            record: record.clone(),
            dialogue: None,
        };
        self.tokens.insert(record.hash, token);
    }

    /// The partial tokens of a session of a user: one, or none.
    pub(crate) fn partial_tokens(
        &mut self,
        user: UserId,
        session: SessionId,
    ) -> impl Iterator<Item = &mut StoredToken> {
        self.tokens.values_mut().filter(move |token| {
            let token = &token.record;
            token.session == session && token.user == user && token.kind == TokenKind::Partial
        })
    }

    pub(crate) fn has_partial(&mut self, user: UserId, session: SessionId) -> bool {
        self.partial_tokens(user, session).next().is_some()
    }

    pub(crate) fn end_tokens(&mut self, ends: impl Fn(&TokenRecord) -> bool) {
        self.tokens.retain(|_, token| !ends(&token.record));
    }

    pub(crate) fn end_partial_tokens(&mut self, ends: impl Fn(&TokenRecord) -> bool) {
        self.end_tokens(|token| token.kind == TokenKind::Partial && ends(token));
    }
}
