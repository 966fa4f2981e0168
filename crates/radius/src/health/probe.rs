//! When a Status-Server request is due (RFC 5997), and what its answers add up to.

use std::time::Duration;

/// Unanswered probes in a row that prove a server dead, and answered ones that prove it alive.
const ENOUGH: u32 = 3;
/// How long a probe is waited for.
const PATIENCE: Duration = Duration::from_secs(4);
/// How long it is waited for while people wait, who may have to be asked by another server.
const HURRIED: Duration = Duration::from_secs(2);
/// How long pushes wait without a sign of life before the server is asked.
const SILENT_PUSHES: Duration = Duration::from_secs(5);
/// What lies between two answered probes of a server that comes back.
const BETWEEN: Duration = Duration::from_secs(30);
/// What [`BETWEEN`] varies by, either way (RFC 3539 §3.4.1).
const VARIES: Duration = Duration::from_secs(2);

/// A Status-Server request to send.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Probe {
    /// When to send it: in the past or now, if it is due.
    pub at: Duration,
    /// How long to wait for its answer.
    pub patience: Duration,
}

/// A probe that stayed unanswered.
pub(super) struct Missed {
    /// Whether so many did that nobody is there.
    pub(super) is_enough: bool,
}

/// The probes of an endpoint since its standing last changed.
#[derive(Clone, Debug, Default)]
pub(super) struct Probing {
    /// When the last one was sent.
    sent: Option<Duration>,
    /// Whether the last one is still waited for.
    is_pending: bool,
    unanswered: u32,
    answered: u32,
}

impl Probing {
    pub(super) const fn sent(&mut self, now: Duration) {
        self.sent = Some(now);
        self.is_pending = true;
    }

    /// Whether one was answered, and none missed since.
    pub(super) const fn has_answer(&self) -> bool {
        self.answered > 0
    }

    /// Whether these were enough.
    pub(super) const fn count_answer(&mut self) -> bool {
        self.is_pending = false;
        self.unanswered = 0;
        self.answered = self.answered.saturating_add(1);
        self.answered >= ENOUGH
    }

    /// `None` when none was waited for: it was sent before the standing changed, and is history.
    pub(super) const fn count_miss(&mut self) -> Option<Missed> {
        if !self.is_pending {
            return None;
        }
        self.is_pending = false;
        self.answered = 0;
        self.unanswered = self.unanswered.saturating_add(1);
        Some(Missed {
            is_enough: self.unanswered >= ENOUGH,
        })
    }

    /// For a suspect: now, and again as soon as it stayed unanswered.
    pub(super) fn of_suspect(&self, now: Duration) -> Option<Probe> {
        (!self.is_pending).then_some(Probe {
            at: now,
            patience: PATIENCE,
        })
    }

    /// For a live one, while pushes wait: when nothing was heard for five seconds.
    pub(super) fn while_pushes_wait(
        &self,
        since: Duration,
        heard: Option<Duration>,
    ) -> Option<Probe> {
        let silent_since = heard.map_or(since, |heard| heard.max(since));
        (!self.is_pending).then_some(Probe {
            at: silent_since.saturating_add(SILENT_PUSHES),
            patience: HURRIED,
        })
    }

    /// For one that was dead until then: then, and 28 to 32 seconds after each other.
    pub(super) fn of_returning(&self, until: Duration, draw: u32) -> Option<Probe> {
        let at = match self.sent {
            Some(_) if self.is_pending => return None,
            Some(sent) => sent.saturating_add(between(draw)),
            None => until,
        };
        Some(Probe {
            at: at.max(until),
            patience: PATIENCE,
        })
    }
}

fn between(draw: u32) -> Duration {
    let least = BETWEEN.saturating_sub(VARIES);
    least.saturating_add((VARIES * 2).mul_f64(f64::from(draw) / f64::from(u32::MAX)))
}
