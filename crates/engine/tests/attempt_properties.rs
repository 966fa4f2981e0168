//! What holds of the second factor whatever happens, in whatever order.
//!
//! Actions are made up in advance and then let loose on a [`world::World`], which checks
//! everything after each of them; see `world/ledger.rs` for what everything is.

#![expect(
    clippy::unwrap_used,
    reason = "the lint's exception for tests does not reach helpers; here a panic is the finding"
)]

mod oracle;
mod world;

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{FileFailurePersistence, TestRunner};
use world::World;
use world::action::{Action, anything, crowd, siege};

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource(
            "proptest-regressions",
        ))),
        cases,
        ..ProptestConfig::default()
    }
}

fn run(seed: u64, users: usize, actions: &[Action]) -> World {
    let mut world = World::new(seed, users);
    for action in actions {
        world.apply(action);
    }
    world.come_to_rest();
    world
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn it_holds_whatever_happens(seed in any::<u64>(), actions in anything(300)) {
        run(seed, 3, &actions);
    }

    #[test]
    fn it_holds_in_a_crowd(seed in any::<u64>(), actions in crowd(250)) {
        run(seed, 1, &actions);
    }
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn it_holds_under_siege(seed in any::<u64>(), actions in siege(1_500)) {
        run(seed, 1, &actions);
    }
}

/// Adds up what happens in so many runs that are the same every time.
fn tally(
    strategy: impl Strategy<Value = Vec<Action>>,
    users: usize,
    runs: u64,
) -> BTreeMap<&'static str, u32> {
    let mut runner = TestRunner::deterministic();
    let mut sum = BTreeMap::new();
    for seed in 0..runs {
        let actions = strategy.new_tree(&mut runner).unwrap().current();
        let world = run(seed, users, &actions);
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
        &tally(anything(300), 3, 100),
        &[
            "passed",
            "enrolled",
            "wrong code",
            "replayed",
            "waiting",
            "not enrolled",
            "foreign seed",
            "token ended",
            "token spent",
            "moved",
            "shown",
            "shown again",
            "too late to enrol",
            "admitted",
            "not admitted",
        ],
    );
    reaches(
        &tally(crowd(250), 1, 100),
        &["passed", "wrong code", "waiting", "token ended", "moved"],
    );
    reaches(
        &tally(siege(1_500), 1, 20),
        &["passed", "closed", "waiting"],
    );
}
