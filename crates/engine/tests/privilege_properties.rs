//! Privileges: who holds what, as an order in which nobody can climb.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::FileFailurePersistence;
use uuid::Uuid;
use vestibule_engine::invalid::Fields;
use vestibule_engine::privilege::{
    ApplianceFunction, Privilege, PrivilegeType, Privileges, Reach, Scopable, Scope, Sight, Target,
    allowed,
};
use vestibule_engine::{Role, RoleId, Timestamp};

/// Few types, targets, ids and tags, so that they meet.
fn kind() -> impl Strategy<Value = PrivilegeType> {
    use PrivilegeType::{All, AssignFunction, Delete, Edit, Tag, View};
    prop_oneof![4 => select(&[All, View, Edit, Delete, Tag, AssignFunction][..]), 1 => select(PrivilegeType::ALL)]
}

fn target() -> impl Strategy<Value = Target> {
    use Target::{AdministrativeRole, All, Appliance, LocalUser, OtpSeed};
    prop_oneof![4 => select(&[AdministrativeRole, All, Appliance, LocalUser, OtpSeed][..]), 1 => select(Target::ALL)]
}

fn scope() -> impl Strategy<Value = Scope> {
    let ids = vec((1..4_u128).prop_map(Uuid::from_u128), 0..3);
    let tags = vec(select(&["a", "b", "c"][..]).prop_map(str::to_owned), 0..3);
    prop_oneof![2 => Just(Scope::All), 3 => (ids, tags).prop_map(|(ids, tags)| Scope::Some { ids, tags })]
}

fn functions() -> impl Strategy<Value = Vec<ApplianceFunction>> {
    vec(select(ApplianceFunction::ALL), 0..3)
}

fn privilege() -> impl Strategy<Value = Privilege> {
    let parts = (kind(), target(), scope(), functions());
    parts.prop_filter_map(
        "the map has no room for it",
        |(kind, target, scope, functions)| {
            let scope = match (allowed(kind, target)?, scope) {
                (Scopable::No, Scope::Some { ids, .. }) if ids.is_empty() => Scope::nothing(),
                (Scopable::No, _) => Scope::All,
                (_, scope) => scope,
            };
            let privilege = Privilege::new(kind, target, scope, "p", &mut Fields::default())?;
            let tags = privilege.kind().as_str().to_lowercase();
            Some(
                privilege
                    .with_functions(functions)
                    .with_default_tags(vec![tags]),
            )
        },
    )
}

fn privileges() -> impl Strategy<Value = Privileges> {
    vec(privilege(), 0..4).prop_map(Privileges::new)
}

fn together(a: &Privileges, b: &Privileges) -> Privileges {
    Privileges::new(a.iter().chain(b.iter()).cloned().collect())
}

/// Whether everything that `less` reaches is in the reach of `more`.
fn reaches_as_far(more: &Reach, less: &Reach) -> bool {
    match (more, less) {
        (_, Reach::Nothing) | (Reach::Everything, _) => true,
        (Reach::Within(more), Reach::Within(less)) => more.covers(less),
        (Reach::Nothing, _) | (Reach::Within(_), Reach::Everything) => false,
    }
}

fn role(id: u128, tags: &[&str]) -> Role {
    Role {
        id: RoleId::from_uuid(Uuid::from_u128(id)),
        name: String::new(),
        notes: String::new(),
        tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
        privileges: Privileges::default(),
        created: Timestamp::from_micros(0),
        updated: Timestamp::from_micros(0),
    }
}

