//! Status-Server: how a server is found to be there, or not.
#![cfg(feature = "udp")]
#![expect(
    clippy::unwrap_used,
    reason = "what cannot be set up has failed, and says so"
)]

mod udp_support;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use udp_support::{
    SECRET, client, free_port, loopback, pap, push, settings, settings_of, short, word,
};
use vestibule_radius::Standing;
use vestibule_radius::udp::{Client, ExchangeError};
use vestibule_testkit::radius::{Action, Answer, RadiusSimulator, StatusServer};

fn silent(host: u8, port: u16) -> RadiusSimulator {
    RadiusSimulator::start_at((loopback(host), port).into(), SECRET, |_| {
        vec![Action::Silence]
    })
}

fn standing(client: &Client, simulator: &RadiusSimulator) -> Standing {
    let status = client.status().into_iter();
    let mut of_it = status.filter(|status| status.address == simulator.address());
    of_it.next().unwrap().standing
}

#[tokio::test]
async fn a_push_moves_on_when_its_server_fails_a_probe() {
    let hosts = [loopback(1), loopback(2)];
    let port = free_port(&hosts);
    let (first, second) = (silent(1, port), silent(2, port));
    let mut settings = settings(&hosts, port);
    settings.status_server = true;
    let client = client();
    let servers = client.servers(settings);
    let asked = tokio::spawn(async move {
        let begun = Instant::now();
        let result = servers.exchange(&pap("bob"), push(90)).await;
        (begun.elapsed() * udp_support::SPEED, result)
    });
    // Whoever is asked first is dead; the other one answers pushes and probes.
    let pushes = || (first.counters().pushes, second.counters().pushes);
    while pushes() == (0, 0) {
        tokio::task::yield_now().await;
    }
    let (dead, alive) = if pushes().0 == 1 {
        (&first, &second)
    } else {
        (&second, &first)
    };
    alive.answer_status_server(StatusServer::Signed);
    alive.handle(|_| vec![Answer::accept().into()]);
    let (took, result) = asked.await.unwrap();
    assert_eq!(word(&result), "accept");
    // 5 s of silence, then three probes of 2 s.
    assert!(took > Duration::from_secs(10), "{took:?}");
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert_eq!((dead.counters().pushes, alive.counters().pushes), (1, 1));
    assert_eq!(dead.counters().probes, 3);
    assert!(matches!(standing(&client, dead), Standing::Dead { .. }));
}

#[tokio::test]
async fn a_push_stays_while_its_server_answers_probes() {
    let hosts = [loopback(1), loopback(2)];
    let port = free_port(&hosts);
    let (first, second) = (silent(1, port), silent(2, port));
    first.answer_status_server(StatusServer::Signed);
    second.answer_status_server(StatusServer::Unsigned);
    let mut settings = settings(&hosts, port);
    settings.status_server = true;
    let servers = client().servers(settings);
    for _ in 0..3 {
        let result = servers.exchange(&pap("bob"), push(40)).await;
        let Err(ExchangeError::NoAnswer { attempts }) = &result else {
            panic!("{result:?}");
        };
        assert_eq!(attempts.len(), 1);
    }
    let (first, second) = (first.counters(), second.counters());
    assert_eq!(first.pushes + second.pushes, 3);
    assert!(first.probes + second.probes >= 6, "{first:?}, {second:?}");
}

#[tokio::test]
async fn pushes_end_when_their_only_server_is_dead() {
    let simulator = RadiusSimulator::start(SECRET, |_| vec![Action::Silence]);
    let mut settings = settings_of(simulator.address());
    settings.status_server = true;
    let servers = client().servers(settings);
    let begun = Instant::now();
    let result = servers.exchange(&pap("bob"), push(300)).await;
    assert_eq!(word(&result), "no answer");
    let took = begun.elapsed() * udp_support::SPEED;
    assert!(took < Duration::from_secs(30), "{took:?}");
}

#[tokio::test]
async fn a_suspect_is_asked_and_comes_back() {
    let simulator = RadiusSimulator::start(SECRET, |_| vec![Action::Silence]);
    simulator.answer_status_server(StatusServer::Unsigned);
    let mut settings = settings_of(simulator.address());
    settings.status_server = true;
    let client = client();
    let servers = client.servers(settings);
    for _ in 0..3 {
        let result = servers.exchange(&pap("bob"), short(4)).await;
        assert_eq!(word(&result), "no answer");
    }
    // It keeps silent, but is there.
    simulator.wait_until(|seen| seen.probes >= 1).await;
    while standing(&client, &simulator) != Standing::Alive {
        tokio::task::yield_now().await;
    }
    assert_eq!(client.status()[0].counters.status_timeouts, 0);
}

#[tokio::test]
async fn a_dead_server_comes_back_by_three_probes() {
    let simulator = RadiusSimulator::start(SECRET, |_| vec![Action::Silence]);
    let mut settings = settings_of(simulator.address());
    settings.status_server = true;
    let client = udp_support::client_with(udp_support::limits(100));
    let servers = client.servers(settings);
    for _ in 0..3 {
        let result = servers.exchange(&pap("bob"), short(8)).await;
        assert_eq!(word(&result), "no answer");
    }
    while !matches!(standing(&client, &simulator), Standing::Dead { .. }) {
        tokio::task::yield_now().await;
    }
    let begun = Instant::now();
    let before = simulator.counters().probes;
    simulator.answer_status_server(StatusServer::Signed);
    simulator.wait_until(|seen| seen.probes >= before + 3).await;
    while standing(&client, &simulator) != Standing::Alive {
        tokio::task::yield_now().await;
    }
    // A minute of rest, and two gaps of 28 to 32 s.
    let took = begun.elapsed() * 100;
    assert!(took > Duration::from_secs(110), "{took:?}");
    assert_eq!(simulator.counters().probes, before + 3);
    assert_eq!(simulator.counters().collisions, 0);
}

#[tokio::test]
async fn a_probe_with_another_secret_is_none() {
    let simulator = RadiusSimulator::start(SECRET, |_| vec![Action::Silence]);
    simulator.answer_status_server(StatusServer::Signed);
    let mut settings = settings_of(simulator.address());
    settings.status_server = true;
    settings.secret = Arc::new(vestibule_radius::SharedSecret::new("another").unwrap());
    let client = client();
    let servers = client.servers(settings);
    let result = servers.exchange(&pap("bob"), push(300)).await;
    assert_eq!(word(&result), "no answer");
    assert_eq!(client.status()[0].counters.status_responses, 0);
    assert_eq!(client.status()[0].counters.status_timeouts, 3);
}
