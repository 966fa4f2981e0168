//! The turns of an attempt that a RADIUS server judges: every cell of the table of modes, and
//! what a well-behaved caller never gets to see.

mod radius_costs;
mod radius_desk;

use std::time::Duration;

use radius_desk::{Desk, HANDLE, OTHER, after, ended, server, state};
use vestibule_engine::Refusal;
use vestibule_engine::provider::RadiusMode;
use vestibule_engine::push::PushOutcome;
use vestibule_engine::radius::{Credential, Handle, MOST_ROUNDS, RadiusAttempt, Reply};

use radius_desk::End::{
    AcceptedTooEarly, AskedAgain, Challenged, Contended, NotAsked, Passed, Refused, Unavailable,
};

/// How a request is made.
#[derive(Clone, Copy, Debug)]
enum Request {
    First(Credential),
    /// The n-th of a dialogue, from the second on.
    Later(u8),
}

/// What the four replies make of a request: Accept, Reject, Challenge, Silent.
#[track_caller]
fn check(mode: RadiusMode, request: Request, expected: [radius_desk::End; 4]) {
    let replies: [fn() -> Reply; 4] = [
        || Reply::Accepted,
        || Reply::Rejected,
        || radius_desk::challenge(b"next"),
        || Reply::Silent,
    ];
    for (reply, expected) in replies.into_iter().zip(expected) {
        let mut desk = Desk::new(mode);
        let end = match request {
            Request::First(Credential::Typed) => desk.answer(reply()),
            Request::First(with) => desk.open(with, reply()),
            Request::Later(n) => {
                desk.reach(n);
                desk.answer(reply())
            }
        };
        assert_eq!(end, expected, "{mode:?}, {request:?}, {:?}", reply());
    }
}

const REJECTED: radius_desk::End = Refused(Refusal::Rejected);
const CAPPED: radius_desk::End = Refused(Refusal::TooManyRounds);
const NO_DIALOGUE: radius_desk::End = NotAsked(Refusal::NoDialogue);

#[test]
fn a_first_request_of_one_factor() {
    let typed = Request::First(Credential::Typed);
    check(
        RadiusMode::OneFactor,
        typed,
        [Passed, REJECTED, AskedAgain, Unavailable],
    );
}

#[test]
fn a_first_request_of_a_challenge() {
    let opened = [AcceptedTooEarly, REJECTED, Challenged, Unavailable];
    for with in [Credential::ChallengeSecret, Credential::UserPassword] {
        check(RadiusMode::Challenge, Request::First(with), opened);
    }
    let typed = Request::First(Credential::Typed);
    check(RadiusMode::Challenge, typed, [NO_DIALOGUE; 4]);
    check(RadiusMode::Push, typed, [NO_DIALOGUE; 4]);
}

#[test]
fn a_request_that_nobody_typed_anything_for_proves_nothing() {
    for mode in RadiusMode::ALL {
        for with in [Credential::ChallengeSecret, Credential::UserPassword] {
            let mut desk = Desk::new(*mode);
            assert_eq!(desk.open(with, Reply::Accepted), AcceptedTooEarly);
            assert_eq!(desk.budget.streak(), 0, "{mode:?}, {with:?}");
        }
    }
}

#[test]
fn later_requests() {
    for mode in [RadiusMode::OneFactor, RadiusMode::Challenge] {
        for n in 2..MOST_ROUNDS {
            let later = [Passed, REJECTED, AskedAgain, Unavailable];
            check(mode, Request::Later(n), later);
        }
        let last = [Passed, REJECTED, CAPPED, Unavailable];
        check(mode, Request::Later(MOST_ROUNDS), last);
    }
}

#[test]
fn what_becomes_of_a_push() {
    for (outcome, expected) in [
        (PushOutcome::Accepted, Passed),
        (PushOutcome::Denied, REJECTED),
        (PushOutcome::Challenged, Refused(Refusal::CannotAsk)),
        (PushOutcome::Unavailable, Unavailable),
    ] {
        let mut desk = Desk::new(RadiusMode::Push);
        let sent_by = desk.provider();
        assert_eq!(desk.collect(sent_by, outcome), expected, "{outcome:?}");
        assert_eq!(desk.budget.streak(), 0, "{outcome:?}");
    }
}

