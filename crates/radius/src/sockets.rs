//! The sockets of one endpoint, as far as they are a matter of numbers: which one sends the next
//! request, when another is wanted, and which ones are not needed any more.

use std::time::Duration;

use crate::Identifiers;

/// Which socket of an endpoint. A number is given once.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SocketId(u64);

/// A place for a request: an identifier of a socket.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Slot {
    /// The socket that sends it, each time.
    pub socket: SocketId,
    /// The identifier in its packet.
    pub identifier: u8,
}

/// The sockets of one endpoint. It has none at first, and never more than its ceiling.
#[derive(Debug)]
pub struct Sockets {
    open: Vec<Socket>,
    /// Where the search for a free identifier begins.
    turn: usize,
    named: u64,
    ceiling: usize,
}

#[derive(Debug)]
struct Socket {
    id: SocketId,
    identifiers: Identifiers,
    /// When one of its identifiers was last taken or came free.
    used: Duration,
}

impl Sockets {
    /// Free identifiers under which another socket is wanted.
    pub const LOW: usize = 32;
    /// The ceiling for an endpoint, unless another is set: 16,384 requests at once.
    pub const CEILING: usize = 64;
    /// How long a socket stays open with nothing pending and nothing resting.
    pub const IDLE: Duration = Duration::from_mins(10);

    /// An endpoint of up to `ceiling` sockets, at least one.
    pub const fn new(ceiling: usize) -> Self {
        Self {
            open: Vec::new(),
            turn: 0,
            named: 0,
            ceiling: if ceiling == 0 { 1 } else { ceiling },
        }
    }

    /// Takes an identifier: of the next socket in turn that has a free one, and of that socket the
    /// one that was free longest. `None` when all are pending or resting.
    pub fn take(&mut self, now: Duration) -> Option<Slot> {
        let count = self.open.len();
        for step in 0..count {
            let index = (self.turn + step) % count;
            if let Some(socket) = self.open.get_mut(index)
                && let Some(identifier) = socket.identifiers.take(now)
            {
                socket.used = now;
                self.turn = (index + 1) % count;
                return Some(Slot {
                    socket: socket.id,
                    identifier,
                });
            }
        }
        None
    }

    /// Whether another socket should be opened now: free identifiers run short, and the ceiling is
    /// not reached.
    pub fn wants_another(&mut self, now: Duration) -> bool {
        self.open.len() < self.ceiling && self.free(now) < Self::LOW
    }

    /// Adds a socket that was opened, with a random first identifier; `None` at the ceiling, when
    /// it is to be closed again.
    pub fn add(&mut self, first: u8, now: Duration) -> Option<SocketId> {
        if self.open.len() >= self.ceiling {
            return None;
        }
        let id = SocketId(self.named);
        self.named += 1;
        self.open.push(Socket {
            id,
            identifiers: Identifiers::new(first),
            used: now,
        });
        Some(id)
    }

    /// The request of a slot was answered; see [`Identifiers::answered`].
    pub fn answered(&mut self, slot: Slot, now: Duration) {
        if let Some(socket) = self.find(slot.socket) {
            socket.identifiers.answered(slot.identifier, now);
            socket.used = now;
        }
    }

    /// The request of a slot was given up; see [`Identifiers::given_up`].
    pub fn given_up(&mut self, slot: Slot, now: Duration, rest: Duration) {
        if let Some(socket) = self.find(slot.socket) {
            socket.identifiers.given_up(slot.identifier, now, rest);
            socket.used = now;
        }
    }

    /// Takes away a socket that has failed, with all of its identifiers.
    pub fn remove(&mut self, id: SocketId) {
        self.open.retain(|socket| socket.id != id);
    }

    /// Takes away the sockets that have been idle for long, and tells which: they are to be
    /// closed. One always stays, and as many as keep enough identifiers free.
    pub fn close_idle(&mut self, now: Duration) -> Vec<SocketId> {
        let mut free = self.free(now);
        let mut closed = Vec::new();
        self.open.retain_mut(|socket| {
            let idle = socket.identifiers.free(now) == Identifiers::COUNT
                && now.saturating_sub(socket.used) >= Self::IDLE;
            if !idle || free < Identifiers::COUNT + Self::LOW {
                return true;
            }
            free -= Identifiers::COUNT;
            closed.push(socket.id);
            false
        });
        closed
    }

    /// How many sockets there are.
    pub const fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether there is no socket.
    pub const fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Identifiers that are free.
    pub fn free(&mut self, now: Duration) -> usize {
        let sockets = self.open.iter_mut();
        sockets.map(|socket| socket.identifiers.free(now)).sum()
    }

    /// Requests that are pending.
    pub fn pending(&self) -> usize {
        let sockets = self.open.iter();
        sockets.map(|socket| socket.identifiers.pending()).sum()
    }

    /// Identifiers that rest.
    pub fn resting(&mut self, now: Duration) -> usize {
        let sockets = self.open.iter_mut();
        sockets.map(|socket| socket.identifiers.resting(now)).sum()
    }

    fn find(&mut self, id: SocketId) -> Option<&mut Socket> {
        self.open.iter_mut().find(|socket| socket.id == id)
    }
}
