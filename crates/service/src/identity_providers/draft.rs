//! A provider of identities as it was asked for, and what is wrong with it.

use std::ops::RangeInclusive;

use vestibule_engine::identity::{LOCAL, MinPasswordLength};
use vestibule_engine::invalid::Fields;
use vestibule_engine::password::LockoutPolicy;
use vestibule_engine::subject::LOCAL_PROVIDER;
use vestibule_engine::user::BUILTIN_TAG;
use vestibule_engine::{FieldErrors, IdentityProviderId, LocalProvider, Timestamp};

use super::{ClaimMapping, NOT_OURS};
use crate::labels;
use crate::number::whole;

/// A provider of identities as it was asked for. What is absent has its default.
#[derive(Debug, Default)]
pub struct IdentityProviderDraft {
    /// The id.
    pub id: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// What it does.
    pub kind: Option<String>,
    /// What administrators wrote down.
    pub notes: Option<String>,
    /// Labels.
    pub tags: Vec<String>,
    /// Whether administrators sign in with it.
    pub admin_provider: Option<bool>,
    /// Failures in a row that lock.
    pub lockout_threshold: Option<f64>,
    /// For how many minutes.
    pub lockout_minutes: Option<f64>,
    /// Characters that a new password must have.
    pub min_password_length: Option<f64>,
    /// The pool of IPv4 addresses.
    pub ip_pool_v4: Option<String>,
    /// The pool of IPv6 addresses.
    pub ip_pool_v6: Option<String>,
    /// How many devices a user may have.
    pub device_limit_per_user: Option<f64>,
    /// Minutes after which idle clients sign out.
    pub inactivity_timeout_minutes: Option<f64>,
    /// Which claims users get.
    pub claim_mappings: Option<Vec<ClaimMapping>>,
    /// Fields of the API that do nothing here, and ask for something.
    pub unsupported: Vec<&'static str>,
}

/// What the API calls the type of the built-in provider.
pub const LOCAL_TYPE: &str = "LocalDatabase";

impl IdentityProviderDraft {
    /// The built-in provider as it was asked for.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) fn replacing_local(&self, now: Timestamp) -> Result<LocalProvider, FieldErrors> {
        let mut fields = Fields::default();
        let provider = self.common(Some(LOCAL), now, &mut fields);
        let is_other = |text: &Option<String>, ours| text.as_ref().is_some_and(|text| text != ours);
        if is_other(&self.name, LOCAL_PROVIDER) {
            fields.refuse("name", "may not be changed: it is built in");
        }
        if is_other(&self.kind, LOCAL_TYPE) {
            fields.refuse("type", "may not be changed");
        }
        if self.admin_provider == Some(false) {
            fields.refuse(
                "adminProvider",
                "must be true: administrators sign in with nothing else",
            );
        }
        NOT_OURS.check(self, &mut fields);
        fields.finish(|| provider)
    }

    /// Finds what is wrong with a draft for a provider that is not there, whatever that was.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) fn replacing_nothing(
        &self,
        path: Option<IdentityProviderId>,
    ) -> Result<(), FieldErrors> {
        let mut fields = Fields::default();
        self.common(path, Timestamp::from_micros(0), &mut fields);
        fields.finish(|| Some(()))
    }

    /// What is wrong with a draft of a new provider: its type, if nothing else.
    pub(super) fn refused(&self) -> FieldErrors {
        let mut fields = Fields::default();
        self.common(None, Timestamp::from_micros(0), &mut fields);
        let refusal = "cannot be made: only the built-in provider exists";
        if self.kind.is_some() {
            fields.refuse("type", refusal);
        }
        fields
            .finish(|| None::<()>)
            .err()
            .unwrap_or_else(|| FieldErrors::one("type", refusal))
    }

    /// What every provider has; `path` is the id in the path, if it is one.
    fn common(
        &self,
        path: Option<IdentityProviderId>,
        now: Timestamp,
        fields: &mut Fields,
    ) -> Option<LocalProvider> {
        let id = self.id.as_deref().map(str::parse::<IdentityProviderId>);
        let id = id.and_then(|id| fields.check("id", id.map_err(|_| "is not a UUID")));
        if path.is_some() && id.is_some() && id != path {
            fields.refuse("id", "is not the id in the path");
        }
        fields.required("name", self.name.as_ref());
        fields.required("type", self.kind.as_ref());
        let notes = self.notes.clone().unwrap_or_default();
        labels::check(&notes, &self.tags, fields);
        let mut tags = self.tags.clone();
        if !tags.iter().any(|tag| tag == BUILTIN_TAG) {
            tags.insert(0, BUILTIN_TAG.to_owned());
        }
        let usual = LockoutPolicy::default();
        let mut number =
            |field, number: Option<f64>, range: RangeInclusive<u32>, usual| match number {
                None => Some(usual),
                Some(number) => fields.check(field, whole(number, range)),
            };
        let threshold = number(
            "userLockoutThreshold",
            self.lockout_threshold,
            LockoutPolicy::THRESHOLDS,
            usual.threshold(),
        );
        let minutes = number(
            "userLockoutDurationMinutes",
            self.lockout_minutes,
            LockoutPolicy::MINUTES,
            usual.minutes(),
        );
        let length = number(
            "minPasswordLength",
            self.min_password_length,
            MinPasswordLength::LENGTHS,
            MinPasswordLength::default().characters(),
        );
        Some(LocalProvider {
            notes,
            tags,
            lockout: LockoutPolicy::new(threshold?, minutes?)?,
            min_password_length: MinPasswordLength::new(length?)?,
            updated: now,
        })
    }
}
