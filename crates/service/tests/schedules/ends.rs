//! Ends against the second factor: what is ended stays ended.

use vestibule_engine::Refusal;
use vestibule_service::Clock as _;

use crate::holds;
use crate::scene::{Client, Ended, Scene, client, finish, origin, token};
use crate::stage::{Stage, alice};

/// Two requests with a right code in session 1, while something ends.
fn against(end: fn(&Stage) -> Client, check: fn(Outcome) -> Result<(), String>) -> Scene {
    Scene::new(
        move |stage| {
            Box::pin(async move {
                let code = stage.enrol().await.code(stage.clock.wall());
                stage.partial(1).await;
                let sends = |code: String| {
                    client(move |service| async move { finish(&service, token(1), code).await })
                };
                vec![sends(code.clone()), sends(code), end(stage)]
            })
        },
        move |stage, ended| {
            Box::pin(async move {
                let passed = ended[..2].iter().flatten().find_map(|ended| match ended {
                    Ended::Passed(token) => Some(token),
                    _ => None,
                });
                let lives = match passed {
                    Some(token) => stage.verified(token).await.is_some(),
                    None => false,
                };
                let partial_lives = stage.is_partial(1).await;
                check(Outcome {
                    ended: ended[2].clone().expect("nobody dies"),
                    passed: passed.is_some(),
                    lives,
                    partial_lives,
                })
            })
        },
    )
}

/// What is left.
#[derive(Debug)]
struct Outcome {
    ended: Ended,
    passed: bool,
    lives: bool,
    partial_lives: bool,
}

#[test]
fn a_session_that_ended_has_no_token() {
    let log_out = |_: &Stage| {
        client(|service| async move {
            match service.log_out(&token(1), origin()).await {
                Ok(()) => Ended::Done,
                Err(_) => Ended::NoToken,
            }
        })
    };
    let check = |outcome: Outcome| {
        let ended = outcome.ended == Ended::Done;
        let wrong = if ended { outcome.lives } else { !outcome.lives };
        if wrong || outcome.partial_lives {
            return Err(format!("{outcome:?}"));
        }
        Ok(())
    };
    holds("a code against a sign-out", &against(log_out, check));
}

#[test]
fn a_seed_that_was_reset_admits_nobody() {
    let reset = |stage: &Stage| {
        let store = stage.store_of(2);
        client(|_| async move {
            let _ = store
                .reset_factor(alice(), None, &[])
                .await
                .expect("a store");
            Ended::Done
        })
    };
    // Who passed, passed before; what had not passed by then has ended.
    let check = |outcome: Outcome| {
        if outcome.partial_lives || outcome.passed != outcome.lives {
            return Err(format!("{outcome:?}"));
        }
        Ok(())
    };
    holds("a code against a reset", &against(reset, check));
}

/// The refusals of a code whose token has gone name no reason that was not there.
#[test]
fn who_comes_too_late_is_told_that_the_token_has_gone() {
    let log_out = |stage: &Stage| {
        let store = stage.store_of(2);
        client(|_| async move {
            store
                .end_session(crate::stage::alice(), crate::stage::session(1), &[])
                .await
                .expect("a store");
            Ended::Done
        })
    };
    let scene = against(log_out, |_| Ok(()));
    let scene = Scene {
        check: Box::new(|_, ended| {
            Box::pin(async move {
                let expected = |ended: &Ended| {
                    ended.passed()
                        || [
                            Ended::NoToken,
                            Ended::Refused(Refusal::Replayed),
                            Ended::Done,
                        ]
                        .contains(ended)
                };
                match ended.iter().flatten().find(|ended| !expected(ended)) {
                    Some(strange) => Err(format!("{strange:?}")),
                    None => Ok(()),
                }
            })
        }),
        ..scene
    };
    holds("a code against the end of its session", &scene);
}
