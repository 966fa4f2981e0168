//! Codes that arrive at once: a step is claimed once, and no failure is lost.

use std::time::Duration;

use vestibule_engine::Refusal;
use vestibule_service::Clock as _;

use crate::scene::{Client, Ended, Fault, Scene, client, finish, token};
use crate::stage::{STEP, Stage, session};
use crate::{finds, holds};

/// A client that sends a code with the partial token of a session.
fn sends(session: u8, code: &str) -> Client {
    let code = code.to_owned();
    client(move |service| async move { finish(&service, token(session), code).await })
}

/// Clients with the right code, each in the session of its number.
fn of_one_step(sessions: &'static [u8]) -> Scene {
    Scene::new(
        move |stage| {
            Box::pin(async move {
                let phone = stage.enrol().await;
                let code = phone.code(stage.clock.wall());
                let mut begun = Vec::new();
                for &session in sessions {
                    if !begun.contains(&session) {
                        stage.partial(session).await;
                        begun.push(session);
                    }
                }
                sessions
                    .iter()
                    .map(|&session| sends(session, &code))
                    .collect()
            })
        },
        move |stage, ended| Box::pin(one_step(stage, sessions, ended)),
    )
}

async fn one_step(stage: &Stage, sessions: &[u8], ended: &[Option<Ended>]) -> Result<(), String> {
    let passed = ended
        .iter()
        .flatten()
        .filter(|ended| ended.passed())
        .count();
    let died = ended.iter().filter(|ended| ended.is_none()).count();
    if passed > 1 || passed + died == 0 {
        return Err(format!("{passed} passed with one code"));
    }
    for (n, ended) in ended.iter().enumerate() {
        match ended {
            Some(Ended::Passed(text)) => {
                if stage.verified(text).await != Some(session(sessions[n])) {
                    return Err(format!("{n} passed and has no token"));
                }
                if stage.is_partial(sessions[n]).await {
                    return Err(format!("{n} passed and the old token lives"));
                }
            }
            None | Some(Ended::Refused(Refusal::Replayed) | Ended::NoToken) => {}
            Some(other) => return Err(format!("{n} ended with {other:?}")),
        }
    }
    let budget = stage.factor().await.budget;
    if budget.streak() > 0 {
        return Err("a right code was counted as a guess".to_owned());
    }
    Ok(())
}

#[test]
fn a_code_passes_once_in_three_sessions() {
    holds("one code, three sessions", &of_one_step(&[1, 2, 3]));
}

#[test]
fn a_code_passes_once_at_one_server() {
    let scene = Scene {
        one_server: true,
        ..of_one_step(&[1, 1, 2])
    };
    holds("one code at one server", &scene);
}

#[test]
fn a_partial_token_passes_once() {
    holds(
        "one code, one session, three requests",
        &of_one_step(&[1, 1, 1]),
    );
}

#[test]
fn a_code_passes_once_while_machines_die() {
    let scene = Scene {
        deaths: 1,
        ..of_one_step(&[1, 1, 2])
    };
    holds("one code while a machine dies", &scene);
}

#[test]
fn a_partial_token_that_stays_is_found() {
    let scene = Scene {
        fault: Fault::PartialTokensStay,
        ..of_one_step(&[1, 2])
    };
    finds(&scene, "the old token lives");
}

/// What is sent in each session: the right code or a wrong one, after so many failures.
fn guesses(failures: u32, right: &'static [bool]) -> Scene {
    Scene::new(
        move |stage| {
            Box::pin(async move {
                let phone = stage.enrol().await;
                stage.fail(failures).await;
                let now = stage.clock.wall();
                let mut clients = Vec::new();
                for (session, &right) in (1..).zip(right) {
                    stage.partial(session).await;
                    let code = if right {
                        phone.code(now)
                    } else {
                        phone.wrong_code(now)
                    };
                    clients.push(sends(session, &code));
                }
                clients
            })
        },
        move |stage, ended| Box::pin(counted(stage, failures, ended)),
    )
}

