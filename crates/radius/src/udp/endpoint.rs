//! One server at one address: its sockets, its health and its pace.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tracing::{info, warn};

use super::client::{EndpointStatus, World};
use super::journal::Journal;
use super::keeper::{self, Prober};
use super::line::{self, Line, News};
use super::settings::ServerSettings;
use super::socket::{self, Background};
use super::ticket::{NoTicket, Ticket};
use crate::{
    AccessRequest, Candidate, Count, Counters, Health, Observation, Pacing, Pattern, Probe, Slot,
    SocketId, Sockets, Standing,
};

/// A server of one or more providers.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) address: SocketAddr,
    pub(super) settings: ServerSettings,
    pub(super) world: Arc<World>,
    pub(super) counters: Counters,
    journal: Journal,
    state: Mutex<State>,
    /// Pushes that wait here.
    pushes: AtomicUsize,
    /// Tells the keeper that something has changed.
    changed: Arc<Notify>,
    keeper: OnceLock<Background>,
}

#[derive(Debug)]
struct State {
    sockets: Sockets,
    lines: Vec<OpenLine>,
    health: Health,
    pacing: Pacing,
}

#[derive(Debug)]
struct OpenLine {
    id: SocketId,
    line: Arc<Line>,
    _reader: Background,
}

impl Endpoint {
    /// An endpoint, with a task that looks after it. It opens no socket yet.
    pub(super) fn new(
        address: SocketAddr,
        settings: &ServerSettings,
        world: &Arc<World>,
    ) -> Arc<Self> {
        let endpoint = Arc::new(Self {
            address,
            settings: settings.clone(),
            world: Arc::clone(world),
            counters: Counters::default(),
            journal: Journal::default(),
            state: Mutex::new(State {
                sockets: Sockets::new(world.limits.max_sockets),
                lines: Vec::new(),
                health: Health::new(settings.status_server),
                pacing: Pacing::new(),
            }),
            pushes: AtomicUsize::new(0),
            changed: Arc::new(Notify::new()),
            keeper: OnceLock::new(),
        });
        let changed = Arc::clone(&endpoint.changed);
        let keeper = keeper::keep(Arc::downgrade(&endpoint), changed, world.clock);
        let _ = endpoint.keeper.set(Background::spawn(keeper));
        endpoint
    }

    /// Whether this is the endpoint of that address with those settings.
    pub(super) fn is(&self, address: SocketAddr, settings: &ServerSettings) -> bool {
        self.address == address && self.settings.talk_like(settings)
    }

    /// How it stands for a request.
    pub(super) fn candidate(&self, pattern: Pattern) -> Candidate {
        let now = self.world.now();
        let state = self.state();
        Candidate {
            standing: state.health.standing(now),
            admits: state.health.admits(pattern, now),
        }
    }

    /// Whether a request may go there: of those that would try whether it is back, only one may.
    pub(super) fn admit(&self, pattern: Pattern) -> bool {
        let now = self.world.now();
        let mut state = self.state();
        let admits = state.health.admits(pattern, now);
        if admits {
            state.health.see(Observation::Tried, now);
        }
        admits
    }

    /// Takes an identifier for a request, and opens a socket if they run short.
    pub(super) fn enter(
        self: &Arc<Self>,
        request: &AccessRequest,
        pattern: Pattern,
    ) -> Result<Ticket, NoTicket> {
        let (line, slot) = self.take_slot()?;
        let is_push = pattern == Pattern::Push;
        if is_push && self.pushes.fetch_add(1, Ordering::Relaxed) == 0 {
            self.changed.notify_one();
        }
        // From here on the ticket gives back what was taken.
        Ticket::new(Arc::clone(self), line, slot, is_push).write(request)
    }

    fn take_slot(self: &Arc<Self>) -> Result<(Arc<Line>, Slot), NoTicket> {
        let now = self.world.now();
        let mut state = self.state();
        if state.sockets.wants_another(now)
            && let Err(error) = self.open_line(&mut state, now)
            && state.lines.is_empty()
        {
            return Err(NoTicket::Unreachable(error.to_string()));
        }
        let slot = state.sockets.take(now).ok_or(NoTicket::Full)?;
        let open = state.lines.iter().find(|open| open.id == slot.socket);
        let line = open.ok_or(NoTicket::Full)?;
        Ok((Arc::clone(&line.line), slot))
    }

    fn open_line(self: &Arc<Self>, state: &mut State, now: Duration) -> io::Result<()> {
        let limits = &self.world.limits;
        let source = self.settings.source_address;
        let socket = socket::connect(self.address, source, limits.receive_buffer)?;
        let [first] = super::octets(&*self.world.random);
        if let Some(id) = state.sockets.add(first, now) {
            let line = Arc::new(Line::new(socket));
            let reader = line::read(Arc::clone(&line), Arc::downgrade(self));
            state.lines.push(OpenLine {
                id,
                line,
                _reader: Background::spawn(reader),
            });
        }
        Ok(())
    }

