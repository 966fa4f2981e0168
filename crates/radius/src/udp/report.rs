//! A test of each host, for who sets a provider up.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use super::hosts::{self, Provider};
use super::keeper::Prober;
use super::socket;
use crate::{AccessRequest, Authenticator, Datagram, Discard, EncodeError, RECEIVE_BUFFER};

/// Sends of a login within the time of a test.
const SENDS: u32 = 3;

/// What came of the test of one address, or of a name without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostReport {
    /// The name as it is set.
    pub hostname: String,
    /// What it stands for.
    pub address: Option<SocketAddr>,
    /// Where we asked from: what the server must know us by.
    pub our_address: Option<SocketAddr>,
    /// What came of it.
    pub outcome: HostOutcome,
}

/// What came of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostOutcome {
    /// The name has no address, or none that we can send to, and why.
    Unresolved(String),
    /// A right answer.
    Answered {
        /// How long it took.
        round_trip: Duration,
        /// Whether it carried a Message-Authenticator.
        signed: bool,
        /// The code of the packet: 2 accepts, 3 rejects, 11 challenges.
        code: u8,
    },
    /// Silence from a server that has never answered: servers do not answer whom they do not know,
    /// nor requests that are signed with another secret.
    WrongSecretOrUnregistered,
    /// Something answered, and not with our secret.
    BadAuthenticator,
    /// A right answer of the old kind, where a Message-Authenticator is required.
    MissingMessageAuthenticator,
    /// Nobody listens there.
    Refused,
    /// Silence from a server that has answered before.
    Silent,
}

/// See [`Servers::test`](super::Servers::test).
pub(super) async fn test(
    provider: &Provider,
    request: &AccessRequest,
    timeout: Duration,
) -> Vec<HostReport> {
    let world = &provider.world;
    let deadline = world.now().saturating_add(timeout);
    let port = provider.settings.port;
    let mut lookups = JoinSet::new();
    for (index, name) in provider.settings.hostnames.iter().cloned().enumerate() {
        let resolver = Arc::clone(&world.resolver);
        lookups.spawn(async move { (index, hosts::look_up(resolver, name, port).await) });
    }
    let mut found: Vec<Found> = Vec::new();
    found.resize_with(provider.settings.hostnames.len(), || {
        Err("it was not looked up in time".to_owned())
    });
    let at = world.clock.instant(deadline);
    while let Ok(Some(looked_up)) = tokio::time::timeout_at(at, lookups.join_next()).await {
        if let Ok((index, addresses)) = looked_up
            && let Some(place) = found.get_mut(index)
        {
            let addresses = addresses.map_err(|error| error.to_string());
            *place = addresses.and_then(|addresses| provider.usable(addresses));
        }
    }
    let mut tests = JoinSet::new();
    let mut reports = Vec::new();
    for (hostname, found) in provider.settings.hostnames.iter().zip(found) {
        match found {
            Ok(addresses) => {
                for address in addresses {
                    let place = reports.len();
                    reports.push(report(hostname, Some(address), HostOutcome::Silent));
                    let Ok(test) = AddressTest::new(provider, request, address) else {
                        continue;
                    };
                    tests.spawn(async move { (place, test.run(deadline).await) });
                }
            }
            Err(error) => reports.push(report(hostname, None, HostOutcome::Unresolved(error))),
        }
    }
    while let Some(tested) = tests.join_next().await {
        if let Ok((place, (our_address, outcome))) = tested
            && let Some(report) = reports.get_mut(place)
        {
            report.our_address = our_address;
            report.outcome = outcome;
        }
    }
    reports
}

/// The addresses of a name, or why there are none.
type Found = Result<Vec<SocketAddr>, String>;

fn report(hostname: &str, address: Option<SocketAddr>, outcome: HostOutcome) -> HostReport {
    HostReport {
        hostname: hostname.to_owned(),
        address,
        our_address: None,
        outcome,
    }
}

/// A test of one address, on a socket of its own.
struct AddressTest {
    prober: Prober,
    /// A login, should it come to that.
    datagram: Datagram,
    identifier: u8,
    authenticator: Authenticator,
    /// Whether the server has answered before.
    is_known: bool,
}

/// What a login came to.
enum Login {
    Answered { signed: bool, code: u8 },
    Refused,
    Silent,
    WronglySigned,
}

