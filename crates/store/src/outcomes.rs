//! What became of what was asked.

use vestibule_engine::{ClaimedStep, Redeemed};

/// What became of a compare-and-set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Swap {
    /// All is written.
    Done,
    /// Something is not as it was read; nothing is written.
    Moved,
}

/// What became of the claim of a step.
#[derive(Debug)]
#[must_use]
pub enum Claim {
    /// This call, and no other, has the step: claimed, rotated and committed.
    Fresh(ClaimedStep),
    /// Something is not as it was read; nothing is written.
    Moved,
}

/// What became of an acceptance.
#[derive(Debug)]
#[must_use]
pub enum Redeeming {
    /// This call, and no other, has spent the partial token: rotated and committed.
    Fresh(Redeemed),
    /// Something is not as it was read; nothing is written.
    Moved,
}

/// What became of a change to an object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Replacement {
    /// It is as wished.
    Done,
    /// It is not as it was read, or gone; nothing is written.
    Moved,
    /// Another one has its name, in some spelling; nothing is written.
    NameTaken,
}

/// What became of a write to a user who is there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum UserWrite {
    /// It is as wished.
    Done,
    /// The user is gone, or somebody may do other things than when it was decided; nothing is
    /// written.
    Moved,
    /// Another one has the name, in some spelling; nothing is written.
    NameTaken,
    /// No enabled user would be left who may do everything; nothing is written.
    LastAdministrator,
}

impl UserWrite {
    /// What speaks against a write to a user who is there: that it was decided at another
    /// authority, or that the user may do everything, is not to stay one who may, and there is no
    /// other.
    pub fn refused(
        moved: bool,
        administers: bool,
        stays: bool,
        has_other: impl FnOnce() -> bool,
    ) -> Option<Self> {
        if moved {
            Some(Self::Moved)
        } else if administers && !stays && !has_other() {
            Some(Self::LastAdministrator)
        } else {
            None
        }
    }
}

/// What became of a write to a role.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum RoleWrite {
    /// It is as wished.
    Done,
    /// The role is gone, or somebody may do other things than when it was decided; nothing is
    /// written.
    Moved,
    /// Another one has the id; nothing is written.
    IdTaken,
    /// Another one has the name, in some spelling; nothing is written.
    NameTaken,
    /// A user holds it; nothing is written.
    InUse,
    /// No enabled user would be left who may do everything; nothing is written.
    LastAdministrator,
}

/// What became of an object to be deleted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Removal {
    /// It is gone.
    Removed,
    /// There was none.
    Missing,
    /// Something refers to it; it stays.
    InUse,
}

/// What became of a new object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Creation {
    /// It is there.
    Created,
    /// Another one has its id.
    IdTaken,
    /// Another one has its name, in some spelling.
    NameTaken,
    /// Somebody may do other things than when it was decided.
    Moved,
}

/// The connections of a store.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Pool {
    /// That somebody uses.
    pub in_use: u32,
    /// That are open, and that nobody uses.
    pub idle: u32,
}
