//! Enrolments at once: what is verified was shown to whoever verified it.

use vestibule_service::{Clock as _, Service};
use vestibule_testkit::authenticator::Authenticator;
use vestibule_testkit::clock::START;

use crate::holds;
use crate::scene::{Client, Ended, Scene, client, finish, initialize, token};
use crate::stage::{STEP, Stage, session};

/// Sets an authenticator up in the session of this number, and sends its first code.
async fn enrol(service: Service, session: u8) -> Ended {
    let secret = match initialize(&service, &token(session)).await {
        Ended::Shown(secret) => secret,
        other => return other,
    };
    let code = Authenticator::from_base32(&secret).code(START);
    match finish(&service, token(session), code).await {
        Ended::Passed(token) => Ended::Enrolled { secret, token },
        other => other,
    }
}

fn enrolments(sessions: &'static [u8]) -> Scene {
    let client = |session| -> Client { client(move |service| enrol(service, session)) };
    Scene::new(
        move |stage| {
            Box::pin(async move {
                for session in 1..=*sessions.iter().max().expect("a session") {
                    stage.partial(session).await;
                }
                sessions.iter().map(|session| client(*session)).collect()
            })
        },
        move |stage, ended| Box::pin(shown(stage, sessions, ended)),
    )
}

async fn shown(stage: &Stage, sessions: &[u8], ended: &[Option<Ended>]) -> Result<(), String> {
    let mut enrolled = Vec::new();
    for (session, ended) in sessions.iter().zip(ended) {
        if let Some(Ended::Enrolled { secret, token }) = ended {
            enrolled.push((*session, secret, token));
        }
    }
    let died = ended.iter().filter(|ended| ended.is_none()).count();
    let [(number, secret, token)] = enrolled[..] else {
        let good = enrolled.is_empty() && died > 0;
        return if good {
            Ok(())
        } else {
            Err(format!("{} enrolled: {ended:?}", enrolled.len()))
        };
    };
    if stage.verified(token).await != Some(session(number)) {
        return Err("who enrolled has no token".to_owned());
    }
    // The seed that counts is the one that was shown to whoever verified it.
    stage.clock.advance(STEP);
    stage.partial(FRESH).await;
    let service = stage.undisturbed(std::sync::Arc::default()).await;
    let code = Authenticator::from_base32(secret).code(stage.clock.wall());
    match finish(&service, crate::scene::token(FRESH), code).await {
        Ended::Passed(_) => Ok(()),
        other => Err(format!("the seed that was shown does not count: {other:?}")),
    }
}

/// A session that begins when all is over.
const FRESH: u8 = 200;

#[test]
fn what_is_verified_was_shown_to_who_verified_it() {
    holds("two enrolments in two sessions", &enrolments(&[1, 2]));
}

#[test]
fn two_requests_of_one_session_enrol_once() {
    holds("two enrolments in one session", &enrolments(&[1, 1]));
}

#[test]
fn an_enrolment_survives_the_death_of_a_machine() {
    // Each run draws barcodes, which takes long.
    let scene = Scene {
        deaths: 1,
        most: 150,
        ..enrolments(&[1, 2])
    };
    holds("two enrolments while a machine dies", &scene);
}
