//! `vestibule serve`: puts the parts together and runs them until told to stop.

mod first_start;
mod housekeeping;
mod listener;
mod stop;

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use axum_server::{Handle, Server};
use tracing::{debug, info, warn};
use vestibule_engine::Timestamp;
use vestibule_http::{Readiness, Site, TrustedProxies};
use vestibule_service::{Clock, Keyring, OpenError, Parts, Policy, Random, Service};
use vestibule_store::{Store, StoreError};

use crate::config::{AccountType, CollectiveType, Config, Login, Transport};
use crate::key::{self, KeyError};
use crate::tls::{self, ServerTls, TlsError};
use crate::{files, output, stores};

pub(crate) use first_start::forget as forget_initial_password;
pub use first_start::{FirstAdminError, initial_password_file};

use first_start::InitialPassword;
use listener::{Listener, Peer};
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
    let signals = Signals::catch().map_err(RunError::io("signals cannot be caught"))?;
    let data_dir = config.data_dir.display().to_string();
    files::make_private_directory(&config.data_dir).map_err(RunError::io(data_dir))?;
    let store = stores::open(&config.database).await?;
    let now = clock.wall();
    let service = open_service(&config, Arc::clone(&store), clock, Arc::clone(&random)).await?;
    first_start::make_admin(&service, &config, &*random).await?;
    let mut password = InitialPassword::new(&config.data_dir);
    password.forget_if_changed(&store).await;
    let readiness = Readiness::default();
    let router = router(&config, service.clone(), readiness.clone());
    let tls = open_tls(&config, now)?;
    let listener = Listener::bind(config.listen, config.limits.connections.get())
        .await
        .map_err(RunError::io(format!("cannot listen on {}", config.listen)))?;
    let address = listener
        .address()
        .map_err(RunError::io("the port is not known"))?;

    let server = Handle::new();
    let stop = tokio::spawn(signals.stop(readiness, server.clone()));
    let house = tokio::spawn(housekeeping::keep_house(service.clone(), store, password));
    announce(&config, address, tls.as_ref())?;
    let outcome = serve(listener, router, tls, server).await;

    house.abort();
    stop.abort();
    service.close().await;
    info!("Stopped");
    outcome.map_err(RunError::io("the server failed"))
}

async fn open_service(
    config: &Config,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
) -> Result<Service, RunError> {
    let master = key::load_or_create(&config.master_key_file)?;
    let keyring = Keyring::new(&master.key);
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

/// What the settings mean for the service.
pub(crate) fn policy(config: &Config) -> Policy {
    Policy {
        lifetimes: config.tokens,
        issuer: config.totp_issuer.clone(),
        enrol_within: config.enrollment_within,
        sign_in_failures_per_minute: config.limits.sign_in_failures_per_minute.get(),
        hash_queue: usize::try_from(config.limits.hash_queue.get()).unwrap_or(usize::MAX),
        ..Policy::default()
    }
}

fn router(config: &Config, service: Service, readiness: Readiness) -> Router {
    let networks = config.trusted_proxies.clone();
    let trusted = TrustedProxies::new(move |address| networks.iter().any(|n| n.contains(address)));
    vestibule_http::router(service, site(&config.login), trusted, readiness)
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

async fn serve(
    listener: Listener,
    router: Router,
    tls: Option<ServerTls>,
    handle: Handle<Peer>,
) -> io::Result<()> {
    const PATIENCE: Duration = Duration::from_secs(10);
    let mut server = Server::<Peer>::from_listener(listener)
        .handle(handle)
        .first_request_timeout(PATIENCE)
        .accept_error_handler(|peer: Option<&Peer>, error| {
            if let Some(peer) = peer {
                // Scanners and clients that do not trust the certificate are no news.
                debug!(?peer, %error, "Connection refused");
            } else {
                warn!(%error, "Connections cannot be accepted");
            }
        });
    let http = server.http_builder();
    http.http1()
        .header_read_timeout(PATIENCE)
        .max_headers(100)
        .max_buf_size(64 * 1024);
    http.http2()
        .max_concurrent_streams(128)
        .max_header_list_size(16 * 1024)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(PATIENCE);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    match tls {
        None => server.serve(service).await,
        Some(tls) => {
            let acceptor = RustlsAcceptor::new(RustlsConfig::from_config(tls.config));
            server
                .acceptor(acceptor.handshake_timeout(PATIENCE))
                .serve(service)
                .await
        }
    }
}
