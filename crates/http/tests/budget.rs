//! The guess budget, as somebody sees it who guesses.

mod app;

use std::time::Duration;

use app::{App, PASSWORD};
use vestibule_service::Clock as _;
use vestibule_testkit::authenticator::Authenticator;

/// An administrator with a verified seed, and an authenticator whose present code is fresh.
async fn seeded() -> (App, Authenticator) {
    let app = App::start().await;
    let (_, authenticator) = app.admin().await;
    app.clock.advance(Duration::from_secs(30));
    (app, authenticator)
}

async fn guess(app: &App, authenticator: &Authenticator, partial: &str) -> String {
    let wrong = authenticator.wrong_code(app.clock.wall());
    app.otp(partial, &wrong).await.shown()
}

#[tokio::test]
async fn five_wrong_codes_end_the_token_and_begin_a_wait() {
    let (app, authenticator) = seeded().await;
    let partial = app.partial("admin").await;
    let first = guess(&app, &authenticator, &partial).await;
    for _ in 0..4 {
        assert_eq!(guess(&app, &authenticator, &partial).await, first);
    }
    app.initialize(&partial).await.is(401, "unauthorized");

    let partial = app.partial("admin").await;
    assert_eq!(
        app.initialize(&partial).await.json()["type"],
        "AlreadySeeded"
    );
    let right = app.otp(&partial, &app.code(&authenticator)).await;
    assert_eq!(
        right.shown(),
        first,
        "nothing is looked at, and nobody can tell"
    );

    app.clock.advance(Duration::from_secs(30));
    app.otp(&partial, &app.code(&authenticator)).await.token();
}

#[tokio::test]
async fn each_failure_after_a_wait_doubles_it() {
    let (app, authenticator) = seeded().await;
    let partial = app.partial("admin").await;
    for _ in 0..5 {
        guess(&app, &authenticator, &partial).await;
    }
    for wait in [30, 60, 120, 240] {
        app.clock.advance(Duration::from_secs(wait - 1));
        let early = app.partial("admin").await;
        app.otp(&early, &app.code(&authenticator))
            .await
            .is(401, "unauthorized");
        app.initialize(&early).await.json();
        app.clock.advance(Duration::from_secs(1));
        guess(&app, &authenticator, &early).await;
        app.initialize(&early).await.is(401, "unauthorized");
    }
    app.clock.advance(Duration::from_mins(8));
    let partial = app.partial("admin").await;
    app.otp(&partial, &app.code(&authenticator)).await.token();
    app.clock.advance(Duration::from_secs(30));
    let partial = app.partial("admin").await;
    for _ in 0..4 {
        guess(&app, &authenticator, &partial).await;
    }
    app.otp(&partial, &app.code(&authenticator)).await.token();
}

#[tokio::test]
async fn a_reset_makes_it_full_again() {
    let (app, authenticator) = seeded().await;
    let partial = app.partial("admin").await;
    let verified = app.otp(&partial, &app.code(&authenticator)).await.token();
    let admin = app.authorize(&verified).await.token();
    let partial = app.partial("admin").await;
    for _ in 0..5 {
        guess(&app, &authenticator, &partial).await;
    }
    let reset = app.call("DELETE", "/admin/otp/seeds/CN=admin,OU=local");
    assert_eq!(reset.bearer(&admin).send().await.status.as_u16(), 204);
    let partial = app.partial("admin").await;
    let authenticator = app.enrol(&partial).await;
    app.otp(&partial, &app.code(&authenticator)).await.token();
}

#[tokio::test]
async fn passwords_and_codes_have_nothing_to_do_with_each_other() {
    let (app, authenticator) = seeded().await;
    let partial = app.partial("admin").await;
    for _ in 0..5 {
        guess(&app, &authenticator, &partial).await;
    }
    app.sign_in("admin", PASSWORD).await.token();
    app.clock.advance(Duration::from_secs(30));
    let partial = app.partial("admin").await;
    for _ in 0..6 {
        app.sign_in("admin", "wrong").await.is(401, "unauthorized");
    }
    app.otp(&partial, &app.code(&authenticator)).await.token();
}

/// A stranger who locks the account does not lock out a device from which its user has signed in.
#[tokio::test]
async fn a_known_device_gets_in_while_strangers_are_locked_out() {
    let (app, _) = seeded().await;
    let from = async |device: &str, password: &str| {
        let mut body = app::credentials("admin", password);
        body["deviceId"] = serde_json::json!(device);
        app.post("/admin/authentication", &body).send().await
    };
    let stranger = "99999999-9999-4999-8999-999999999999";
    for _ in 0..6 {
        from(stranger, "wrong").await.is(401, "unauthorized");
    }
    from(stranger, PASSWORD).await.is(401, "unauthorized");
    from(app::DEVICE, PASSWORD).await.token();
}

/// Who hangs up before the answer has guessed all the same.
#[tokio::test]
async fn a_guess_counts_when_its_client_has_gone() {
    let (app, authenticator) = seeded().await;
    let partial = app.partial("admin").await;
    let wrong = authenticator.wrong_code(app.clock.wall());
    for _ in 0..5 {
        let mut guess = Box::pin(app.otp(&partial, &wrong));
        assert!(futures_util::poll!(&mut guess).is_pending());
        drop(guess);
        tokio::task::yield_now().await;
    }
    app.initialize(&partial).await.is(401, "unauthorized");
    let partial = app.partial("admin").await;
    let right = app.otp(&partial, &app.code(&authenticator)).await;
    right.is(401, "unauthorized");
}
