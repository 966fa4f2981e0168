//! One request to the servers of a provider: whom to ask, and whom after that.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::attempt::{Attempt, Ended};
use super::endpoint::Endpoint;
use super::error::ExchangeError;
use super::hosts::Provider;
use crate::{
    AccessRequest, Answer, Candidate, Order, Pattern, Reply, Standing, order, share_per_server,
};

/// How long the first request waits for names that are slow, if others are known already.
const SLOW_NAMES: Duration = Duration::from_secs(1);
/// How long a server that is taken for dead is asked when there is no other.
const LAST_RESORT: Duration = Duration::from_secs(2);

/// How a request goes to the servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// The server decides by itself. One that is silent is left for the next one.
    Short {
        /// For all servers together.
        timeout: Duration,
        /// The server of the dialogue, if the request goes on with one.
        pinned: Option<SocketAddr>,
    },
    /// A person is asked, and only once: silence is no reason to go elsewhere.
    Push {
        /// How long the person has.
        timeout: Duration,
    },
}

/// A reply, and who gave it.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What the server says; it has signed it.
    pub reply: Reply,
    /// Where the next round of the dialogue has to go.
    pub server: SocketAddr,
}

impl Plan {
    const fn timeout(self) -> Duration {
        match self {
            Self::Short { timeout, .. } | Self::Push { timeout } => timeout,
        }
    }
}

/// See [`Servers::exchange`](super::Servers::exchange). A block and no function, which would keep
/// what it is given twice, for thousands.
pub(super) fn exchange<'a>(
    provider: &'a Provider,
    request: &'a AccessRequest,
    plan: Plan,
) -> impl Future<Output = Result<Exchange, ExchangeError>> + Send + 'a {
    let round = Round::begin(provider, request, plan);
    let (pattern, pinned) = match plan {
        Plan::Short { pinned, .. } => (Pattern::Short, pinned),
        Plan::Push { .. } => (Pattern::Push, None),
    };
    async move {
        let round = round.as_ref().map_err(Clone::clone)?;
        if !round.provider.is_settled() {
            // Rare, and large: not in every future.
            Box::pin(round.until_known()).await;
        }
        match pinned {
            Some(address) => round.pinned(address).await,
            None => round.any(pattern).await,
        }
    }
}

/// A place among the requests that may be pending.
struct Place<'a>(&'a Provider);

impl<'a> Place<'a> {
    fn take(provider: &'a Provider) -> Result<Self, ExchangeError> {
        provider.world.begin();
        let before = provider.pending.fetch_add(1, Ordering::SeqCst);
        // Made first, so that it is given back.
        let place = Self(provider);
        if before >= provider.world.limits.max_pending {
            return Err(ExchangeError::Busy);
        }
        Ok(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.pending.fetch_sub(1, Ordering::SeqCst);
        self.0.world.end();
    }
}

/// A request until its end.
struct Round<'a> {
    provider: &'a Provider,
    request: &'a AccessRequest,
    deadline: Duration,
    _place: Place<'a>,
}

impl<'p> Round<'p> {
    fn begin(
        provider: &'p Provider,
        request: &'p AccessRequest,
        plan: Plan,
    ) -> Result<Self, ExchangeError> {
        let world = &provider.world;
        if !world.is_running() {
            return Err(ExchangeError::Stopped);
        }
        provider.touch();
        Ok(Self {
            _place: Place::take(provider)?,
            deadline: world.now().saturating_add(plan.timeout()),
            provider,
            request,
        })
    }

    /// Waits for the first names, if there is nothing known yet.
    async fn until_known(&self) {
        let patience = self.provider.world.now().saturating_add(SLOW_NAMES);
        self.provider.until_known(patience, self.deadline).await;
    }

    /// Asks the server of the dialogue, and no other.
    async fn pinned(&self, address: SocketAddr) -> Result<Exchange, ExchangeError> {
        let gone = ExchangeError::PinnedServerGone(address);
        let Some(endpoint) = self.provider.endpoint_of(address) else {
            return Err(gone);
        };
        let now = self.provider.world.now();
        let is_dead = matches!(
            endpoint.candidate(Pattern::Short).standing,
            Standing::Dead { .. }
        );
        let (pattern, share) = if is_dead {
            (Pattern::Once, LAST_RESORT)
        } else {
            endpoint.admit(Pattern::Short);
            last_share(self.deadline.saturating_sub(now))
        };
        let attempt = Attempt {
            endpoint: &endpoint,
            request: self.request,
            pattern,
            can_move: false,
            is_pinned: true,
            deadline: self.deadline.min(now.saturating_add(share)),
        };
        let (ended, tried) = attempt.run().await;
        let error = match &ended {
            Ended::Gone { .. } => gone,
            Ended::Unanswered if tried.refused || is_dead => gone,
            Ended::Full => ExchangeError::Busy,
            Ended::Unanswered | Ended::Answered(_) | Ended::Unencodable(_) | Ended::Stopped => {
                ExchangeError::NoAnswer {
                    attempts: vec![tried],
                }
            }
        };
        finish(ended, &endpoint).unwrap_or(Err(error))
    }

