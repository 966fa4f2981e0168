//! Whom a request goes to when a server does not answer.
#![cfg(feature = "udp")]
#![expect(
    clippy::unwrap_used,
    reason = "what cannot be set up has failed, and says so"
)]

mod udp_support;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;
use udp_support::{
    SECRET, client, free_port, loopback, pap, pinned, push, settings, settings_of, short, word,
};
use vestibule_radius::Standing;
use vestibule_radius::udp::{Client, ExchangeError, Servers};
use vestibule_testkit::radius::{Action, Answer, RadiusSimulator};

/// Two servers of one provider, where one of them is not there.
struct Pair {
    client: Client,
    servers: Servers,
    port: u16,
}

impl Pair {
    fn new() -> Self {
        let hosts = [loopback(1), loopback(2)];
        let port = free_port(&hosts);
        let client = client();
        let servers = client.servers(settings(&hosts, port));
        Self {
            client,
            servers,
            port,
        }
    }

    fn address(&self, n: u8) -> SocketAddr {
        (loopback(n), self.port).into()
    }

    fn start(&self, n: u8, answer: impl Fn() -> Action + Send + Sync + 'static) -> RadiusSimulator {
        RadiusSimulator::start_at(self.address(n), SECRET, move |_| vec![answer()])
    }

    fn standing(&self, n: u8) -> Standing {
        let status = self.client.status().into_iter();
        let mut of_it = status.filter(|status| status.address == self.address(n));
        of_it.next().unwrap().standing
    }
}

fn accept() -> Action {
    Answer::accept().into()
}

#[tokio::test]
async fn a_closed_port_is_passed_over_at_once() {
    for plan in [short(60), push(300)] {
        let pair = Pair::new();
        let second = pair.start(2, accept);
        let begun = Instant::now();
        for _ in 0..20 {
            let exchange = pair.servers.exchange(&pap("bob"), plan).await.unwrap();
            assert_eq!(exchange.server, second.address());
        }
        // Not even the first repetition of anything.
        let took = begun.elapsed() * udp_support::SPEED;
        assert!(took < Duration::from_secs(30), "{took:?}");
        assert_eq!(second.counters().pushes, 20);
        assert!(matches!(pair.standing(1), Standing::Dead { .. }));
    }
}

#[tokio::test]
async fn short_requests_leave_a_silent_server() {
    let pair = Pair::new();
    let first = pair.start(1, || Action::Silence);
    let second = pair.start(2, accept);
    for _ in 0..12 {
        let result = pair.servers.exchange(&pap("bob"), short(6)).await;
        assert_eq!(word(&result), "accept");
    }
    assert_eq!(second.counters().pushes, 12);
    // It begins with a random one, until one of them is under suspicion.
    let asked = first.counters().pushes;
    assert!((1..12).contains(&asked), "{asked}");
    assert_ne!(pair.standing(1), Standing::Alive);
}

#[tokio::test]
async fn live_servers_share_the_work() {
    let pair = Pair::new();
    let (first, second) = (pair.start(1, accept), pair.start(2, accept));
    for _ in 0..40 {
        let result = pair.servers.exchange(&pap("bob"), short(6)).await;
        assert_eq!(word(&result), "accept");
    }
    let (first, second) = (first.counters().pushes, second.counters().pushes);
    assert_eq!(first + second, 40);
    assert!(first >= 8 && second >= 8, "{first}, {second}");
}

#[tokio::test]
async fn pushes_do_not_leave_a_silent_server() {
    for _ in 0..4 {
        let pair = Pair::new();
        let servers = [
            pair.start(1, || Action::Silence),
            pair.start(2, || Action::Silence),
        ];
        let error = pair
            .servers
            .exchange(&pap("bob"), push(30))
            .await
            .unwrap_err();
        let ExchangeError::NoAnswer { attempts } = error else {
            panic!("{error}");
        };
        assert_eq!(attempts.len(), 1);
        assert_eq!(
            servers
                .iter()
                .map(|one| one.counters().pushes)
                .sum::<usize>(),
            1
        );
        assert_eq!(pair.standing(1), Standing::Alive, "silence is a person's");
        assert_eq!(pair.standing(2), Standing::Alive, "silence is a person's");
    }
}

#[tokio::test]
async fn a_new_server_gets_a_new_packet() {
    let pair = Pair::new();
    let (first, second) = (
        pair.start(1, || Action::Silence),
        pair.start(2, || Action::Silence),
    );
    let result = pair.servers.exchange(&pap("bob"), short(6)).await;
    let Err(ExchangeError::NoAnswer { attempts }) = result else {
        panic!("{result:?}");
    };
    assert_eq!(attempts.len(), 2);
    for counters in [first.counters(), second.counters()] {
        assert_eq!(counters.pushes, 1);
        assert!(counters.retransmissions >= 1);
        assert_eq!(counters.altered, 0);
    }
}

