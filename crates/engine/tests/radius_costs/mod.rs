//! What an attempt costs: the try that is counted before anything is sent, and when it is given
//! back.

use vestibule_engine::Refusal;
use vestibule_engine::budget::{CLOSING_FAILURES, Gate};
use vestibule_engine::provider::RadiusMode;
use vestibule_engine::radius::{Credential, MOST_ROUNDS, Reply};

use crate::radius_desk::End::{AskedAgain, Challenged, NotAsked, Passed, Unavailable};
use crate::radius_desk::{self, Desk, NOW, ended};
use crate::{CAPPED, REJECTED};

/// Which tries are counted when a dialogue of so many requests has ended.
#[track_caller]
fn counted(mode: RadiusMode, requests: u8, last: Reply, expected: u32) {
    let mut desk = Desk::new(mode);
    desk.reach(requests);
    let said = format!("{mode:?}, {requests} requests, {last:?}");
    desk.answer(last);
    assert_eq!(desk.budget.streak(), expected, "{said}");
    assert_eq!(desk.budget.recent().count(), expected, "{said}");
}

#[test]
fn a_dialogue_costs_one_try_at_most() {
    for n in 2..=MOST_ROUNDS {
        counted(RadiusMode::Challenge, n, Reply::Rejected, 1);
        counted(RadiusMode::Challenge, n, Reply::Accepted, 0);
        counted(RadiusMode::Challenge, n, radius_desk::challenge(b"x"), 1);
    }
    counted(RadiusMode::OneFactor, 1, Reply::Rejected, 1);
    counted(RadiusMode::OneFactor, 1, Reply::Accepted, 0);
    counted(RadiusMode::OneFactor, 1, radius_desk::challenge(b"x"), 1);
}

/// Whoever can make a server fall silent must not get the answers before that for nothing.
#[test]
fn silence_forgives_only_what_was_not_judged() {
    counted(RadiusMode::OneFactor, 1, Reply::Silent, 0);
    counted(RadiusMode::OneFactor, 2, Reply::Silent, 1);
    counted(RadiusMode::Challenge, 2, Reply::Silent, 0);
    for n in 3..=MOST_ROUNDS {
        counted(RadiusMode::Challenge, n, Reply::Silent, 1);
    }
}

#[test]
fn opening_counts_only_a_password_that_was_wrong() {
    for (with, reply, expected) in [
        (Credential::ChallengeSecret, Reply::Rejected, 0),
        (Credential::ChallengeSecret, Reply::Silent, 0),
        (Credential::UserPassword, Reply::Rejected, 1),
        (Credential::UserPassword, Reply::Silent, 0),
        (Credential::UserPassword, Reply::Accepted, 0),
        (Credential::UserPassword, radius_desk::challenge(b"x"), 0),
    ] {
        let said = format!("{with:?}, {reply:?}");
        let mut desk = Desk::new(RadiusMode::Challenge);
        desk.open(with, reply);
        assert_eq!(desk.budget.streak(), expected, "{said}");
    }
}

#[test]
fn the_token_on_which_the_budget_ran_out_ends() {
    for (failures, ends) in [(0, false), (3, false), (4, true), (5, true), (9, true)] {
        for capped in [false, true] {
            let mut desk = Desk::new(RadiusMode::Challenge);
            desk.fail(failures);
            desk.reach(if capped { MOST_ROUNDS } else { 2 });
            desk.answer(if capped {
                radius_desk::challenge(b"x")
            } else {
                Reply::Rejected
            });
            assert_eq!(desk.has_token, !ends, "{failures} before, capped: {capped}");
        }
    }
}

#[test]
fn a_token_outlives_what_was_no_wrong_answer() {
    for reply in [|| Reply::Silent, || radius_desk::challenge(b"x")] {
        let mut desk = Desk::new(RadiusMode::Challenge);
        desk.fail(4);
        desk.reach(3);
        desk.answer(reply());
        assert!(desk.has_token, "{:?}", reply());
    }
}

#[test]
fn a_budget_that_others_give_back_to_does_not_end_the_token() {
    let mut desk = Desk::new(RadiusMode::Challenge);
    desk.fail(3);
    let (shared, theirs) = desk.budget.reserve(NOW);
    desk.budget = shared;
    desk.reach(2);
    let rejected = desk.hold_answer(Reply::Rejected);
    desk.others_write(|budget| budget.give_back(&theirs));
    assert_eq!(ended(&desk.moved(rejected)), REJECTED);
    assert!(desk.has_token);
}

