//! What holds of a second factor that a RADIUS server judges, whatever happens, in whatever order.
//!
//! Actions are made up in advance and then let loose on a [`radius_world::World`], which checks
//! everything after each of them; see `radius_world/ledger.rs`, `radius_world/budget.rs` and
//! `radius_world/verdict.rs` for what everything is.

#![expect(
    clippy::unwrap_used,
    reason = "the lint's exception for tests does not reach helpers; here a panic is the finding"
)]

mod radius_world;

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{FileFailurePersistence, TestRunner};
use radius_world::World;
use radius_world::action::{Action, anything, crowd, siege};
use vestibule_engine::provider::RadiusMode;

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource(
            "proptest-regressions",
        ))),
        cases,
        ..ProptestConfig::default()
    }
}

fn mode() -> impl Strategy<Value = RadiusMode> {
    prop::sample::select(RadiusMode::ALL)
}

fn run(users: u8, mode: RadiusMode, actions: &[Action]) -> World {
    let mut world = World::new(users, mode);
    for action in actions {
        world.apply(action);
    }
    world.come_to_rest();
    world
}

proptest! {
    #![proptest_config(config(1_000))]

    #[test]
    fn it_holds_whatever_happens(mode in mode(), actions in anything(300)) {
        run(2, mode, &actions);
    }

    #[test]
    fn it_holds_in_a_crowd(mode in mode(), actions in crowd(300)) {
        run(1, mode, &actions);
    }
}

proptest! {
    #![proptest_config(config(15))]

    #[test]
    fn it_holds_under_siege(one_factor in any::<bool>(), actions in siege(1_500)) {
        let mode = if one_factor { RadiusMode::OneFactor } else { RadiusMode::Challenge };
        run(1, mode, &actions);
    }
}

/// Adds up what happens in so many runs that are the same every time.
fn tally(
    strategy: impl Strategy<Value = Vec<Action>>,
    users: u8,
    runs: usize,
) -> BTreeMap<&'static str, u32> {
    let mut runner = TestRunner::deterministic();
    let mut sum = BTreeMap::new();
    for mode in RadiusMode::ALL.iter().cycle().take(runs) {
        let actions = strategy.new_tree(&mut runner).unwrap().current();
        let world = run(users, *mode, &actions);
        for (&what, times) in world.tally() {
            *sum.entry(what).or_default() += times;
        }
        *sum.entry("skipped").or_default() += world.skipped;
        *sum.entry("actions").or_default() += u32::try_from(actions.len()).unwrap();
    }
    sum
}

/// Properties of what never happens hold of nothing.
#[track_caller]
fn reaches(tally: &BTreeMap<&str, u32>, whats: &[&str]) {
    for what in whats {
        assert!(
            tally.get(what).is_some_and(|&n| n >= 10),
            "{what:?} is rare: {tally:?}"
        );
    }
    assert!(
        tally.get("skipped") < tally.get("actions").map(|n| n / 2).as_ref(),
        "most is skipped: {tally:?}"
    );
}

#[test]
fn everything_happens() {
    reaches(
        &tally(anything(300), 2, 450),
        &[
            "passed at once",
            "passed a challenge",
            "passed by push",
            "accepted too early",
            "rejected",
            "cannot ask",
            "unavailable",
            "silent after an answer",
            "challenged",
            "asked again",
            "goes on with its try",
            "abandoned half-way",
            "given back",
            "wrong answer judged",
            "waiting",
            "no dialogue",
            "foreign state",
            "provider changed",
            "token ended",
            "token spent",
            "moved",
            "crashed",
            "push granted",
            "push sent",
            "push overtaken",
            "push joined",
            "push collected",
            "push turned away",
            "push barred",
        ],
    );
    reaches(
        &tally(crowd(300), 1, 300),
        &[
            "passed at once",
            "passed a challenge",
            "rejected",
            "asked again",
            "given back",
            "no dialogue",
            "waiting",
            "moved",
            "token ended",
        ],
    );
    reaches(
        &tally(siege(1_500), 1, 9),
        &[
            "passed a challenge",
            "asked again",
            "asked too often",
            "closed",
            "waiting",
        ],
    );
}
