//! Servers that do not answer, datagrams that get lost, and callers that go away.
#![cfg(feature = "udp")]

mod udp_support;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use udp_support::{
    SECRET, client, client_with, free_port, limits, loopback, pap, push, settings, settings_of,
    short, word,
};
use vestibule_radius::SharedSecret;
use vestibule_radius::udp::{ExchangeError, Limits};
use vestibule_testkit::radius::{Action, Answer, RadiusSimulator, StatusServer};

/// A server that answers when it is told to.
fn holding() -> RadiusSimulator {
    RadiusSimulator::start(SECRET, |_| vec![Action::Hold(Answer::accept())])
}

#[tokio::test]
async fn silence_ends_in_time() {
    let simulator = RadiusSimulator::start(SECRET, |_| vec![Action::Silence]);
    let servers = client().servers(settings_of(simulator.address()));
    for (plan, seconds) in [(short(6), 6), (short(40), 40), (push(12), 12)] {
        let begun = tokio::time::Instant::now();
        let error = servers.exchange(&pap("bob"), plan).await.unwrap_err();
        let took = begun.elapsed() * udp_support::SPEED;
        let expected = Duration::from_secs(seconds);
        assert!(took > expected * 9 / 10, "{took:?}");
        assert!(took < expected * 2, "{took:?}");
        let ExchangeError::NoAnswer { attempts } = error else {
            panic!("{error}");
        };
        assert_eq!(attempts.len(), 1);
        assert!(attempts[0].sent >= 2, "{attempts:?}");
    }
    let counters = simulator.counters();
    assert_eq!(counters.pushes, 3);
    assert!(counters.retransmissions >= 5);
    assert_eq!((counters.altered, counters.collisions), (0, 0));
}

#[tokio::test]
async fn a_push_rings_once_however_often_it_is_sent() {
    let simulator = holding();
    let servers = client().servers(settings_of(simulator.address()));
    let asked = tokio::spawn(async move { servers.exchange(&pap("bob"), push(90)).await });
    simulator.wait_until(|seen| seen.retransmissions >= 4).await;
    simulator.release();
    assert_eq!(word(&asked.await.unwrap()), "accept");
    let counters = simulator.counters();
    assert_eq!((counters.pushes, counters.sources), (1, 1));
    assert_eq!((counters.altered, counters.collisions), (0, 0));
}

#[tokio::test]
async fn lost_datagrams_are_made_up_for() {
    let simulator = RadiusSimulator::start(SECRET, |_| vec![Answer::accept().into()]);
    simulator.lose_every(3);
    let servers = client().servers(settings_of(simulator.address()));
    let mut asked = Vec::new();
    for n in 0..100 {
        let servers = servers.clone();
        let request = pap(&format!("user{n}"));
        asked.push(tokio::spawn(async move {
            servers.exchange(&request, push(300)).await
        }));
    }
    for asked in asked {
        assert_eq!(word(&asked.await.unwrap()), "accept");
    }
    let counters = simulator.counters();
    assert!(counters.lost > 50, "{counters:?}");
    assert_eq!((counters.altered, counters.collisions), (0, 0));
    assert_eq!(counters.pushes, 100, "each rings once");
    assert!(counters.repeated > 0, "answers were lost, too");
}

#[tokio::test]
async fn who_goes_away_lets_the_identifier_rest() {
    let simulator = holding();
    let client = client();
    let servers = client.servers(settings_of(simulator.address()));
    let asked = tokio::spawn({
        let servers = servers.clone();
        async move { servers.exchange(&pap("bob"), push(90)).await }
    });
    simulator.wait_until(|seen| seen.pushes == 1).await;
    assert_eq!(client.status()[0].pending, 1);
    asked.abort();
    assert!(asked.await.unwrap_err().is_cancelled());
    let status = &client.status()[0];
    assert_eq!((status.pending, status.resting), (0, 1));

    // The answer comes too late for anybody.
    simulator.release();
    simulator.wait_until(|seen| seen.sent == 1).await;
    let asked = tokio::spawn(async move { servers.exchange(&pap("eve"), push(90)).await });
    simulator.wait_until(|seen| seen.pushes == 2).await;
    let status = &client.status()[0];
    assert_eq!(status.counters.unknown_identifiers, 1);
    assert_eq!(status.counters.access_accepts, 0);
    simulator.release();
    assert_eq!(word(&asked.await.unwrap()), "accept");
    let status = &client.status()[0];
    assert_eq!((status.pending, status.resting), (0, 1));
}

