//! Many at once: more than a socket has identifiers, and more than a server has hands.

use std::ops::RangeInclusive;

use tokio::task::JoinSet;
use vestibule_radius::udp::{Client, Plan};
use vestibule_testkit::freeradius::{FreeRadius, PASSWORD, Setup};

use crate::bench::{
    Protocol, SHORT, client, freeradius, push, replied, request, settings, status, word,
};

/// Signs a user in so many times at once. Each succeeds.
async fn all_at_once(
    server: &FreeRadius,
    client: &Client,
    user: &'static str,
    n: usize,
    plan: Plan,
) {
    let servers = client.servers(settings(server));
    let mut logins = JoinSet::new();
    for _ in 0..n {
        let servers = servers.clone();
        logins.spawn(async move {
            let request = request(Protocol::Chap, user, PASSWORD);
            word(&replied(servers.exchange(&request, plan).await))
        });
    }
    let verdicts = logins.join_all().await;
    assert_eq!(verdicts, vec!["accept"; n]);
    assert_eq!(server.accepted(user), n);
    assert_eq!(server.logged("conflicting packet"), 0, "{}", server.log());
    assert_eq!(status(client).pending, 0);
}

#[track_caller]
fn check_sockets(client: &Client, expected: &RangeInclusive<usize>) {
    let sockets = status(client).sockets;
    assert!(expected.contains(&sockets), "{sockets} sockets");
}

#[tokio::test]
async fn three_hundred_logins_at_once() {
    for server in freeradius(&Setup::default()) {
        let client = client(1);
        all_at_once(&server, &client, "bob", 300, SHORT).await;
        check_sockets(&client, &(1..=2));
    }
}

#[tokio::test]
async fn three_hundred_pushes_at_once() {
    for server in freeradius(&Setup::default()) {
        let client = client(1);
        all_at_once(&server, &client, "pushfast", 300, push(60)).await;
        assert_eq!(server.pushes("pushfast"), 300);
        check_sockets(&client, &(2..=2));
    }
}

#[tokio::test]
async fn a_server_with_four_hands_gets_to_twenty_pushes() {
    for server in freeradius(&Setup::default().with_max_servers(4)) {
        all_at_once(&server, &client(1), "pushfast", 20, push(30)).await;
        assert_eq!(server.pushes("pushfast"), 20);
    }
}
