//! The task that looks after an endpoint: closes what is idle, and asks whether anybody is there.

use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::Notify;

use super::client::World;
use super::clock::Clock;
use super::endpoint::Endpoint;
use super::settings::ServerSettings;
use super::socket;
use crate::{Alive, Authenticator, Count, Observation, RECEIVE_BUFFER, encode_status_server};

/// How long nothing needs to be looked at.
const LEISURE: Duration = Duration::from_mins(1);

/// Keeps an endpoint until it is gone. While it waits it does not hold it.
pub(super) async fn keep(endpoint: Weak<Endpoint>, changed: Arc<Notify>, clock: Clock) {
    loop {
        let now = clock.now();
        let Some(current) = endpoint.upgrade() else {
            return;
        };
        current.close_idle(now);
        let probe = current.next_probe(now);
        if let Some(probe) = probe
            && probe.at <= now
        {
            let prober = current.prober();
            current.see(Observation::ProbeSent);
            current.counters.count(Count::StatusRequests);
            drop(current);
            let answer = prober.ask(now.saturating_add(probe.patience)).await;
            let Some(current) = endpoint.upgrade() else {
                return;
            };
            let (count, observation) = if answer.is_some() {
                (Count::StatusResponses, Observation::ProbeAnswered)
            } else {
                (Count::StatusTimeouts, Observation::ProbeUnanswered)
            };
            current.counters.count(count);
            current.see(observation);
            continue;
        }
        drop(current);
        let leisure = now.saturating_add(LEISURE);
        let until = probe.map_or(leisure, |probe| probe.at.min(leisure));
        let _ = tokio::time::timeout_at(clock.instant(until), changed.notified()).await;
    }
}

/// Sends Status-Server requests, each with an identifier, an authenticator and a port of its own
/// (RFC 5997 section 4.1).
pub(super) struct Prober {
    pub(super) server: SocketAddr,
    pub(super) settings: ServerSettings,
    pub(super) world: Arc<World>,
}

impl Prober {
    /// Asks once, and waits until then for a signed answer.
    pub(super) async fn ask(&self, until: Duration) -> Option<Alive> {
        let random = &*self.world.random;
        let authenticator = super::authenticator(random);
        let [identifier] = super::octets(random);
        let (secret, name) = (&self.settings.secret, self.settings.probe_name());
        let request =
            encode_status_server(identifier, &authenticator, name.as_ref(), secret).ok()?;
        let buffer = self.world.limits.receive_buffer;
        let socket = socket::connect(self.server, self.settings.source_address, buffer).ok()?;
        socket.send(request.as_octets()).await.ok()?;
        let answer = self.answer(&socket, identifier, authenticator);
        let until = self.world.clock.instant(until);
        tokio::time::timeout_at(until, answer).await.ok()?
    }

    /// The answer; `None` when the system says that none will come.
    async fn answer(
        &self,
        socket: &UdpSocket,
        identifier: u8,
        authenticator: Authenticator,
    ) -> Option<Alive> {
        let mut buffer = vec![0; RECEIVE_BUFFER];
        loop {
            let length = socket.recv(&mut buffer).await.ok()?;
            let datagram = buffer.get(..length).unwrap_or_default();
            let pending = |other| (other == identifier).then_some(authenticator);
            if let Ok(alive) = crate::verify_status(datagram, pending, &self.settings.secret) {
                return Some(alive);
            }
        }
    }
}
