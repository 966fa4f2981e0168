//! The real service over the store in memory, with every call of a store as a turn that is given:
//! each scene is played in every order of its turns, or in as many as time allows.
//!
//! Each client has a server of its own, so that nothing but the store is shared, as between
//! replicas. Machines may die before a call, or after it and before anybody hears of it; time may
//! pass between two calls.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    reason = "a test that cannot go on has failed, and says how much was tried"
)]

mod explore;
mod gated;
mod scene;
mod stage;
mod turns;

mod codes;
mod ends;
mod enrolments;
mod passwords;
mod pushes;

use explore::{Found, explore};
use scene::{Fault, Scene};
use stage::Stage;
use vestibule_store::contract::stress::stress;

/// Explores a scene in which everything must hold.
#[track_caller]
fn holds(name: &str, scene: &Scene) {
    match explore(scene) {
        Ok(tried) => println!("{name}: {tried}"),
        Err(found) => panic!("{name}: {found}"),
    }
}

/// Explores a scene with a mistake in it, which must be found.
#[track_caller]
fn finds(scene: &Scene, what: &str) {
    let Found { what: found, .. } = explore(scene).expect_err("a mistake");
    assert!(found.contains(what), "{found}");
}

/// The stress of the contract of stores looks for the same mistakes in stores that are real, where
/// nobody gives turns.
#[tokio::test]
async fn the_contract_of_stores_finds_what_overwrites() {
    for fault in [Fault::FailuresOverwrite, Fault::PushesOverwrite] {
        let store = Stage::set(fault).await.without_turns();
        let found = stress(&[store], 0..100).await.expect_err("a mistake");
        assert!(found.contains("two writes rest on"), "{found}");
    }
    let store = Stage::set(Fault::None).await.without_turns();
    let tried = stress(&[store], 0..100).await.expect("no mistake");
    assert!(tried.moved > 0, "{tried:?}");
}
