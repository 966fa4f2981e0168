//! What is believed of an endpoint: whether it is worth asking.
//!
//! ```text
//!          3 short requests unanswered,
//!           nothing heard for 10 s               3 probes unanswered, or 3 more short requests
//!  Alive ──────────────────────────────▶ Suspect ──────────────────────────────▶ Dead ◀── refused
//!    ▲                                      │                                    │  ▲    twice
//!    ├────────── any signed packet ─────────┘                               60 s │  │ anything
//!    │                                                                           ▼  │ unanswered
//!    └────────── a login answered, or 3 probes ──────────────────────────────── HalfOpen
//! ```
//!
//! Where there are no probes, a suspect is half-open after 60 seconds: nobody else would find out.
//!
//! Silence over a push means that a person has not answered: pushes make no server suspect. Only
//! signed packets count as signs of life, since anybody can send the others.

mod probe;

pub use probe::Probe;

use std::time::Duration;

use crate::schedule::Pattern;
use probe::Probing;

/// Short requests in a row without an answer that make a server suspect, and more of them, dead.
const UNANSWERED: u32 = 3;
/// How long ago the last sign of life is before silence counts.
const SILENCE: Duration = Duration::from_secs(10);
/// Two refusals within this make a server dead.
const REFUSED_TWICE: Duration = Duration::from_secs(1);
/// How long a dead server is left alone, and a suspect that cannot be probed.
const LEFT_ALONE: Duration = Duration::from_mins(1);
/// How long a request that tries a half-open server may take before another one may.
const TRIAL: Duration = Duration::from_secs(10);

/// What is believed of an endpoint.
#[derive(Clone, Debug)]
pub struct Health {
    belief: Belief,
    /// When the last signed packet came.
    heard: Option<Duration>,
    /// Short requests without an answer, since the last sign of life or the last change.
    unanswered: u32,
    /// When the last refusal came.
    refused: Option<Duration>,
    /// When a request was last let through to see whether it is back.
    tried: Option<Duration>,
    probing: Option<Probing>,
}

#[derive(Clone, Copy, Debug)]
enum Belief {
    Alive,
    /// If it cannot be probed, half-open from then on.
    Suspect {
        until: Duration,
    },
    /// Half-open from then on.
    Dead {
        until: Duration,
    },
}

/// How an endpoint stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// Nothing is known against it.
    Alive,
    /// It is asked when nobody else is there.
    Suspect,
    /// It is not asked before then.
    Dead {
        /// When it is half-open.
        until: Duration,
    },
    /// It was dead, and may be back: one request tries.
    HalfOpen,
}

/// What was seen of an endpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Observation {
    /// A signed answer to a login came.
    Answered,
    /// A short request was given up.
    ShortUnanswered,
    /// A push was given up. It says nothing.
    PushUnanswered,
    /// The system says that nobody listens (ICMP), on sending or on receiving.
    Refused,
    /// A short request was sent to a half-open endpoint.
    Tried,
    /// A Status-Server request was sent.
    ProbeSent,
    /// It was answered and the answer is signed.
    ProbeAnswered,
    /// It was not answered in the time of its [`Probe`].
    ProbeUnanswered,
}

impl Health {
    /// An endpoint of which nothing is known, and thus nothing bad. With `has_probes` it answers
    /// Status-Server requests.
    pub fn new(has_probes: bool) -> Self {
        Self {
            belief: Belief::Alive,
            heard: None,
            unanswered: 0,
            refused: None,
            tried: None,
            probing: has_probes.then(Probing::default),
        }
    }

    /// How it stands.
    pub fn standing(&self, now: Duration) -> Standing {
        match self.belief {
            Belief::Alive => Standing::Alive,
            Belief::Suspect { until } if now < until || self.probing.is_some() => Standing::Suspect,
            Belief::Dead { until } if now < until => Standing::Dead { until },
            Belief::Suspect { .. } | Belief::Dead { .. } => Standing::HalfOpen,
        }
    }

    /// Whether a request of this pattern may be sent to it now. A half-open one takes one short
    /// request at a time, and no push: who knows whether it would answer. With probes it takes
    /// one only after a probe was answered.
    pub fn admits(&self, pattern: Pattern, now: Duration) -> bool {
        match self.standing(now) {
            Standing::Alive | Standing::Suspect => true,
            Standing::Dead { .. } => false,
            Standing::HalfOpen => {
                let is_tried = self.tried.is_some_and(|at| now < at.saturating_add(TRIAL));
                let answers = self.probing.as_ref().is_none_or(Probing::has_answer);
                pattern != Pattern::Push && !is_tried && answers
            }
        }
    }

