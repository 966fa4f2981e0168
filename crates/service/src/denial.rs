//! What somebody was denied, until it is written down.

use vestibule_engine::audit::{Detail, Event, ObjectKind, Outcome};
use vestibule_engine::privilege::{PrivilegeType, Target};
use vestibule_engine::{User, UserId, UserName};

use crate::{Caller, Origin, Service, ServiceError};

/// Who was denied what. It must be written down ([`Service::record_denial`]) before whoever asked
/// is answered: whether somebody may do something is found out where nothing can wait.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Denial {
    event: Event,
    user: UserId,
    name: UserName,
    why: &'static str,
    asked: Option<(PrivilegeType, Target)>,
}

impl Denial {
    /// A user who is not admitted to administration.
    pub(crate) fn of_admission(user: &User, why: &'static str) -> ServiceError {
        ServiceError::Forbidden(Box::new(Self {
            event: Event::Admission,
            user: user.id,
            name: user.name.clone(),
            why,
            asked: None,
        }))
    }
}

impl Caller {
    /// The answer to a caller whose privilege to do `kind` to `target` does not reach what they
    /// ask for.
    pub fn denied(&self, kind: PrivilegeType, target: Target) -> ServiceError {
        self.denied_because((kind, target), "out of reach of the privilege")
    }

    /// The answer to a caller who may not do what they ask for, for this reason.
    pub(crate) fn denied_because(
        &self,
        asked: (PrivilegeType, Target),
        why: &'static str,
    ) -> ServiceError {
        ServiceError::Forbidden(Box::new(Denial {
            event: Event::AccessDenied,
            user: self.bearer.user.id,
            name: self.bearer.user.name.clone(),
            why,
            asked: Some(asked),
        }))
    }
}

impl Caller {
    /// Does what the caller asks for. When what it is about stands in the way (it is not there, is
    /// needed, or makes no sense), that is written down before it is answered; what the caller may
    /// not do is written down with the answer, and what was done with itself.
    pub(crate) async fn tries<T>(
        &self,
        event: Event,
        (kind, id): (ObjectKind, Option<&str>),
        done: impl Future<Output = Result<T, ServiceError>>,
    ) -> Result<T, ServiceError> {
        let done = done.await;
        let why = match &done {
            Err(ServiceError::Invalid(errors)) => errors.to_string(),
            Err(ServiceError::NotFound(missing)) => missing.to_string(),
            Err(ServiceError::Conflict(conflict)) => conflict.to_string(),
            Ok(_) | Err(_) => return done,
        };
        let entry = self.inner.entry(self.origin, event, Outcome::Failure);
        let entry = entry.by_user(&self.bearer.user).to(kind, id, None);
        self.inner.record(entry.because(why)).await?;
        done
    }
}

impl Service {
    /// Writes down what was denied to whoever asked from there.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn record_denial(&self, denial: &Denial, origin: Origin) -> Result<(), ServiceError> {
        let entry = self.inner.entry(origin, denial.event, Outcome::Denied);
        let entry = entry.by_known(denial.user, &denial.name);
        let (kind, target) = denial.asked.unzip();
        let entry = entry
            .because(denial.why)
            .with_some(Detail::Privilege, kind.map(PrivilegeType::as_str))
            .with_some(Detail::Target, target.map(Target::as_str));
        self.inner.record(entry).await
    }
}
