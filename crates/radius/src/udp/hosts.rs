//! The names of a provider and what they stand for, looked up away from the sign-ins.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::warn;

use super::client::{Core, World};
use super::endpoint::Endpoint;
use super::settings::ServerSettings;
use super::socket::Background;

/// How long a lookup may take before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long an endpoint is kept for its dialogues when its name no longer leads to it.
const RETIRED: Duration = Duration::from_mins(10);
/// Addresses of one name that are used.
const ADDRESSES: usize = 16;

/// Addresses, once they are known.
pub type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// What knows the addresses of names.
pub trait Resolve: Send + Sync {
    /// Looks a name up, in the order in which its addresses are to be tried.
    fn resolve(&self, name: &str, port: u16) -> Resolving;
}

/// The resolver of the system.
pub(super) struct System;

impl Resolve for System {
    fn resolve(&self, name: &str, port: u16) -> Resolving {
        let name = name.to_owned();
        Box::pin(async move {
            let addresses = tokio::net::lookup_host((name.as_str(), port)).await?;
            Ok(addresses.collect())
        })
    }
}

/// A provider: its settings, its names, and how much it is used.
#[derive(Debug)]
pub(super) struct Provider {
    pub(super) settings: ServerSettings,
    pub(super) world: Arc<World>,
    /// Requests that are pending.
    pub(super) pending: AtomicUsize,
    hosts: watch::Sender<Vec<Host>>,
    /// When it was last used, in milliseconds.
    used: AtomicU64,
    resolver: OnceLock<Background>,
}

/// A name.
#[derive(Clone, Debug)]
pub(super) struct Host {
    pub(super) name: String,
    /// What it stands for, as last known.
    pub(super) endpoints: Vec<Arc<Endpoint>>,
    /// What it stood for, and since when no more.
    retired: Vec<(Duration, Arc<Endpoint>)>,
    /// What the last lookup failed with.
    pub(super) failure: Option<String>,
    /// Whether it was looked up.
    is_settled: bool,
}

impl Provider {
    /// A provider whose names are being looked up.
    pub(super) fn new(settings: ServerSettings, core: &Arc<Core>) -> Arc<Self> {
        let hosts = settings.hostnames.iter().map(|name| {
            let endpoints = literal(name, settings.port);
            let endpoints = endpoints.map(|address| core.endpoint(address, &settings));
            Host {
                name: name.clone(),
                is_settled: endpoints.is_some(),
                endpoints: endpoints.into_iter().collect(),
                retired: Vec::new(),
                failure: None,
            }
        });
        let provider = Arc::new(Self {
            hosts: watch::Sender::new(hosts.collect()),
            world: Arc::clone(&core.world),
            pending: AtomicUsize::new(0),
            used: AtomicU64::new(0),
            resolver: OnceLock::new(),
            settings,
        });
        let resolver = keep_resolving(Arc::downgrade(&provider), Arc::downgrade(core));
        let _ = provider.resolver.set(Background::spawn(resolver));
        provider
    }

    /// It is used now.
    pub(super) fn touch(&self) {
        let now = u64::try_from(self.world.now().as_millis()).unwrap_or(u64::MAX);
        self.used.store(now, Ordering::Relaxed);
    }

    /// When it was last used.
    pub(super) fn used(&self) -> Duration {
        Duration::from_millis(self.used.load(Ordering::Relaxed))
    }

    /// The names as they are known now.
    pub(super) fn hosts(&self) -> Vec<Host> {
        self.hosts.borrow().clone()
    }

    /// Each endpoint once, in the order of the names.
    pub(super) fn endpoints(&self) -> Vec<Arc<Endpoint>> {
        let mut endpoints: Vec<Arc<Endpoint>> = Vec::new();
        for endpoint in self.hosts.borrow().iter().flat_map(|host| &host.endpoints) {
            if !endpoints.iter().any(|other| Arc::ptr_eq(other, endpoint)) {
                endpoints.push(Arc::clone(endpoint));
            }
        }
        endpoints
    }

    /// The endpoint of a dialogue that is under way.
    pub(super) fn endpoint_of(&self, address: SocketAddr) -> Option<Arc<Endpoint>> {
        let hosts = self.hosts.borrow();
        let retired = hosts.iter().flat_map(|host| &host.retired);
        let current = hosts.iter().flat_map(|host| &host.endpoints);
        current
            .chain(retired.map(|(_, endpoint)| endpoint))
            .find(|endpoint| endpoint.address == address)
            .cloned()
    }

    /// Whether all names were looked up.
    pub(super) fn is_settled(&self) -> bool {
        all_settled(&self.hosts.borrow())
    }

