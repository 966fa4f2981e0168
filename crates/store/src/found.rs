//! What objects can be found by: texts in lower case, each under the name of a field.

use std::collections::BTreeMap;

use vestibule_engine::identity::LOCAL;
use vestibule_engine::provider::ProviderKind;
use vestibule_engine::subject::LOCAL_PROVIDER;
use vestibule_engine::{DistinguishedName, LocalProvider, MfaProvider, Role, User};

use crate::{Filter, ListQuery};

/// The texts of an object, by the names of its fields on the wire. A filter looks in one of them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Fields(BTreeMap<&'static str, String>);

/// The fields that a query without a field's name looks in.
const SEARCHED: [&str; 5] = ["name", "notes", "id", "userDistinguishedName", "tags"];

impl Fields {
    fn new<const N: usize>(fields: [(&'static str, String); N]) -> Self {
        Self(
            fields
                .map(|(name, text)| (name, text.to_lowercase()))
                .into(),
        )
    }

    /// Each of them.
    pub const fn all(&self) -> &BTreeMap<&'static str, String> {
        &self.0
    }

    /// One of them.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Whether the queries and filters of a list find the object.
    pub fn are_found_by(&self, query: &ListQuery) -> bool {
        let search = self.search_text();
        let holds = |filter: &Filter| {
            let text = self.get(filter.field);
            text.is_some_and(|text| text.contains(&filter.text))
        };
        query.queries.iter().all(|part| search.contains(part)) && query.filters.iter().all(holds)
    }

    /// What a query without a field's name is looked for in.
    pub fn search_text(&self) -> String {
        let searched = SEARCHED.iter().filter_map(|name| self.get(name));
        searched.collect::<Vec<_>>().join("\n")
    }
}

/// Several texts as one, in which none of them runs into the next.
fn lines(texts: &[String]) -> String {
    texts.join("\n")
}

impl From<&User> for Fields {
    fn from(user: &User) -> Self {
        let name = user.name.key().as_str().to_owned();
        Self::new([
            ("id", user.id.to_string()),
            ("username", name.clone()),
            ("name", name),
            ("providerName", LOCAL_PROVIDER.to_owned()),
            (
                "userDistinguishedName",
                DistinguishedName::local(&user.name).to_string(),
            ),
            ("firstName", user.first_name.clone()),
            ("lastName", user.last_name.clone()),
            ("email", user.email.clone().unwrap_or_default()),
            ("phone", user.phone.clone().unwrap_or_default()),
            ("disabled", user.disabled.to_string()),
            ("notes", user.notes.clone()),
            ("tags", lines(&user.tags)),
        ])
    }
}

impl From<&MfaProvider> for Fields {
    fn from(provider: &MfaProvider) -> Self {
        let hostnames = match &provider.kind {
            ProviderKind::Radius(settings) => lines(&settings.hostnames),
            ProviderKind::TimeBased | ProviderKind::Fido2 => String::new(),
        };
        Self::new([
            ("id", provider.id.to_string()),
            ("name", provider.name.clone()),
            ("type", provider.kind.as_str().to_owned()),
            ("inputType", provider.input_type.as_str().to_owned()),
            ("hostnames", hostnames),
            ("notes", provider.notes.clone()),
            ("tags", lines(&provider.tags)),
        ])
    }
}

impl From<&LocalProvider> for Fields {
    fn from(provider: &LocalProvider) -> Self {
        Self::new([
            ("id", LOCAL.to_string()),
            ("name", LOCAL_PROVIDER.to_owned()),
            ("notes", provider.notes.clone()),
            ("tags", lines(&provider.tags)),
        ])
    }
}

impl From<&Role> for Fields {
    fn from(role: &Role) -> Self {
        Self::new([
            ("id", role.id.to_string()),
            ("name", role.name.clone()),
            ("notes", role.notes.clone()),
            ("tags", lines(&role.tags)),
        ])
    }
}
