//! A role as a client asks for one, and what is wrong with it.

use uuid::Uuid;
use vestibule_engine::invalid::Fields;
use vestibule_engine::privilege::{
    ApplianceFunction, Privilege, PrivilegeType, Privileges, Scope, Target,
};
use vestibule_engine::user::BUILTIN_TAG;
use vestibule_engine::{FieldErrors, Role, RoleId, Timestamp};

use crate::labels;

/// A role as it was asked for. What is absent has its default.
#[derive(Debug, Default)]
pub struct RoleDraft {
    /// The id. Of a new role, if the client chose one.
    pub id: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// What administrators wrote down.
    pub notes: Option<String>,
    /// Labels.
    pub tags: Vec<String>,
    /// What its holders may do; needed, and may be empty.
    pub privileges: Option<Vec<PrivilegeDraft>>,
}

/// A privilege as it was asked for.
#[derive(Debug, Default)]
pub struct PrivilegeDraft {
    /// What may be done.
    pub kind: Option<String>,
    /// To what.
    pub target: Option<String>,
    /// To which of them.
    pub scope: ScopeDraft,
    /// Added to the tags of what the holder creates.
    pub default_tags: Vec<String>,
    /// What the holder may assign.
    pub functions: Vec<String>,
}

/// A scope as it was asked for.
#[derive(Debug, Default)]
pub struct ScopeDraft {
    /// Every object, whatever the rest says.
    pub all: bool,
    /// Ids of objects.
    pub ids: Vec<String>,
    /// Tags that objects bear.
    pub tags: Vec<String>,
}

/// A draft of a role to be put in the place of another, which makes sense by itself.
pub(super) struct Replacement(Role);

const BUILT_IN: &str = "may not be changed: it is built in";

impl RoleDraft {
    /// The role that was asked for, as a new one.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) fn new_role(self, new_id: RoleId, now: Timestamp) -> Result<Role, FieldErrors> {
        let mut fields = Fields::default();
        let id = match self.id.as_deref() {
            None => Some(new_id),
            Some(id) => fields.check("id", parse_id(id)),
        };
        let role = self.role(id, now, &mut fields);
        fields.finish(|| role)
    }

    /// The role that was asked for, in the place of the one with this id; `has_path` says whether
    /// it is that of the path.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) fn replacement(
        self,
        has_path: bool,
        id: Option<RoleId>,
        now: Timestamp,
    ) -> Result<Replacement, FieldErrors> {
        let mut fields = Fields::default();
        if !has_path {
            fields.required("id", self.id.as_deref());
        }
        let own = self.id.as_deref().map(parse_id);
        let own = own.and_then(|own| fields.check("id", own));
        if id.is_some() && own.is_some() && own != id {
            fields.refuse("id", "is not the id in the path");
        }
        // What is no id is nobody's.
        let id = id.unwrap_or(RoleId::from_uuid(Uuid::nil()));
        let role = self.role(Some(id), now, &mut fields);
        fields.finish(|| role.map(Replacement))
    }

    fn role(self, id: Option<RoleId>, now: Timestamp, fields: &mut Fields) -> Option<Role> {
        let name = fields.required("name", self.name.as_deref());
        let name = name.and_then(|name| fields.check("name", labels::good_name(name)));
        let notes = self.notes.unwrap_or_default();
        labels::check(&notes, &self.tags, fields);
        let drafts = fields.required("privileges", self.privileges);
        let mut privileges = Vec::new();
        for (n, draft) in drafts.into_iter().flatten().enumerate() {
            privileges.extend(draft.check(&format!("privileges[{n}]"), fields));
        }
        Some(Role {
            id: id?,
            name: name?.to_owned(),
            notes,
            tags: self.tags,
            privileges: Privileges::new(privileges),
            created: now,
            updated: now,
        })
    }
}

impl Replacement {
    /// The role, if it may take the place of this one.
    ///
    /// # Errors
    /// What may not change of one that is built in.
    pub(super) fn in_place_of(&self, before: &Role) -> Result<Role, FieldErrors> {
        let mut role = Role {
            created: before.created,
            ..self.0.clone()
        };
        let mut fields = Fields::default();
        if before.is_built_in() {
            if role.name != before.name {
                fields.refuse("name", BUILT_IN);
            }
            if role.privileges != before.privileges {
                fields.refuse("privileges", BUILT_IN);
            }
            if !role.tags.iter().any(|tag| tag == BUILTIN_TAG) {
                role.tags.insert(0, BUILTIN_TAG.to_owned());
            }
        }
        fields.finish(|| Some(role))
    }
}

impl PrivilegeDraft {
    /// The privilege; what is wrong with it is noted under its path.
    fn check(self, path: &str, fields: &mut Fields) -> Option<Privilege> {
        let kind = fields.required(format!("{path}.type"), self.kind);
        let kind = kind.and_then(|word| {
            let known = PrivilegeType::from_word(&word).ok_or("is not a type of privileges");
            fields.check(format!("{path}.type"), known)
        });
        let target = fields.required(format!("{path}.target"), self.target);
        let target = target.and_then(|word| {
            let known = Target::from_word(&word).ok_or("is not a target of privileges");
            fields.check(format!("{path}.target"), known)
        });
        let scope = self.scope.check(&format!("{path}.scope"), fields);
        labels::check_tags(&format!("{path}.defaultTags"), &self.default_tags, fields);
        let functions: Vec<_> = (0..)
            .zip(&self.functions)
            .map(|(n, word): (usize, _)| {
                let known = ApplianceFunction::from_word(word).ok_or("is not a function");
                fields.check(format!("{path}.functions[{n}]"), known)
            })
            .collect();
        let privilege = Privilege::new(kind?, target?, scope?, path, fields)?;
        Some(
            privilege
                .with_default_tags(self.default_tags)
                .with_functions(functions.into_iter().collect::<Option<_>>()?),
        )
    }
}

impl ScopeDraft {
    fn check(self, path: &str, fields: &mut Fields) -> Option<Scope> {
        let ids: Vec<_> = (0..)
            .zip(&self.ids)
            .map(|(n, id): (usize, _)| {
                let id = id.parse::<Uuid>().or(Err("is not a UUID"));
                fields.check(format!("{path}.ids[{n}]"), id)
            })
            .collect();
        labels::check_tags(&format!("{path}.tags"), &self.tags, fields);
        if self.all {
            return Some(Scope::All);
        }
        Some(Scope::Some {
            ids: ids.into_iter().collect::<Option<_>>()?,
            tags: self.tags,
        })
    }
}

fn parse_id(id: &str) -> Result<RoleId, &'static str> {
    id.parse().or(Err("is not a UUID"))
}
