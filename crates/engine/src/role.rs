//! Administrative roles: privileges under a name, for whoever holds the role.

use uuid::Uuid;

use crate::privilege::{Privilege, PrivilegeType, Privileges, Scope, Target};
use crate::user::BUILTIN_TAG;
use crate::{RoleId, Timestamp};

/// The built-in role that may do everything.
pub const SYSTEM_ADMINISTRATION: RoleId =
    RoleId::from_uuid(Uuid::from_u128(0xb0ad_bc60_7ed4_11e4_b4a9_0800_200c_9a66));

/// The built-in role for programs that manage policies.
pub const API_ACCESS: RoleId =
    RoleId::from_uuid(Uuid::from_u128(0x72cb_e03c_4e35_4ff8_9e2b_9bcf_88e6_89f5));

/// An administrative role.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Role {
    /// The id, for good.
    pub id: RoleId,
    /// The name.
    pub name: String,
    /// What administrators wrote down.
    pub notes: String,
    /// Labels.
    pub tags: Vec<String>,
    /// What its holders may do.
    pub privileges: Privileges,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last edited.
    pub updated: Timestamp,
}

impl Role {
    /// Whether it came with the program; its name and its privileges are for good.
    pub fn is_built_in(&self) -> bool {
        [SYSTEM_ADMINISTRATION, API_ACCESS].contains(&self.id)
    }
}

/// The roles that are there from the beginning.
pub fn built_in() -> [Role; 2] {
    let role = |id, name: &str, notes: &str, privileges| Role {
        id,
        name: name.to_owned(),
        notes: notes.to_owned(),
        tags: vec![BUILTIN_TAG.to_owned()],
        privileges: Privileges::new(privileges),
        created: Timestamp::from_micros(0),
        updated: Timestamp::from_micros(0),
    };
    [
        role(
            SYSTEM_ADMINISTRATION,
            "System Administration",
            "Built-in Administrative Role that has access to all.",
            vec![Privilege::everything()],
        ),
        role(
            API_ACCESS,
            "Api Access",
            "Built-in Administrative Role for programs that manage policies.",
            policies(),
        ),
    ]
}

/// Everything but tagging on conditions, criteria scripts, entitlements and policies. What is
/// created bears a tag that says so.
fn policies() -> Vec<Privilege> {
    use PrivilegeType::{Create, Delete, Edit, View};
    use Target::{Condition, CriteriaScript, Entitlement, Policy};
    let targets = [Condition, CriteriaScript, Entitlement, Policy];
    let on = |target| {
        [Create, Delete, Edit, View]
            .into_iter()
            .filter_map(move |kind| {
                let created = kind == Create;
                let scope = if created {
                    Scope::nothing()
                } else {
                    Scope::All
                };
                let privilege = Privilege::known(kind, target, scope)?;
                let tags = created.then(|| "api-created".to_owned());
                Some(privilege.with_default_tags(tags.into_iter().collect()))
            })
    };
    targets.into_iter().flat_map(on).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privilege::Reach;

    #[test]
    fn the_built_in_roles_are_whole() {
        let [all, api] = built_in();
        assert!(all.privileges.are_everything());
        assert!(all.is_built_in() && api.is_built_in());
        assert_eq!(api.privileges.iter().count(), 16);
        let reach = |kind, target| api.privileges.reach(kind, target);
        assert_eq!(
            reach(PrivilegeType::Create, Target::Policy),
            Reach::Everything
        );
        assert_eq!(
            reach(PrivilegeType::View, Target::LocalUser),
            Reach::Nothing
        );
        let tags: Vec<_> = api.privileges.default_tags(Target::Policy).collect();
        assert_eq!(tags, ["api-created"]);
    }
}
