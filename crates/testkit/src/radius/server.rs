//! The task of a simulator: receives, asks the handler, sends now or later.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use md5::{Digest as _, Md5};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::answer::{Action, Answer, Origin};
use super::cache::{Cache, Key, Sighting};
use super::codec::{self, AUTHENTICATOR};
use super::counters::Counters;
use super::loss::Loss;
use super::received::{Received, Signature};
use super::{StatusServer, code};

/// What a test says about each request.
pub(super) type Handler = dyn Fn(&Received) -> Vec<Action> + Send + Sync;

/// What the kernel may hold for us: a burst of ten thousand requests, if the system allows it.
const RECEIVE_BUFFER: usize = 8 << 20;

/// How long an answer is kept, unless told otherwise: the `cleanup_delay` of FreeRADIUS.
const KEPT: Duration = Duration::from_secs(5);

/// One more than a packet may have.
const LARGEST: usize = 4097;

/// Addresses of the loopback need no setting up.
const OTHER_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

/// What a test may change while the server runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) status_server: StatusServer,
    pub(super) trust_all: bool,
    pub(super) detect_duplicates: bool,
    pub(super) answers_kept: Duration,
}

/// A datagram that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Outgoing {
    key: Key,
    authenticator: [u8; AUTHENTICATOR],
    octets: Vec<u8>,
    /// Whether it is the server's own word, which it says again when asked again.
    genuine: bool,
    elsewhere: Option<bool>,
    times: usize,
}

/// What the task and the test share.
pub(super) struct Shared {
    secret: Arc<[u8]>,
    handler: Mutex<Arc<Handler>>,
    state: Mutex<State>,
    counters: watch::Sender<Counters>,
    changed: Notify,
}

struct State {
    settings: Settings,
    loss: Loss,
    cache: Cache,
    held: Vec<Outgoing>,
    later: BinaryHeap<Reverse<(Instant, Outgoing)>>,
    now: VecDeque<Outgoing>,
}

impl Shared {
    pub(super) fn new(secret: &[u8], handler: Box<Handler>) -> Self {
        let settings = Settings {
            status_server: StatusServer::Silent,
            trust_all: false,
            detect_duplicates: true,
            answers_kept: KEPT,
        };
        Self {
            secret: secret.into(),
            handler: Mutex::new(handler.into()),
            state: Mutex::new(State {
                settings,
                loss: Loss::one_in(0),
                cache: Cache::default(),
                held: Vec::new(),
                later: BinaryHeap::new(),
                now: VecDeque::new(),
            }),
            counters: watch::Sender::default(),
            changed: Notify::new(),
        }
    }

    pub(super) fn set_handler(&self, handler: Box<Handler>) {
        let mut current = self.handler.lock().unwrap_or_else(PoisonError::into_inner);
        *current = handler.into();
    }

    pub(super) fn configure(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.state().settings);
    }

    pub(super) fn set_loss(&self, loss: Loss) {
        self.state().loss = loss;
    }

    pub(super) fn counters(&self) -> watch::Receiver<Counters> {
        self.counters.subscribe()
    }

    pub(super) fn held(&self) -> usize {
        self.state().held.len()
    }

    pub(super) fn release(
        &self,
        choose: impl FnOnce(&mut Vec<Outgoing>) -> Vec<Outgoing>,
    ) -> usize {
        let mut state = self.state();
        let released = choose(&mut state.held);
        let count = released.len();
        state.now.extend(released);
        drop(state);
        self.changed.notify_one();
        count
    }

    /// What a restart loses.
    pub(super) fn forget(&self) {
        let mut state = self.state();
        state.cache = Cache::default();
        state.held.clear();
        state.later.clear();
        state.now.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, change: impl FnOnce(&mut Counters)) {
        self.counters.send_modify(change);
    }

    /// Takes a datagram in.
    fn take(&self, datagram: &[u8], source: SocketAddr) {
        self.count(|counters| counters.datagrams += 1);
        if self.state().loss.strikes() {
            self.count(|counters| counters.lost += 1);
            return;
        }
        match codec::read(datagram) {
            Some(packet) if packet.code == code::REQUEST => self.request(packet, source),
            Some(packet) if packet.code == code::STATUS_SERVER => {
                self.count(|counters| counters.probes += 1);
                let request = Received::new(source, packet, false, Arc::clone(&self.secret));
                self.status(&request);
            }
            _ => self.count(|counters| counters.malformed += 1),
        }
    }

    fn status(&self, request: &Received) {
        let answer = match self.state().settings.status_server {
            StatusServer::Silent => return,
            StatusServer::Signed => Answer::accept(),
            StatusServer::Unsigned => Answer::accept().flawed(super::Flaw::Unsigned),
        };
        if matches!(request.signature, Signature::Right { .. }) {
            self.state().now.push_back(outgoing(request, &answer));
        }
    }

    fn request(&self, packet: codec::Packet, source: SocketAddr) {
        let key = (source, packet.identifier);
        let digest = Md5::digest(&packet.octets).into();
        let (sighting, sources, settings) = {
            let mut state = self.state();
            let sighting = state
                .cache
                .see(key, packet.authenticator, digest, Instant::now());
            (sighting, state.cache.sources(), state.settings)
        };
        let is_new = matches!(sighting, Sighting::New { .. });
        let request = Received::new(source, packet, !is_new, Arc::clone(&self.secret));
        self.count(|counters| count(counters, &request, &sighting, sources));
        if !settings.trust_all && request.signature == Signature::Wrong {
            return;
        }
        match sighting {
            Sighting::Pending { .. } if settings.detect_duplicates => {}
            Sighting::Answered { answers, .. } if settings.detect_duplicates => {
                self.count(|counters| counters.repeated += 1);
                let again = answers.into_iter().map(|octets| Outgoing {
                    octets,
                    genuine: false,
                    ..outgoing(&request, &Answer::accept())
                });
                self.state().now.extend(again);
            }
            Sighting::New { .. }
            | Sighting::Pending { .. }
            | Sighting::Answered { .. }
            | Sighting::Forgotten { .. } => self.ask(&request),
        }
    }

    fn ask(&self, request: &Received) {
        self.count(|counters| counters.asked += 1);
        // Not under the lock: a handler may set another.
        let handler = {
            let current = self.handler.lock();
            Arc::clone(&current.unwrap_or_else(PoisonError::into_inner))
        };
        let actions = handler(request);
        let mut state = self.state();
        for action in actions {
            match action {
                Action::Send(answer) => state.now.push_back(outgoing(request, &answer)),
                Action::Hold(answer) => state.held.push(outgoing(request, &answer)),
                Action::After(delay, answer) => {
                    let at = Instant::now() + delay;
                    state.later.push(Reverse((at, outgoing(request, &answer))));
                }
                Action::Silence => {}
            }
        }
    }

    /// What is to be sent next: a datagram and whether it is lost on its way.
    fn next(&self) -> Option<(Outgoing, bool)> {
        let mut state = self.state();
        let now = Instant::now();
        while let Some(Reverse((at, _))) = state.later.peek()
            && *at <= now
        {
            let due = state.later.pop();
            state.now.extend(due.map(|Reverse((_, outgoing))| outgoing));
        }
        let next = state.now.pop_front()?;
        if next.genuine && state.cache.is_current(&next.key, &next.authenticator) {
            let kept = state.settings.answers_kept;
            state.cache.answered(next.key, &next.octets, now, kept);
        }
        let lost = state.loss.strikes();
        Some((next, lost))
    }

    fn next_due(&self) -> Option<Instant> {
        let state = self.state();
        state.later.peek().map(|Reverse((at, _))| *at)
    }
}

