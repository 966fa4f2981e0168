//! What a bearer may do: privileges of a type on a target within a scope.

mod kinds;
mod matrix;

pub use kinds::{ApplianceFunction, PrivilegeType, Target};
pub use matrix::{Scopable, allowed};

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::RoleId;
use crate::invalid::Fields;

/// Which objects of a target a privilege is about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Scope {
    /// Every one.
    All,
    /// Those with one of these ids or one of these tags.
    Some {
        /// Ids of objects.
        ids: BTreeSet<Uuid>,
        /// Tags that objects bear.
        tags: BTreeSet<String>,
    },
}

impl Scope {
    /// Whether everything in `other` is in this scope too.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (Self::Some { .. }, Self::All) => false,
            (
                Self::Some { ids, tags },
                Self::Some {
                    ids: other_ids,
                    tags: other_tags,
                },
            ) => ids.is_superset(other_ids) && tags.is_superset(other_tags),
        }
    }

    /// Whether an object with this id and these tags is in the scope.
    pub fn holds(&self, id: Uuid, object_tags: &[String]) -> bool {
        match self {
            Self::All => true,
            Self::Some { ids, tags } => {
                ids.contains(&id) || object_tags.iter().any(|tag| tags.contains(tag))
            }
        }
    }

    /// The scope of what is in either.
    fn or(self, other: &Self) -> Self {
        match (self, other) {
            (Self::All, _) | (_, Self::All) => Self::All,
            (
                Self::Some { mut ids, mut tags },
                Self::Some {
                    ids: more_ids,
                    tags: more_tags,
                },
            ) => {
                ids.extend(more_ids);
                tags.extend(more_tags.iter().cloned());
                Self::Some { ids, tags }
            }
        }
    }

    fn empty() -> Self {
        Self::Some {
            ids: BTreeSet::new(),
            tags: BTreeSet::new(),
        }
    }
}

/// One privilege.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Privilege {
    kind: PrivilegeType,
    target: Target,
    scope: Scope,
    default_tags: BTreeSet<String>,
    functions: BTreeSet<ApplianceFunction>,
}

impl Privilege {
    /// A privilege that the type-target map has room for.
    ///
    /// # Errors
    /// Notes in `fields`, under `path`, a target that the type does not have, and a scope where
    /// none is possible.
    pub fn new(
        kind: PrivilegeType,
        target: Target,
        scope: Scope,
        path: &str,
        fields: &mut Fields,
    ) -> Option<Self> {
        let Some(scopable) = allowed(kind, target) else {
            fields.refuse(
                format!("{path}.target"),
                format!("is not a target of the type {}", kind.as_str()),
            );
            return None;
        };
        if scope != Scope::All && scopable == Scopable::No {
            fields.refuse(format!("{path}.scope"), "is not possible for this target");
            return None;
        }
        Some(Self {
            kind,
            target,
            scope,
            default_tags: BTreeSet::new(),
            functions: BTreeSet::new(),
        })
    }

    /// The same privilege, with tags that are added to what its holder creates.
    pub fn with_default_tags(self, default_tags: BTreeSet<String>) -> Self {
        Self {
            default_tags,
            ..self
        }
    }

    /// The same privilege, with the functions that its holder may assign.
    pub fn with_functions(self, functions: BTreeSet<ApplianceFunction>) -> Self {
        Self { functions, ..self }
    }

    /// Everything on everything.
    pub const fn everything() -> Self {
        Self {
            kind: PrivilegeType::All,
            target: Target::All,
            scope: Scope::All,
            default_tags: BTreeSet::new(),
            functions: BTreeSet::new(),
        }
    }

    /// What may be done.
    pub const fn kind(&self) -> PrivilegeType {
        self.kind
    }

    /// To what.
    pub const fn target(&self) -> Target {
        self.target
    }

    /// To which of them.
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// What is added to the tags of what the holder creates.
    pub const fn default_tags(&self) -> &BTreeSet<String> {
        &self.default_tags
    }

    /// What the holder may assign to an appliance.
    pub const fn functions(&self) -> &BTreeSet<ApplianceFunction> {
        &self.functions
    }

    /// Whether it is about doing `kind` to `target`.
    fn is_about(&self, kind: PrivilegeType, target: Target) -> bool {
        (self.kind == PrivilegeType::All || self.kind == kind)
            && (self.target == Target::All || self.target == target)
    }

    /// Whether its holder holds `other` with it.
    fn covers(&self, other: &Self) -> bool {
        self.is_about(other.kind, other.target)
            && self.scope.covers(&other.scope)
            && (self.kind == PrivilegeType::All || self.functions.is_superset(&other.functions))
    }
}

/// All that a user holds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Privileges(Vec<Privilege>);

/// How far someone may do a thing to a target.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reach {
    /// Not at all.
    Nothing,
    /// To the objects of a scope.
    Within(Scope),
    /// To every object, those that do not exist included.
    Everything,
}

impl Privileges {
    /// These privileges together.
    pub const fn new(privileges: Vec<Privilege>) -> Self {
        Self(privileges)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Privilege> {
        self.0.iter()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How far the holder may do `kind` to `target`.
    pub fn reach(&self, kind: PrivilegeType, target: Target) -> Reach {
        let mut about = self.iter().filter(|p| p.is_about(kind, target)).peekable();
        if about.peek().is_none() {
            return Reach::Nothing;
        }
        match about.fold(Scope::empty(), |scope, p| scope.or(&p.scope)) {
            Scope::All => Reach::Everything,
            scope @ Scope::Some { .. } => Reach::Within(scope),
        }
    }

    /// Whether the holder holds all of `other`, and so may grant it, or act on one who has it.
    pub fn cover(&self, other: &Self) -> bool {
        other
            .iter()
            .all(|wanted| self.iter().any(|p| p.covers(wanted)))
    }

    /// Whether the holder may do everything to everything.
    pub fn are_everything(&self) -> bool {
        self.cover(&Self::new(vec![Privilege::everything()]))
    }
}

/// The built-in role that may do everything.
pub const SYSTEM_ADMINISTRATION: RoleId =
    RoleId::from_uuid(Uuid::from_u128(0xb0ad_bc60_7ed4_11e4_b4a9_0800_200c_9a66));

/// The privileges of a set of roles; a role that is not known has none.
pub fn of_roles(roles: &[RoleId]) -> Privileges {
    let administers = roles.contains(&SYSTEM_ADMINISTRATION);
    Privileges::new(
        administers
            .then(Privilege::everything)
            .into_iter()
            .collect(),
    )
}

#[cfg(test)]
mod tests;
