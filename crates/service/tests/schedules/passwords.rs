//! Passwords that arrive at once: no failure is lost, and none beyond the lock is looked at.

use vestibule_engine::Secret;
use vestibule_service::{Credentials, ServiceError, SignInRefusal};
use vestibule_store::Accounts as _;

use crate::holds;
use crate::scene::{Client, Ended, Scene, client, origin};
use crate::stage::{PASSWORD, Stage, alice};

/// Failures that lock.
const THRESHOLD: u32 = 5;

fn signs_in(right: bool) -> Client {
    client(move |service| async move {
        let password = if right { PASSWORD } else { "wrong" };
        let device = "4c07bc67-57ea-42dd-b702-c2d6c45419fc";
        let credentials = Credentials::new(
            Some("local"),
            Some(device),
            Some("alice"),
            Some(Secret::from(password)),
        );
        match service
            .authenticate(credentials.expect("credentials"), origin())
            .await
        {
            Ok(signed_in) => Ended::Passed(signed_in.token.expose().clone()),
            Err(ServiceError::SignInRefused(SignInRefusal::WrongPassword)) => Ended::WrongPassword,
            Err(ServiceError::SignInRefused(SignInRefusal::Locked)) => Ended::Locked,
            Err(other) => panic!("{other:?}"),
        }
    })
}

/// Sign-ins at once, after so many failures.
fn sign_ins(failures: u32, right: &'static [bool]) -> Scene {
    Scene::new(
        move |stage| {
            Box::pin(async move {
                stage.fail_passwords(failures).await;
                right.iter().map(|right| signs_in(*right)).collect()
            })
        },
        move |stage, ended| Box::pin(counted(stage, failures, ended)),
    )
}

async fn counted(stage: &Stage, before: u32, ended: &[Option<Ended>]) -> Result<(), String> {
    let user = stage
        .store
        .user(alice())
        .await
        .expect("a store")
        .expect("a user");
    let is = |wanted: fn(&Ended) -> bool| {
        let all = ended.iter().flatten().filter(|ended| wanted(ended)).count();
        u32::try_from(all).expect("a few")
    };
    let wrong = is(|ended| *ended == Ended::WrongPassword);
    let passed = is(Ended::passed);
    let locked = is(|ended| *ended == Ended::Locked);
    let count = user.password_failures.count;
    // A success ends the failures before it, and none after it.
    let fits = if passed == 0 {
        count == before + wrong
    } else {
        count <= wrong
    };
    if !fits || count > THRESHOLD {
        return Err(format!(
            "{wrong} were told that they are wrong, {before} + {count} counted"
        ));
    }
    if locked > 0 && before + wrong < THRESHOLD {
        return Err("locked too early".to_owned());
    }
    Ok(())
}

#[test]
fn no_wrong_password_is_lost() {
    holds("three wrong passwords", &sign_ins(0, &[false; 3]));
    holds(
        "a right password among wrong ones",
        &sign_ins(1, &[false, true, false]),
    );
}

#[test]
fn no_password_beyond_the_lock_is_looked_at() {
    let scene = Scene {
        most: 100,
        ..sign_ins(4, &[false; 3])
    };
    holds("three wrong passwords, one try left", &scene);
}

#[test]
fn no_wrong_password_is_lost_at_one_server() {
    let scene = Scene {
        one_server: true,
        ..sign_ins(0, &[false, false, true])
    };
    holds("wrong passwords at one server", &scene);
}
