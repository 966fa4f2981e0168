//! Many requests at once.
#![cfg(feature = "udp")]

mod udp_support;

use std::time::Duration;

use tokio::task::JoinSet;
use udp_support::{SECRET, client_with, limits, pap, push, settings_of, word};
use vestibule_radius::Standing;
use vestibule_radius::udp::{Client, Plan};
use vestibule_testkit::radius::{Action, Answer, RadiusSimulator};

/// Asks for so many users at once.
fn ask(
    client: &Client,
    simulator: &RadiusSimulator,
    count: usize,
    plan: Plan,
) -> JoinSet<&'static str> {
    let servers = client.servers(settings_of(simulator.address()));
    let mut asked = JoinSet::new();
    for n in 0..count {
        let servers = servers.clone();
        asked.spawn(async move {
            let request = pap(&format!("user{n}"));
            word(&servers.exchange(&request, plan).await)
        });
    }
    asked
}

fn holding() -> RadiusSimulator {
    RadiusSimulator::start(SECRET, |_| vec![Action::Hold(Answer::accept())])
}

#[tokio::test]
async fn three_hundred_requests_need_a_second_socket() {
    let simulator = holding();
    let client = client_with(limits(4));
    let asked = ask(&client, &simulator, 300, push(300));
    simulator.wait_until(|seen| seen.pushes == 300).await;
    let status = &client.status()[0];
    assert_eq!(status.pending, 300);
    assert_eq!(status.sockets, 2);
    simulator.release();
    let words = asked.join_all().await;
    assert!(words.iter().all(|word| *word == "accept"));
    let counters = simulator.counters();
    assert_eq!((counters.sources, counters.asked), (2, 300));
    assert_eq!((counters.altered, counters.collisions), (0, 0));
    let status = &client.status()[0];
    assert_eq!((status.pending, status.resting), (0, 0));
}

#[tokio::test]
async fn ten_thousand_pushes_wait_and_are_answered_whatever_gets_lost() {
    const COUNT: usize = 10_000;
    let simulator = holding();
    simulator.lose_every(20);
    // Servers that forget an answer that was lost twice ask once more; not the client's doing.
    simulator.keep_answers(Duration::from_hours(1));
    let client = client_with(limits(2));
    let mut asked = ask(&client, &simulator, COUNT, push(300));
    simulator.wait_until(|seen| seen.pushes == COUNT).await;
    assert_eq!(client.status()[0].pending, COUNT);
    assert!(client.status()[0].sockets >= 40);
    // Those that come from now on are answered at once.
    simulator.handle(|_| vec![Answer::accept().into()]);
    simulator.release();
    while let Some(word) = asked.join_next().await {
        assert_eq!(word.unwrap(), "accept");
    }
    let counters = simulator.counters();
    assert!(counters.lost > COUNT / 20, "{counters:?}");
    assert_eq!((counters.pushes, counters.asked), (COUNT, COUNT));
    assert_eq!((counters.altered, counters.collisions), (0, 0));
    let status = &client.status()[0];
    assert_eq!((status.pending, status.resting), (0, 0));
    assert_eq!(status.standing, Standing::Alive);
    assert_eq!(status.counters.timeouts, 0);
}

#[tokio::test]
async fn sends_are_paced_and_wait_for_their_turn() {
    let simulator = RadiusSimulator::start(SECRET, |_| vec![Answer::accept().into()]);
    let client = client_with(limits(1));
    let begun = tokio::time::Instant::now();
    let words = ask(&client, &simulator, 1000, push(60)).join_all().await;
    assert!(words.iter().all(|word| *word == "accept"));
    // 200 at once, and 10,000 a second after.
    let took = begun.elapsed().as_millis();
    assert!(took >= 75, "{took}");
}
