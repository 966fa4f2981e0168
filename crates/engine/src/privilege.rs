//! What a bearer may do: privileges of a type on a target within a scope.

mod kinds;
mod matrix;
mod object;

pub(crate) use kinds::words;
pub use kinds::{ApplianceFunction, PrivilegeType, Target};
pub use matrix::{Scopable, allowed};
pub use object::{Object, Sight};

use uuid::Uuid;

use crate::invalid::Fields;

/// Which objects of a target a privilege is about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Scope {
    /// Every one.
    All,
    /// Those with one of these ids or one of these tags, in the order of whoever wrote it.
    Some {
        /// Ids of objects.
        ids: Vec<Uuid>,
        /// Tags that objects bear.
        tags: Vec<String>,
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
            ) => {
                other_ids.iter().all(|id| ids.contains(id))
                    && other_tags.iter().all(|tag| tags.contains(tag))
            }
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

    /// Nothing.
    pub const fn nothing() -> Self {
        Self::Some {
            ids: Vec::new(),
            tags: Vec::new(),
        }
    }

    const fn is_nothing(&self) -> bool {
        match self {
            Self::All => false,
            Self::Some { ids, tags } => ids.is_empty() && tags.is_empty(),
        }
    }
}

/// One privilege.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Privilege {
    kind: PrivilegeType,
    target: Target,
    scope: Scope,
    default_tags: Vec<String>,
    functions: Vec<ApplianceFunction>,
}

impl Privilege {
    /// A privilege that the type-target map has room for. Where the map has no room for a scope,
    /// an empty one is none.
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
        if allowed(kind, target).is_none() {
            fields.refuse(
                format!("{path}.target"),
                format!("is not a target of the type {}", kind.as_str()),
            );
            return None;
        }
        let known = Self::known(kind, target, scope);
        if known.is_none() {
            fields.refuse(format!("{path}.scope"), "is not possible for this target");
        }
        known
    }

    /// A privilege that the type-target map has room for, or none.
    pub fn known(kind: PrivilegeType, target: Target, scope: Scope) -> Option<Self> {
        let scopable = allowed(kind, target)?;
        let possible = scopable != Scopable::No || scope == Scope::All || scope.is_nothing();
        possible.then_some(Self {
            kind,
            target,
            scope,
            default_tags: Vec::new(),
            functions: Vec::new(),
        })
    }

    /// The same privilege, with tags that are added to what its holder creates.
    pub fn with_default_tags(self, default_tags: Vec<String>) -> Self {
        Self {
            default_tags,
            ..self
        }
    }

    /// The same privilege, with the functions that its holder may assign.
    pub fn with_functions(self, functions: Vec<ApplianceFunction>) -> Self {
        Self { functions, ..self }
    }

    /// Everything on everything.
    pub const fn everything() -> Self {
        Self {
            kind: PrivilegeType::All,
            target: Target::All,
            scope: Scope::All,
            default_tags: Vec::new(),
            functions: Vec::new(),
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

    /// To which of them, as it was written; [`Privileges::reach`] says what it comes to.
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// To which of them. What cannot be narrowed is not; nor is a Create whose scope is empty:
    /// nobody knows the ids and tags of what is not there yet.
    fn reached(&self) -> &Scope {
        let narrows = match allowed(self.kind, self.target) {
            None | Some(Scopable::No) => false,
            Some(Scopable::ByObject | Scopable::ByIdentityProvider) => {
                self.kind != PrivilegeType::Create || !self.scope.is_nothing()
            }
        };
        if narrows { &self.scope } else { &Scope::All }
    }

    /// What is added to the tags of what the holder creates.
    pub fn default_tags(&self) -> &[String] {
        &self.default_tags
    }

    /// What the holder may assign to an appliance.
    pub fn functions(&self) -> &[ApplianceFunction] {
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
            && self.reached().covers(other.reached())
            && (self.kind == PrivilegeType::All
                || other
                    .functions
                    .iter()
                    .all(|one| self.functions.contains(one)))
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

impl Reach {
    /// Whether an object with this id and these tags is in it.
    pub fn admits(&self, id: Uuid, tags: &[String]) -> bool {
        match self {
            Self::Nothing => false,
            Self::Within(scope) => scope.holds(id, tags),
            Self::Everything => true,
        }
    }
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
        match about.fold(Scope::nothing(), |scope, p| scope.or(p.reached())) {
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

    /// What is added to the tags of a `target` that the holder creates.
    pub fn default_tags(&self, target: Target) -> impl Iterator<Item = &String> {
        let creating = move |p: &&Privilege| p.is_about(PrivilegeType::Create, target);
        self.iter()
            .filter(creating)
            .flat_map(Privilege::default_tags)
    }

    /// Whether the holder may do everything to everything.
    pub fn are_everything(&self) -> bool {
        self.cover(&Self::new(vec![Privilege::everything()]))
    }
}

#[cfg(test)]
mod tests;
