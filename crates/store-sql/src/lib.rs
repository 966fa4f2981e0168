//! What the SQL stores share: rows, what they mean, and the queue of those who ask for the same.
//!
//! A type of a row is one of any database that has the columns; the statements that yield them are
//! the stores' own, and so are those that [`Together`] has them run for many.

mod audit;
mod factors;
mod identity_providers;
mod keys;
mod providers;
mod pushes;
mod roles;
mod schema;
mod snapshot;
mod together;

use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;
use vestibule_engine::mfa::Exemption;
use vestibule_engine::password::{Device, PasswordFailures};
use vestibule_engine::{
    DeviceId, MfaProviderId, RoleId, SessionId, Timestamp, TokenHash, TokenKind, TokenRecord, User,
    UserId, UserName,
};
use vestibule_store::{
    Authority, Bearer, DialogueChange, PasswordHash, PasswordStanding, ProviderVersion, Sealed,
    StoreError,
};

pub use crate::audit::{AuditRow, OpenChainRow, SealRow};
use crate::factors::FactorRow;
pub use crate::factors::SeedRow;
pub use crate::identity_providers::LocalProviderRow;
use crate::identity_providers::LockoutRow;
pub use crate::keys::{
    CountRow, KEY_REPORTS, KEY_STATE, KeyRow, ReportRow, SEALED_COUNTS, SNAPSHOT_KEYS,
    SealedAuditKeyRow, SealedDialogueRow, SealedSeedRow, key_state, octets_after, uuid_after,
};
pub use crate::providers::{ProviderRow, ProviderValues, StoredProviderRow, is_name_taken};
pub use crate::pushes::PushRow;
use crate::roles::privileges;
pub use crate::roles::{RoleRow, RoleValues, StoredPrivilege};
pub use crate::schema::{MIGRATION_ROWS, MigrationRow, newest, schema};
pub use crate::snapshot::{Dialect, SETTINGS, TABLES, Table, fits, table};
pub use crate::together::{Failure, Ground, Item, Outcome, Together, Unanswered, Version};

/// Columns of an alias, as a statement lists them.
#[macro_export]
macro_rules! columns {
    ($alias:ident: $first:ident $(, $column:ident)*) => {
        concat!(
            stringify!($alias), ".", stringify!($first),
            $(", ", stringify!($alias), ".", stringify!($column)),*
        )
    };
}

/// The columns of a [`UserRow`], of a table or alias: `u` if it has no other name.
#[macro_export]
macro_rules! user_columns {
    () => {
        $crate::user_columns!(u)
    };
    ($alias:ident) => {
        $crate::columns!($alias: id, name, first_name, last_name, email, phone, notes, tags, disabled, failed_login_attempts, lock_start, exempt_until, roles, created, updated)
    };
}

/// Binds a [`User`](vestibule_engine::User) and a password, if there is one, the first 17 values of
/// a statement: id, name, name key, given name, family name, mail, phone, notes, tags, disabled,
/// password, failures, lock, roles, changed, search, fields.
#[macro_export]
macro_rules! bind_user {
    ($statement:expr, $user:expr, $password:expr) => {{
        let (user, password): (
            &::vestibule_engine::User,
            Option<&::vestibule_store::PasswordHash>,
        ) = ($user, $password);
        let failures = user.password_failures;
        let fields = ::vestibule_store::Fields::from(user);
        $statement
            .bind(user.id.uuid())
            .bind(user.name.as_str())
            .bind(user.name.key().as_str().to_owned())
            .bind(&user.first_name)
            .bind(&user.last_name)
            .bind(&user.email)
            .bind(&user.phone)
            .bind(&user.notes)
            .bind(::sqlx::types::Json(&user.tags))
            .bind(user.disabled)
            .bind(password.map(::vestibule_store::PasswordHash::expose))
            .bind(i64::from(failures.count))
            .bind(
                failures
                    .lock_start
                    .map(::vestibule_engine::Timestamp::as_micros),
            )
            .bind($crate::stored_roles(user))
            .bind(user.updated.as_micros())
            .bind(fields.search_text())
            .bind(::sqlx::types::Json(fields.all().clone()))
    }};
}

