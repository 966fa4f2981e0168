//! What may be done to one object: by its id and its tags.

use uuid::Uuid;

use super::{PrivilegeType, Privileges, Reach, Target};
use crate::identity::LOCAL;
use crate::{LocalProvider, MfaProvider, Role, User};

/// What administrators make and change: whatever has an id and tags.
pub trait Object {
    /// What privileges call it.
    const TARGET: Target;

    /// The id.
    fn uuid(&self) -> Uuid;

    /// The labels.
    fn tags(&self) -> &[String];
}

impl Object for User {
    const TARGET: Target = Target::LocalUser;

    fn uuid(&self) -> Uuid {
        self.id.uuid()
    }

    fn tags(&self) -> &[String] {
        &self.tags
    }
}

impl Object for MfaProvider {
    const TARGET: Target = Target::MfaProvider;

    fn uuid(&self) -> Uuid {
        self.id.uuid()
    }

    fn tags(&self) -> &[String] {
        &self.tags
    }
}

impl Object for Role {
    const TARGET: Target = Target::AdministrativeRole;

    fn uuid(&self) -> Uuid {
        self.id.uuid()
    }

    fn tags(&self) -> &[String] {
        &self.tags
    }
}

impl Object for LocalProvider {
    const TARGET: Target = Target::IdentityProvider;

    fn uuid(&self) -> Uuid {
        LOCAL.uuid()
    }

    fn tags(&self) -> &[String] {
        &self.tags
    }
}

/// What a caller is told of an object that they asked for by its id.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sight {
    /// All of it.
    Shown,
    /// That there is none.
    Absent,
    /// Nothing, not even whether it is there.
    Withheld,
}

impl Reach {
    /// The reach of both together.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Everything, _) | (_, Self::Everything) => Self::Everything,
            (Self::Nothing, reach) | (reach, Self::Nothing) => reach,
            (Self::Within(scope), Self::Within(other)) => Self::Within(scope.or(&other)),
        }
    }

    /// What is told of an object that is there, or of one that is not. Who does not reach
    /// everything learns of nothing outside the reach whether it exists.
    pub fn sight<O: Object>(&self, object: Option<&O>) -> Sight {
        match (self, object) {
            (_, Some(object)) if self.admits(object.uuid(), object.tags()) => Sight::Shown,
            (Self::Everything, None) => Sight::Absent,
            _ => Sight::Withheld,
        }
    }
}

impl Privileges {
    /// How far the holder may change objects: all of them, or their tags.
    pub fn changing<O: Object>(&self) -> Reach {
        self.reach(PrivilegeType::Edit, O::TARGET)
            .or(self.reach(PrivilegeType::Tag, O::TARGET))
    }

    /// Whether the holder may put one object in the place of another. Who may edit it must be able
    /// to edit it afterwards too, unless they may tag: tags are what takes an object out of a
    /// scope, or into it. Who may only tag may change nothing else.
    pub fn may_replace<O: Object>(&self, before: &O, after: &O, only_tags_differ: bool) -> bool {
        let may = |kind, object: &O| {
            self.reach(kind, O::TARGET)
                .admits(object.uuid(), object.tags())
        };
        let tags = may(PrivilegeType::Tag, before);
        let edits = may(PrivilegeType::Edit, before);
        (edits && (tags || may(PrivilegeType::Edit, after))) || (tags && only_tags_differ)
    }
}
