//! Providers of second factors.

use std::time::Duration;

use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;
use vestibule_engine::provider::{
    InputType, ProviderKind, RadiusMode, RadiusProtocol, RadiusSettings,
};
use vestibule_engine::{MfaProvider, MfaProviderId, NameKey, Timestamp};
use vestibule_store::{Fields, Sealed, StoreError, StoredProvider};

use crate::{integer, sealed};

/// The columns of a [`ProviderRow`], of a table or alias: `p` if it has no other name.
#[macro_export]
macro_rules! provider_columns {
    () => {
        $crate::provider_columns!(p)
    };
    ($alias:ident) => {
        $crate::columns!($alias: id, revision, name, notes, tags, input_type, kind, created, updated, hostnames, port, protocol, mode, timeout, use_user_password, require_message_authenticator, nas_identifier, source_address, status_server)
    };
}

/// The columns of a [`StoredProviderRow`], of a table or alias `p`.
#[macro_export]
macro_rules! stored_provider_columns {
    () => {
        concat!(
            $crate::provider_columns!(),
            ", p.shared_secret_key_id, p.shared_secret_sealed, p.challenge_secret_key_id,
               p.challenge_secret_sealed"
        )
    };
}

/// A provider, without its secrets.
#[derive(FromRow)]
pub struct ProviderRow {
    id: Uuid,
    revision: i64,
    name: String,
    notes: String,
    tags: Json<Vec<String>>,
    input_type: String,
    kind: String,
    created: i64,
    updated: i64,
    #[sqlx(flatten)]
    radius: RadiusRow,
}

/// What only a RADIUS provider has.
#[derive(FromRow)]
struct RadiusRow {
    hostnames: Option<Json<Vec<String>>>,
    port: Option<i64>,
    protocol: Option<String>,
    mode: Option<String>,
    timeout: Option<i64>,
    use_user_password: Option<bool>,
    require_message_authenticator: Option<bool>,
    nas_identifier: Option<String>,
    source_address: Option<String>,
    status_server: Option<bool>,
}

impl RadiusRow {
    fn read(self) -> Option<RadiusSettings> {
        let source_address = self.source_address.map(|address| address.parse());
        Some(RadiusSettings {
            hostnames: self.hostnames?.0,
            port: u16::try_from(self.port?).ok()?,
            protocol: RadiusProtocol::from_name(&self.protocol?)?,
            mode: RadiusMode::from_name(&self.mode?)?,
            timeout: Duration::from_micros(u64::try_from(self.timeout?).ok()?),
            use_user_password: self.use_user_password?,
            require_message_authenticator: self.require_message_authenticator?,
            nas_identifier: self.nas_identifier,
            source_address: source_address.transpose().ok()?,
            status_server: self.status_server?,
        })
    }
}

impl TryFrom<ProviderRow> for MfaProvider {
    type Error = StoreError;

    fn try_from(row: ProviderRow) -> Result<Self, StoreError> {
        let id = row.id;
        let wrong = || StoreError::inconsistent("mfa_providers", &id);
        let kinds = [ProviderKind::TimeBased, ProviderKind::Fido2];
        let built_in = kinds.into_iter().find(|kind| kind.as_str() == row.kind);
        let kind = built_in.or_else(|| Some(ProviderKind::Radius(row.radius.read()?)));
        Ok(Self {
            id: MfaProviderId::from_uuid(row.id),
            revision: u64::try_from(row.revision).map_err(|_| wrong())?,
            name: row.name,
            notes: row.notes,
            tags: row.tags.0,
            input_type: InputType::from_name(&row.input_type).ok_or_else(wrong)?,
            kind: kind
                .filter(|kind| kind.as_str() == row.kind)
                .ok_or_else(wrong)?,
            created: Timestamp::from_micros(row.created),
            updated: Timestamp::from_micros(row.updated),
        })
    }
}

/// A provider with its secrets.
#[derive(FromRow)]
pub struct StoredProviderRow {
    #[sqlx(flatten)]
    provider: ProviderRow,
    shared_secret_key_id: Option<Uuid>,
    shared_secret_sealed: Option<Vec<u8>>,
    challenge_secret_key_id: Option<Uuid>,
    challenge_secret_sealed: Option<Vec<u8>>,
}

