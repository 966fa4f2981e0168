//! The 256 identifiers of one socket.
//!
//! A server tells requests apart by address, port and identifier (RFC 2865 §2.5). One that is used
//! again too early makes the server take a new login for a copy of an old one, or an old answer
//! for a new one; so the one that was free longest goes first (RFC 5080 §2.1.1), and one whose
//! request got no answer rests until no server remembers it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

/// Which identifiers of a socket are free, pending or resting.
#[derive(Debug)]
pub struct Identifiers {
    /// The one that was free longest comes first.
    free: VecDeque<u8>,
    /// The one that is free again first is at the top.
    resting: BinaryHeap<Reverse<(Duration, u8)>>,
    pending: [bool; 256],
}

impl Identifiers {
    /// How many there are.
    pub const COUNT: usize = 256;

    /// How long the identifier of an unanswered request rests: longer than servers remember what
    /// they answered, and longer than most of them go on with what nobody waits for.
    pub const REST: Duration = Duration::from_mins(1);

    /// All are free. A random first one, so that a program that starts again does not begin with
    /// what it used last.
    pub fn new(first: u8) -> Self {
        let free = (0..=u8::MAX).map(|n| first.wrapping_add(n)).collect();
        Self {
            free,
            resting: BinaryHeap::new(),
            pending: [false; Self::COUNT],
        }
    }

    /// Takes the one that was free longest; it is pending now. `None` when none is free.
    pub fn take(&mut self, now: Duration) -> Option<u8> {
        self.wake(now);
        let identifier = self.free.pop_front()?;
        self.set_pending(identifier, true);
        Some(identifier)
    }

    /// A pending one was answered, and is free at once: to the server it is history too. One that
    /// is not pending is left as it is.
    pub fn answered(&mut self, identifier: u8, now: Duration) {
        self.wake(now);
        if self.set_pending(identifier, false) {
            self.free.push_back(identifier);
        }
    }

    /// A pending one was given up, and rests for `rest`, [`Self::REST`] as a rule. One that is not
    /// pending is left as it is.
    pub fn given_up(&mut self, identifier: u8, now: Duration, rest: Duration) {
        self.wake(now);
        if self.set_pending(identifier, false) {
            let until = now.saturating_add(rest);
            self.resting.push(Reverse((until, identifier)));
        }
    }

    /// How many are free.
    pub fn free(&mut self, now: Duration) -> usize {
        self.wake(now);
        self.free.len()
    }

    /// How many rest.
    pub fn resting(&mut self, now: Duration) -> usize {
        self.wake(now);
        self.resting.len()
    }

    /// How many are pending.
    pub fn pending(&self) -> usize {
        Self::COUNT - self.free.len() - self.resting.len()
    }

    /// Ends the rest of those that have rested.
    fn wake(&mut self, now: Duration) {
        while let Some(Reverse((until, identifier))) = self.resting.peek().copied()
            && until <= now
        {
            self.resting.pop();
            self.free.push_back(identifier);
        }
    }

    /// Whether this changes anything.
    fn set_pending(&mut self, identifier: u8, to: bool) -> bool {
        let place = self.pending.get_mut(usize::from(identifier));
        place.is_some_and(|pending| std::mem::replace(pending, to) != to)
    }
}