    /// Waits until all names were looked up; after `patience` until one has an address.
    pub(super) async fn until_known(&self, patience: Duration, deadline: Duration) {
        let clock = self.world.clock;
        let mut hosts = self.hosts.subscribe();
        let early = clock.instant(patience.min(deadline));
        let all = hosts.wait_for(|hosts| all_settled(hosts));
        if tokio::time::timeout_at(early, all).await.is_ok() {
            return;
        }
        let any = |hosts: &Vec<Host>| {
            all_settled(hosts) || hosts.iter().any(|host| !host.endpoints.is_empty())
        };
        let _ = tokio::time::timeout_at(clock.instant(deadline), hosts.wait_for(any)).await;
    }

    /// What was found for a name.
    fn found(&self, index: usize, found: io::Result<Vec<SocketAddr>>, core: &Core) {
        let found = found.map_err(|error| error.to_string());
        let found = found.and_then(|addresses| self.usable(addresses));
        let now = self.world.now();
        self.hosts.send_modify(|hosts| {
            let Some(host) = hosts.get_mut(index) else {
                return;
            };
            host.is_settled = true;
            match found {
                Ok(addresses) => {
                    let new = addresses.iter();
                    let new = new.map(|address| core.endpoint(*address, &self.settings));
                    host.replace(new.collect(), now);
                }
                Err(error) => {
                    // Names are no secrets; what was known before stays in use.
                    if host.failure.is_none() {
                        warn!(radius.host = %host.name, "Cannot resolve {}: {error}", host.name);
                    }
                    host.failure = Some(error);
                }
            }
        });
    }

    /// Those that can be asked from the source address.
    pub(super) fn usable(&self, mut addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, String> {
        if addresses.is_empty() {
            return Err("it has no address".to_owned());
        }
        if let Some(source) = self.settings.source_address {
            addresses.retain(|address| address.is_ipv4() == source.is_ipv4());
            if addresses.is_empty() {
                return Err(format!("it has no address that {source} can send to"));
            }
        }
        addresses.truncate(ADDRESSES);
        Ok(addresses)
    }
}

impl Host {
    fn replace(&mut self, new: Vec<Arc<Endpoint>>, now: Duration) {
        self.failure = None;
        let is_in = |list: &[Arc<Endpoint>], one: &Arc<Endpoint>| {
            list.iter().any(|other| Arc::ptr_eq(other, one))
        };
        let old = std::mem::replace(&mut self.endpoints, new);
        let gone = old.into_iter().filter(|old| !is_in(&self.endpoints, old));
        self.retired.extend(gone.map(|endpoint| (now, endpoint)));
        let is_young = |since: Duration| now < since.saturating_add(RETIRED);
        self.retired.retain(|(since, _)| is_young(*since));
    }
}

fn all_settled(hosts: &[Host]) -> bool {
    hosts.iter().all(|host| host.is_settled)
}

/// An address that is written as one needs no lookup.
pub(super) fn literal(name: &str, port: u16) -> Option<SocketAddr> {
    let bare = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    let address: IpAddr = bare.unwrap_or(name).parse().ok()?;
    Some((address, port).into())
}

/// Looks up a name, and gives up in time.
pub(super) async fn look_up(
    resolver: Arc<dyn Resolve>,
    name: String,
    port: u16,
) -> io::Result<Vec<SocketAddr>> {
    if let Some(address) = literal(&name, port) {
        return Ok(vec![address]);
    }
    let found = tokio::time::timeout(PATIENCE, resolver.resolve(&name, port)).await;
    found.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Looks the names up again and again, until the provider is gone.
async fn keep_resolving(provider: Weak<Provider>, core: Weak<Core>) {
    loop {
        let mut lookups = JoinSet::new();
        let next = {
            let Some(current) = provider.upgrade() else {
                return;
            };
            let port = current.settings.port;
            for (index, name) in current.settings.hostnames.iter().cloned().enumerate() {
                if literal(&name, port).is_none() {
                    let resolver = Arc::clone(&current.world.resolver);
                    lookups.spawn(async move { (index, look_up(resolver, name, port).await) });
                }
            }
            let world = &current.world;
            let next = world.now().saturating_add(world.limits.resolve_every);
            world.clock.instant(next)
        };
        while let Some(found) = lookups.join_next().await {
            let (Some(provider), Some(core)) = (provider.upgrade(), core.upgrade()) else {
                return;
            };
            if let Ok((index, found)) = found {
                provider.found(index, found, &core);
            }
        }
        tokio::time::sleep_until(next).await;
        let (Some(provider), Some(core)) = (provider.upgrade(), core.upgrade()) else {
            return;
        };
        core.forget_unused(&provider);
    }
}
