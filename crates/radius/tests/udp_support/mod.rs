//! What the tests over UDP share.
#![allow(
    dead_code,
    clippy::allow_attributes,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "no test needs all of it, and what cannot be set up has failed"
)]

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::time::Duration;

use vestibule_radius::udp::{
    Client, Exchange, ExchangeError, Limits, Plan, Random, ServerSettings,
};
use vestibule_radius::{
    AccessRequest, Credential, NasIdentifier, Password, SharedSecret, UserName, Verdict,
};

/// What the tests share with the simulators.
pub(crate) const SECRET: &[u8] = b"Zu5am-pO7eif.ahVe3oosh8i";

/// What users type.
pub(crate) const PASSWORD: &str = "correct horse";

/// How much faster than the world a test is, as a rule.
pub(crate) const SPEED: u32 = 20;

/// Octets that are different each time, and the same in each run.
#[derive(Debug, Default)]
pub(crate) struct Counting(AtomicU64);

impl Random for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            // SplitMix64.
            let step = 0x9e37_79b9_7f4a_7c15;
            let mut z = self.0.fetch_add(step, Ordering::Relaxed).wrapping_add(step);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let octets = (z ^ (z >> 31)).to_be_bytes();
            chunk.copy_from_slice(&octets[..chunk.len()]);
        }
    }
}

/// Limits of a client whose clock runs so much faster.
pub(crate) fn limits(speed: u32) -> Limits {
    Limits {
        speed,
        ..Limits::default()
    }
}

/// A client whose clock runs faster.
pub(crate) fn client() -> Client {
    client_with(limits(SPEED))
}

/// A client of these limits.
pub(crate) fn client_with(limits: Limits) -> Client {
    Client::new(Arc::new(Counting::default()), limits)
}

/// Settings for servers at these addresses and one port.
pub(crate) fn settings(hosts: &[IpAddr], port: u16) -> ServerSettings {
    ServerSettings {
        hostnames: hosts.iter().map(IpAddr::to_string).collect(),
        port,
        secret: Arc::new(SharedSecret::new(SECRET).unwrap()),
        require_message_authenticator: true,
        status_server: false,
        source_address: None,
        nas_identifier: "vestibule".to_owned(),
    }
}

/// Settings for one server.
pub(crate) fn settings_of(address: SocketAddr) -> ServerSettings {
    settings(&[address.ip()], address.port())
}

/// A request with a password by PAP.
pub(crate) fn pap(user: &str) -> AccessRequest {
    request(user, Credential::Pap(password(PASSWORD)))
}

/// A request with a password by CHAP.
pub(crate) fn chap(user: &str) -> AccessRequest {
    request(user, Credential::Chap(password(PASSWORD)))
}

/// A password.
pub(crate) fn password(text: &str) -> Password {
    Password::from_text(text).unwrap()
}

fn request(user: &str, credential: Credential) -> AccessRequest {
    AccessRequest {
        user_name: UserName::new(user).unwrap(),
        credential,
        state: None,
        nas_identifier: NasIdentifier::new("vestibule").unwrap(),
        nas_ip: None,
        calling_station_id: None,
    }
}

/// A short request to whoever is there.
pub(crate) fn short(seconds: u64) -> Plan {
    Plan::Short {
        timeout: Duration::from_secs(seconds),
        pinned: None,
    }
}

/// A short request of a dialogue.
pub(crate) fn pinned(seconds: u64, server: SocketAddr) -> Plan {
    Plan::Short {
        timeout: Duration::from_secs(seconds),
        pinned: Some(server),
    }
}

/// A push.
pub(crate) fn push(seconds: u64) -> Plan {
    Plan::Push {
        timeout: Duration::from_secs(seconds),
    }
}

/// A word for a result, to compare with.
pub(crate) fn word(result: &Result<Exchange, ExchangeError>) -> &'static str {
    match result {
        Ok(exchange) => match exchange.reply.verdict {
            Verdict::Accept => "accept",
            Verdict::Reject => "reject",
            Verdict::Challenge { .. } => "challenge",
        },
        Err(ExchangeError::Unresolved { .. }) => "unresolved",
        Err(ExchangeError::NoAnswer { .. }) => "no answer",
        Err(ExchangeError::PinnedServerGone(_)) => "pinned server gone",
        Err(ExchangeError::Busy) => "busy",
        Err(ExchangeError::BrokenServer { .. }) => "broken server",
        Err(ExchangeError::Unencodable(_)) => "unencodable",
        Err(ExchangeError::Stopped) => "stopped",
    }
}

/// The nth address of the loopback.
pub(crate) fn loopback(n: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, n).into()
}

/// A port that is free at all of these addresses, and not among those that the system hands out.
pub(crate) fn free_port(hosts: &[IpAddr]) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 97).unwrap() * 100;
    loop {
        let port = 20_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        let bound = hosts.iter().map(|host| UdpSocket::bind((*host, port)));
        if bound.collect::<Result<Vec<_>, _>>().is_ok() {
            return port;
        }
    }
}
