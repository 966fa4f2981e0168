//! `vestibule serve`: puts the parts together and runs them until told to stop.

mod connection;
mod first_start;
mod housekeeping;
mod http;
mod initial_password;
mod listener;
mod measures;
mod peer;
mod places;
mod requests;
mod stop;

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum_server::Handle;
use rustix::process::{Resource, Rlimit, setrlimit};
use tracing::{debug, info, warn};
use vestibule_engine::Timestamp;
use vestibule_http::{Readiness, Site, Traces, TrustedProxies};
use vestibule_service::{Clock, OpenError, Parts, Policy, Random, Service};
use vestibule_store::{Store, StoreError};

use crate::config::{AccountType, CollectiveType, Config, Login, Transport};
use crate::key::{self, KeyError};
use crate::telemetry::Telemetry;
use crate::tls::{self, ServerTls, TlsError};
use crate::{files, output, stores};

pub use first_start::FirstAdminError;
pub use initial_password::initial_password_file;
pub(crate) use initial_password::{Gone, forget as forget_initial_password};

use initial_password::InitialPassword;
use listener::Listener;
use measures::{Measured, SharedLook};
use requests::UnnamedProxy;
use stop::Signals;

/// Why a server does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The system refuses something.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why not.
        source: io::Error,
    },
    /// There is no store.
    #[error("the database cannot be opened")]
    Store(#[from] StoreError),
    /// There is no master key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The service does not start.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// There is no administrator.
    #[error("the user admin cannot be made")]
    FirstAdmin(#[from] FirstAdminError),
    /// There is no TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl RunError {
    fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        |source| Self::Io { what, source }
    }
}

/// Runs a server until it is told to stop. When it is ready to answer it prints its base URL.
///
/// # Errors
/// Why it does not run.
pub async fn run(
    config: Config,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
) -> Result<(), RunError> {
    let mut signals = Signals::catch().map_err(RunError::io("signals cannot be caught"))?;
    debug!("Starting");
    leave_no_core_file();
    let started = tokio::select! {
        biased;
        () = signals.next() => {
            info!("Stopped before it was ready");
            return Ok(());
        }
        started = start(&config, clock, random) => started?,
    };
    let Started {
        store,
        service,
        password,
        tls,
        listener,
        address,
        measures,
        since,
    } = started;

    let readiness = Readiness::default();
    let router = router(&config, service.clone(), readiness.clone());
    let server = Handle::new();
    let showing = Handle::new();
    let watched = Measured {
        service: service.clone(),
        readiness: readiness.clone(),
        server: server.clone(),
        started: since,
        looks: SharedLook::default(),
    };
    let measures =
        measures.map(|port| tokio::spawn(measures::show(port, watched, showing.clone())));
    let stopping = {
        let service = service.clone();
        async move { service.stop_waiting().await }
    };
    let stop = tokio::spawn(signals.stop(config.stop_delay, readiness, server.clone(), stopping));
    let house = tokio::spawn(housekeeping::keep_house(service.clone(), store, password));
    let sealing = tokio::spawn(housekeeping::seal(service.clone()));
    let keys = tokio::spawn(housekeeping::follow_keys(service.clone(), address));
    announce(&config, address, tls.as_ref())?;
    let outcome = http::serve(listener, router, UnnamedProxy::watch(&config), tls, server).await;

    // Whoever looks on can do so until the last request has ended.
    showing.shutdown();
    if let Some(measures) = measures {
        measures.abort();
    }
    house.abort();
    sealing.abort();
    keys.abort();
    housekeeping::seal_once(&service).await;
    service.close().await;
    // Until here a second signal ends the program, whatever it waits for.
    stop.abort();
    info!("Stopped");
    outcome.map_err(RunError::io("the server failed"))
}

/// What a server is made of.
struct Started {
    store: Arc<dyn Store>,
    service: Service,
    password: InitialPassword,
    tls: Option<ServerTls>,
    listener: Listener,
    address: SocketAddr,
    /// The port of the measures.
    measures: Option<Listener>,
    since: Timestamp,
}