#[tokio::test]
async fn identifiers_rest_after_silence() {
    let seen = Arc::new(Mutex::new(HashSet::new()));
    let simulator = RadiusSimulator::start(SECRET, {
        let seen = Arc::clone(&seen);
        move |request| {
            let is_new = seen
                .lock()
                .unwrap()
                .insert((request.source, request.identifier));
            assert!(is_new, "an identifier that rests was used");
            vec![]
        }
    });
    // So fast that nobody waits, and resting for a day.
    let client = client_with(Limits {
        rest: Duration::from_hours(24),
        max_sockets: 2,
        ..limits(200)
    });
    let servers = client.servers(settings_of(simulator.address()));
    let mut asked = Vec::new();
    for n in 0..600 {
        let servers = servers.clone();
        let request = pap(&format!("user{n}"));
        asked.push(tokio::spawn(async move {
            word(&servers.exchange(&request, push(20)).await)
        }));
    }
    let mut words = Vec::new();
    for asked in asked {
        words.push(asked.await.unwrap());
    }
    let count = |word| words.iter().filter(|other| **other == word).count();
    assert_eq!((count("no answer"), count("busy")), (512, 88));
    let status = &client.status()[0];
    assert_eq!((status.sockets, status.resting), (2, 512));
    assert_eq!(simulator.counters().pushes, 512);
}

#[tokio::test]
async fn too_many_are_told_at_once() {
    let simulator = holding();
    let client = client_with(Limits {
        max_pending: 10,
        ..limits(1)
    });
    let servers = client.servers(settings_of(simulator.address()));
    let asked: Vec<_> = (0..10)
        .map(|n| {
            let servers = servers.clone();
            let request = pap(&format!("user{n}"));
            tokio::spawn(async move { servers.exchange(&request, push(90)).await })
        })
        .collect();
    simulator.wait_until(|seen| seen.pushes == 10).await;
    let result = servers.exchange(&pap("eve"), push(90)).await;
    assert_eq!(word(&result), "busy");
    simulator.release();
    for asked in asked {
        assert_eq!(word(&asked.await.unwrap()), "accept");
    }
    let request = pap("eve");
    let asked = servers.exchange(&request, short(90));
    let release = async {
        simulator.wait_until(|seen| seen.pushes == 11).await;
        simulator.release();
    };
    assert_eq!(word(&tokio::join!(asked, release).0), "accept");
}

