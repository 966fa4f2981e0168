//! The client: what all providers share.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;

use super::Random;
use super::clock::Clock;
use super::endpoint::Endpoint;
use super::hosts::{Provider, Resolve, System};
use super::servers::Servers;
use super::settings::{Limits, ServerSettings};
use crate::{Snapshot, Standing};

/// How long a provider is kept that nobody has asked for, with its sockets and its health.
const UNUSED: Duration = Duration::from_mins(10);

/// A client of RADIUS servers. A clone is the same client.
///
/// It keeps the sockets, the health and the names of all providers it was asked for, until nobody
/// has used them for ten minutes. Its tasks end when the last handle is dropped.
#[derive(Clone, Debug)]
pub struct Client {
    core: Arc<Core>,
}

/// An endpoint, for metrics and for who looks after it.
#[derive(Clone, Debug)]
pub struct EndpointStatus {
    /// Where it is.
    pub address: SocketAddr,
    /// Where it is asked from, if that is set.
    pub source_address: Option<IpAddr>,
    /// How it stands. Times are by the client's clock.
    pub standing: Standing,
    /// How long ago the last signed packet came.
    pub silent_for: Option<Duration>,
    /// Requests that wait.
    pub pending: usize,
    /// Identifiers that rest.
    pub resting: usize,
    /// Open sockets.
    pub sockets: usize,
    /// What was counted.
    pub counters: Snapshot,
}

impl Client {
    /// A client that talks to nobody yet.
    pub fn new(random: Arc<dyn Random>, limits: Limits) -> Self {
        Self::with_resolver(random, limits, Arc::new(System))
    }

    /// A client that gets addresses elsewhere than from the system.
    pub fn with_resolver(
        random: Arc<dyn Random>,
        limits: Limits,
        resolver: Arc<dyn Resolve>,
    ) -> Self {
        let world = World {
            random,
            limits,
            clock: Clock::new(limits.speed),
            resolver,
            phase: AtomicU8::new(RUNNING),
            requests: AtomicUsize::new(0),
            idle: Notify::new(),
        };
        Self {
            core: Arc::new(Core {
                world: Arc::new(world),
                providers: Mutex::default(),
                endpoints: Mutex::default(),
            }),
        }
    }

    /// The servers of these settings; the same ones as before, if these were asked for before.
    /// Begins to resolve their names, and thus has to be called inside a tokio runtime.
    pub fn servers(&self, settings: ServerSettings) -> Servers {
        let mut providers = self.core.providers();
        let known = providers
            .iter()
            .find(|provider| provider.settings.are(&settings));
        let provider = if let Some(known) = known {
            Arc::clone(known)
        } else {
            let new = Provider::new(settings, &self.core);
            providers.push(Arc::clone(&new));
            new
        };
        provider.touch();
        Servers::new(Arc::clone(&self.core), provider)
    }

    /// All endpoints that are in use.
    pub fn status(&self) -> Vec<EndpointStatus> {
        let endpoints = self.core.live_endpoints();
        endpoints.iter().map(|endpoint| endpoint.status()).collect()
    }

    /// Takes no requests any more, waits a while for those that are pending, and ends the others
    /// with [`ExchangeError::Stopped`](super::ExchangeError::Stopped).
    pub async fn shut_down(&self) {
        let world = &self.core.world;
        world.phase.store(STOPPING, Ordering::SeqCst);
        let until = world.now().saturating_add(world.limits.grace);
        let _ = tokio::time::timeout_at(world.clock.instant(until), world.until_idle()).await;
        world.phase.store(ENDED, Ordering::SeqCst);
        for endpoint in self.core.live_endpoints() {
            endpoint.stop();
        }
    }
}

/// What is dropped with the last handle.
pub(super) struct Core {
    pub(super) world: Arc<World>,
    providers: Mutex<Vec<Arc<Provider>>>,
    endpoints: Mutex<Vec<Weak<Endpoint>>>,
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").finish_non_exhaustive()
    }
}

impl Core {
    /// The endpoint of an address, which providers of the same settings share.
    pub(super) fn endpoint(&self, address: SocketAddr, settings: &ServerSettings) -> Arc<Endpoint> {
        let mut endpoints = self.endpoints();
        endpoints.retain(|endpoint| endpoint.strong_count() > 0);
        let mut known = endpoints.iter().filter_map(Weak::upgrade);
        if let Some(known) = known.find(|known| known.is(address, settings)) {
            return known;
        }
        let new = Endpoint::new(address, settings, &self.world);
        endpoints.push(Arc::downgrade(&new));
        new
    }

    /// Forgets a provider, if nobody holds it but this and the caller, and nobody has for long.
    pub(super) fn forget_unused(&self, provider: &Arc<Provider>) {
        let is_old = self.world.now() >= provider.used().saturating_add(UNUSED);
        let mut providers = self.providers();
        if is_old && Arc::strong_count(provider) <= 2 {
            providers.retain(|other| !Arc::ptr_eq(other, provider));
        }
    }

    fn live_endpoints(&self) -> Vec<Arc<Endpoint>> {
        self.endpoints().iter().filter_map(Weak::upgrade).collect()
    }

    fn providers(&self) -> MutexGuard<'_, Vec<Arc<Provider>>> {
        let providers = self.providers.lock();
        providers.unwrap_or_else(PoisonError::into_inner)
    }

    fn endpoints(&self) -> MutexGuard<'_, Vec<Weak<Endpoint>>> {
        let endpoints = self.endpoints.lock();
        endpoints.unwrap_or_else(PoisonError::into_inner)
    }
}

const RUNNING: u8 = 0;
const STOPPING: u8 = 1;
const ENDED: u8 = 2;

/// What everything needs: time, chance, limits, and whether it is over.
pub(super) struct World {
    pub(super) random: Arc<dyn Random>,
    pub(super) limits: Limits,
    pub(super) clock: Clock,
    pub(super) resolver: Arc<dyn Resolve>,
    phase: AtomicU8,
    /// Requests that are under way, at any server.
    requests: AtomicUsize,
    idle: Notify,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}

impl World {
    /// What the time is.
    pub(super) fn now(&self) -> Duration {
        self.clock.now()
    }

    /// A random number.
    pub(super) fn draw(&self) -> u32 {
        super::draw(&*self.random)
    }

    /// Whether new requests are taken.
    pub(super) fn is_running(&self) -> bool {
        self.phase.load(Ordering::SeqCst) == RUNNING
    }

    /// Whether those that are pending have to end.
    pub(super) fn has_ended(&self) -> bool {
        self.phase.load(Ordering::SeqCst) == ENDED
    }

    /// A request begins.
    pub(super) fn begin(&self) {
        self.requests.fetch_add(1, Ordering::SeqCst);
    }

    /// A request is over.
    pub(super) fn end(&self) {
        if self.requests.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.idle.notify_waiters();
        }
    }

    async fn until_idle(&self) {
        let idle = self.idle.notified();
        tokio::pin!(idle);
        idle.as_mut().enable();
        if self.requests.load(Ordering::SeqCst) > 0 {
            idle.await;
        }
    }
}