#[test]
fn a_shut_budget_asks_nobody() {
    for (failures, refusal) in [
        (5, Refusal::Waiting),
        (6, Refusal::Waiting),
        (CLOSING_FAILURES, Refusal::Closed),
    ] {
        let barred = NotAsked(refusal);
        let mut desk = Desk::new(RadiusMode::Challenge);
        desk.fail(failures);
        desk.now = Desk::failed_at();
        let opened = desk.open(Credential::ChallengeSecret, radius_desk::challenge(b"x"));
        assert_eq!(
            opened, Challenged,
            "the server is asked to ask all the same"
        );
        assert_eq!(desk.answer(Reply::Accepted), barred);
        let guessed = desk.open(Credential::UserPassword, Reply::Accepted);
        assert_eq!(guessed, barred);
        let mut desk = Desk::new(RadiusMode::OneFactor);
        desk.fail(failures);
        desk.now = Desk::failed_at();
        assert_eq!(desk.answer(Reply::Accepted), barred);
    }
}

#[test]
fn a_dialogue_is_not_barred_by_the_try_it_holds() {
    for before in [4, 5, 8] {
        let mut desk = Desk::new(RadiusMode::Challenge);
        desk.fail(before);
        desk.reach(3);
        let gate = desk.budget.gate(desk.now);
        assert!(matches!(gate, Gate::Waiting(_)), "{before}: {gate:?}");
        assert_eq!(desk.answer(Reply::Accepted), Passed, "{before}");
    }
}

#[test]
fn a_dialogue_is_barred_by_the_tries_of_others() {
    let mut desk = Desk::new(RadiusMode::Challenge);
    desk.reach(3);
    for _ in 0..5 {
        desk.others_write(|budget| budget.after_failure(NOW));
    }
    assert_eq!(desk.answer(Reply::Accepted), NotAsked(Refusal::Waiting));
}

#[test]
fn a_wait_is_restored_when_the_try_is_given_back() {
    for failures in [4, 5, 6, 9] {
        let mut desk = Desk::new(RadiusMode::Challenge);
        desk.fail(failures);
        let before = desk.budget.clone();
        assert_eq!(before.gate(desk.now), Gate::Open);
        desk.reach(2);
        assert_eq!(desk.answer(Reply::Silent), Unavailable);
        assert_eq!(desk.budget.streak(), before.streak());
        assert_eq!(desk.budget.waiting_until(), before.waiting_until());
    }
}

#[test]
fn a_success_ends_the_row_and_no_more() {
    let mut desk = Desk::new(RadiusMode::Challenge);
    desk.fail(7);
    desk.reach(2);
    assert_eq!(desk.answer(Reply::Accepted), Passed);
    assert_eq!((desk.budget.streak(), desk.budget.recent().count()), (0, 7));
    assert!(!desk.has_token);
}

/// How many wrong answers a server that never rejects evaluates, for somebody with the password
/// whose victim signs in whenever the row would make them wait.
#[track_caller]
fn guesses_until_closed(mode: RadiusMode, answers: u32) {
    let mut desk = Desk::new(mode);
    let mut evaluated = 0;
    while !desk.budget.is_closed() {
        if desk.budget.gate(desk.now) != Gate::Open {
            desk.others_write(vestibule_engine::GuessBudget::after_success);
        }
        desk.has_token = true;
        desk.reach(match mode {
            RadiusMode::OneFactor => 1,
            RadiusMode::Challenge | RadiusMode::Push => 2,
        });
        for n in 1..=answers {
            let last = n == answers;
            let end = desk.answer(radius_desk::challenge(b"wrong, try again"));
            assert_eq!(end, if last { CAPPED } else { AskedAgain });
            evaluated += 1;
        }
    }
    assert_eq!(evaluated, CLOSING_FAILURES * answers, "{mode:?}");
}

/// A try is a dialogue, and a dialogue has at most [`MOST_ROUNDS`] requests.
#[test]
fn a_server_that_asks_again_judges_so_many_answers_and_no_more() {
    guesses_until_closed(RadiusMode::OneFactor, MOST_ROUNDS.into());
    guesses_until_closed(RadiusMode::Challenge, u32::from(MOST_ROUNDS) - 1);
}