    /// Gives an identifier back. What was not answered rests.
    pub(super) fn give_back(&self, slot: Slot, is_push: bool, was_answered: bool) {
        if is_push {
            self.pushes.fetch_sub(1, Ordering::Relaxed);
        }
        let now = self.world.now();
        let sockets = &mut self.state().sockets;
        if was_answered {
            sockets.answered(slot, now);
        } else {
            sockets.given_up(slot, now, self.world.limits.rest);
        }
    }

    /// Pushes that wait here.
    pub(super) fn pushes(&self) -> usize {
        self.pushes.load(Ordering::Relaxed)
    }

    /// When a request may be sent for the first time: in the order of asking.
    pub(super) fn reserve(&self, now: Duration) -> Duration {
        self.state().pacing.reserve(now)
    }

    /// Whether a request may be sent again now, or else when to ask again. First sends go before.
    pub(super) fn may_repeat(&self, now: Duration) -> Result<(), Duration> {
        self.state().pacing.take(now)
    }

    /// A datagram came.
    pub(super) fn received(&self, line: &Line, datagram: &[u8]) {
        let now = self.world.now();
        let mut asked = None;
        let pending = |identifier| {
            asked = line.pending(identifier);
            asked
        };
        let strict = self.settings.require_message_authenticator;
        match (
            crate::verify(datagram, pending, &self.settings.secret, strict),
            asked,
        ) {
            (Ok(verified), Some(authenticator)) => {
                let identifier = verified.identifier;
                self.see(Observation::Answered);
                let waited = line.since(identifier).unwrap_or(now);
                self.counters
                    .count_answer(&verified, now.saturating_sub(waited));
                line.answer(&authenticator, verified);
            }
            // Without an authenticator nothing is verified.
            (Ok(_), None) => {}
            (Err(discard), _) => {
                self.counters.count(Count::from(discard));
                if let Some(identifier) = datagram.get(1) {
                    line.count(*identifier, discard);
                }
                self.journal.discarded(self.address, discard, now);
            }
        }
    }

    /// The system says that nobody listens there; all that wait on this socket should know.
    pub(super) fn refused(&self, line: &Line) {
        self.counters.count(Count::Refusals);
        line.tell_all(|| News::Refused);
        self.see(Observation::Refused);
    }

    /// Takes note of what was seen, and tells who has to know.
    pub(super) fn see(&self, observation: Observation) {
        let now = self.world.now();
        let (before, after, lines) = {
            let mut state = self.state();
            let before = state.health.standing(now);
            state.health.see(observation, now);
            let after = state.health.standing(now);
            let died = before != after && matches!(after, Standing::Dead { .. });
            let lines = if died { state.lines() } else { Vec::new() };
            (before, after, lines)
        };
        if before == after {
            return;
        }
        let server = self.address;
        match after {
            Standing::Alive => info!(radius.server = %server, "{server} answers again"),
            Standing::Suspect => warn!(radius.server = %server, "{server} does not answer"),
            Standing::Dead { .. } => {
                warn!(radius.server = %server, "{server} is taken for dead");
            }
            Standing::HalfOpen => {}
        }
        for line in lines {
            line.tell_all(|| News::Died);
        }
        self.changed.notify_one();
    }

    /// Ends all that wait here.
    pub(super) fn stop(&self) {
        let lines = self.state().lines();
        for line in lines {
            line.tell_all(|| News::Stopped);
        }
    }

    /// The probe that is due next.
    pub(super) fn next_probe(&self, now: Duration) -> Option<Probe> {
        let draw = super::draw(&*self.world.random);
        let state = self.state();
        let waiting = (self.pushes() > 0).then(|| {
            let lines = state.lines.iter();
            lines.filter_map(|open| open.line.oldest_push()).min()
        });
        state.health.probe(waiting.flatten(), now, draw)
    }

    /// What sends probes, without keeping the endpoint.
    pub(super) fn prober(&self) -> Prober {
        Prober {
            server: self.address,
            settings: self.settings.clone(),
            world: Arc::clone(&self.world),
        }
    }

    /// Closes sockets that nobody has needed for long.
    pub(super) fn close_idle(&self, now: Duration) {
        let mut state = self.state();
        let closed = state.sockets.close_idle(now);
        state.lines.retain(|open| !closed.contains(&open.id));
    }

    /// How it is.
    pub(super) fn status(&self) -> EndpointStatus {
        let now = self.world.now();
        let mut state = self.state();
        EndpointStatus {
            address: self.address,
            source_address: self.settings.source_address,
            standing: state.health.standing(now),
            silent_for: state.health.heard().map(|at| now.saturating_sub(at)),
            pending: state.sockets.pending(),
            resting: state.sockets.resting(now),
            sockets: state.sockets.len(),
            counters: self.counters.snapshot(),
        }
    }

    /// Whether it has ever answered.
    pub(super) fn has_answered(&self) -> bool {
        self.state().health.heard().is_some()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn lines(&self) -> Vec<Arc<Line>> {
        let lines = self.lines.iter();
        lines.map(|open| Arc::clone(&open.line)).collect()
    }
}