async fn counted(stage: &Stage, before: u32, ended: &[Option<Ended>]) -> Result<(), String> {
    let count = |is: fn(&Ended) -> bool| {
        let all = ended.iter().flatten().filter(|ended| is(ended)).count();
        u32::try_from(all).expect("a few")
    };
    let wrong = count(|ended| *ended == Ended::Refused(Refusal::WrongCode));
    let passed = count(Ended::passed);
    let died = u32::try_from(ended.iter().filter(|ended| ended.is_none()).count()).expect("a few");
    let budget = stage.factor().await.budget;
    // Who died may have been counted, and nobody else.
    let recent = budget.recent().count();
    if !(before + wrong..=before + wrong + died).contains(&recent) {
        return Err(format!(
            "{wrong} were told that their code is wrong, {before} + {recent} counted"
        ));
    }
    if passed == 0 && died == 0 && budget.streak() > 5 {
        return Err(format!("{} guesses were looked at", budget.streak()));
    }
    if passed > 1 {
        return Err(format!("{passed} passed with one code"));
    }
    for (number, ended) in (1..).zip(ended) {
        let looked_at = matches!(
            ended,
            Some(Ended::Passed(_) | Ended::Refused(Refusal::WrongCode))
        );
        let barred = *ended == Some(Ended::Refused(Refusal::Waiting));
        let replayed = *ended == Some(Ended::Refused(Refusal::Replayed));
        if ended.is_some() && !looked_at && !barred && !replayed {
            return Err(format!("{number} ended with {ended:?}"));
        }
    }
    Ok(())
}

#[test]
fn none_beyond_the_budget_is_looked_at() {
    holds("three wrong codes, one try left", &guesses(4, &[false; 3]));
    holds("four wrong codes, two tries left", &guesses(3, &[false; 4]));
}

#[test]
fn a_success_among_failures_loses_none() {
    holds(
        "a right code among wrong ones",
        &guesses(3, &[false, true, false]),
    );
    holds(
        "two right codes and a wrong one",
        &guesses(4, &[true, false, true]),
    );
}

#[test]
fn failures_are_counted_while_machines_die() {
    let scene = Scene {
        deaths: 1,
        ..guesses(3, &[false; 3])
    };
    holds("wrong codes while a machine dies", &scene);
}

#[test]
fn failures_that_overwrite_each_other_are_found() {
    let scene = Scene {
        fault: Fault::FailuresOverwrite,
        ..guesses(3, &[false; 2])
    };
    finds(&scene, "were told that their code is wrong");
}

/// A wait that ends while guesses are under way.
#[test]
fn a_wait_that_ends_lets_in_no_more_than_one_guess() {
    let scene = Scene {
        passes: vec![STEP],
        ..guesses(5, &[false; 3])
    };
    let scene = Scene {
        check: Box::new(|stage, ended| {
            Box::pin(async move {
                let looked_at = |ended: &&Ended| **ended == Ended::Refused(Refusal::WrongCode);
                let count = ended.iter().flatten().filter(looked_at).count();
                let streak = stage.factor().await.budget.streak();
                if count > 1 || usize::try_from(streak) != Ok(5 + count) {
                    return Err(format!("{count} were looked at, {streak} counted"));
                }
                Ok(())
            })
        }),
        ..scene
    };
    holds("three wrong codes while a wait ends", &scene);
}

/// A token that expires while its code is judged ends in no token, or in the one it earned.
#[test]
fn an_expired_token_passes_nothing() {
    let scene = of_one_step(&[1, 2]);
    let scene = Scene {
        passes: vec![Duration::from_mins(16)],
        check: Box::new(|_, ended| {
            Box::pin(async move {
                let passed = ended
                    .iter()
                    .flatten()
                    .filter(|ended| ended.passed())
                    .count();
                if passed > 1 {
                    return Err(format!("{passed} passed with one code"));
                }
                let expected = |ended: &Ended| {
                    ended.passed()
                        || *ended == Ended::NoToken
                        || matches!(
                            ended,
                            Ended::Refused(Refusal::Replayed | Refusal::WrongCode)
                        )
                };
                match ended.iter().flatten().find(|ended| !expected(ended)) {
                    Some(strange) => Err(format!("one ended with {strange:?}")),
                    None => Ok(()),
                }
            })
        }),
        ..scene
    };
    holds("one code while tokens expire", &scene);
}
