//! Pushes: a person is asked once, whatever happens on the way.

use vestibule_radius::Standing;
use vestibule_radius::udp::{ExchangeError, ServerSettings};
use vestibule_testkit::freeradius::{PASSWORD, Setup};

use crate::bench::{
    PROTOCOLS, Protocol, assert_took, bob, client, freeradius, in_background, push, replied,
    request, servers_of, settings, status, timed, word,
};

#[tokio::test]
async fn pushes_are_accepted_and_declined() {
    for server in freeradius(&Setup::default()) {
        let servers = servers_of(&server);
        for (protocol, count) in PROTOCOLS.into_iter().zip(1..) {
            for (user, verdict) in [("pushfast", "accept"), ("pushno", "reject")] {
                let request = request(protocol, user, PASSWORD);
                let reply = replied(servers.exchange(&request, push(30)).await);
                assert_eq!(word(&reply), verdict);
                assert_eq!(server.pushes(user), count);
            }
        }
    }
}

#[tokio::test]
async fn a_push_that_is_repeated_rings_once() {
    for server in freeradius(&Setup::default()) {
        // The push takes 3 seconds, which are 12 to the client.
        let client = client(4);
        let servers = client.servers(settings(&server));
        let request = request(Protocol::Chap, "push", PASSWORD);
        let reply = replied(servers.exchange(&request, push(90)).await);
        assert_eq!(word(&reply), "accept");
        let counters = status(&client).counters;
        assert_eq!(counters.access_requests, 1);
        assert!(counters.access_retransmissions >= 2, "{counters:?}");
        assert_eq!((server.pushes("push"), server.accepted("push")), (1, 1));
        // None of the repetitions was taken for a new request, not even after the answer.
        assert_eq!(bob(&servers).await, "accept");
        assert_eq!(server.logged("conflicting packet"), 0, "{}", server.log());
        assert_eq!(server.pushes("push"), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_that_takes_too_long_is_given_up_and_its_answer_comes_late() {
    for server in freeradius(&Setup::default()) {
        let client = client(1);
        let servers = client.servers(settings(&server));
        let request = request(Protocol::Chap, "held", PASSWORD);
        let (outcome, seconds) = timed(servers.exchange(&request, push(1))).await;
        assert!(
            matches!(outcome, Err(ExchangeError::NoAnswer { .. })),
            "{outcome:?}"
        );
        assert_took(seconds, 0.95..2.5);
        assert_eq!((status(&client).pending, status(&client).resting), (0, 1));
        server.release("held");
        server.wait_for("the late answer", |server| server.accepted("held") == 1);
        // It is on its way; what is asked now comes after it, sooner or later.
        for _ in 0..1000 {
            if status(&client).counters.unknown_identifiers > 0 {
                break;
            }
            assert_eq!(bob(&servers).await, "accept");
        }
        assert_eq!(status(&client).counters.unknown_identifiers, 1);
        assert_eq!(status(&client).standing, Standing::Alive);
        assert_eq!(server.pushes("held"), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_nobody_waits_for_any_more_is_left_alone() {
    for server in freeradius(&Setup::default()) {
        let client = client(1);
        let servers = client.servers(settings(&server));
        let request = request(Protocol::Chap, "held", PASSWORD);
        let waiting = in_background(&servers, request, push(60));
        server.wait_for_pushes("held", 1);
        waiting.abort();
        let _ = waiting.await;
        assert_eq!((status(&client).pending, status(&client).resting), (0, 1));
        // More logins than a socket has identifiers: none of them takes that of the push, which
        // would end it.
        for _ in 0..300 {
            assert_eq!(bob(&servers).await, "accept");
        }
        server.release("held");
        server.wait_for("the end of the push", |server| server.accepted("held") == 1);
        assert_eq!(server.pushes("held"), 1);
        assert_eq!(server.logged("conflicting packet"), 0, "{}", server.log());
    }
}

#[tokio::test]
async fn a_server_that_tells_its_status_is_known_to_be_there_while_a_push_waits() {
    for server in freeradius(&Setup::default()) {
        // The push takes 30 seconds by the client's time.
        let client = client(10);
        let servers = client.servers(ServerSettings {
            status_server: true,
            ..settings(&server)
        });
        let request = request(Protocol::Chap, "push", PASSWORD);
        let reply = replied(servers.exchange(&request, push(90)).await);
        assert_eq!(word(&reply), "accept");
        let status = status(&client);
        assert!(
            status.counters.status_responses >= 2,
            "{:?}",
            status.counters
        );
        assert_eq!(status.counters.status_timeouts, 0);
        assert_eq!(status.standing, Standing::Alive);
        assert_eq!(server.pushes("push"), 1);
    }
}