    /// Asks whoever is there.
    async fn any(&self, pattern: Pattern) -> Result<Exchange, ExchangeError> {
        let (endpoints, is_last_resort) = self.in_order(pattern);
        if endpoints.is_empty() {
            return Err(self.unresolved());
        }
        let mut attempts = Vec::new();
        let mut is_full = false;
        for (n, endpoint) in endpoints.iter().enumerate() {
            let left = endpoints.len() - n;
            let is_admitted = endpoint.admit(pattern) || is_last_resort;
            if !is_admitted && left > 1 {
                continue;
            }
            let attempt = self.attempt(endpoint, pattern, left, is_last_resort);
            let (ended, tried) = attempt.run().await;
            let may_move = match &ended {
                Ended::Gone { may_move } => *may_move,
                Ended::Unanswered => pattern != Pattern::Push,
                Ended::Full => {
                    is_full = true;
                    true
                }
                Ended::Answered(_) | Ended::Unencodable(_) | Ended::Stopped => false,
            };
            if let Some(result) = finish(ended, endpoint) {
                return result;
            }
            attempts.push(tried);
            if !may_move || self.provider.world.now() >= self.deadline {
                break;
            }
        }
        if is_full && attempts.iter().all(|tried| tried.sent == 0) {
            return Err(ExchangeError::Busy);
        }
        Err(ExchangeError::NoAnswer { attempts })
    }

    /// Whom to ask, in order, and whether all of them are taken for dead.
    fn in_order(&self, pattern: Pattern) -> (Vec<Arc<Endpoint>>, bool) {
        let endpoints = self.provider.endpoints();
        let candidates = endpoints.iter();
        let candidates: Vec<Candidate> = candidates
            .map(|endpoint| endpoint.candidate(pattern))
            .collect();
        let (places, is_last_resort) = match order(&candidates, self.provider.world.draw()) {
            Order::Try(mut places) => {
                // One that may be back is found out by asking it, not by waiting until the others
                // fail; those get the request if it is not.
                let is_back = |place: &usize| {
                    let candidate = candidates.get(*place);
                    candidate.is_some_and(|one| one.standing == Standing::HalfOpen)
                };
                if let Some(at) = places.iter().position(is_back)
                    && let Some(first) = places.get_mut(..=at)
                {
                    first.rotate_right(1);
                }
                (places, false)
            }
            Order::LastResort(places) => (places, true),
        };
        let in_order = places.into_iter();
        let in_order = in_order.filter_map(|place| endpoints.get(place).cloned());
        (in_order.collect(), is_last_resort)
    }

    fn attempt<'a>(
        &'a self,
        endpoint: &'a Arc<Endpoint>,
        pattern: Pattern,
        left: usize,
        is_last_resort: bool,
    ) -> Attempt<'a> {
        let now = self.provider.world.now();
        let (pattern, share) = match pattern {
            // A phone may ring already, whatever is believed of the server.
            Pattern::Push => (pattern, Duration::MAX),
            Pattern::Short | Pattern::Once if is_last_resort => (Pattern::Once, LAST_RESORT),
            Pattern::Short | Pattern::Once if left == 1 => {
                last_share(self.deadline.saturating_sub(now))
            }
            Pattern::Short | Pattern::Once => {
                let remaining = self.deadline.saturating_sub(now);
                (pattern, share_per_server(remaining, left))
            }
        };
        Attempt {
            endpoint,
            request: self.request,
            pattern,
            can_move: left > 1,
            is_pinned: false,
            deadline: self.deadline.min(now.saturating_add(share)),
        }
    }

    fn unresolved(&self) -> ExchangeError {
        let hosts = self.provider.hosts().into_iter();
        let hostnames = hosts.map(|host| {
            let error = host.failure;
            let error = error.unwrap_or_else(|| "not looked up in time".to_owned());
            (host.name, error)
        });
        ExchangeError::Unresolved {
            hostnames: hostnames.collect(),
        }
    }
}

/// How the last server is asked that there is: for all of the time that is left. Where that is
/// more than a server needs that decides by itself, a person may be asked, as in a push.
fn last_share(left: Duration) -> (Pattern, Duration) {
    if left > share_per_server(left, 1) {
        (Pattern::Push, left)
    } else {
        (Pattern::Short, left)
    }
}

/// The end of the request, if this is one.
fn finish(ended: Ended, endpoint: &Endpoint) -> Option<Result<Exchange, ExchangeError>> {
    let server = endpoint.address;
    match ended {
        Ended::Answered(answer) => Some(match *answer {
            Answer::Reply(reply) => Ok(Exchange { reply, server }),
            Answer::Broken(broken) => Err(ExchangeError::BrokenServer { server, broken }),
        }),
        Ended::Unencodable(error) => Some(Err(error.into())),
        Ended::Stopped => Some(Err(ExchangeError::Stopped)),
        Ended::Unanswered | Ended::Gone { .. } | Ended::Full => None,
    }
}