#[tokio::test]
async fn a_dialogue_stays_with_its_server() {
    let pair = Pair::new();
    let (first, second) = (pair.start(1, accept), pair.start(2, accept));
    for _ in 0..5 {
        let plan = pinned(6, first.address());
        let exchange = pair.servers.exchange(&pap("bob"), plan).await.unwrap();
        assert_eq!(exchange.server, first.address());
    }
    first.stop().await;
    let begun = Instant::now();
    let plan = pinned(60, first.address());
    let result = pair.servers.exchange(&pap("bob"), plan).await;
    assert_eq!(word(&result), "pinned server gone");
    let took = begun.elapsed() * udp_support::SPEED;
    assert!(took < Duration::from_secs(9), "{took:?}");
    assert_eq!(second.counters().pushes, 0);
}

#[tokio::test]
async fn a_dialogue_with_a_server_that_is_not_ours_is_over() {
    let pair = Pair::new();
    let plan = pinned(6, (loopback(7), pair.port).into());
    let result = pair.servers.exchange(&pap("bob"), plan).await;
    assert_eq!(word(&result), "pinned server gone");
}

#[tokio::test]
async fn silence_in_a_dialogue_is_no_answer() {
    let pair = Pair::new();
    let first = pair.start(1, || Action::Silence);
    let plan = pinned(6, first.address());
    let result = pair.servers.exchange(&pap("bob"), plan).await;
    assert_eq!(word(&result), "no answer");
}

#[tokio::test]
async fn if_all_are_dead_all_are_asked() {
    let pair = Pair::new();
    let result = pair.servers.exchange(&pap("bob"), short(6)).await;
    assert_eq!(word(&result), "no answer");
    while [1, 2]
        .iter()
        .any(|n| !matches!(pair.standing(*n), Standing::Dead { .. }))
    {
        let _ = pair.servers.exchange(&pap("bob"), short(1)).await;
    }
    let begun = Instant::now();
    let result = pair.servers.exchange(&pap("bob"), short(60)).await;
    let Err(ExchangeError::NoAnswer { attempts }) = &result else {
        panic!("{result:?}");
    };
    assert_eq!(attempts.len(), 2);
    assert!(attempts.iter().all(|one| one.refused), "{attempts:?}");
    assert!(
        result
            .as_ref()
            .unwrap_err()
            .hint()
            .unwrap()
            .contains("nobody listens")
    );
    let took = begun.elapsed() * udp_support::SPEED;
    assert!(took < Duration::from_secs(9), "{took:?}");

    // And found, when one is back before anybody believes it.
    let second = pair.start(2, accept);
    for plan in [short(6), push(60)] {
        let exchange = pair.servers.exchange(&pap("bob"), plan).await.unwrap();
        assert_eq!(exchange.server, second.address());
    }
    assert_eq!(pair.standing(2), Standing::Alive);
}

#[tokio::test]
async fn a_dead_server_is_tried_again() {
    let pair = Pair::new();
    let second = pair.start(2, accept);
    while !matches!(pair.standing(1), Standing::Dead { .. }) {
        let result = pair.servers.exchange(&pap("bob"), short(6)).await;
        assert_eq!(word(&result), "accept");
    }
    let first = pair.start(1, accept);
    while pair.standing(1) != Standing::Alive {
        let result = pair.servers.exchange(&pap("bob"), short(6)).await;
        assert_eq!(word(&result), "accept");
    }
    assert!(first.counters().pushes >= 1);
    assert!(second.counters().pushes >= 1);
}

#[tokio::test]
async fn an_unanswered_server_is_suspected_then_dead() {
    let simulator = RadiusSimulator::start(SECRET, |_| vec![Action::Silence]);
    let client = client();
    let servers = client.servers(settings_of(simulator.address()));
    let mut seen = Vec::new();
    for _ in 0..6 {
        let result = servers.exchange(&pap("bob"), short(2)).await;
        assert_eq!(word(&result), "no answer");
        seen.push(client.status()[0].standing);
    }
    assert_eq!(seen[..2], [Standing::Alive; 2]);
    assert_eq!(seen[2..5], [Standing::Suspect; 3]);
    assert!(matches!(seen[5], Standing::Dead { .. }), "{seen:?}");
    simulator.handle(|_| vec![accept()]);
    let result = servers.exchange(&pap("bob"), short(2)).await;
    assert_eq!(word(&result), "accept");
    assert_eq!(client.status()[0].standing, Standing::Alive);
}
