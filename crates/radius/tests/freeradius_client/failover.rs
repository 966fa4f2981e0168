//! Servers that are not there, or not any more, or again.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use vestibule_radius::Standing;
use vestibule_radius::udp::{Client, ExchangeError, Resolve, Resolving, ServerSettings};
use vestibule_testkit::freeradius::{FreeRadius, PASSWORD, Setup};

use crate::bench::{
    Protocol, SHORT, assert_took, bob, client, freeradius, limits, push, random, replied, request,
    settings_of, timed, word,
};

/// Where nobody is at first.
const OTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// The server as the second of two.
fn second_of_two(server: &FreeRadius) -> ServerSettings {
    settings_of(server, &["127.0.0.2", "127.0.0.1"])
}

/// Somebody who has the other address and says nothing.
fn mute(server: &FreeRadius) -> UdpSocket {
    UdpSocket::bind((OTHER, server.address().port())).expect("the port is free there, too")
}

fn standing(client: &Client, of: impl Into<std::net::IpAddr>) -> Standing {
    let of = of.into();
    let endpoints = client.status();
    let endpoint = endpoints.iter().find(|one| one.address.ip() == of);
    endpoint.expect("it was asked").standing
}

#[tokio::test]
async fn a_closed_port_is_left_at_once() {
    for server in freeradius(&Setup::default()) {
        let servers = client(1).servers(second_of_two(&server));
        let (verdict, seconds) = timed(bob(&servers)).await;
        assert_eq!(verdict, "accept");
        assert_took(seconds, 0.0..5.0);
        // A client of its own, which does not know yet.
        let servers = client(1).servers(second_of_two(&server));
        let request = request(Protocol::Chap, "pushfast", PASSWORD);
        let (exchange, seconds) = timed(servers.exchange(&request, push(30))).await;
        assert_eq!(word(&replied(exchange)), "accept");
        assert_took(seconds, 0.3..5.0);
        assert_eq!(server.pushes("pushfast"), 1);
    }
}

#[tokio::test]
async fn a_silent_server_is_left_for_the_next_one() {
    for server in freeradius(&Setup::default()) {
        let _mute = mute(&server);
        let servers = client(10).servers(second_of_two(&server));
        let (verdict, seconds) = timed(bob(&servers)).await;
        assert_eq!(verdict, "accept");
        assert_took(seconds * 10.0, 9.0..25.0);
        assert_eq!(server.accepted("bob"), 1);
    }
}

#[tokio::test]
async fn silence_is_no_reason_for_a_second_push() {
    for server in freeradius(&Setup::default()) {
        let _mute = mute(&server);
        let servers = client(20).servers(second_of_two(&server));
        let request = request(Protocol::Chap, "pushfast", PASSWORD);
        let outcome = servers.exchange(&request, push(30)).await;
        assert!(
            matches!(outcome, Err(ExchangeError::NoAnswer { .. })),
            "{outcome:?}"
        );
        assert_eq!(server.pushes("pushfast"), 0);
    }
}

#[tokio::test]
async fn a_server_that_tells_nothing_of_its_status_loses_its_pushes() {
    for server in freeradius(&Setup::default()) {
        let _mute = mute(&server);
        let client = client(10);
        let servers = client.servers(ServerSettings {
            status_server: true,
            ..second_of_two(&server)
        });
        let request = request(Protocol::Chap, "pushfast", PASSWORD);
        let (exchange, seconds) = timed(servers.exchange(&request, push(60))).await;
        assert_eq!(word(&replied(exchange)), "accept");
        // Five seconds of silence, three probes of two, and three tenths of a second of ours.
        assert_took(seconds * 10.0, 11.0..40.0);
        assert_eq!(server.pushes("pushfast"), 1);
        assert!(matches!(standing(&client, OTHER), Standing::Dead { .. }));
    }
}

#[tokio::test]
async fn a_dead_server_that_is_back_is_asked_again() {
    for server in freeradius(&Setup::default()) {
        for status_server in [false, true] {
            let setup = Setup::default().on(OTHER);
            let setup = setup.with_port(server.address().port());
            let other = FreeRadius::start(server.version(), &setup);
            let client = client(20);
            let servers = client.servers(ServerSettings {
                status_server,
                ..second_of_two(&server)
            });
            assert_eq!(bob(&servers).await, "accept");
            assert_eq!(other.accepted("bob"), 1);
            other.stop();
            // One refusal may be an accident, two are none.
            for _ in 0..2 {
                assert_eq!(bob(&servers).await, "accept");
            }
            assert!(matches!(standing(&client, OTHER), Standing::Dead { .. }));
            other.start_again();
            assert_eq!(bob(&servers).await, "accept");
            assert_eq!(other.accepted("bob"), 1, "it is left alone for a minute");
            // Three seconds, by our time.
            let mut logins = tokio::time::interval(Duration::from_millis(50));
            let until_back = async {
                while other.accepted("bob") == 1 {
                    logins.tick().await;
                    assert_eq!(bob(&servers).await, "accept");
                }
            };
            let (back, seconds) =
                timed(tokio::time::timeout(Duration::from_secs(15), until_back)).await;
            assert!(back.is_ok(), "status_server: {status_server}");
            assert_took(seconds * 20.0, 50.0..200.0);
            assert_eq!(bob(&servers).await, "accept");
            assert_eq!(standing(&client, OTHER), Standing::Alive);
        }
    }
}

#[tokio::test]
async fn the_only_server_is_asked_however_dead_it_was() {
    for server in freeradius(&Setup::default()) {
        let client = client(1);
        let servers = client.servers(settings_of(&server, &["127.0.0.1"]));
        server.stop();
        for _ in 0..2 {
            let request = request(Protocol::Chap, "bob", PASSWORD);
            let plan = vestibule_radius::udp::Plan::Short {
                timeout: Duration::from_secs(1),
                pinned: None,
            };
            let error = servers.exchange(&request, plan).await;
            let error = error.expect_err("it is stopped").to_string();
            assert!(error.contains("does the server run"), "{error}");
        }
        server.start_again();
        assert_eq!(bob(&servers).await, "accept");
        let localhost = Ipv4Addr::LOCALHOST;
        assert_eq!(standing(&client, localhost), Standing::Alive);
    }
}

/// A name with an address of either kind.
struct BothKinds;

impl Resolve for BothKinds {
    fn resolve(&self, _: &str, port: u16) -> Resolving {
        let addresses = vec![
            SocketAddr::from((Ipv6Addr::LOCALHOST, port)),
            SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        ];
        Box::pin(async { Ok(addresses) })
    }
}

#[tokio::test]
async fn of_a_name_with_two_addresses_one_is_enough() {
    for setup in [Setup::default(), Setup::default().on_ipv6()] {
        for server in freeradius(&setup) {
            let client = Client::with_resolver(random(), limits(1), Arc::new(BothKinds));
            let servers = client.servers(settings_of(&server, &["radius.test"]));
            for _ in 0..3 {
                let request = request(Protocol::Chap, "bob", PASSWORD);
                let exchange = servers.exchange(&request, SHORT);
                let (exchange, seconds) = timed(exchange).await;
                let exchange = exchange.expect("an answer");
                assert_eq!(exchange.server, server.address());
                assert_took(seconds, 0.0..5.0);
            }
            assert_eq!(server.accepted("bob"), 3);
        }
    }
}