impl AddressTest {
    fn new(
        provider: &Provider,
        request: &AccessRequest,
        server: SocketAddr,
    ) -> Result<Self, EncodeError> {
        let world = &provider.world;
        let authenticator = super::authenticator(&*world.random);
        let chap = super::chap_seed(&*world.random);
        let [identifier] = super::octets(&*world.random);
        let secret = &provider.settings.secret;
        let known = provider.endpoint_of(server);
        Ok(Self {
            datagram: request.encode(identifier, &authenticator, &chap, secret)?,
            identifier,
            authenticator,
            is_known: known.is_some_and(|endpoint| endpoint.has_answered()),
            prober: Prober {
                server,
                settings: provider.settings.clone(),
                world: Arc::clone(world),
            },
        })
    }

    async fn run(&self, deadline: Duration) -> (Option<SocketAddr>, HostOutcome) {
        let Prober {
            server,
            settings,
            world,
        } = &self.prober;
        let buffer = world.limits.receive_buffer;
        let socket = match socket::connect(*server, settings.source_address, buffer) {
            Ok(socket) => socket,
            Err(error) if socket::is_refusal(&error) => return (None, HostOutcome::Refused),
            Err(error) => return (None, HostOutcome::Unresolved(error.to_string())),
        };
        let ours = socket.local_addr().ok();
        let required = settings.require_message_authenticator;
        let begun = world.now();
        if settings.status_server {
            let half = begun.saturating_add(deadline.saturating_sub(begun) / 2);
            if let Some(alive) = self.prober.ask(half).await {
                let signed = alive.has_message_authenticator;
                // Servers that sign logins may yet leave probes unsigned: a login tells.
                if signed || !required {
                    let round_trip = world.now().saturating_sub(begun);
                    return (ours, answered(round_trip, signed, STATUS_ANSWER));
                }
            }
        }
        let begun = world.now();
        let outcome = match self.login(&socket, deadline).await {
            Login::Answered { signed: false, .. } if required => {
                HostOutcome::MissingMessageAuthenticator
            }
            Login::Answered { signed, code } => {
                answered(world.now().saturating_sub(begun), signed, code)
            }
            Login::Refused => HostOutcome::Refused,
            Login::WronglySigned => HostOutcome::BadAuthenticator,
            Login::Silent if self.is_known => HostOutcome::Silent,
            Login::Silent => HostOutcome::WrongSecretOrUnregistered,
        };
        (ours, outcome)
    }

    /// Sends the login a few times, the same octets each time, until something right comes.
    async fn login(&self, socket: &UdpSocket, deadline: Duration) -> Login {
        let world = &self.prober.world;
        let begun = world.now();
        let gap = deadline.saturating_sub(begun) / SENDS;
        let mut buffer = vec![0; RECEIVE_BUFFER];
        let mut otherwise = Login::Silent;
        for n in 1..=SENDS {
            if let Err(error) = socket.send(self.datagram.as_octets()).await
                && socket::is_refusal(&error)
            {
                return Login::Refused;
            }
            let until = world.clock.instant(begun.saturating_add(gap * n));
            while let Ok(received) = tokio::time::timeout_at(until, socket.recv(&mut buffer)).await
            {
                match received {
                    Ok(length) => match self.read(buffer.get(..length).unwrap_or_default()) {
                        Login::Silent => {}
                        Login::WronglySigned => otherwise = Login::WronglySigned,
                        answer @ (Login::Answered { .. } | Login::Refused) => return answer,
                    },
                    Err(error) if socket::is_refusal(&error) => return Login::Refused,
                    Err(_) => return otherwise,
                }
            }
        }
        otherwise
    }

    fn read(&self, datagram: &[u8]) -> Login {
        let pending = |identifier| (identifier == self.identifier).then_some(self.authenticator);
        let secret = &self.prober.settings.secret;
        match crate::verify(datagram, pending, secret, false) {
            Ok(verified) => Login::Answered {
                signed: verified.has_message_authenticator,
                code: datagram.first().copied().unwrap_or_default(),
            },
            Err(Discard::WrongResponseAuthenticator | Discard::WrongMessageAuthenticator) => {
                Login::WronglySigned
            }
            Err(_) => Login::Silent,
        }
    }
}

/// The code of answers to Status-Server, as a rule (RFC 5997 section 4.2).
const STATUS_ANSWER: u8 = 2;

fn answered(round_trip: Duration, signed: bool, code: u8) -> HostOutcome {
    HostOutcome::Answered {
        round_trip,
        signed,
        code,
    }
}
