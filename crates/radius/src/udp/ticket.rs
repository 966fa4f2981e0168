//! The place of one request at an endpoint, from its identifier to its answer.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Timeout;

use super::endpoint::Endpoint;
use super::error::Discarded;
use super::line::{Line, News};
use super::socket;
use crate::{AccessRequest, Count, Datagram, EncodeError, Slot};

/// An identifier that is taken, and the datagram that bears it. Dropped, it gives the identifier
/// back: who waits no more lets it rest.
#[derive(Debug)]
pub(super) struct Ticket {
    endpoint: Arc<Endpoint>,
    line: Arc<Line>,
    slot: Slot,
    is_push: bool,
    was_answered: bool,
    datagram: Option<Datagram>,
}

/// Why there is no ticket.
#[derive(Debug)]
pub(super) enum NoTicket {
    /// All identifiers are taken or rest.
    Full,
    /// No socket can be opened.
    Unreachable(String),
    /// The request fits into no packet.
    Unencodable(EncodeError),
}

impl Ticket {
    /// Of a slot that is taken already.
    pub(super) fn new(endpoint: Arc<Endpoint>, line: Arc<Line>, slot: Slot, is_push: bool) -> Self {
        Self {
            endpoint,
            line,
            slot,
            is_push,
            was_answered: false,
            datagram: None,
        }
    }

    /// Writes the datagram, and waits for its answer from now on.
    pub(super) fn write(mut self, request: &AccessRequest) -> Result<Self, NoTicket> {
        let world = &self.endpoint.world;
        let authenticator = super::authenticator(&*world.random);
        let chap = super::chap_seed(&*world.random);
        let secret = &self.endpoint.settings.secret;
        let datagram = request
            .encode(self.slot.identifier, &authenticator, &chap, secret)
            .map_err(NoTicket::Unencodable)?;
        let now = world.now();
        let identifier = self.slot.identifier;
        self.line
            .enter(identifier, authenticator, self.is_push, now);
        self.datagram = Some(datagram);
        Ok(self)
    }

    /// It is sent for the first time now.
    pub(super) fn begin(&self, now: Duration) {
        self.line.begin(self.slot.identifier, now);
    }

    /// Sends the datagram, the same one each time. What the system says then is often about one
    /// that was sent before, so it is tried twice.
    pub(super) async fn send(&self, count: Count) -> io::Result<()> {
        let mut sent = self.send_once().await;
        if let Err(error) = &sent
            && socket::is_refusal(error)
        {
            self.endpoint.refused(&self.line);
            sent = self.send_once().await;
        }
        sent?;
        self.endpoint.counters.count(count);
        Ok(())
    }

    async fn send_once(&self) -> io::Result<()> {
        let octets = self.datagram.as_ref().map_or(&[][..], Datagram::as_octets);
        match self.line.socket.try_send(octets) {
            // Rare, and large: not in every future.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Box::pin(self.line.socket.send(octets)).await.map(drop)
            }
            sent => sent.map(drop),
        }
    }

    /// What comes until then; an error when nothing does.
    pub(super) fn news_until(&self, time: Duration) -> Timeout<impl Future<Output = News>> {
        let at = self.endpoint.world.clock.instant(time);
        let news = poll_fn(|context| self.line.poll_news(self.slot.identifier, context));
        tokio::time::timeout_at(at, news)
    }

    /// The server has answered: its identifier need not rest.
    pub(super) fn answered(mut self) {
        self.was_answered = true;
    }

    /// Where it is sent from.
    pub(super) fn local(&self) -> Option<SocketAddr> {
        self.line.local()
    }

    /// What came instead of an answer.
    pub(super) fn discarded(&self) -> Discarded {
        self.line.discarded(self.slot.identifier)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.line.leave(self.slot.identifier);
        self.endpoint
            .give_back(self.slot, self.is_push, self.was_answered);
    }
}
