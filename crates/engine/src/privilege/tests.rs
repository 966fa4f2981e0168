//! Privileges as tables.

use super::*;

fn some(ids: &[u128], tags: &[&str]) -> Scope {
    Scope::Some {
        ids: ids.iter().map(|&id| Uuid::from_u128(id)).collect(),
        tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
    }
}

fn privilege(kind: PrivilegeType, target: Target, scope: Scope) -> Privilege {
    Privilege::new(kind, target, scope, "privileges[0]", &mut Fields::default()).unwrap()
}

#[track_caller]
fn reaches(held: &[Privilege], kind: PrivilegeType, target: Target, expected: &Reach) {
    assert_eq!(
        Privileges::new(held.to_vec()).reach(kind, target),
        *expected
    );
}

#[test]
fn all_holds_every_type_and_every_target() {
    use PrivilegeType as Type;
    let held = [Privilege::everything()];
    for &kind in Type::ALL {
        for &target in Target::ALL {
            reaches(&held, kind, target, &Reach::Everything);
        }
    }
    let held = [privilege(Type::All, Target::LocalUser, Scope::All)];
    reaches(&held, Type::Edit, Target::LocalUser, &Reach::Everything);
    reaches(&held, Type::Edit, Target::OtpSeed, &Reach::Nothing);
    let held = [privilege(Type::View, Target::All, Scope::All)];
    reaches(&held, Type::View, Target::OtpSeed, &Reach::Everything);
    reaches(&held, Type::Delete, Target::OtpSeed, &Reach::Nothing);
}

#[test]
fn scopes_add_up() {
    use PrivilegeType::{Edit, View};
    let held = [
        privilege(View, Target::LocalUser, some(&[1], &[])),
        privilege(View, Target::LocalUser, some(&[2], &["a"])),
        privilege(Edit, Target::LocalUser, some(&[3], &[])),
    ];
    reaches(
        &held,
        View,
        Target::LocalUser,
        &Reach::Within(some(&[1, 2], &["a"])),
    );
    let scope = some(&[1], &["a"]);
    assert!(scope.holds(Uuid::from_u128(1), &[]));
    assert!(scope.holds(Uuid::from_u128(9), &["a".to_owned()]));
    assert!(!scope.holds(Uuid::from_u128(9), &["b".to_owned()]));
}

#[test]
fn nobody_covers_more_than_they_hold() {
    use PrivilegeType::{All, View};
    let covers = |held: Privilege, wanted: Privilege| {
        Privileges::new(vec![held]).cover(&Privileges::new(vec![wanted]))
    };
    let view = |scope| privilege(View, Target::LocalUser, scope);
    assert!(covers(Privilege::everything(), view(Scope::All)));
    assert!(covers(view(Scope::All), view(some(&[1], &[]))));
    assert!(!covers(view(some(&[1], &[])), view(Scope::All)));
    assert!(!covers(view(some(&[1], &[])), view(some(&[1, 2], &[]))));
    assert!(!covers(
        view(Scope::All),
        privilege(All, Target::LocalUser, Scope::All)
    ));
    assert!(!covers(
        view(Scope::All),
        privilege(View, Target::All, Scope::All)
    ));
    assert!(Privileges::default().cover(&Privileges::default()));
    assert!(!Privileges::default().are_everything());
}

#[test]
fn only_what_the_map_has_room_for() {
    let refused = |kind, target, scope| {
        let mut fields = Fields::default();
        assert!(Privilege::new(kind, target, scope, "privileges[3]", &mut fields).is_none());
        fields.finish(|| Some(())).unwrap_err().to_string()
    };
    assert_eq!(
        refused(PrivilegeType::Create, Target::OtpSeed, Scope::All),
        "privileges[3].target is not a target of the type Create"
    );
    assert_eq!(
        refused(PrivilegeType::View, Target::AuditLog, some(&[1], &[])),
        "privileges[3].scope is not possible for this target"
    );
}

/// Every pair that the map has, counted by hand from its published form.
#[test]
fn the_map_is_as_large_as_published() {
    let count = |kind| {
        Target::ALL
            .iter()
            .filter(|&&t| allowed(kind, t).is_some())
            .count()
    };
    let counts: Vec<_> = PrivilegeType::ALL
        .iter()
        .map(|&kind| (kind.as_str(), count(kind)))
        .collect();
    assert_eq!(
        counts,
        [
            ("All", 38),
            ("View", 38),
            ("Create", 24),
            ("Edit", 29),
            ("Tag", 22),
            ("Delete", 32),
            ("Revoke", 2),
            ("Export", 3),
            ("Upgrade", 2),
            ("RenewCertificate", 2),
            ("DownloadLogs", 2),
            ("Test", 9),
            ("GetUserAttributes", 2),
            ("Backup", 2),
            ("CheckStatus", 2),
            ("Reevaluate", 2),
            ("Reboot", 2),
            ("AssignFunction", 2),
        ]
    );
}