    /// When the last signed packet came.
    pub const fn heard(&self) -> Option<Duration> {
        self.heard
    }

    /// The next probe to send, if one is due or will be. `waiting` is since when the oldest push
    /// of those that are pending there waits; `draw` is random.
    pub fn probe(&self, waiting: Option<Duration>, now: Duration, draw: u32) -> Option<Probe> {
        let probing = self.probing.as_ref()?;
        match self.belief {
            Belief::Alive => probing.while_pushes_wait(waiting?, self.heard),
            Belief::Suspect { .. } => probing.of_suspect(now),
            Belief::Dead { until } => probing.of_returning(until, draw),
        }
    }

    /// Takes note of what was seen.
    pub fn see(&mut self, observation: Observation, now: Duration) {
        match observation {
            Observation::Answered => self.revive(now),
            Observation::ShortUnanswered => self.miss(now),
            Observation::PushUnanswered => {}
            Observation::Refused => self.refuse(now),
            Observation::Tried => self.tried = Some(now),
            Observation::ProbeSent => {
                if let Some(probing) = &mut self.probing {
                    probing.sent(now);
                }
            }
            Observation::ProbeAnswered => self.probe_answered(now),
            Observation::ProbeUnanswered => self.probe_missed(now),
        }
    }

    fn revive(&mut self, now: Duration) {
        self.heard = Some(now);
        self.change(Belief::Alive);
    }

    fn miss(&mut self, now: Duration) {
        match self.standing(now) {
            Standing::Dead { .. } => {}
            Standing::HalfOpen => self.kill(now),
            Standing::Alive => {
                self.unanswered = self.unanswered.saturating_add(1);
                let is_silent = self
                    .heard
                    .is_none_or(|at| now >= at.saturating_add(SILENCE));
                if self.unanswered >= UNANSWERED && is_silent {
                    self.change(Belief::Suspect {
                        until: now.saturating_add(LEFT_ALONE),
                    });
                }
            }
            Standing::Suspect => {
                self.unanswered = self.unanswered.saturating_add(1);
                if self.unanswered >= UNANSWERED && self.probing.is_none() {
                    self.kill(now);
                }
            }
        }
    }

    fn refuse(&mut self, now: Duration) {
        let before = self.refused.replace(now);
        let is_second = before.is_some_and(|at| now <= at.saturating_add(REFUSED_TWICE));
        match self.standing(now) {
            Standing::HalfOpen => self.kill(now),
            Standing::Alive | Standing::Suspect if is_second => self.kill(now),
            Standing::Alive | Standing::Suspect | Standing::Dead { .. } => {}
        }
    }

    fn probe_answered(&mut self, now: Duration) {
        self.heard = Some(now);
        let standing = self.standing(now);
        let Some(probing) = &mut self.probing else {
            return;
        };
        let is_enough = probing.count_answer();
        match standing {
            Standing::Suspect => self.change(Belief::Alive),
            Standing::HalfOpen if is_enough => self.change(Belief::Alive),
            Standing::Alive => self.unanswered = 0,
            Standing::HalfOpen | Standing::Dead { .. } => {}
        }
    }

    fn probe_missed(&mut self, now: Duration) {
        let standing = self.standing(now);
        let Some(missed) = self.probing.as_mut().and_then(Probing::count_miss) else {
            return;
        };
        match standing {
            Standing::HalfOpen => self.kill(now),
            Standing::Alive | Standing::Suspect if missed.is_enough => self.kill(now),
            Standing::Alive | Standing::Suspect | Standing::Dead { .. } => {}
        }
    }

    fn kill(&mut self, now: Duration) {
        self.change(Belief::Dead {
            until: now.saturating_add(LEFT_ALONE),
        });
    }

    /// Believes something else, and counts anew.
    fn change(&mut self, belief: Belief) {
        self.belief = belief;
        self.unanswered = 0;
        self.refused = None;
        self.tried = None;
        if let Some(probing) = &mut self.probing {
            *probing = Probing::default();
        }
    }
}
