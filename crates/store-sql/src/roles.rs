//! Administrative roles.

use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;
use vestibule_engine::privilege::{
    ApplianceFunction, Privilege, PrivilegeType, Privileges, Scope, Target,
};
use vestibule_engine::{NameKey, Role, RoleId, Timestamp};
use vestibule_store::{Fields, StoreError};

/// The columns of a [`RoleRow`], of a table or alias: `r` if it has no other name.
#[macro_export]
macro_rules! role_columns {
    () => {
        $crate::role_columns!(r)
    };
    ($alias:ident) => {
        $crate::columns!($alias: id, name, notes, tags, privileges, created, updated)
    };
}

/// A privilege as it is kept.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StoredPrivilege {
    r#type: String,
    target: String,
    /// Every object, or those with these ids and tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    only: Option<StoredScope>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    default_tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    functions: Vec<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct StoredScope {
    ids: Vec<Uuid>,
    tags: Vec<String>,
}

impl From<&Privilege> for StoredPrivilege {
    fn from(privilege: &Privilege) -> Self {
        let functions = privilege.functions().iter();
        Self {
            r#type: privilege.kind().as_str().to_owned(),
            target: privilege.target().as_str().to_owned(),
            only: match privilege.scope().clone() {
                Scope::All => None,
                Scope::Some { ids, tags } => Some(StoredScope { ids, tags }),
            },
            default_tags: privilege.default_tags().to_vec(),
            functions: functions.map(|one| one.as_str().to_owned()).collect(),
        }
    }
}

impl StoredPrivilege {
    fn read(self) -> Option<Privilege> {
        let kind = PrivilegeType::from_word(&self.r#type)?;
        let target = Target::from_word(&self.target)?;
        let scope = match self.only {
            None => Scope::All,
            Some(StoredScope { ids, tags }) => Scope::Some { ids, tags },
        };
        let functions = self.functions.iter();
        let functions = functions.map(|word| ApplianceFunction::from_word(word));
        Some(
            Privilege::known(kind, target, scope)?
                .with_default_tags(self.default_tags)
                .with_functions(functions.collect::<Option<_>>()?),
        )
    }
}

/// Privileges, if each is one.
pub(crate) fn privileges(stored: impl IntoIterator<Item = StoredPrivilege>) -> Option<Privileges> {
    let each = stored.into_iter().map(StoredPrivilege::read);
    Some(Privileges::new(each.collect::<Option<_>>()?))
}

/// A role.
#[derive(FromRow)]
pub struct RoleRow {
    id: Uuid,
    name: String,
    notes: String,
    tags: Json<Vec<String>>,
    privileges: Json<Vec<StoredPrivilege>>,
    created: i64,
    updated: i64,
}

impl TryFrom<RoleRow> for Role {
    type Error = StoreError;

    fn try_from(row: RoleRow) -> Result<Self, StoreError> {
        let id = row.id;
        let privileges = privileges(row.privileges.0)
            .ok_or_else(|| StoreError::inconsistent("administrative_roles", &id))?;
        Ok(Self {
            id: RoleId::from_uuid(id),
            name: row.name,
            notes: row.notes,
            tags: row.tags.0,
            privileges,
            created: Timestamp::from_micros(row.created),
            updated: Timestamp::from_micros(row.updated),
        })
    }
}

/// A role as it is written.
pub struct RoleValues<'a> {
    /// The role.
    pub role: &'a Role,
    /// Equal for all spellings of its name.
    pub name_key: String,
    /// What its holders may do.
    pub privileges: Json<Vec<StoredPrivilege>>,
    /// Whether they may do everything.
    pub administering: bool,
    /// What it can be found by.
    pub fields: Fields,
}

impl<'a> From<&'a Role> for RoleValues<'a> {
    fn from(role: &'a Role) -> Self {
        Self {
            role,
            name_key: NameKey::of(&role.name).as_str().to_owned(),
            privileges: Json(role.privileges.iter().map(StoredPrivilege::from).collect()),
            administering: role.privileges.are_everything(),
            fields: Fields::from(role),
        }
    }
}

/// Binds [`RoleValues`], the first 11 values of a statement: id, name, name key, notes, tags,
/// privileges, whether they are everything, made, changed, search, fields.
#[macro_export]
macro_rules! bind_role {
    ($statement:expr, $values:expr) => {{
        let values: &$crate::RoleValues<'_> = $values;
        let role = values.role;
        $statement
            .bind(role.id.uuid())
            .bind(&role.name)
            .bind(&values.name_key)
            .bind(&role.notes)
            .bind(::sqlx::types::Json(&role.tags))
            .bind(&values.privileges)
            .bind(values.administering)
            .bind(role.created.as_micros())
            .bind(role.updated.as_micros())
            .bind(values.fields.search_text())
            .bind(::sqlx::types::Json(values.fields.all()))
    }};
}