/// A user.
#[derive(FromRow)]
pub struct UserRow {
    id: Uuid,
    name: String,
    first_name: String,
    last_name: String,
    email: Option<String>,
    phone: Option<String>,
    notes: String,
    tags: Json<Vec<String>>,
    disabled: bool,
    failed_login_attempts: i64,
    lock_start: Option<i64>,
    exempt_until: Option<i64>,
    roles: Json<Vec<String>>,
    created: i64,
    updated: i64,
}

impl TryFrom<UserRow> for User {
    type Error = StoreError;

    fn try_from(row: UserRow) -> Result<Self, StoreError> {
        let id = row.id;
        let wrong = || StoreError::inconsistent("users", &id);
        let roles = row.roles.0.iter().map(|role| role.parse::<RoleId>());
        Ok(Self {
            id: UserId::from_uuid(row.id),
            name: UserName::new(row.name).map_err(|_| wrong())?,
            first_name: row.first_name,
            last_name: row.last_name,
            email: row.email,
            phone: row.phone,
            notes: row.notes,
            tags: row.tags.0,
            disabled: row.disabled,
            password_failures: failures(row.failed_login_attempts, row.lock_start)
                .ok_or_else(wrong)?,
            exempt_until: time(row.exempt_until),
            roles: roles.collect::<Result<_, _>>().map_err(|_| wrong())?,
            created: Timestamp::from_micros(row.created),
            updated: Timestamp::from_micros(row.updated),
        })
    }
}

/// What decides over a sign-in.
#[derive(FromRow)]
pub struct StandingRow {
    #[sqlx(flatten)]
    user: UserRow,
    password_hash: Option<String>,
    last_completed: Option<i64>,
    device_failures: Option<i64>,
    device_lock_start: Option<i64>,
    #[sqlx(flatten)]
    lockout: LockoutRow,
    provider: Option<Uuid>,
    #[sqlx(flatten)]
    settings: SettingsRow,
    listed: bool,
}

impl TryFrom<StandingRow> for PasswordStanding {
    type Error = StoreError;

    fn try_from(row: StandingRow) -> Result<Self, StoreError> {
        row.settings.are_there()?;
        let user = User::try_from(row.user)?;
        let device = match (row.last_completed, row.device_failures) {
            (Some(at), Some(count)) => Some(Device {
                last_completed: Timestamp::from_micros(at),
                failures: failures(count, row.device_lock_start)
                    .ok_or_else(|| StoreError::inconsistent("known_devices", &user.id))?,
            }),
            _ => None,
        };
        Ok(Self {
            exemption: Exemption {
                listed: row.listed,
                until: user.exempt_until,
            },
            user,
            password: row.password_hash.map(PasswordHash::new),
            device,
            lockout: row.lockout.read()?,
            provider: row.provider.map(MfaProviderId::from_uuid),
        })
    }
}

/// How many rows the settings of the second factor have: one, always.
#[derive(FromRow)]
struct SettingsRow {
    settings: i64,
}

impl SettingsRow {
    /// Where they are gone, nobody knows of whom a second factor is due, and nobody gets in.
    fn are_there(&self) -> Result<(), StoreError> {
        match self.settings {
            1 => Ok(()),
            _ => Err(StoreError::inconsistent("admin_mfa", "settings")),
        }
    }
}

/// What is known of the bearer of a token.
#[derive(FromRow)]
pub struct BearerRow {
    #[sqlx(flatten)]
    token: TokenRow,
    #[sqlx(flatten)]
    user: UserRow,
    /// What each of the user's roles allows.
    allowed: Option<Json<Vec<Vec<StoredPrivilege>>>>,
    authority: i64,
    #[sqlx(flatten)]
    factor: FactorRow,
    provider: Option<Uuid>,
    provider_revision: Option<i64>,
    #[sqlx(flatten)]
    settings: SettingsRow,
    listed: bool,
    dialogue_key_id: Option<Uuid>,
    dialogue_sealed: Option<Vec<u8>>,
    device_completed: Option<i64>,
}

impl TryFrom<BearerRow> for Bearer {
    type Error = StoreError;