#[tokio::test]
async fn another_secret_is_silence() {
    let simulator = RadiusSimulator::start(SECRET, |_| vec![Answer::accept().into()]);
    let mut settings = settings_of(simulator.address());
    settings.secret = Arc::new(SharedSecret::new("not the same").unwrap());
    let result = client()
        .servers(settings)
        .exchange(&pap("bob"), short(6))
        .await;
    assert_eq!(word(&result), "no answer");
    assert!(simulator.counters().wrongly_signed >= 2);

    // A server of the old kind answers all the same, and signs with its own.
    simulator.trust_all_requests(true);
    let mut settings = settings_of(simulator.address());
    settings.secret = Arc::new(SharedSecret::new("not the same either").unwrap());
    let error = client()
        .servers(settings)
        .exchange(&pap("bob"), short(6))
        .await;
    let error = error.unwrap_err();
    assert!(
        error.hint().unwrap_or_default().contains("shared secret"),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_starts_again_is_not_missed() {
    let simulator = RadiusSimulator::start(SECRET, |_| vec![Answer::accept().into()]);
    let servers = client().servers(settings_of(simulator.address()));
    simulator.stop().await;
    let asked = tokio::spawn(async move { servers.exchange(&pap("bob"), push(60)).await });
    tokio::task::yield_now().await;
    simulator.start_again();
    assert_eq!(word(&asked.await.unwrap()), "accept");
}

#[tokio::test]
async fn shutting_down_waits_for_answers_and_ends_the_rest() {
    let simulator = holding();
    let client = client();
    let servers = client.servers(settings_of(simulator.address()));
    let ask = |name: &'static str| {
        let servers = servers.clone();
        tokio::spawn(async move { servers.exchange(&pap(name), push(90)).await })
    };
    let first = ask("alice");
    simulator.wait_until(|seen| seen.pushes == 1).await;
    let stopping = tokio::spawn({
        let client = client.clone();
        async move { client.shut_down().await }
    });
    while word(&servers.exchange(&pap("eve"), short(1)).await) != "stopped" {}
    simulator.release();
    assert_eq!(word(&first.await.unwrap()), "accept");
    stopping.await.unwrap();
    assert_eq!(
        word(&servers.exchange(&pap("bob"), short(6)).await),
        "stopped"
    );

    let client = udp_support::client();
    let servers = client.servers(settings_of(simulator.address()));
    let asked = tokio::spawn(async move { servers.exchange(&pap("carol"), push(90)).await });
    simulator.wait_until(|seen| seen.pushes >= 3).await;
    client.shut_down().await;
    assert_eq!(word(&asked.await.unwrap()), "stopped");
}

#[tokio::test]
async fn nothing_is_left_when_the_last_handle_is_dropped() {
    let simulator = RadiusSimulator::start(SECRET, |_| vec![Answer::accept().into()]);
    simulator.answer_status_server(StatusServer::Signed);
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let before = tasks();
    let client = client();
    let mut settings = settings_of(simulator.address());
    settings.hostnames.push("localhost".to_owned());
    settings.status_server = true;
    let servers = client.servers(settings.clone());
    assert_eq!(
        word(&servers.exchange(&pap("bob"), short(6)).await),
        "accept"
    );
    assert!(tasks() > before);
    // Held by the servers alone, and then by nobody.
    drop(client);
    assert_eq!(
        word(&servers.exchange(&pap("bob"), short(6)).await),
        "accept"
    );
    drop(servers);
    while tasks() > before {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_same_settings_are_the_same_servers() {
    let simulator = RadiusSimulator::start(SECRET, |_| vec![Answer::accept().into()]);
    let client = client();
    for _ in 0..3 {
        let servers = client.servers(settings_of(simulator.address()));
        assert_eq!(
            word(&servers.exchange(&pap("bob"), short(6)).await),
            "accept"
        );
    }
    assert_eq!(client.status().len(), 1);
    assert_eq!(simulator.counters().sources, 1, "the socket is shared");

    // Another provider with the same server shares it, too; one with another secret does not.
    let port = simulator.address().port();
    let two = settings(&[loopback(1), loopback(2)], port);
    let _two = client.servers(two);
    assert_eq!(client.status().len(), 2);
    let mut other = settings_of(simulator.address());
    other.secret = Arc::new(SharedSecret::new("another").unwrap());
    let _other = client.servers(other);
    assert_eq!(client.status().len(), 3);
}

#[tokio::test]
async fn an_address_that_is_not_ours_is_said() {
    let port = free_port(&[loopback(1)]);
    let mut settings = settings(&[loopback(1)], port);
    settings.source_address = Some("192.0.2.1".parse().unwrap());
    let error = client()
        .servers(settings)
        .exchange(&pap("bob"), short(2))
        .await;
    let ExchangeError::NoAnswer { attempts } = error.unwrap_err() else {
        panic!("it was sent");
    };
    assert!(attempts[0].unreachable.is_some(), "{attempts:?}");
    assert_eq!(attempts[0].sent, 0);
}

#[tokio::test]
async fn servers_know_us_by_the_source_address() {
    let simulator = RadiusSimulator::start(SECRET, |request| {
        vec![
            Answer::accept()
                .message(&request.source.ip().to_string())
                .into(),
        ]
    });
    let mut settings = settings_of(simulator.address());
    settings.source_address = Some(loopback(3));
    let servers = client().servers(settings);
    let exchange = servers.exchange(&pap("bob"), short(6)).await.unwrap();
    assert_eq!(exchange.reply.message.as_deref(), Some("127.0.0.3"));
}
