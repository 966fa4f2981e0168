//! A provider as it was asked for, and what is wrong with it.

use vestibule_engine::invalid::Fields;
use vestibule_engine::provider::{InputType, ProviderKind};
use vestibule_engine::user::BUILTIN_TAG;
use vestibule_engine::{FieldErrors, MfaProvider, MfaProviderId, Secret, Timestamp};

use super::secrets::RadiusSecrets;
use super::servers::Base;
use crate::labels;

/// A provider as it was asked for. What is absent has its default, but for what says otherwise.
#[derive(Debug, Default)]
pub struct MfaProviderDraft {
    /// The id. Of a new provider, if the client chose one.
    pub id: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// What administrators wrote down.
    pub notes: Option<String>,
    /// Labels.
    pub tags: Vec<String>,
    /// What it does.
    pub kind: Option<String>,
    /// How clients show what is typed.
    pub input_type: Option<String>,
    /// Names or addresses of the servers.
    pub hostnames: Option<Vec<String>>,
    /// The UDP port.
    pub port: Option<f64>,
    /// The secret that is shared with the servers; the stored one if absent.
    pub shared_secret: Option<Secret<String>>,
    /// How what the user types goes over the wire.
    pub protocol: Option<String>,
    /// For how long one request may take, in seconds.
    pub timeout: Option<f64>,
    /// What is asked for.
    pub mode: Option<String>,
    /// Whether the first request carries the user's password.
    pub use_user_password: bool,
    /// What the first request carries otherwise; the stored one if absent.
    pub challenge_secret: Option<Secret<String>>,
    /// Whether answers without Message-Authenticator are discarded; as it is stored if absent.
    pub require_message_authenticator: Option<bool>,
    /// NAS-Identifier of the requests; as it is stored if absent, none if empty.
    pub nas_identifier: Option<String>,
    /// The address that requests are sent from; as it is stored if absent, none if empty.
    pub source_address: Option<String>,
    /// Whether the servers answer Status-Server; as it is stored if absent.
    pub status_server: Option<bool>,
}

/// A provider that makes sense. Only one that asks RADIUS servers has secrets.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) provider: MfaProvider,
    pub(super) secrets: Option<RadiusSecrets>,
}

/// What every provider has.
struct Common {
    name: String,
    notes: String,
    tags: Vec<String>,
    input_type: InputType,
}

const RADIUS: &str = "Radius";
const BUILT_IN: [&str; 2] = ["DefaultTimeBased", "Fido2"];

