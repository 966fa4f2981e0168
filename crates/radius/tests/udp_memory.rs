//! What ten thousand pushes take while they wait.
#![cfg(all(feature = "udp", target_os = "linux"))]
#![expect(
    clippy::unwrap_used,
    reason = "what cannot be set up has failed, and says so"
)]

mod udp_support;

use std::fs;
use std::net::UdpSocket;

use tokio::task::JoinSet;
use udp_support::{client_with, limits, pap, push, settings_of, word};

/// Memory of this process that is in use, in KiB.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.unwrap().trim().strip_suffix(" kB").unwrap();
    number.trim().parse().unwrap()
}

#[tokio::test]
async fn ten_thousand_pushes_take_less_than_twenty_mebibytes() {
    const COUNT: usize = 10_000;
    // It takes what comes and says nothing; what it holds is the system's.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let client = client_with(limits(20));
    let servers = client.servers(settings_of(silent.local_addr().unwrap()));
    let request = pap("warm");
    assert_eq!(
        word(&servers.exchange(&request, push(3)).await),
        "no answer"
    );

    let future = size_of_val(&servers.exchange(&request, push(3)));
    assert!(future < 1024, "{future} octets");
    let before = resident();
    let mut asked = JoinSet::new();
    for n in 0..COUNT {
        let servers = servers.clone();
        asked.spawn(async move {
            let request = pap(&format!("user{n}"));
            word(&servers.exchange(&request, push(300)).await)
        });
    }
    let sent = || {
        let counters = client.status().remove(0).counters;
        (counters.access_requests, counters.access_retransmissions)
    };
    while sent().0 < 10_001 || sent().1 < 10_000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(client.status()[0].pending, COUNT);
    let taken = resident().saturating_sub(before);
    assert!(taken < 20 * 1024, "{taken} KiB");
}