fn everywhere() -> impl Iterator<Item = (PrivilegeType, Target)> {
    let pairs = |&kind| Target::ALL.iter().map(move |&target| (kind, target));
    PrivilegeType::ALL.iter().flat_map(pairs)
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("proptest-regressions"))),
        cases: 1_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn everybody_covers_themselves(a in privileges()) {
        prop_assert!(a.cover(&a));
        prop_assert!(a.cover(&Privileges::default()));
        prop_assert!(Privileges::new(vec![Privilege::everything()]).cover(&a));
    }

    /// Independent sets seldom cover each other, so what is covered is picked from what covers.
    #[test]
    fn covering_goes_on(a in privileges(), b in privilege(), c in privilege()) {
        let (b, c) = (Privileges::new(vec![b]), Privileges::new(vec![c]));
        if a.cover(&b) && b.cover(&c) {
            prop_assert!(a.cover(&c));
        }
        let all = together(&a, &together(&b, &c));
        let some = together(&b, &c);
        prop_assert!(all.cover(&some) && some.cover(&c) && all.cover(&c));
    }

    #[test]
    fn more_privileges_are_never_less(a in privileges(), b in privileges(), c in privileges()) {
        let both = together(&a, &b);
        prop_assert!(both.cover(&a) && both.cover(&b));
        if a.cover(&c) {
            prop_assert!(both.cover(&c));
        }
        for (kind, target) in everywhere() {
            prop_assert!(reaches_as_far(&both.reach(kind, target), &a.reach(kind, target)));
        }
    }

    #[test]
    fn whoever_covers_reaches_as_far(a in privileges(), b in privileges()) {
        if a.cover(&b) {
            for (kind, target) in everywhere() {
                let (far, near) = (a.reach(kind, target), b.reach(kind, target));
                prop_assert!(reaches_as_far(&far, &near), "{kind:?} {target:?}: {far:?} {near:?}");
            }
        }
    }

    #[test]
    fn one_privilege_is_covered_only_within_reach(a in privileges(), b in privilege()) {
        let wanted = Privileges::new(vec![b.clone()]);
        if a.cover(&wanted) {
            let reach = a.reach(b.kind(), b.target());
            let within = match &reach {
                Reach::Nothing => false,
                Reach::Within(scope) => scope.covers(b.scope()),
                Reach::Everything => true,
            };
            prop_assert!(within, "{reach:?}");
        }
    }

    #[test]
    fn a_scope_holds_what_the_scopes_it_covers_hold(
        a in scope(), b in scope(), id in 1..4_u128, tags in vec(select(&["a", "b", "c"][..]), 0..2),
    ) {
        let tags: Vec<_> = tags.into_iter().map(str::to_owned).collect();
        let id = Uuid::from_u128(id);
        if a.covers(&b) && b.holds(id, &tags) {
            prop_assert!(a.holds(id, &tags));
        }
    }

    /// What is created is in the reach of a Create, and bears its tags.
    #[test]
    fn default_tags_are_those_of_the_creators(a in privileges(), target in target()) {
        let tags: Vec<_> = a.default_tags(target).collect();
        let expected = a.iter().filter(|p| {
            matches!(p.kind(), PrivilegeType::Create | PrivilegeType::All)
                && (p.target() == target || p.target() == Target::All)
        });
        let expected: Vec<_> = expected.flat_map(Privilege::default_tags).collect();
        prop_assert_eq!(tags, expected);
    }

    #[test]
    fn a_reach_admits_what_its_privileges_hold(
        a in privileges(), id in 1..4_u128, tags in vec(select(&["a", "b", "c"][..]), 0..2),
    ) {
        let tags: Vec<_> = tags.into_iter().map(str::to_owned).collect();
        let id = Uuid::from_u128(id);
        for (kind, target) in everywhere() {
            let one = a.iter().any(|p| {
                let alone = Privileges::new(vec![p.clone()]);
                alone.reach(kind, target).admits(id, &tags)
            });
            prop_assert_eq!(a.reach(kind, target).admits(id, &tags), one);
        }
    }

    /// What is withheld is withheld alike, be it there or not; and only who reaches everything
    /// learns that there is none.
    #[test]
    fn sight_tells_nothing_of_what_is_out_of_reach(
        a in privileges(), id in 1..4_u128, tags in vec(select(&["a", "b", "c"][..]), 0..2),
    ) {
        let role = role(id, &tags);
        for kind in PrivilegeType::ALL {
            let reach = a.reach(*kind, Target::AdministrativeRole);
            let (there, gone) = (reach.sight(Some(&role)), reach.sight(None::<&Role>));
            prop_assert_eq!(there == Sight::Shown, reach.admits(role.id.uuid(), &role.tags));
            prop_assert!(there != Sight::Absent && gone != Sight::Shown);
            prop_assert_eq!(gone == Sight::Absent, reach == Reach::Everything);
        }
    }

    /// Nothing is replaced that is out of reach of Edit and Tag, and nothing but tags without Edit.
    #[test]
    fn replacing_needs_edit_or_tag(
        a in privileges(), id in 1..4_u128, before in vec(select(&["a", "b", "c"][..]), 0..2),
        after in vec(select(&["a", "b", "c"][..]), 0..2), only_tags in any::<bool>(),
    ) {
        let (before, after) = (role(id, &before), role(id, &after));
        let may = a.may_replace(&before, &after, only_tags);
        let reaches = |kind, role: &Role| {
            a.reach(kind, Target::AdministrativeRole).admits(role.id.uuid(), &role.tags)
        };
        if may {
            prop_assert_eq!(a.changing::<Role>().sight(Some(&before)), Sight::Shown);
            prop_assert!(only_tags || reaches(PrivilegeType::Edit, &before));
        }
        // Without Tag, nothing goes out of the scope that allowed to change it.
        if may && !reaches(PrivilegeType::Tag, &before) {
            prop_assert!(reaches(PrivilegeType::Edit, &after));
        }
        if reaches(PrivilegeType::Edit, &before) && before.tags == after.tags {
            prop_assert!(may);
        }
    }

    #[test]
    fn only_everything_is_everything(a in privileges()) {
        let expected = a
            .iter()
            .any(|p| (p.kind(), p.target()) == (PrivilegeType::All, Target::All));
        prop_assert_eq!(a.are_everything(), expected);
    }
}
