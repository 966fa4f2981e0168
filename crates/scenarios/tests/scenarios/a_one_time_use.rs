//! One-time use and time: S01 to S10.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use vestibule_testkit::authenticator::Authenticator;
use vestibule_testkit::client::Client;
use vestibule_testkit::clock::Timestamp;
use vestibule_testkit::site::Backend;

use crate::{ADMIN_PASSWORD, PASSWORD, STEP, admin, on_both_databases, site, with_alice};

on_both_databases!(
    s01_a_code_is_good_for_one_login,
    s02_another_spelling_of_a_spent_code_is_no_other_code,
    s03_one_code_wins_once,
    s04_the_floor_only_moves_forward,
    s05_the_code_that_confirmed_an_enrolment_is_spent,
    s06_a_spent_code_stays_spent_after_kill_9,
    s07_two_users_with_the_same_code_both_get_in,
    s08_one_step_either_way_and_never_more,
    s09_any_time_is_fine,
    s10_a_clock_that_is_set_back_revives_nothing,
);

/// The second login with one code gets the same answer as a wrong code; the log knows better.
async fn s01_a_code_is_good_for_one_login(backend: Backend) {
    let (site, server, _) = with_alice(backend).await;
    let client = server.client();
    let (authenticator, _) = client.enrol("alice", PASSWORD, site.now()).await;
    site.advance(STEP);
    let code = authenticator.code(site.now());
    let first = client.sign_in("alice", PASSWORD).await.token();
    client.otp(&first, &code).await.token();

    let second = client.sign_in("alice", PASSWORD).await.token();
    let spent = client.otp(&second, &code).await;
    let wrong = client
        .otp(&second, &authenticator.wrong_code(site.now()))
        .await;
    assert_eq!((spent.status, &spent.text), (401, &wrong.text));
    assert!(server.log().contains("the code was used before"));
}

/// White space, signs, leading zeros and other digits do not make a spent code fresh.
async fn s02_another_spelling_of_a_spent_code_is_no_other_code(backend: Backend) {
    let (site, server, _) = with_alice(backend).await;
    let client = server.client();
    let (authenticator, _) = client.enrol("alice", PASSWORD, site.now()).await;
    let code = authenticator.code(site.now());
    let partial = client.sign_in("alice", PASSWORD).await.token();
    let (start, end) = code.split_at(3);
    let full_width: String = code
        .bytes()
        .filter_map(|digit| char::from_u32(0xff10 + u32::from(digit - b'0')))
        .collect();
    let spellings = [
        format!(" {code}"),
        format!("{code} "),
        format!("{start} {end}"),
        full_width,
        format!("+{code}"),
        format!("0{code}"),
        format!("{code}\n"),
    ];
    for spelling in &spellings {
        client.otp(&partial, spelling).await.is(401);
    }
    let number: u32 = code.parse().unwrap();
    let path = "/admin/authentication/otp";
    client
        .post(path, &partial, &json!({ "otp": number }))
        .await
        .is(400);
    // Four of them were no codes at all, and count as one try each; the free ones are not used up.
    site.advance(STEP);
    client
        .otp(&partial, &authenticator.code(site.now()))
        .await
        .token();
}

/// 200 posts of one valid code at once, over many tokens and, on Postgres, two replicas.
async fn s03_one_code_wins_once(backend: Backend) {
    let (site, server, _) = with_alice(backend).await;
    let client = server.client();
    let (authenticator, _) = client.enrol("alice", PASSWORD, site.now()).await;
    let replica = site.start();
    let partials = join_all((0..20).map(|_| client.sign_in("alice", PASSWORD))).await;
    let partials: Vec<_> = partials.iter().map(|answer| answer.token()).collect();
    for _ in 0..3 {
        site.advance(STEP);
        let code = authenticator.code(site.now());
        let posts = (0..200).map(|n| {
            let client = if n % 2 == 0 { client } else { replica.client() };
            client.otp(&partials[n / 2 % partials.len()], &code)
        });
        let answers = join_all(posts).await;
        assert_eq!(Client::successes(&answers), (1, 199));
        assert!(answers.iter().all(|a| matches!(a.status, 200 | 401)));
    }
}

/// After the code of a phone that is fast, the present one is no good any more.
async fn s04_the_floor_only_moves_forward(backend: Backend) {
    let (site, server, _) = with_alice(backend).await;
    let client = server.client();
    let (authenticator, _) = client.enrol("alice", PASSWORD, site.now()).await;
    site.advance(STEP * 10);
    let first = client.sign_in("alice", PASSWORD).await.token();
    client
        .otp(&first, &authenticator.code_at(site.now(), 1))
        .await
        .token();
    let second = client.sign_in("alice", PASSWORD).await.token();
    for steps in [-1, 0, 1] {
        client
            .otp(&second, &authenticator.code_at(site.now(), steps))
            .await
            .is(401);
    }
    site.advance(STEP * 2);
    client
        .otp(&second, &authenticator.code(site.now()))
        .await
        .token();
}

/// The first code of a seed is as spent as any.
async fn s05_the_code_that_confirmed_an_enrolment_is_spent(backend: Backend) {
    let (site, server, _) = with_alice(backend).await;
    let client = server.client();
    let (authenticator, _) = client.enrol("alice", PASSWORD, site.now()).await;
    let again = client.sign_in("alice", PASSWORD).await.token();
    client
        .otp(&again, &authenticator.code(site.now()))
        .await
        .is(401);
}

