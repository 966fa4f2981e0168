//! Every state that answers at once can lead to: the real engine, over a store whose statements are
//! steps, with programs that die between two steps and time that passes.
//!
//! Each model is also searched with a store that reads, compares and then writes, which must be
//! found: a search that finds nothing there would find nothing anywhere.
#![expect(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed, and says how much was tried"
)]

#[path = "every_order/codes.rs"]
mod codes;
#[path = "every_order/search.rs"]
mod search;

use codes::{Answer, Codes, Store};
use search::search;

const RIGHT: [Answer; 3] = [(1, true), (2, true), (1, true)];
const WRONG: [Answer; 3] = [(1, false), (2, false), (1, false)];
const BOTH: [Answer; 3] = [(1, true), (2, false), (1, true)];

fn codes(answers: &[Answer], failures: u32) -> Codes {
    Codes {
        answers: answers.to_vec(),
        failures,
        deaths: 1,
        passes: 1,
        store: Store::Good,
    }
}

/// Nothing is wrong with the model, and with the wrong store this is.
#[track_caller]
fn check(model: &Codes, found: &str) {
    match search(model) {
        Ok(states) => println!("{states} states of {model:?}"),
        Err(wrong) => panic!("{wrong}"),
    }
    let bad = Codes {
        store: Store::ReadsThenWrites,
        ..model.clone()
    };
    let wrong = search(&bad).unwrap_err();
    assert!(wrong.starts_with(found), "{wrong}");
}

#[test]
fn a_step_is_claimed_once() {
    check(&codes(&RIGHT, 0), "a step was claimed twice");
}

#[test]
fn no_failure_is_lost() {
    check(&codes(&WRONG, 4), "a failure was lost");
}

#[test]
fn a_success_loses_no_failure() {
    check(&codes(&BOTH, 4), "a failure was lost");
}
