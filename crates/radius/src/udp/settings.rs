//! What a provider is, and what the client may take.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::{NasIdentifier, SharedSecret, Sockets};

/// The servers of a provider, and how to talk to them.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// Names or addresses. None comes first: where to begin is drawn.
    pub hostnames: Vec<String>,
    /// The port of all of them, 1812 as a rule.
    pub port: u16,
    /// What all of them share with us.
    pub secret: Arc<SharedSecret>,
    /// Whether an answer without Message-Authenticator counts as none. Without this, whoever sits
    /// on the way to the server can let anybody in (CVE-2024-3596).
    pub require_message_authenticator: bool,
    /// Whether the servers answer Status-Server (RFC 5997).
    pub status_server: bool,
    /// Where to send from, if the system is not to choose. Servers know their clients by it.
    pub source_address: Option<IpAddr>,
    /// What we call ourselves when we ask whether a server is there.
    pub nas_identifier: String,
}

impl ServerSettings {
    /// Whether these are the same settings.
    pub(super) fn are(&self, other: &Self) -> bool {
        self.hostnames == other.hostnames && self.port == other.port && self.talk_like(other)
    }

    /// Whether an endpoint of these settings is one of the others, too.
    pub(super) fn talk_like(&self, other: &Self) -> bool {
        self.require_message_authenticator == other.require_message_authenticator
            && self.status_server == other.status_server
            && self.source_address == other.source_address
            && self.nas_identifier == other.nas_identifier
            && self.secret.is(other.secret.expose())
    }

    /// What a probe calls us; nothing, if it fits into no attribute.
    pub(super) fn probe_name(&self) -> Option<NasIdentifier> {
        NasIdentifier::new(&self.nas_identifier).ok()
    }
}

/// What the client may take, and how patient it is.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Requests of one provider that wait at the same time; those above are told at once.
    pub max_pending: usize,
    /// Sockets to one endpoint, with 256 identifiers each.
    pub max_sockets: usize,
    /// How long an identifier rests after a request without an answer.
    pub rest: Duration,
    /// Octets that the system may hold for a socket.
    pub receive_buffer: usize,
    /// How long [`Client::shut_down`](super::Client::shut_down) waits for answers.
    pub grace: Duration,
    /// How often names are resolved.
    pub resolve_every: Duration,
    /// How much faster than the world the client's clock runs: 1. Every time in this crate, those
    /// of callers included, is by this clock, and tests need not wait for minutes.
    pub speed: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_pending: 10_240,
            max_sockets: Sockets::CEILING,
            rest: crate::Identifiers::REST,
            receive_buffer: 1 << 20,
            grace: Duration::from_secs(5),
            resolve_every: Duration::from_mins(1),
            speed: 1,
        }
    }
}