fn outgoing(request: &Received, answer: &Answer) -> Outgoing {
    Outgoing {
        key: (request.source, request.identifier),
        authenticator: request.authenticator,
        octets: answer.octets(request),
        genuine: answer.is_genuine(),
        elsewhere: match answer.origin {
            Origin::Own => None,
            Origin::OtherPort => Some(false),
            Origin::OtherAddress => Some(true),
        },
        times: answer.times,
    }
}

fn count(counters: &mut Counters, request: &Received, sighting: &Sighting, sources: usize) {
    counters.sources = sources;
    match request.signature {
        Signature::Missing => counters.unsigned += 1,
        Signature::Wrong => counters.wrongly_signed += 1,
        Signature::Right { first: false } => counters.signed_late += 1,
        Signature::Right { first: true } => {}
    }
    match sighting {
        Sighting::New { collides } => {
            counters.pushes += 1;
            counters.collisions += usize::from(*collides);
        }
        Sighting::Pending { altered }
        | Sighting::Answered { altered, .. }
        | Sighting::Forgotten { altered } => {
            counters.retransmissions += 1;
            counters.altered += usize::from(*altered);
        }
    }
}

/// A socket with a large buffer.
pub(super) fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

/// Serves until it is aborted.
pub(super) async fn run(shared: Arc<Shared>, socket: UdpSocket) {
    let mut buffer = vec![0; LARGEST];
    loop {
        while let Some((outgoing, lost)) = shared.next() {
            for _ in 0..outgoing.times {
                if lost {
                    shared.count(|counters| counters.lost += 1);
                } else if send(&socket, &outgoing).await.is_ok() {
                    shared.count(|counters| counters.sent += 1);
                }
            }
            // What comes meanwhile must not overflow the buffer of the kernel.
            while let Ok((length, source)) = socket.try_recv_from(&mut buffer) {
                shared.take(buffer.get(..length).unwrap_or_default(), source);
            }
        }
        let due = shared.next_due();
        let timer = async {
            match due {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            received = socket.recv_from(&mut buffer) => {
                // An error is about an earlier answer that nobody waited for.
                if let Ok((length, source)) = received {
                    shared.take(buffer.get(..length).unwrap_or_default(), source);
                }
            }
            () = timer => {}
            () = shared.changed.notified() => {}
        }
    }
}

async fn send(socket: &UdpSocket, outgoing: &Outgoing) -> io::Result<usize> {
    let (client, _) = outgoing.key;
    match outgoing.elsewhere {
        None => socket.send_to(&outgoing.octets, client).await,
        Some(other_address) => {
            let own = socket.local_addr()?;
            let from: SocketAddr = if other_address {
                (OTHER_ADDRESS, own.port()).into()
            } else {
                (own.ip(), 0).into()
            };
            bind(from)?.send_to(&outgoing.octets, client).await
        }
    }
}