    fn try_from(row: BearerRow) -> Result<Self, StoreError> {
        row.settings.are_there()?;
        let user = User::try_from(row.user)?;
        let provider = row.provider.zip(row.provider_revision);
        let provider = provider.map(|(id, revision)| {
            let wrong = |_| StoreError::inconsistent("mfa_providers", &id);
            Ok(ProviderVersion {
                id: MfaProviderId::from_uuid(id),
                revision: u64::try_from(revision).map_err(wrong)?,
            })
        });
        let allowed = row.allowed.map(|Json(roles)| roles).unwrap_or_default();
        Ok(Self {
            token: row.token.read(user.id)?,
            privileges: privileges(allowed.into_iter().flatten())
                .ok_or_else(|| StoreError::inconsistent("administrative_roles", &user.id))?,
            authority: authority(row.authority)?,
            provider: provider.transpose()?,
            dialogue: sealed(row.dialogue_key_id, row.dialogue_sealed),
            exemption: Exemption {
                listed: row.listed,
                until: user.exempt_until,
            },
            factor: row
                .factor
                .read()
                .ok_or_else(|| StoreError::inconsistent("second_factors", &user.id))?,
            device_completed: time(row.device_completed),
            user,
        })
    }
}

#[derive(FromRow)]
struct TokenRow {
    hash: Vec<u8>,
    session: Uuid,
    device_id: Uuid,
    kind: String,
    expires: i64,
    session_expires: i64,
}

impl TokenRow {
    fn read(self, user: UserId) -> Result<TokenRecord, StoreError> {
        let wrong = || StoreError::inconsistent("tokens", &self.session);
        let hash: [u8; 32] = self.hash.as_slice().try_into().map_err(|_| wrong())?;
        Ok(TokenRecord {
            hash: TokenHash::restore(hash),
            session: SessionId::from_uuid(self.session),
            user,
            device: DeviceId::from_uuid(self.device_id),
            kind: TokenKind::from_name(&self.kind).ok_or_else(wrong)?,
            expires: Timestamp::from_micros(self.expires),
            session_expires: Timestamp::from_micros(self.session_expires),
        })
    }
}

fn time(micros: Option<i64>) -> Option<Timestamp> {
    micros.map(Timestamp::from_micros)
}

fn sealed(key_id: Option<Uuid>, bytes: Option<Vec<u8>>) -> Option<Sealed> {
    let (key_id, bytes) = key_id.zip(bytes)?;
    Some(Sealed { key_id, bytes })
}

fn failures(count: i64, lock_start: Option<i64>) -> Option<PasswordFailures> {
    Some(PasswordFailures {
        count: u32::try_from(count).ok()?,
        lock_start: time(lock_start),
    })
}

/// The roles of a user, as they are kept.
pub fn stored_roles(user: &User) -> Json<Vec<String>> {
    Json(user.roles.iter().map(ToString::to_string).collect())
}

/// The authority, as it is kept.
///
/// # Errors
/// When it is none.
pub fn authority(number: i64) -> Result<Authority, StoreError> {
    let wrong = |_| StoreError::inconsistent("admin_mfa", &"authority");
    Ok(Authority(u64::try_from(number).map_err(wrong)?))
}

/// A number as the databases keep it.
///
/// # Errors
/// When it does not fit, which is a fault of ours.
pub fn integer(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|error| StoreError::Bug(Box::new(error)))
}

/// The dialogue that takes the place of the one that is there, or none; `None` when that stays.
pub const fn new_dialogue(change: &DialogueChange) -> Option<Option<&Sealed>> {
    match change {
        DialogueChange::Keep => None,
        DialogueChange::End => Some(None),
        DialogueChange::Store(sealed) => Some(Some(sealed)),
    }
}

/// The offset and the limit of a range.
pub fn window(range: Option<(u64, u64)>) -> (i64, i64) {
    let clamped = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    match range {
        None => (0, i64::MAX),
        Some((first, last)) => {
            let wanted = last.saturating_add(1).saturating_sub(first);
            (clamped(first), clamped(wanted))
        }
    }
}
