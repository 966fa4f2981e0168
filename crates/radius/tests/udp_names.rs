//! Names of servers: looked up away from the sign-ins, and kept when the lookup fails.
#![cfg(feature = "udp")]
#![expect(
    clippy::unwrap_used,
    reason = "what cannot be set up has failed, and says so"
)]

mod udp_support;

use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;
use udp_support::{Counting, SECRET, free_port, limits, loopback, pap, settings, short, word};
use vestibule_radius::udp::{Client, ExchangeError, Limits, Resolve, Resolving, ServerSettings};
use vestibule_testkit::radius::{Answer, RadiusSimulator};

/// Answers what it is told to, each time it is let go on.
struct Names {
    answer: Mutex<Result<Vec<SocketAddr>, String>>,
    turns: Arc<Semaphore>,
    asked: Arc<Semaphore>,
}

impl Names {
    fn new(addresses: Vec<SocketAddr>) -> Arc<Self> {
        Arc::new(Self {
            answer: Mutex::new(Ok(addresses)),
            turns: Arc::new(Semaphore::new(0)),
            asked: Arc::new(Semaphore::new(0)),
        })
    }

    fn say(&self, answer: Result<Vec<SocketAddr>, &str>) {
        *self.answer.lock().unwrap() = answer.map_err(str::to_owned);
    }

    /// Lets one lookup go on, and waits until the next one begins: all is known by then.
    async fn turn(&self) {
        self.asked.acquire().await.unwrap().forget();
        self.turns.add_permits(1);
        let next = self.asked.acquire().await.unwrap();
        drop(next);
    }

    fn client(self: &Arc<Self>) -> Client {
        let limits = Limits {
            resolve_every: Duration::from_secs(1),
            ..limits(udp_support::SPEED)
        };
        Client::with_resolver(Arc::new(Counting::default()), limits, self.clone())
    }
}

impl Resolve for Names {
    fn resolve(&self, _name: &str, _port: u16) -> Resolving {
        let (turns, asked) = (Arc::clone(&self.turns), Arc::clone(&self.asked));
        let answer = self.answer.lock().unwrap().clone();
        Box::pin(async move {
            asked.add_permits(1);
            turns.acquire().await.unwrap().forget();
            answer.map_err(io::Error::other)
        })
    }
}

fn named(port: u16) -> ServerSettings {
    ServerSettings {
        hostnames: vec!["radius.example".to_owned()],
        ..settings(&[], port)
    }
}

fn accepting() -> RadiusSimulator {
    RadiusSimulator::start(SECRET, |_| vec![Answer::accept().into()])
}

#[tokio::test]
async fn the_first_request_waits_for_its_name() {
    let simulator = accepting();
    let names = Names::new(vec![simulator.address()]);
    let servers = names.client().servers(named(simulator.address().port()));
    let asked = tokio::spawn({
        let servers = servers.clone();
        async move { servers.exchange(&pap("bob"), short(60)).await }
    });
    names.turn().await;
    assert_eq!(word(&asked.await.unwrap()), "accept");
    assert_eq!(servers.addresses(), [simulator.address()]);
}

#[tokio::test]
async fn a_name_without_an_address_is_an_error_when_it_is_used() {
    let names = Names::new(vec![]);
    names.say(Err("no such name"));
    let servers = names.client().servers(named(1812));
    names.turn().await;
    let error = servers.exchange(&pap("bob"), short(6)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "no server has an address: radius.example (no such name)"
    );
    // And one that nobody answers for is one in time.
    let servers = Names::new(vec![]).client().servers(named(1812));
    let begun = Instant::now();
    let error = servers.exchange(&pap("bob"), short(6)).await.unwrap_err();
    assert!(matches!(error, ExchangeError::Unresolved { .. }), "{error}");
    let took = begun.elapsed() * udp_support::SPEED;
    assert!(took < Duration::from_secs(12), "{took:?}");
}

#[tokio::test]
async fn what_was_known_is_kept_when_lookups_fail() {
    let simulator = accepting();
    let names = Names::new(vec![simulator.address()]);
    let servers = names.client().servers(named(simulator.address().port()));
    names.turn().await;
    for answer in [Err("the name server is gone"), Ok(vec![])] {
        names.say(answer);
        names.turn().await;
        names.turn().await;
        let result = servers.exchange(&pap("bob"), short(6)).await;
        assert_eq!(word(&result), "accept");
    }
}

#[tokio::test]
async fn a_name_may_move_but_a_dialogue_does_not() {
    let (first, second) = (accepting(), accepting());
    let names = Names::new(vec![first.address()]);
    let servers = names.client().servers(named(first.address().port()));
    names.turn().await;
    let exchange = servers.exchange(&pap("bob"), short(6)).await.unwrap();
    assert_eq!(exchange.server, first.address());
    names.say(Ok(vec![second.address()]));
    names.turn().await;
    names.turn().await;
    assert_eq!(servers.addresses(), [second.address()]);
    let exchange = servers.exchange(&pap("bob"), short(6)).await.unwrap();
    assert_eq!(exchange.server, second.address());
    let plan = udp_support::pinned(6, first.address());
    let exchange = servers.exchange(&pap("bob"), plan).await.unwrap();
    assert_eq!(exchange.server, first.address());
}

#[tokio::test]
async fn one_address_of_a_name_may_be_dead() {
    let simulator = accepting();
    let port = simulator.address().port();
    let dead = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
    let names = Names::new(vec![dead, simulator.address()]);
    let servers = names.client().servers(named(port));
    names.turn().await;
    for _ in 0..10 {
        let result = servers.exchange(&pap("bob"), short(60)).await;
        assert_eq!(word(&result), "accept");
    }
}

#[tokio::test]
async fn the_source_address_chooses_the_family() {
    let simulator = accepting();
    let port = simulator.address().port();
    let names = Names::new(vec![
        (Ipv6Addr::LOCALHOST, port).into(),
        simulator.address(),
    ]);
    let mut settings = named(port);
    settings.source_address = Some(loopback(1));
    let servers = names.client().servers(settings);
    names.turn().await;
    assert_eq!(servers.addresses(), [simulator.address()]);
}

#[tokio::test]
async fn servers_may_be_reached_by_ipv6() {
    let address = (Ipv6Addr::LOCALHOST, 0).into();
    let simulator = RadiusSimulator::start_at(address, SECRET, |_| vec![Answer::accept().into()]);
    for host in ["::1", "[::1]"] {
        let mut settings = settings(&[], simulator.address().port());
        settings.hostnames = vec![host.to_owned()];
        let result = udp_support::client()
            .servers(settings)
            .exchange(&pap("bob"), short(6))
            .await;
        assert_eq!(word(&result), "accept");
    }
}

#[tokio::test]
async fn names_of_the_system_are_found() {
    let port = free_port(&[loopback(1)]);
    let address = (loopback(1), port).into();
    let simulator = RadiusSimulator::start_at(address, SECRET, |_| vec![Answer::accept().into()]);
    let mut settings = settings(&[], port);
    settings.hostnames = vec!["localhost".to_owned()];
    let servers = udp_support::client().servers(settings);
    let exchange = servers.exchange(&pap("bob"), short(60)).await.unwrap();
    assert_eq!(exchange.server, simulator.address());
}