#[test]
fn a_push_of_another_provider_never_passes() {
    let mut desk = Desk::new(RadiusMode::Push);
    let (id, revision) = desk.provider();
    for sent_by in [(id, revision + 1), (OTHER, revision)] {
        let changed = Refused(Refusal::ProviderChanged);
        assert_eq!(desk.collect(sent_by, PushOutcome::Accepted), changed);
    }
}

#[test]
fn an_answer_goes_where_the_question_came_from() {
    let mut desk = Desk::new(RadiusMode::Challenge);
    desk.open(Credential::ChallengeSecret, radius_desk::challenge(b"one"));
    let asked = desk.asked.last().unwrap();
    assert_eq!((asked.server, &asked.state), (None, &None));
    desk.answer(radius_desk::challenge(b"two"));
    let asked = desk.asked.last().unwrap();
    assert_eq!(
        (asked.server, &asked.state),
        (Some(server()), &state(b"one"))
    );
    desk.answer(Reply::Rejected);
    let asked = desk.asked.last().unwrap();
    assert_eq!(
        (asked.server, &asked.state),
        (Some(server()), &state(b"two"))
    );
    assert_eq!(desk.answer(Reply::Accepted), NO_DIALOGUE);
    assert_eq!(desk.asked.len(), 3);
}

#[test]
fn a_handle_is_of_this_dialogue_or_refused() {
    let foreign = NotAsked(Refusal::ForeignState);
    for (claimed, expected) in [
        (None, Passed),
        (Some(&HANDLE[..]), Passed),
        (Some(&[9; 16][..]), foreign),
        (Some(&HANDLE[..15]), foreign),
        (Some(&[][..]), foreign),
    ] {
        for n in 2..=MOST_ROUNDS {
            let mut desk = Desk::new(RadiusMode::Challenge);
            desk.reach(n);
            let claimed = claimed.map(Handle::claimed);
            let end = desk.answer_as(claimed, Reply::Accepted);
            assert_eq!(end, expected, "{claimed:?} in request {n}");
        }
    }
}

#[test]
fn a_handle_without_a_dialogue_is_refused() {
    for mode in RadiusMode::ALL {
        let mut desk = Desk::new(*mode);
        let claimed = Some(Handle::claimed(&HANDLE));
        let end = desk.answer_as(claimed, Reply::Accepted);
        // Where an answer needs a question, it is said that there is none.
        let expected = match mode {
            RadiusMode::OneFactor => Refusal::ForeignState,
            RadiusMode::Challenge | RadiusMode::Push => Refusal::NoDialogue,
        };
        assert_eq!(end, NotAsked(expected), "{mode:?}");
    }
}

/// Opens a dialogue that the server waits for as long as it says, and answers after so many
/// seconds.
#[track_caller]
fn expires(says: Option<u64>, after_seconds: u64, expected: radius_desk::End) {
    let mut desk = Desk::new(RadiusMode::Challenge);
    let says = says.map(Duration::from_secs);
    desk.open(
        Credential::ChallengeSecret,
        radius_desk::challenge_for(b"one", says),
    );
    desk.now = after(after_seconds);
    let end = desk.answer(Reply::Accepted);
    assert_eq!(end, expected, "{says:?}, after {after_seconds} s");
}

#[test]
fn a_dialogue_expires() {
    expires(None, 119, Passed);
    expires(None, 120, NO_DIALOGUE);
    expires(Some(10), 9, Passed);
    expires(Some(10), 10, NO_DIALOGUE);
    expires(Some(0), 0, Passed);
    expires(Some(0), 1, NO_DIALOGUE);
    expires(Some(u64::MAX), 299, Passed);
    expires(Some(u64::MAX), 300, NO_DIALOGUE);
}

#[test]
fn a_provider_that_was_changed_has_no_old_dialogues() {
    for mode in [RadiusMode::Challenge, RadiusMode::Push] {
        let mut desk = Desk::new(RadiusMode::Challenge);
        desk.reach(2);
        desk.change_provider(mode);
        assert_eq!(desk.answer(Reply::Accepted), NO_DIALOGUE, "{mode:?}");
    }
    let mut desk = Desk::new(RadiusMode::Challenge);
    desk.reach(2);
    desk.change_provider(RadiusMode::OneFactor);
    assert_eq!(desk.answer(Reply::Rejected), REJECTED);
    assert_eq!(desk.asked.last().unwrap().state, None);
}