impl TryFrom<StoredProviderRow> for StoredProvider {
    type Error = StoreError;

    fn try_from(row: StoredProviderRow) -> Result<Self, StoreError> {
        Ok(Self {
            provider: row.provider.try_into()?,
            shared_secret: sealed(row.shared_secret_key_id, row.shared_secret_sealed),
            challenge_secret: sealed(row.challenge_secret_key_id, row.challenge_secret_sealed),
        })
    }
}

/// A provider as it is written.
pub struct ProviderValues<'a> {
    /// The provider.
    pub provider: &'a MfaProvider,
    /// Its revision.
    pub revision: i64,
    /// Equal for all spellings of its name.
    pub name_key: String,
    /// What it can be found by.
    pub fields: Fields,
    /// How RADIUS servers are asked, if they are.
    pub radius: Option<&'a RadiusSettings>,
    /// For how many microseconds a request to them may take.
    pub timeout: Option<i64>,
    /// The sealed RADIUS secret.
    pub shared_secret: Option<&'a Sealed>,
    /// The sealed secret of the first request.
    pub challenge_secret: Option<&'a Sealed>,
}

impl<'a> TryFrom<&'a StoredProvider> for ProviderValues<'a> {
    type Error = StoreError;

    fn try_from(stored: &'a StoredProvider) -> Result<Self, StoreError> {
        let provider = &stored.provider;
        let radius = match &provider.kind {
            ProviderKind::TimeBased | ProviderKind::Fido2 => None,
            ProviderKind::Radius(radius) => Some(radius),
        };
        let timeout = radius.map(|radius| {
            let micros = u64::try_from(radius.timeout.as_micros());
            integer(micros.unwrap_or(u64::MAX))
        });
        Ok(Self {
            provider,
            revision: integer(provider.revision)?,
            name_key: NameKey::of(&provider.name).as_str().to_owned(),
            fields: Fields::from(provider),
            radius,
            timeout: timeout.transpose()?,
            shared_secret: stored.shared_secret.as_ref(),
            challenge_secret: stored.challenge_secret.as_ref(),
        })
    }
}

/// Whether a provider was not replaced because another has its name: the one thing about it that
/// must be unlike all others and can change.
pub fn is_name_taken(error: &sqlx::Error) -> bool {
    let error = error.as_database_error();
    error.is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

/// Binds [`ProviderValues`], the first 26 values of a statement: id, revision, name, name key,
/// notes, tags, type of input, kind, made, changed, search, fields; then the settings of RADIUS in
/// the order of their struct, and the two secrets, each with the id of its key first.
#[macro_export]
macro_rules! bind_provider {
    ($statement:expr, $values:expr) => {{
        let values: &$crate::ProviderValues<'_> = $values;
        let (provider, radius) = (values.provider, values.radius);
        $statement
            .bind(provider.id.uuid())
            .bind(values.revision)
            .bind(&provider.name)
            .bind(&values.name_key)
            .bind(&provider.notes)
            .bind(::sqlx::types::Json(&provider.tags))
            .bind(provider.input_type.as_str())
            .bind(provider.kind.as_str())
            .bind(provider.created.as_micros())
            .bind(provider.updated.as_micros())
            .bind(values.fields.search_text())
            .bind(::sqlx::types::Json(values.fields.all()))
            .bind(radius.map(|radius| ::sqlx::types::Json(&radius.hostnames)))
            .bind(radius.map(|radius| i64::from(radius.port)))
            .bind(radius.map(|radius| radius.protocol.as_str()))
            .bind(radius.map(|radius| radius.mode.as_str()))
            .bind(values.timeout)
            .bind(radius.map(|radius| radius.use_user_password))
            .bind(radius.map(|radius| radius.require_message_authenticator))
            .bind(radius.and_then(|radius| radius.nas_identifier.as_deref()))
            .bind(radius.and_then(|radius| Some(radius.source_address?.to_string())))
            .bind(radius.map(|radius| radius.status_server))
            .bind(values.shared_secret.map(|sealed| sealed.key_id))
            .bind(values.shared_secret.map(|sealed| sealed.bytes.as_slice()))
            .bind(values.challenge_secret.map(|sealed| sealed.key_id))
            .bind(
                values
                    .challenge_secret
                    .map(|sealed| sealed.bytes.as_slice()),
            )
    }};
}
