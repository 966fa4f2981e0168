//! What the tests do in common: set a client up, make requests, read replies.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use vestibule_radius::udp::{
    Client, EndpointStatus, Exchange, ExchangeError, Limits, Plan, Random, ServerSettings, Servers,
};
use vestibule_radius::{
    AccessRequest, Credential, NasIdentifier, Password, Reply, SharedSecret, State, UserName,
    Verdict,
};
use vestibule_testkit::freeradius::{FreeRadius, Setup, versions};

/// How a password is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Protocol {
    Pap,
    Chap,
}

pub(crate) const PROTOCOLS: [Protocol; 2] = [Protocol::Pap, Protocol::Chap];

/// Long enough for any server that is there.
pub(crate) const SHORT: Plan = Plan::Short {
    timeout: Duration::from_secs(20),
    pinned: None,
};

/// A server of each version that is on this machine.
pub(crate) fn freeradius(setup: &Setup) -> impl Iterator<Item = FreeRadius> {
    let versions = versions().into_iter();
    versions.map(move |version| FreeRadius::start(version, setup))
}

/// Octets that differ from run to run, but for the draws that decide between equals: the first
/// server of a list is the first that is asked.
struct FirstComesFirst;

impl Random for FirstComesFirst {
    fn fill(&self, buffer: &mut [u8]) {
        if buffer.len() == size_of::<u32>() {
            buffer.fill(0);
            return;
        }
        for chunk in buffer.chunks_mut(8) {
            let octets = RandomState::new().hash_one(()).to_be_bytes();
            for (to, from) in chunk.iter_mut().zip(octets) {
                *to = from;
            }
        }
    }
}

pub(crate) fn random() -> Arc<dyn Random> {
    Arc::new(FirstComesFirst)
}

/// A client whose time runs so many times faster than ours.
pub(crate) fn client(speed: u32) -> Client {
    Client::new(random(), limits(speed))
}

pub(crate) fn limits(speed: u32) -> Limits {
    Limits {
        speed,
        ..Limits::default()
    }
}

/// The server as the only one of a provider that trusts nobody.
pub(crate) fn settings(server: &FreeRadius) -> ServerSettings {
    settings_of(server, &[&server.address().ip().to_string()])
}

/// These hosts, with the port and the secret of a server.
pub(crate) fn settings_of(server: &FreeRadius, hosts: &[&str]) -> ServerSettings {
    let secret = SharedSecret::new(server.secret()).expect("it is not empty");
    ServerSettings {
        hostnames: hosts.iter().map(|&host| host.to_owned()).collect(),
        port: server.address().port(),
        secret: Arc::new(secret),
        require_message_authenticator: true,
        status_server: false,
        source_address: None,
        nas_identifier: "vestibule".to_owned(),
    }
}

/// The server, asked by a client of its own.
pub(crate) fn servers_of(server: &FreeRadius) -> Servers {
    client(1).servers(settings(server))
}

/// A login, or the first round of one.
pub(crate) fn request(protocol: Protocol, name: &str, password: &str) -> AccessRequest {
    let password = Password::from_text(password).expect("it fits");
    AccessRequest {
        user_name: UserName::new(name).expect("it fits"),
        credential: match protocol {
            Protocol::Pap => Credential::Pap(password),
            Protocol::Chap => Credential::Chap(password),
        },
        state: None,
        nas_identifier: NasIdentifier::new("vestibule").expect("it fits"),
        nas_ip: None,
        calling_station_id: None,
    }
}

/// A round after the first one.
pub(crate) fn next_round(protocol: Protocol, state: &[u8], code: &str) -> AccessRequest {
    AccessRequest {
        state: Some(State::new(state).expect("it fits")),
        ..request(protocol, "otp", code)
    }
}

/// A push that may take so long.
pub(crate) fn push(seconds: u64) -> Plan {
    Plan::Push {
        timeout: Duration::from_secs(seconds),
    }
}

/// A request to a server that answers.
#[track_caller]
pub(crate) fn replied(exchange: Result<Exchange, ExchangeError>) -> Reply {
    exchange.expect("a reply").reply
}

/// The verdict in a word.
pub(crate) fn word(reply: &Reply) -> &'static str {
    match reply.verdict {
        Verdict::Accept => "accept",
        Verdict::Reject => "reject",
        Verdict::Challenge { .. } => "challenge",
    }
}

/// A login by a password, and what came of it.
pub(crate) async fn login(
    servers: &Servers,
    protocol: Protocol,
    name: &str,
    password: &str,
) -> Reply {
    let request = request(protocol, name, password);
    replied(servers.exchange(&request, SHORT).await)
}

/// Bob signs in.
pub(crate) async fn bob(servers: &Servers) -> &'static str {
    word(&login(servers, Protocol::Chap, "bob", "hello").await)
}

/// An exchange in the background.
pub(crate) fn in_background(
    servers: &Servers,
    request: AccessRequest,
    plan: Plan,
) -> tokio::task::JoinHandle<Result<Exchange, ExchangeError>> {
    let servers = servers.clone();
    tokio::spawn(async move { servers.exchange(&request, plan).await })
}

/// The only endpoint of a client.
pub(crate) fn status(client: &Client) -> EndpointStatus {
    let mut endpoints = client.status();
    assert_eq!(endpoints.len(), 1);
    endpoints.remove(0)
}

/// How long something took, in seconds.
pub(crate) async fn timed<T>(future: impl Future<Output = T>) -> (T, f64) {
    let start = Instant::now();
    let output = future.await;
    (output, start.elapsed().as_secs_f64())
}

#[track_caller]
pub(crate) fn assert_took(seconds: f64, expected: std::ops::Range<f64>) {
    assert!(
        expected.contains(&seconds),
        "took {seconds} s instead of {expected:?}"
    );
}