#[test]
fn a_provider_that_is_changed_meanwhile_asks_nobody_and_passes_nobody() {
    let mut desk = Desk::new(RadiusMode::Challenge);
    desk.reach(2);
    let changed = Refused(Refusal::ProviderChanged);
    let (reserving, _) = desk.begin_answer(None);
    desk.change_provider(RadiusMode::Challenge);
    assert_eq!(ended(&desk.moved(reserving)), changed);

    let mut desk = Desk::new(RadiusMode::Challenge);
    desk.reach(2);
    let redeeming = desk.hold_answer(Reply::Accepted);
    desk.change_provider(RadiusMode::Challenge);
    assert_eq!(ended(&desk.moved(redeeming)), changed);
}

#[test]
fn of_two_answers_to_one_question_only_one_is_sent() {
    for mode in [RadiusMode::Challenge, RadiusMode::OneFactor] {
        // The second one hears of it while the first is under way…
        let mut desk = Desk::new(mode);
        desk.reach(2);
        let (second, _) = desk.begin_answer(None);
        let first = desk.hold_answer(Reply::Accepted);
        assert_eq!(ended(&desk.moved(second)), Refused(Refusal::NoDialogue));
        assert_eq!(desk.carry_on(first), Passed);
        assert_eq!(desk.asked.len(), 2, "{mode:?}");

        // …or when the server has asked something else already.
        let mut desk = Desk::new(mode);
        desk.reach(2);
        let claimed = Some(Handle::claimed(&desk.handle()));
        let (second, _) = desk.begin_answer(claimed);
        assert_eq!(desk.answer(radius_desk::challenge(b"more")), AskedAgain);
        assert_eq!(ended(&desk.moved(second)), Refused(Refusal::NoDialogue));
        assert_eq!(desk.asked.len(), 2, "{mode:?}");
        assert_eq!(desk.answer(Reply::Accepted), Passed);
    }
}

#[test]
fn a_code_is_not_sent_to_a_question_that_came_later() {
    let mut desk = Desk::new(RadiusMode::OneFactor);
    let (second, _) = desk.begin_answer(None);
    desk.answer(radius_desk::challenge(b"one"));
    assert_eq!(ended(&desk.moved(second)), Refused(Refusal::NoDialogue));
}

#[test]
fn a_dialogue_that_expires_meanwhile_is_not_begun_anew() {
    let mut desk = Desk::new(RadiusMode::OneFactor);
    desk.answer(radius_desk::challenge(b"one"));
    let (late, _) = desk.begin_answer(None);
    desk.now = after(120);
    assert_eq!(ended(&desk.moved(late)), Refused(Refusal::NoDialogue));
}

/// An attempt in each state that a store is asked in.
fn asking_a_store() -> [(&'static str, Desk, RadiusAttempt); 4] {
    let make = |hold: fn(&mut Desk) -> RadiusAttempt| {
        let mut desk = Desk::new(RadiusMode::Challenge);
        desk.reach(2);
        let attempt = hold(&mut desk);
        (desk, attempt)
    };
    let (desk, reserving) = make(|desk| desk.begin_answer(None).0);
    let (desk_2, settling) = make(|desk| desk.hold_answer(Reply::Silent));
    let (desk_3, going_on) = make(|desk| desk.hold_answer(radius_desk::challenge(b"more")));
    let (desk_4, redeeming) = make(|desk| desk.hold_answer(Reply::Accepted));
    [
        ("reserving", desk, reserving),
        ("giving back", desk_2, settling),
        ("going on", desk_3, going_on),
        ("redeeming", desk_4, redeeming),
    ]
}

#[test]
fn an_attempt_whose_token_is_gone_is_over() {
    for (said, desk, attempt) in asking_a_store() {
        let end = ended(&desk.gone(attempt));
        assert_eq!(end, Refused(Refusal::TokenEnded), "{said}");
    }
}

#[test]
fn an_attempt_that_is_always_overtaken_gives_up() {
    for (said, mut desk, attempt) in asking_a_store() {
        assert_eq!(desk.overtake(attempt), (17, Contended), "{said}");
    }
}
