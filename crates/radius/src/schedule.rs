//! When a request is sent again, and when it is given up.
//!
//! What is sent again is the same datagram from the same socket: anything else is a new login to
//! the server, and a second push on a phone.

use std::time::Duration;

/// Repetitions of pushes that an endpoint is sent in a second: what its pace allows.
const REPEATS_PER_SECOND: u64 = 3500;
/// How long one of several servers gets at most.
const LONGEST_SHARE: Duration = Duration::from_secs(10);

/// How a request is repeated. Every gap is varied by up to a tenth, so that clients that began
/// together do not stay together (RFC 5080 §2.2.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pattern {
    /// For what a server decides itself: sent at 0, 2 and 6 seconds, given up 4 seconds later.
    Short,
    /// For what a person decides: sent at once, after 2 seconds, and then every 2.2 seconds until
    /// the deadline. A server whose answer was lost on the way has to be asked before it forgets
    /// that it answered, and asks the person again otherwise. Some forget after 5 seconds: that is
    /// twice, so that one of these may be lost as well.
    Push,
    /// Sent once and waited for until the deadline: for servers that cannot tell a repetition.
    Once,
}

/// The sends of one request.
#[derive(Clone, Debug)]
pub struct Schedule {
    pattern: Pattern,
    deadline: Duration,
    last: Duration,
    sends: u32,
}

/// What comes next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Next {
    /// Send at that time, unless an answer comes before.
    SendAt(Duration),
    /// Wait for an answer until then, and no longer.
    GiveUpAt(Duration),
}

impl Next {
    /// The time at which there is something to do.
    pub const fn at(self) -> Duration {
        match self {
            Self::SendAt(at) | Self::GiveUpAt(at) => at,
        }
    }
}

impl Schedule {
    /// The schedule of a request that is sent for the first time at `now` and must have ended at
    /// `deadline`.
    pub const fn new(pattern: Pattern, now: Duration, deadline: Duration) -> Self {
        Self {
            pattern,
            deadline,
            last: now,
            sends: 1,
        }
    }

    /// How often it was sent, the first time included.
    pub const fn sends(&self) -> u32 {
        self.sends
    }

    /// When it has ended, whatever comes.
    pub const fn deadline(&self) -> Duration {
        self.deadline
    }

    /// What comes after the last send. `draw` is random; `pending` are the pushes that wait for
    /// the same endpoint. Never later than the deadline, and no send at it.
    pub fn next(&self, draw: u32, pending: usize) -> Next {
        let Some(gap) = self.gap(pending) else {
            let patience = match self.pattern {
                Pattern::Short => self.last.saturating_add(Duration::from_secs(4)),
                Pattern::Push | Pattern::Once => self.deadline,
            };
            return Next::GiveUpAt(patience.min(self.deadline));
        };
        match self.last.saturating_add(varied(gap, draw)) {
            at if at < self.deadline => Next::SendAt(at),
            _ => Next::GiveUpAt(self.deadline),
        }
    }

    /// It was sent again.
    pub const fn sent(&mut self, now: Duration) {
        self.last = now;
        self.sends = self.sends.saturating_add(1);
    }

    /// What lies between the last send and the next one, if there is one.
    fn gap(&self, pending: usize) -> Option<Duration> {
        let milliseconds = match (self.pattern, self.sends) {
            (Pattern::Short | Pattern::Push, 0 | 1) => 2000,
            (Pattern::Short, 2) => 4000,
            (Pattern::Short | Pattern::Once, _) => return None,
            // As many as an endpoint is sent in a second, and no longer than most servers remember.
            (Pattern::Push, _) => {
                let all = u64::try_from(pending)
                    .unwrap_or(u64::MAX)
                    .saturating_mul(1000)
                    / REPEATS_PER_SECOND;
                all.clamp(2200, 9000)
            }
        };
        Some(Duration::from_millis(milliseconds))
    }
}

/// A gap times 0.9 to 1.1.
fn varied(gap: Duration, draw: u32) -> Duration {
    gap.mul_f64(0.9 + 0.2 * f64::from(draw) / f64::from(u32::MAX))
}

/// How long one of `servers` servers gets of a timeout that is for all of them: an equal part, and
/// 10 seconds at most. For what is decided by servers; a push has the whole timeout.
pub fn share_per_server(timeout: Duration, servers: usize) -> Duration {
    let servers = u32::try_from(servers).unwrap_or(u32::MAX).max(1);
    (timeout / servers).min(LONGEST_SHARE)
}
