//! Privileges: who holds what, as an order in which nobody can climb.

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::FileFailurePersistence;
use uuid::Uuid;
use vestibule_engine::invalid::Fields;
use vestibule_engine::privilege::{
    ApplianceFunction, Privilege, PrivilegeType, Privileges, Reach, Scopable, Scope, Target,
    allowed,
};

/// Few types, targets, ids and tags, so that they meet.
fn kind() -> impl Strategy<Value = PrivilegeType> {
    use PrivilegeType::{All, AssignFunction, Delete, Edit, View};
    prop_oneof![4 => select(&[All, View, Edit, Delete, AssignFunction][..]), 1 => select(PrivilegeType::ALL)]
}

fn target() -> impl Strategy<Value = Target> {
    use Target::{All, Appliance, LocalUser, OtpSeed};
    prop_oneof![4 => select(&[All, Appliance, LocalUser, OtpSeed][..]), 1 => select(Target::ALL)]
}

fn scope() -> impl Strategy<Value = Scope> {
    let ids = btree_set((1..4_u128).prop_map(Uuid::from_u128), 0..3);
    let tags = btree_set(select(&["a", "b", "c"][..]).prop_map(str::to_owned), 0..3);
    prop_oneof![2 => Just(Scope::All), 3 => (ids, tags).prop_map(|(ids, tags)| Scope::Some { ids, tags })]
}

fn functions() -> impl Strategy<Value = std::collections::BTreeSet<ApplianceFunction>> {
    btree_set(select(ApplianceFunction::ALL), 0..3)
}

fn privilege() -> impl Strategy<Value = Privilege> {
    let parts = (kind(), target(), scope(), functions());
    parts.prop_filter_map(
        "the map has no room for it",
        |(kind, target, scope, functions)| {
            let scope = if allowed(kind, target)? == Scopable::No {
                Scope::All
            } else {
                scope
            };
            let privilege = Privilege::new(kind, target, scope, "p", &mut Fields::default())?;
            Some(privilege.with_functions(functions))
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

    #[test]
    fn only_everything_is_everything(a in privileges()) {
        let expected = a.iter().any(|p| {
            (p.kind(), p.target(), p.scope()) == (PrivilegeType::All, Target::All, &Scope::All)
        });
        prop_assert_eq!(a.are_everything(), expected);
    }
}