async fn start(
    config: &Config,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
) -> Result<Started, RunError> {
    let data_dir = config.data_dir.display().to_string();
    files::make_private_directory(&config.data_dir).map_err(RunError::io(data_dir))?;
    let store = stores::open(&config.database).await?;
    let now = clock.wall();
    let service = open_service(config, Arc::clone(&store), clock, Arc::clone(&random)).await?;
    let mut password = first_start::make_admin(&service, config, &*random).await?;
    password.forget_if_changed(&store).await;
    let tls = open_tls(config, now)?;
    let networks = config.trusted_proxies.clone();
    let exempt = move |address: IpAddr| {
        address.is_loopback() || networks.iter().any(|network| network.contains(address))
    };
    let connections = config.limits.connections.get();
    let listener = Listener::bind(config.listen, connections, Arc::new(exempt))
        .await
        .map_err(RunError::io(format!("cannot listen on {}", config.listen)))?;
    let address = listener
        .address()
        .map_err(RunError::io("the port is not known"))?;
    let measures = match config.metrics_listen {
        None => None,
        Some(address) => {
            let port = measures::listen(address).await;
            Some(port.map_err(RunError::io(format!("cannot listen on {address}")))?)
        }
    };
    Ok(Started {
        store,
        service,
        password,
        tls,
        listener,
        address,
        measures,
        since: now,
    })
}

async fn open_service(
    config: &Config,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
) -> Result<Service, RunError> {
    let master = key::load_or_create(&config.master_key_file)?;
    let keyring = master.keyring(&config.master_key_file)?;
    let policy = policy(config);
    let opened = Service::open(Parts {
        store,
        clock,
        random,
        keyring,
        policy,
    })
    .await;
    if let Err(OpenError::WrongKey(_)) = &opened
        && master.is_new
    {
        // A key that opens nothing must not be mistaken for the lost one.
        let removed = fs::remove_file(&config.master_key_file);
        debug!(removed = removed.is_ok(), "The new key opens nothing");
    }
    if master.is_new && opened.is_ok() {
        info!(
            file = %config.master_key_file.display(),
            "Master key made: keep a copy elsewhere, without it the database is of no use"
        );
    }
    Ok(opened?)
}

/// What the memory holds must not end up in a file when the program is killed.
fn leave_no_core_file() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    if let Err(error) = setrlimit(Resource::Core, none) {
        warn!(%error, "A crash may leave a core file, which would hold secrets: set `ulimit -c 0`");
    }
}

/// What the settings mean for the service.
pub(crate) fn policy(config: &Config) -> Policy {
    Policy {
        lifetimes: config.tokens,
        issuer: config.totp_issuer.clone(),
        enrol_within: config.enrollment_within,
        sign_in_failures_per_minute: config.limits.sign_in_failures_per_minute.get(),
        requests_without_token_per_minute: config.limits.requests_without_token_per_minute.get(),
        hash_queue: usize::try_from(config.limits.hash_queue.get()).unwrap_or(usize::MAX),
    }
}

fn router(config: &Config, service: Service, readiness: Readiness) -> Router {
    let networks = config.trusted_proxies.clone();
    let trusted = TrustedProxies::new(move |address| networks.iter().any(|n| n.contains(address)));
    vestibule_http::router(
        service,
        site(&config.login),
        trusted,
        readiness,
        match config.otlp {
            None => Traces::none(),
            Some(_) => Telemetry::traces(),
        },
    )
}

fn site(login: &Login) -> Site {
    let collective = login.ztp_collective_type.map(CollectiveType::as_str);
    let account = login.ztp_account_type.map(AccountType::as_str);
    Site {
        message_of_the_day: login.message_of_the_day.clone(),
        banner: login.banner.clone(),
        ztp_collective_type: collective.map(str::to_owned),
        ztp_account_type: account.map(str::to_owned),
        crl_enabled: login.crl_enabled,
    }
}

fn open_tls(config: &Config, now: Timestamp) -> Result<Option<ServerTls>, TlsError> {
    let tls = match &config.transport {
        Transport::Http => return Ok(None),
        Transport::SelfSigned => tls::self_signed(&config.data_dir, now)?,
        Transport::Certificate { cert, key } => tls::given(cert, key, now)?,
    };
    if tls.out_of_time {
        warn!("The TLS certificate has expired or is not valid yet: clients will refuse it");
    }
    Ok(Some(tls))
}

fn announce(config: &Config, address: SocketAddr, tls: Option<&ServerTls>) -> Result<(), RunError> {
    info!(
        version = env!("CARGO_PKG_VERSION"),
        database = %config.database,
        certificate = tls.map(|tls| tls.fingerprint.to_string()),
        "Ready"
    );
    let scheme = if tls.is_some() { "https" } else { "http" };
    output::line(format_args!("listening on {scheme}://{address}/admin"))
        .map_err(RunError::io("stdout cannot be written"))
}
