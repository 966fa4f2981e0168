//! The audit trail: what is written down of everything that decides over access, and how it is
//! made so that nobody changes it unnoticed.
//!
//! An [`Entry`] is one row. Each has a code of its own under the [`AuditKey`] ([`AuditKey::mac`]),
//! and about once a second the rows that are new are sealed ([`Seal`]): how many, which numbers,
//! and their codes, chained to the seal before. [`Verifier`] recomputes both.

mod chain;
mod text;
mod verify;
mod words;

pub use chain::{AuditKey, Mac, Seal, SealDraft, Sealing};
pub use text::{CUT, LONGEST, clean};
pub use verify::{AuditKeys, Finding, Retired, Verifier, What};
pub use words::{Detail, Event, ObjectKind, Outcome};

use std::fmt::Display;

use uuid::Uuid;

use crate::{Timestamp, User, UserId, UserName};

/// Who acts where nobody has signed in: whoever may run commands on the server's machine.
pub const OPERATOR: &str = "operator";

/// One row of the trail, as it is kept. Its texts are cut and without control characters from the
/// beginning; what comes out of a database is taken as it is, so that it can be checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// Which row.
    pub id: Uuid,
    /// When, in microseconds since the Unix epoch.
    pub at: i64,
    /// What was done, or tried: the word of an [`Event`].
    pub event: String,
    /// How it ended: the word of an [`Outcome`].
    pub outcome: String,
    /// Who did it, if that is a user who is known.
    pub actor_id: Option<Uuid>,
    /// The name of who did it, as it was given.
    pub actor: String,
    /// What it was done to: the word of an [`ObjectKind`].
    pub object_kind: Option<String>,
    /// The id of what it was done to.
    pub object_id: Option<String>,
    /// The name of what it was done to.
    pub object: Option<String>,
    /// Where it came from.
    pub address: String,
    /// The request.
    pub request: Uuid,
    /// The true reason, also where the answer does not tell it.
    pub reason: Option<String>,
    /// More, as `word=value` with a line feed after each.
    pub details: String,
}

impl Entry {
    /// Something that ended like this, done by nobody in particular yet.
    pub fn new(id: Uuid, at: Timestamp, event: Event, outcome: Outcome) -> Self {
        Self {
            id,
            at: at.as_micros(),
            event: event.as_str().to_owned(),
            outcome: outcome.as_str().to_owned(),
            actor_id: None,
            actor: String::new(),
            object_kind: None,
            object_id: None,
            object: None,
            address: String::new(),
            request: Uuid::nil(),
            reason: None,
            details: String::new(),
        }
    }

    /// In this request, from there.
    pub fn from(mut self, request: Uuid, address: impl Display) -> Self {
        self.request = request;
        self.address = clean(&address.to_string());
        self
    }

    /// Done by this user.
    pub fn by_user(self, user: &User) -> Self {
        self.by_known(user.id, &user.name)
    }

    /// Done by the user with this id, who has this name.
    pub fn by_known(mut self, id: UserId, name: &UserName) -> Self {
        self.actor_id = Some(id.uuid());
        self.actor = clean(name.as_str());
        self
    }

    /// Done by somebody who says to have this name, or is called so here.
    pub fn by(mut self, name: &str) -> Self {
        self.actor = clean(name);
        self
    }

    /// Done to this.
    pub fn to(mut self, kind: ObjectKind, id: Option<&str>, name: Option<&str>) -> Self {
        self.object_kind = Some(kind.as_str().to_owned());
        self.object_id = id.map(clean);
        self.object = name.map(clean);
        self
    }

    /// Done to this user.
    pub fn to_user(self, user: &User) -> Self {
        let id = user.id.to_string();
        self.to(ObjectKind::User, Some(&id), Some(user.name.as_str()))
    }

    /// For this reason.
    pub fn because(mut self, reason: impl Display) -> Self {
        self.reason = Some(clean(&reason.to_string()));
        self
    }

    /// With one more detail.
    pub fn with(mut self, detail: Detail, value: impl Display) -> Self {
        self.details.push_str(detail.as_str());
        self.details.push('=');
        self.details.push_str(&clean(&value.to_string()));
        self.details.push('\n');
        self
    }

    /// With one more detail, if there is one.
    pub fn with_some(self, detail: Detail, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.with(detail, value),
            None => self,
        }
    }

    /// The details, in the order in which they were given.
    pub fn details(&self) -> impl Iterator<Item = (&str, &str)> {
        self.details.lines().filter_map(|line| line.split_once('='))
    }

    /// The value of a detail.
    pub fn detail(&self, detail: Detail) -> Option<&str> {
        let mut details = self.details();
        details.find_map(|(word, value)| (word == detail.as_str()).then_some(value))
    }

    /// The row for the code over it: each part with its length before it, so that no two rows
    /// have the same octets.
    fn canonical(&self) -> Vec<u8> {
        let (id, actor) = (self.id.as_bytes(), self.actor_id.as_ref());
        let text = |text: &'_ Option<String>| text.as_ref().map(|text| text.as_bytes().to_vec());
        let parts: [Option<Vec<u8>>; 13] = [
            Some(id.to_vec()),
            Some(self.at.to_be_bytes().to_vec()),
            Some(self.event.as_bytes().to_vec()),
            Some(self.outcome.as_bytes().to_vec()),
            actor.map(|id| id.as_bytes().to_vec()),
            Some(self.actor.as_bytes().to_vec()),
            text(&self.object_kind),
            text(&self.object_id),
            text(&self.object),
            Some(self.address.as_bytes().to_vec()),
            Some(self.request.as_bytes().to_vec()),
            text(&self.reason),
            Some(self.details.as_bytes().to_vec()),
        ];
        let mut octets = Vec::with_capacity(256);
        for part in parts {
            match part {
                None => octets.push(0),
                Some(part) => {
                    octets.push(1);
                    octets.extend((part.len() as u64).to_be_bytes());
                    octets.extend(part);
                }
            }
        }
        octets
    }
}

/// An entry with its code.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Signed {
    /// The entry.
    pub entry: Entry,
    /// The code over it.
    pub mac: Mac,
}

/// An entry as it lies in a store.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Written {
    /// In whose chain.
    pub chain: Uuid,
    /// Its number there.
    pub number: u64,
    /// The entry and its code.
    pub signed: Signed,
}

#[cfg(test)]
mod tests;