/// What is spent is in the database, not in a process: neither a crash nor another replica forgets.
async fn s06_a_spent_code_stays_spent_after_kill_9(backend: Backend) {
    let (site, mut server, _) = with_alice(backend).await;
    let (authenticator, _) = server.client().enrol("alice", PASSWORD, site.now()).await;
    for _ in 0..5 {
        site.advance(STEP);
        let code = authenticator.code(site.now());
        let first = server.client().sign_in("alice", PASSWORD).await.token();
        let second = server.client().sign_in("alice", PASSWORD).await.token();
        let replica = site.start();
        server.client().otp(&first, &code).await.token();
        replica.client().otp(&second, &code).await.is(401);
        server.kill();
        replica.kill();
        server = site.start();
        server.client().otp(&second, &code).await.is(401);
    }
}

/// Steps are spent by user, not by code.
async fn s07_two_users_with_the_same_code_both_get_in(backend: Backend) {
    let (site, server, admin) = with_alice(backend).await;
    let client = server.client();
    let mut users = Vec::new();
    for name in ["u1", "u2", "u3", "u4", "u5", "u6"] {
        client.add_user(&admin, name, PASSWORD).await.is(200);
        let (authenticator, _) = client.enrol(name, PASSWORD, site.now()).await;
        users.push((name, authenticator));
    }
    let (steps, one, other) = same_code(&users, site.now());
    site.advance(STEP * steps);
    for n in [one, other] {
        let (name, authenticator) = &users[n];
        let partial = client.sign_in(name, PASSWORD).await.token();
        client
            .otp(&partial, &authenticator.code(site.now()))
            .await
            .token();
    }
}

/// After how many steps two of these show the same code.
fn same_code(users: &[(&str, Authenticator)], now: Timestamp) -> (u32, usize, usize) {
    for steps in 2.. {
        let at = now.after(STEP * steps);
        let codes: Vec<_> = users.iter().map(|(_, a)| a.code(at)).collect();
        for one in 0..codes.len() {
            for other in one + 1..codes.len() {
                if codes[one] == codes[other] {
                    return (steps, one, other);
                }
            }
        }
    }
    unreachable!("codes of six digits are the same once in a while")
}

/// A phone may be a step off; the log says so, and that never widens the window.
async fn s08_one_step_either_way_and_never_more(backend: Backend) {
    let (site, server, _) = with_alice(backend).await;
    let client = server.client();
    let (authenticator, _) = client.enrol("alice", PASSWORD, site.now()).await;
    for (steps, status) in [
        (1, 200),
        (2, 401),
        (-1, 200),
        (-2, 401),
        (0, 200),
        (1, 200),
        (2, 401),
    ] {
        site.advance(STEP * 10);
        let partial = client.sign_in("alice", PASSWORD).await.token();
        let answer = client
            .otp(&partial, &authenticator.code_at(site.now(), steps))
            .await;
        answer.is(status);
        if status == 200 {
            let logged = format!("\"offset.steps\":{steps}");
            assert!(server.log().contains(&logged), "{logged}");
        }
    }
}

/// From the first second of time to the last that can be written down.
async fn s09_any_time_is_fine(backend: Backend) {
    const LAST: i64 = 253_402_207_199;
    for seconds in [0, 29, 30, 1 << 31, 1 << 32, LAST - 86_400] {
        let site = site(backend).starting_at(Timestamp::from_unix_seconds(seconds));
        let server = site.start();
        let (authenticator, _) = server
            .client()
            .enrol("admin", ADMIN_PASSWORD, site.now())
            .await;
        let again = server
            .client()
            .sign_in("admin", ADMIN_PASSWORD)
            .await
            .token();
        let code = authenticator.code(site.now());
        server.client().otp(&again, &code).await.is(401);
        site.advance(STEP);
        let code = authenticator.code(site.now());
        server.client().otp(&again, &code).await.token();
    }
}

/// A machine that wakes up in the past: no spent code is good again, no token lives longer, and
/// `readyz` says what has happened until it is made good.
async fn s10_a_clock_that_is_set_back_revives_nothing(backend: Backend) {
    let hour = Duration::from_hours(1);
    let (site, server, admin) = with_alice(backend).await;
    let client = server.client();
    let ready = async || Client::send(client.call("GET", "/readyz")).await;
    let (authenticator, _) = client.enrol("alice", PASSWORD, site.now()).await;
    let spent = authenticator.code(site.now());
    let partial = client.sign_in("alice", PASSWORD).await.token();

    site.set_back(hour);
    let report = ready().await;
    assert_eq!(
        report.is(200).json()["clock"],
        "was set back by 3600 s while this program ran"
    );
    client
        .otp(&partial, &authenticator.code(site.now()))
        .await
        .is(401);
    client.otp(&partial, &spent).await.is(401);
    site.advance(Duration::from_mins(15));
    client.initialize(&partial).await.is(401);

    site.set_forward(hour);
    assert_eq!(ready().await.json()["clock"], "ok");
    let partial = client.sign_in("alice", PASSWORD).await.token();
    client.otp(&partial, &spent).await.is(401);
    client
        .otp(&partial, &authenticator.code(site.now()))
        .await
        .token();

    site.set_back(hour * 30);
    site.advance(Duration::from_hours(24));
    client.authorize(&admin).await.is(401);
}

/// Two replicas: the password at one, the code at the other.
#[tokio::test]
async fn a_sign_in_may_begin_at_one_replica_and_end_at_another() {
    let site = site(Backend::Postgres);
    let (one, other) = (site.start(), site.start());
    let (token, authenticator) = admin(&site, &one).await;
    other.client().get("/admin/otp/seeds", &token).await.is(200);
    site.advance(STEP);
    let partial = one.client().sign_in("admin", ADMIN_PASSWORD).await.token();
    let code = authenticator.code(site.now());
    let verified = other.client().otp(&partial, &code).await.token();
    one.client().otp(&partial, &code).await.is(401);
    one.client().authorize(&verified).await.token();
}
