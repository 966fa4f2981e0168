//! The turns of an attempt that a well-behaved caller never gets to see.

#![expect(
    clippy::unwrap_used,
    reason = "the lint's exception for tests does not reach helpers; here a panic is the finding"
)]

use std::time::Duration;

use vestibule_engine::attempt::{Enrolment, Env, Standing, Transition};
use vestibule_engine::{
    Attempt, ClaimedStep, Effect, GuessBudget, Input, Otp, Refusal, Seed, SeedId, SessionId,
    Timestamp, TotpStep, UserId, Verdict,
};

const NOW: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);
const ENV: Env = Env {
    now: NOW,
    wall: NOW,
};

fn standing(revision: u64) -> Standing {
    Standing {
        user: UserId::from_random([1; 16]),
        session: SessionId::from_random([2; 16]),
        revision,
        budget: GuessBudget::default(),
        enrolment: Enrolment::Verified {
            id: SeedId::from_random([3; 16]),
            seed: seed(),
            last_step: TotpStep::new(0),
        },
    }
}

fn seed() -> Seed {
    Seed::from_bytes([4; 20])
}

fn right() -> Otp {
    Otp::new(seed().code(TotpStep::at(NOW)).unwrap().expose().clone())
}

fn wrong() -> Otp {
    Otp::new("not a code".to_owned())
}

fn awaiting() -> Attempt {
    Attempt::begin(standing(1))
}

fn after(otp: Otp) -> Transition {
    awaiting().step(Input::OtpSubmitted(otp), ENV).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "there is no store to say so")]
fn proof(revision: u64) -> ClaimedStep {
    let begun = Attempt::begin(standing(revision));
    let mut transition = begun.step(Input::OtpSubmitted(right()), ENV).unwrap();
    let Some(Effect::ClaimStep(claim)) = transition.effects.pop() else {
        panic!("a right code is claimed");
    };
    claim.dangerous_claimed()
}

fn claiming() -> Attempt {
    after(right()).next.unwrap()
}

fn counting() -> Attempt {
    after(wrong()).next.unwrap()
}

#[track_caller]
fn refused(attempt: Attempt, input: Input, expected: &str) {
    assert_eq!(attempt.step(input, ENV).unwrap_err().to_string(), expected);
}

#[test]
fn an_input_that_is_not_waited_for_is_refused() {
    let say = |state: &str, input: &str| format!("an attempt that is {state} cannot take {input}");
    let state = "awaiting a code";
    refused(
        awaiting(),
        Input::StepClaimed(proof(1)),
        &say(state, "the claim of a step"),
    );
    refused(
        awaiting(),
        Input::GuessCounted,
        &say(state, "the count of a guess"),
    );
    refused(
        awaiting(),
        Input::Moved(None),
        &say(state, "another standing"),
    );
    let state = "claiming a step";
    refused(
        claiming(),
        Input::OtpSubmitted(right()),
        &say(state, "a code"),
    );
    refused(
        claiming(),
        Input::GuessCounted,
        &say(state, "the count of a guess"),
    );
    let state = "counting a guess";
    refused(
        counting(),
        Input::OtpSubmitted(right()),
        &say(state, "a code"),
    );
    refused(
        counting(),
        Input::StepClaimed(proof(1)),
        &say(state, "the claim of a step"),
    );
}

#[test]
fn the_proof_of_another_claim_proves_nothing() {
    let said = "an attempt that is claiming a step cannot take the claim of a step";
    refused(claiming(), Input::StepClaimed(proof(2)), said);
    let passed = claiming().step(Input::StepClaimed(proof(1)), ENV).unwrap();
    assert!(matches!(
        passed.effects[..],
        [Effect::Finish(Verdict::Passed(_))]
    ));
}

/// Sends a code back, over and over; how often it was judged before the attempt gave up.
#[track_caller]
fn judgements(otp: Otp) -> u64 {
    let mut transition = after(otp);
    let mut judged = 0;
    while let Some(next) = transition.next {
        judged += 1;
        let moved = Input::Moved(Some(standing(judged)));
        transition = next.step(moved, ENV).unwrap();
    }
    let contended = matches!(
        transition.effects[..],
        [Effect::Finish(Verdict::Refused(Refusal::Contended))]
    );
    assert!(contended, "{:?}", transition.effects);
    judged
}

#[test]
fn an_attempt_that_is_always_overtaken_gives_up() {
    assert_eq!(judgements(right()), 17);
    assert_eq!(judgements(wrong()), 17);
}

#[test]
fn an_attempt_whose_token_is_gone_is_over() {
    for state in [claiming(), counting()] {
        let over = state.step(Input::Moved(None), ENV).unwrap();
        let ended = matches!(
            over.effects[..],
            [Effect::Finish(Verdict::Refused(Refusal::TokenEnded))]
        );
        assert!(ended && over.next.is_none());
    }
}

#[test]
fn a_seed_that_was_shown_waits_for_a_day() {
    for (age, waits) in [
        (0, true),
        (86_399, true),
        (86_400, false),
        (1_000_000, false),
    ] {
        let standing = standing(1);
        let enrolment = Enrolment::Unverified {
            id: SeedId::from_random([3; 16]),
            seed: seed(),
            shown_to: standing.session,
            created: NOW.before(Duration::from_secs(age)),
        };
        let begun = Attempt::begin(Standing {
            enrolment,
            ..standing
        });
        let transition = begun.step(Input::OtpSubmitted(right()), ENV).unwrap();
        let expired = matches!(
            transition.effects[..],
            [Effect::Finish(Verdict::Refused(Refusal::SeedExpired))]
        );
        assert_eq!(transition.next.is_some(), waits, "after {age} s");
        assert_eq!(expired, !waits, "after {age} s");
    }
}
