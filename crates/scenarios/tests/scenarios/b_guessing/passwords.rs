//! Passwords that are guessed by strangers: S15.

use futures_util::StreamExt as _;
use futures_util::stream;
use serde_json::json;
use vestibule_testkit::client::{Answer, Client, DEVICE};
use vestibule_testkit::figures;
use vestibule_testkit::site::Backend;

use super::proxies::{BEHIND_A_PROXY, sign_in_through};
use crate::f_disclosure::audit_trail::trail;
use crate::{PASSWORD, STEP, on_both_databases, site, with_alice_at};

on_both_databases!(s15_ten_thousand_wrong_passwords_do_not_keep_the_victim_out);

const STRANGER: &str = "99999999-9999-4999-8999-999999999999";

/// Strangers at a hundred addresses try ten thousand passwords. Nobody gets in from a device that
/// is not known, whoever it is; the victim does, from the usual one; the guesses for codes are all
/// there; and few of the passwords are looked at.
async fn s15_ten_thousand_wrong_passwords_do_not_keep_the_victim_out(backend: Backend) {
    const TRIES: usize = 10_000;
    let site = site(backend).with_settings(&format!(
        "{BEHIND_A_PROXY}[limits]\nsign_in_failures_per_minute = 2\n"
    ));
    let (server, _) = with_alice_at(&site).await;
    let client = server.client();
    let (authenticator, _) = client.enrol("alice", PASSWORD, site.now()).await;
    let home = "203.0.113.7";

    let tries = stream::iter(0..TRIES).map(|n| {
        let name = ["alice", "ALICE", "Alice"][n % 3];
        let address = format!("198.51.100.{}", n % 100);
        async move { sign_in_through(client, &address, name, "wrong", STRANGER).await }
    });
    let answers: Vec<Answer> = tries.buffer_unordered(64).collect().await;
    assert_eq!(Client::successes(&answers), (0, TRIES));
    let limited = answers.iter().filter(|answer| answer.status == 429);
    assert!(
        limited
            .clone()
            .all(|a| a.headers.contains_key("retry-after"))
    );
    assert_eq!(limited.count(), TRIES - 200, "two from each address");
    figures::note("S15", "wrong passwords", TRIES);

    // Whoever comes from elsewhere learns nothing, not even with the right password.
    let locked = sign_in_through(client, home, "alice", PASSWORD, STRANGER).await;
    let nobody = sign_in_through(client, home, "nobody", PASSWORD, STRANGER).await;
    assert_eq!((locked.status, &locked.text), (401, &nobody.text));

    let wrong = trail(&site, &["--event", "signIn", "--user", "alice"]);
    let compared = wrong
        .iter()
        .filter(|row| row["reason"] == "the password is wrong");
    assert_eq!(compared.count(), 5, "then nothing is compared");
    let victim = sign_in_through(client, "192.0.2.44", "alice", PASSWORD, DEVICE).await;
    let partial = victim.token();
    let wrong = authenticator.wrong_code(site.now());
    for _ in 0..4 {
        client.otp(&partial, &wrong).await.is(401);
    }
    site.advance(STEP);
    let code = json!({ "otp": authenticator.code(site.now()) });
    let path = "/admin/authentication/otp";
    client.post(path, &partial, &code).await.token();
}
