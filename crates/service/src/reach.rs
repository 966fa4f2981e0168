//! What callers may do to what: the engine's answers, as errors.

use vestibule_engine::privilege::{Object, PrivilegeType, Privileges, Reach, Scope, Sight, Target};
use vestibule_store::{Authority, ListQuery};

use crate::{Caller, Missing, ServiceError};

/// How often it is decided anew whether somebody may do what they ask for.
pub(crate) const MOST_TRIES: u8 = 16;

/// Tries what a caller may do, again and again while somebody changes who may do what: what is
/// tried is `None` when that moved.
macro_rules! as_allowed {
    ($service:expr, $caller:ident, $tried:expr) => {
        async {
            if let Some(done) = $tried.await? {
                return Ok(done);
            }
            for _ in 1..$crate::reach::MOST_TRIES {
                let $caller = &$service.renewed($caller).await?;
                if let Some(done) = $tried.await? {
                    return Ok(done);
                }
            }
            Err(ServiceError::contended())
        }
        .await
    };
}
pub(crate) use as_allowed;

impl Caller {
    /// How far the caller may do `kind` to `target`.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] if not at all.
    pub fn may(&self, kind: PrivilegeType, target: Target) -> Result<Reach, ServiceError> {
        let reach = self.bearer.privileges.reach(kind, target);
        self.allowed(reach, (kind, target))
    }

    /// How far the caller may change objects: all of them, or their tags.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] if not at all.
    pub fn may_change<O: Object>(&self) -> Result<Reach, ServiceError> {
        let reach = self.bearer.privileges.changing::<O>();
        self.allowed(reach, (PrivilegeType::Edit, O::TARGET))
    }

    /// Lets pass who may do `kind` to every `target`.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] for all others.
    pub fn must(&self, kind: PrivilegeType, target: Target) -> Result<(), ServiceError> {
        match self.may(kind, target)? {
            Reach::Everything => Ok(()),
            Reach::Within(_) | Reach::Nothing => Err(self.denied(kind, target)),
        }
    }

    /// Lets pass who holds all that `other` does, to do what they `asked` for: whoever may write to
    /// a user is worth that user.
    pub(crate) fn must_cover(
        &self,
        asked: (PrivilegeType, Target),
        other: &Privileges,
    ) -> Result<(), ServiceError> {
        if self.bearer.privileges.cover(other) {
            Ok(())
        } else {
            Err(self.denied_because(asked, "it takes privileges that the caller does not hold"))
        }
    }

    /// Lets pass who may put one object in the place of another.
    pub(crate) fn must_replace<O: Object>(
        &self,
        before: &O,
        after: &O,
        only_tags_differ: bool,
    ) -> Result<(), ServiceError> {
        let privileges = &self.bearer.privileges;
        if privileges.may_replace(before, after, only_tags_differ) {
            Ok(())
        } else {
            Err(self.denied(PrivilegeType::Edit, O::TARGET))
        }
    }

    /// Adds to the tags of what the caller creates, once each.
    pub(crate) fn tag<O: Object>(&self, tags: &mut Vec<String>) {
        for tag in self.bearer.privileges.default_tags(O::TARGET) {
            if !tags.contains(tag) {
                tags.push(tag.clone());
            }
        }
    }

    /// The authority at which the caller may do what they may.
    pub(crate) const fn authority(&self) -> Authority {
        self.bearer.authority
    }

    fn allowed(&self, reach: Reach, asked: (PrivilegeType, Target)) -> Result<Reach, ServiceError> {
        match reach {
            Reach::Nothing => Err(self.denied_because(asked, "the privilege is missing")),
            Reach::Within(_) | Reach::Everything => Ok(reach),
        }
    }

    /// The object that the caller asks to do `kind` to, if they may see it with this reach, and
    /// what they are told otherwise.
    pub(crate) fn shown<O: Object>(
        &self,
        (kind, reach): (PrivilegeType, &Reach),
        object: Option<O>,
        missing: Missing,
    ) -> Result<O, ServiceError> {
        match (reach.sight(object.as_ref()), object) {
            (Sight::Shown, Some(object)) => Ok(object),
            (Sight::Absent, _) => Err(ServiceError::NotFound(missing)),
            (Sight::Shown | Sight::Withheld, _) => Err(self.denied(kind, O::TARGET)),
        }
    }

    /// Lets pass what the caller may make with this reach.
    pub(crate) fn must_admit<O: Object>(&self, reach: &Reach, new: &O) -> Result<(), ServiceError> {
        match reach.sight(Some(new)) {
            Sight::Shown => Ok(()),
            Sight::Absent | Sight::Withheld => Err(self.denied(PrivilegeType::Create, O::TARGET)),
        }
    }
}

/// The part of a list that somebody with this reach may see.
pub(crate) fn within(query: &ListQuery, reach: &Reach) -> ListQuery {
    ListQuery {
        scope: match reach {
            Reach::Nothing => Some(Scope::nothing()),
            Reach::Within(scope) => Some(scope.clone()),
            Reach::Everything => None,
        },
        ..query.clone()
    }
}
