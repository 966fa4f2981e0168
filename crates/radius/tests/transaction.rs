//! One request, from its first send to its end.

#![expect(
    clippy::unwrap_used,
    reason = "the lint's exception for tests does not reach helpers; here a panic is the finding"
)]

mod server;

use std::time::Duration;

use server::{ACCEPT, Server};
use vestibule_radius::{
    Authenticator, Effect, Env, Input, Outcome, Pattern, SharedSecret, Transaction, Transition,
    Verified, verify,
};

fn env(milliseconds: u64) -> Env {
    Env {
        now: Duration::from_millis(milliseconds),
        draw: u32::MAX / 2,
        pending: 0,
    }
}

fn begin(pattern: Pattern, can_move: bool, timeout: u64) -> Transition {
    let deadline = Duration::from_millis(1000 + timeout);
    Transaction::begin(pattern, can_move, deadline, env(1000))
}

fn accepted() -> Verified {
    let secret = SharedSecret::new("xyzzy5461").unwrap();
    let server = Server {
        secret: b"xyzzy5461",
        asked: [1; 16],
        identifier: 0,
    };
    let pending = |_| Some(Authenticator::from_random([1; 16]));
    verify(&server.signed(ACCEPT, &[]), pending, &secret, true).unwrap()
}

/// What was done, in words; times are rounded to milliseconds.
fn words(effects: &[Effect]) -> Vec<String> {
    let in_words = |effect: &Effect| match effect {
        Effect::Send => "send".to_owned(),
        Effect::WakeAt(at) => format!("wake {}", (*at + Duration::from_micros(500)).as_millis()),
        Effect::Done(Outcome::Answered(_)) => "answered".to_owned(),
        Effect::Done(Outcome::Unanswered) => "unanswered".to_owned(),
        Effect::Done(Outcome::Gone { may_move: true }) => "gone, may move".to_owned(),
        Effect::Done(Outcome::Gone { may_move: false }) => "gone".to_owned(),
    };
    effects.iter().map(in_words).collect()
}

#[track_caller]
fn check(transition: Transition, expected: &[&str]) -> Option<Transaction> {
    assert_eq!(words(&transition.effects), expected);
    transition.next
}

/// Follows the wakes of a request that nobody answers.
fn follow(transition: Transition) -> (Vec<String>, u32) {
    let mut all = words(&transition.effects);
    let mut effects = transition.effects;
    let mut next = transition.next;
    let mut sends = 1;
    while let Some(transaction) = next {
        let Some(Effect::WakeAt(now)) = effects.last() else {
            panic!("{effects:?}")
        };
        let env = Env {
            now: *now,
            ..env(0)
        };
        let transition = transaction.step(Input::Woke, env);
        all.extend(words(&transition.effects));
        sends = transition.next.as_ref().map_or(sends, Transaction::sends);
        (effects, next) = (transition.effects, transition.next);
    }
    (all, sends)
}

#[test]
fn a_short_request_is_sent_three_times() {
    let (words, sends) = follow(begin(Pattern::Short, true, 60_000));
    let expected = [
        "send",
        "wake 3000",
        "send",
        "wake 7000",
        "send",
        "wake 11000",
        "unanswered",
    ];
    assert_eq!(
        (words.as_slice(), sends),
        (&expected.map(str::to_owned)[..], 3)
    );
}

#[test]
fn a_push_is_sent_until_its_deadline() {
    let (words, sends) = follow(begin(Pattern::Push, true, 90_000));
    assert_eq!(sends, 41);
    assert_eq!(words[words.len() - 2..], ["wake 91000", "unanswered"]);
}

#[test]
fn an_answer_ends_it() {
    let transaction = begin(Pattern::Push, true, 90_000).next.unwrap();
    assert_eq!(transaction.started(), Duration::from_secs(1));
    let end = transaction.step(Input::Answered(accepted()), env(5000));
    assert!(check(end, &["answered"]).is_none());
}

#[test]
fn waking_early_changes_nothing() {
    let transaction = begin(Pattern::Short, true, 60_000).next.unwrap();
    let transaction = check(transaction.step(Input::Woke, env(2999)), &["wake 3000"]).unwrap();
    assert_eq!(transaction.sends(), 1);
    let sent = transaction.step(Input::Woke, env(3000));
    check(sent, &["send", "wake 7000"]);
}

#[test]
fn nothing_is_sent_after_the_deadline_however_late_one_wakes() {
    let transaction = begin(Pattern::Short, true, 5000).next.unwrap();
    check(transaction.step(Input::Woke, env(6000)), &["unanswered"]);
}

#[track_caller]
fn check_gone(pattern: Pattern, can_move: bool, input: Input, now: u64, expected: &[&str]) {
    let transaction = begin(pattern, can_move, 90_000).next.unwrap();
    check(transaction.step(input, env(now)), expected);
}

#[test]
fn a_refusal_moves_what_can_be_moved() {
    check_gone(
        Pattern::Short,
        true,
        Input::Refused,
        1001,
        &["gone, may move"],
    );
    check_gone(Pattern::Short, false, Input::Refused, 1001, &["wake 3000"]);
    check_gone(
        Pattern::Push,
        true,
        Input::Refused,
        3000,
        &["gone, may move"],
    );
    // Somebody may be looking at their phone by now.
    check_gone(Pattern::Push, true, Input::Refused, 3001, &["wake 3000"]);
    check_gone(Pattern::Push, false, Input::Refused, 1001, &["wake 3000"]);
}

#[test]
fn the_death_of_the_server_ends_it() {
    let died = || Input::EndpointDied;
    check_gone(Pattern::Short, true, died(), 60_000, &["gone, may move"]);
    check_gone(Pattern::Short, false, died(), 1001, &["gone"]);
    check_gone(Pattern::Push, true, died(), 16_000, &["gone, may move"]);
    check_gone(Pattern::Push, true, died(), 16_001, &["gone"]);
    check_gone(Pattern::Push, false, died(), 1001, &["gone"]);
    check_gone(Pattern::Once, true, died(), 60_000, &["gone, may move"]);
}