impl MfaProviderDraft {
    /// The provider that was asked for, as a new one. `built_in` is what is wrong with the types
    /// that are, to be read after the name of the field.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) fn new_provider(
        &self,
        new_id: MfaProviderId,
        now: Timestamp,
        base: Base<'_>,
        built_in: &'static str,
    ) -> Result<Checked, FieldErrors> {
        let mut fields = Fields::default();
        let id = match &self.id {
            None => Some(new_id),
            Some(id) => fields.check("id", parse_id(id)),
        };
        let common = self.common(InputType::Masked, &mut fields);
        let mut asks_servers = true;
        match fields.required("type", self.kind.as_deref()) {
            None | Some(RADIUS) => {}
            Some(kind) if BUILT_IN.contains(&kind) => {
                fields.refuse("type", built_in);
                asks_servers = false;
            }
            Some(_) => fields.refuse("type", "must be Radius"),
        }
        let servers = asks_servers.then(|| self.servers(base, &mut fields));
        fields.finish(|| {
            let (settings, secrets) = servers??;
            let common = common?;
            Some(Checked {
                provider: MfaProvider {
                    id: id?,
                    // A provider that is deleted and made again with its id is another one.
                    revision: u64::try_from(now.as_micros()).ok()?,
                    name: common.name,
                    notes: common.notes,
                    tags: common.tags,
                    input_type: common.input_type,
                    kind: ProviderKind::Radius(settings),
                    created: now,
                    updated: now,
                },
                secrets: Some(secrets),
            })
        })
    }

    /// The provider that was asked for, in the place of a stored one.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) fn replacing(
        &self,
        stored: &MfaProvider,
        base: Base<'_>,
        now: Timestamp,
    ) -> Result<Checked, FieldErrors> {
        let mut fields = Fields::default();
        self.check_id(Some(stored.id), &mut fields);
        let common = self.common(usual_input(&stored.kind), &mut fields);
        let kind = fields.required("type", self.kind.as_deref());
        if kind.is_some_and(|kind| kind != stored.kind.as_str()) {
            fields.refuse("type", "may not be changed");
        }
        let does = match &stored.kind {
            ProviderKind::TimeBased | ProviderKind::Fido2 => {
                if common.as_ref().is_some_and(|new| new.name != stored.name) {
                    fields.refuse("name", "may not be changed: it is built in");
                }
                Some((stored.kind.clone(), None))
            }
            ProviderKind::Radius(_) => self
                .servers(base, &mut fields)
                .map(|(settings, secrets)| (ProviderKind::Radius(settings), Some(secrets))),
        };
        fields.finish(|| {
            let (kind, secrets) = does?;
            let Common {
                name,
                notes,
                mut tags,
                input_type,
            } = common?;
            if kind.is_built_in() && !tags.iter().any(|tag| tag == BUILTIN_TAG) {
                tags.insert(0, BUILTIN_TAG.to_owned());
            }
            Some(Checked {
                provider: MfaProvider {
                    id: stored.id,
                    revision: stored.revision.checked_add(1)?,
                    name,
                    notes,
                    tags,
                    input_type,
                    kind,
                    created: stored.created,
                    updated: now,
                },
                secrets,
            })
        })
    }

    /// Whether nothing but the tags of a provider changes.
    pub(super) fn only_retags(&self, before: &MfaProvider, after: &MfaProvider) -> bool {
        let retagged = MfaProvider {
            tags: after.tags.clone(),
            updated: after.updated,
            revision: after.revision,
            ..before.clone()
        };
        self.shared_secret.is_none() && self.challenge_secret.is_none() && *after == retagged
    }

    /// Finds what is wrong with a draft for a provider that is not there, whatever that was.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) fn replacing_nothing(
        &self,
        has_path: bool,
        id: Option<MfaProviderId>,
    ) -> Result<(), FieldErrors> {
        let mut fields = Fields::default();
        if !has_path {
            fields.required("id", self.id.as_deref());
        }
        self.check_id(id, &mut fields);
        self.common(InputType::Masked, &mut fields);
        let kind = fields.required("type", self.kind.as_deref());
        let built_in = kind.is_some_and(|kind| BUILT_IN.contains(&kind));
        if kind.is_some_and(|kind| kind != RADIUS) && !built_in {
            fields.refuse("type", "must be Radius, DefaultTimeBased or Fido2");
        }
        if !built_in {
            self.servers(Base::unknown(), &mut fields);
        }
        fields.finish(|| Some(()))
    }

    fn check_id(&self, path: Option<MfaProviderId>, fields: &mut Fields) {
        let id = self.id.as_deref().map(parse_id);
        let id = id.and_then(|id| fields.check("id", id));
        if path.is_some() && id.is_some() && id != path {
            fields.refuse("id", "is not the id in the path");
        }
    }

    fn common(&self, usual_input: InputType, fields: &mut Fields) -> Option<Common> {
        let name = fields.required("name", self.name.as_deref());
        let name = name.and_then(|name| fields.check("name", labels::good_name(name)));
        let notes = self.notes.as_deref().unwrap_or_default();
        labels::check(notes, &self.tags, fields);
        let input_type = one_of(
            self.input_type.as_deref(),
            usual_input,
            InputType::ALL,
            InputType::as_str,
        );
        let input_type = fields.check("inputType", input_type);
        Some(Common {
            name: name?.to_owned(),
            notes: notes.to_owned(),
            tags: self.tags.clone(),
            input_type: input_type?,
        })
    }
}

/// How clients show what is typed, unless somebody has chosen otherwise.
const fn usual_input(kind: &ProviderKind) -> InputType {
    match kind {
        ProviderKind::TimeBased => InputType::Numeric,
        ProviderKind::Fido2 | ProviderKind::Radius(_) => InputType::Masked,
    }
}

fn parse_id(id: &str) -> Result<MfaProviderId, &'static str> {
    id.parse().or(Err("is not a UUID"))
}

/// The one of `all` that has the name `text`; the usual one if there is no text.
pub(super) fn one_of<T: Copy>(
    text: Option<&str>,
    usual: T,
    all: &[T],
    name: fn(T) -> &'static str,
) -> Result<T, String> {
    let Some(text) = text else {
        return Ok(usual);
    };
    all.iter()
        .copied()
        .find(|one| name(*one) == text)
        .ok_or_else(|| {
            let names: Vec<_> = all.iter().copied().map(name).collect();
            format!("must be one of {}", names.join(", "))
        })
}
