//! What takes minutes: people who take long, in their own time and not in a faster one.

use std::net::UdpSocket;

use vestibule_radius::Standing;
use vestibule_radius::udp::ExchangeError;
use vestibule_testkit::freeradius::{PASSWORD, Setup};

use crate::bench::{
    Protocol, assert_took, bob, client, freeradius, in_background, push, replied, request,
    settings, settings_of, status, timed, word,
};

/// Whether there is time for this.
#[expect(
    clippy::print_stdout,
    reason = "who reads the output of a test learns what was not tested"
)]
fn is_wanted(test: &str) -> bool {
    let is_wanted = std::env::var_os("VESTIBULE_LONG_TESTS").is_some();
    if !is_wanted {
        println!("skipped: {test} takes minutes; set VESTIBULE_LONG_TESTS to run it");
    }
    is_wanted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_of_more_than_a_minute() {
    if !is_wanted("a push of more than a minute") {
        return;
    }
    for server in freeradius(&Setup::default()) {
        let client = client(1);
        let servers = client.servers(settings(&server));
        let request = || request(Protocol::Chap, "pushlong", PASSWORD);
        let patient = in_background(&servers, request(), push(90));
        let hasty = request();
        let (outcome, seconds) = timed(servers.exchange(&hasty, push(10))).await;
        assert!(
            matches!(outcome, Err(ExchangeError::NoAnswer { .. })),
            "{outcome:?}"
        );
        assert_took(seconds, 9.8..10.5);
        assert_eq!((status(&client).pending, status(&client).resting), (1, 1));
        let exchange = patient.await.expect("it does not panic");
        assert_eq!(word(&replied(exchange)), "accept");
        server.wait_for("the late answer", |server| server.accepted("pushlong") == 2);
        assert_eq!(server.pushes("pushlong"), 2);
        for _ in 0..1000 {
            if status(&client).counters.unknown_identifiers > 0 {
                break;
            }
            assert_eq!(bob(&servers).await, "accept");
        }
        let status = status(&client);
        assert_eq!(status.counters.unknown_identifiers, 1);
        // After 2 seconds, and then every 2.2.
        assert!(
            status.counters.access_retransmissions >= 26,
            "{:?}",
            status.counters
        );
        assert_eq!(status.standing, Standing::Alive);
        assert_eq!(server.logged("conflicting packet"), 0, "{}", server.log());
    }
}

#[tokio::test]
async fn a_silent_server_is_left_after_ten_seconds() {
    if !is_wanted("leaving a silent server") {
        return;
    }
    for server in freeradius(&Setup::default()) {
        let mute = UdpSocket::bind(("127.0.0.2", server.address().port()));
        let _mute = mute.expect("the port is free there, too");
        let hosts = settings_of(&server, &["127.0.0.2", "127.0.0.1"]);
        let servers = client(1).servers(hosts);
        let (verdict, seconds) = timed(bob(&servers)).await;
        assert_eq!(verdict, "accept");
        assert_took(seconds, 9.0..11.0);
    }
}
