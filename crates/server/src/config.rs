//! The settings: a flag wins over its `VESTIBULE_*` variable, which wins over the TOML file.
//!
//! Everything is checked here, all at once and before any port opens; what comes out cannot be
//! wrong any more.

mod database;
mod duration;
mod file;
mod flags;
mod network;
mod problem;
mod setting;
mod show;
mod source;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Url;
use vestibule_engine::Secret;
use vestibule_engine::token::Lifetimes;

pub use database::{Database, PostgresUrl};
pub use flags::Flags;
pub use network::Network;
pub use problem::{Origin, Problem, Problems};
pub use source::Environment;

use source::Source;

/// Characters of an issuer, of which authenticators show fewer.
const LONGEST_ISSUER: usize = 64;

/// The settings of a server.
#[derive(Debug)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// How long requests are still taken when the server was told to stop; not at all if unset.
    pub stop_delay: Option<Duration>,
    /// The directory of what has to be kept.
    pub data_dir: PathBuf,
    /// The store.
    pub database: Database,
    /// With TLS or without.
    pub transport: Transport,
    /// The file of the master key.
    pub master_key_file: PathBuf,
    /// The password of `admin` on first start.
    pub admin_password: Option<AdminPassword>,
    /// How long tokens live.
    pub tokens: Lifetimes,
    /// What a sign-in tells.
    pub login: Login,
    /// Whose word about the client's address is taken.
    pub trusted_proxies: Vec<Network>,
    /// How much of something is too much.
    pub limits: Limits,
    /// What an authenticator shows as the issuer.
    pub totp_issuer: String,
    /// How long after a user was made the user may enrol; for ever if unset.
    pub enrollment_within: Option<Duration>,
    /// Where measures are shown; nowhere if unset.
    pub metrics_listen: Option<SocketAddr>,
    /// Where traces are sent: the base URL of a collector; nowhere if unset.
    pub otlp: Option<Url>,
}

/// Where the password of `admin` is.
#[derive(Debug)]
pub enum AdminPassword {
    /// Here.
    Given(Secret<String>),
    /// In a file, which is there on the first start and perhaps never again.
    InFile(PathBuf),
}

/// What is spoken on the port.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Transport {
    /// HTTP without TLS.
    Http,
    /// HTTPS with a certificate that we make.
    SelfSigned,
    /// HTTPS with a certificate that was given.
    Certificate {
        /// The chain, PEM.
        cert: PathBuf,
        /// The private key, PEM.
        key: PathBuf,
    },
}

/// What the answers to a sign-in hold.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Login {
    /// Shown after a sign-in.
    pub message_of_the_day: Option<String>,
    /// Shown before a sign-in.
    pub banner: Option<String>,
    /// Passed through to clients.
    pub ztp_collective_type: Option<CollectiveType>,
    /// Passed through to clients.
    pub ztp_account_type: Option<AccountType>,
    /// Passed through to clients.
    pub crl_enabled: Option<bool>,
}

/// A value of `ztp_collective_type`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CollectiveType {
    /// `hosted`
    Hosted,
    /// `connected`
    Connected,
}

/// A value of `ztp_account_type`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AccountType {
    /// `standard`
    Standard,
    /// `demo`
    Demo,
}

/// How much of something is too much.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Failed sign-ins of one client address in a minute.
    pub sign_in_failures_per_minute: NonZeroU32,
    /// Requests of one client address in a minute that bear no good token.
    pub requests_without_token_per_minute: NonZeroU32,
    /// Connections at a time.
    pub connections: NonZeroU32,
    /// Passwords that wait to be hashed.
    pub hash_queue: NonZeroU32,
}

impl Default for Limits {
    fn default() -> Self {
        let or_one = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Self {
            sign_in_failures_per_minute: or_one(120),
            requests_without_token_per_minute: or_one(1200),
            connections: or_one(10_000),
            hash_queue: or_one(256),
        }
    }
}

impl Config {
    /// Reads and checks all settings; relative paths start at `directory`.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn load(
        flags: &Flags,
        environment: &Environment,
        directory: &Path,
    ) -> Result<Settings, Problems> {
        let mut source = Source::open(flags, environment, directory);
        let config = Self::read(&mut source, directory);
        if source.problems.is_empty() {
            config.check(&mut source);
        }
        if source.problems.is_empty() {
            Ok(Settings {
                config,
                origins: source.origins,
            })
        } else {
            Err(Problems(source.problems))
        }
    }

    fn read(source: &mut Source<'_>, directory: &Path) -> Self {
        let path = |text: &str| Ok::<_, Infallible>(directory.join(text));
        let data_dir = source.text(&setting::DATA_DIR, path);
        let data_dir = data_dir.unwrap_or_else(|| directory.join("vestibule-data"));
        let database = source.text(&setting::DATABASE_URL, Database::parse);
        let master_key_file = source.text(&setting::MASTER_KEY_FILE, path);
        let default_listen = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8443);
        Self {
            listen: source
                .text(&setting::LISTEN, listen)
                .unwrap_or(default_listen),
            stop_delay: source.text(&setting::STOP_DELAY, duration::parse),
            database: database.unwrap_or_else(|| Database::in_directory(&data_dir)),
            transport: transport(source, directory),
            master_key_file: master_key_file.unwrap_or_else(|| data_dir.join("master.key")),
            admin_password: admin_password(source, directory),
            tokens: lifetimes(source),
            login: login(source),
            trusted_proxies: source
                .texts(&setting::TRUSTED_PROXIES, str::parse)
                .unwrap_or_default(),
            limits: limits(source),
            totp_issuer: source
                .text(&setting::TOTP_ISSUER, issuer)
                .unwrap_or_else(|| "Vestibule".to_owned()),
            enrollment_within: source.text(&setting::ENROLLMENT_WITHIN, duration::parse),
            metrics_listen: source.text(&setting::METRICS_LISTEN, listen),
            otlp: source.text(&setting::TELEMETRY_OTLP, collector),
            data_dir,
        }
    }

    /// What no value is wrong in for itself.
    fn check(&self, source: &mut Source<'_>) {
        let mut together = |message: &str| source.problem(Origin::Together, message);
        let exposed = !self.listen.ip().to_canonical().is_loopback();
        if self.transport == Transport::Http && exposed && self.trusted_proxies.is_empty() {
            together(
                "--http off the loopback would send passwords in clear: listen on 127.0.0.1, or \
                 name the proxies that do TLS in [proxies] trusted",
            );
        }
        if self.database.reads_otherwise() {
            together(
                "data_dir must have no `?` in its path, unless database_url names another place",
            );
        }
        if self.metrics_listen == Some(self.listen) && self.listen.port() != 0 {
            together("metrics.listen needs an address or a port of its own");
        }
        if self.tokens.partial > self.tokens.session {
            together("tokens.partial must not be longer than tokens.session");
        }
    }
}

/// The settings, and where each comes from.
#[derive(Debug)]
pub struct Settings {
    /// The settings.
    pub config: Config,
    origins: BTreeMap<&'static str, Origin>,
}

fn listen(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| format!("\"{text}\" is not an address and a port such as 127.0.0.1:8443"))
}

/// The base URL of a collector of traces. What else a URL may hold has no use there, and a password
/// no place.
fn collector(text: &str) -> Result<Url, &'static str> {
    let wrong = "must be a URL such as \"http://127.0.0.1:4318\", without a password, a query or a \
                 fragment";
    let url: Url = text.parse().map_err(|_| wrong)?;
    let is_plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    let is_http = ["http", "https"].contains(&url.scheme()) && url.has_host();
    if is_plain && is_http {
        Ok(url)
    } else {
        Err(wrong)
    }
}

fn transport(source: &mut Source<'_>, directory: &Path) -> Transport {
    let path = |text: &str| Ok::<_, Infallible>(directory.join(text));
    let http = source.switch(&setting::HTTP).unwrap_or(false);
    let cert = source.text(&setting::TLS_CERT, path);
    let key = source.text(&setting::TLS_KEY, path);
    match (http, cert, key) {
        (false, Some(cert), Some(key)) => return Transport::Certificate { cert, key },
        (true, None, None) => return Transport::Http,
        (false, None, None) => {}
        (true, _, _) => source.problem(
            Origin::Together,
            "--http and a TLS certificate contradict each other: leave one of them out",
        ),
        (false, Some(_), None) => {
            source.problem(
                Origin::Together,
                "--tls-cert needs --tls-key, the certificate's key",
            );
        }
        (false, None, Some(_)) => {
            source.problem(
                Origin::Together,
                "--tls-key needs --tls-cert, the key's certificate",
            );
        }
    }
    Transport::SelfSigned
}

fn admin_password(source: &mut Source<'_>, directory: &Path) -> Option<AdminPassword> {
    let given = source.variable(setting::ADMIN_PASSWORD).map(Secret::new);
    let file = source.variable(setting::ADMIN_PASSWORD_FILE);
    match (given, file) {
        (Some(_), Some(_)) => {
            source.problem(
                Origin::Variable(setting::ADMIN_PASSWORD_FILE.to_owned()),
                "and VESTIBULE_ADMIN_PASSWORD are both set: unset one of them",
            );
            None
        }
        (given, None) => given.map(AdminPassword::Given),
        (None, Some(file)) => Some(AdminPassword::InFile(directory.join(file))),
    }
}

fn lifetimes(source: &mut Source<'_>) -> Lifetimes {
    let default = Lifetimes::default();
    let partial = source.text(&setting::TOKENS_PARTIAL, duration::parse);
    let session = source.text(&setting::TOKENS_SESSION, duration::parse);
    Lifetimes {
        partial: partial.unwrap_or(default.partial),
        session: session.unwrap_or(default.session),
    }
}

fn login(source: &mut Source<'_>) -> Login {
    let any = |text: &str| Ok::<_, Infallible>(text.to_owned());
    Login {
        message_of_the_day: source.text(&setting::MESSAGE_OF_THE_DAY, any),
        banner: source.text(&setting::BANNER, any),
        ztp_collective_type: source.text(&setting::ZTP_COLLECTIVE_TYPE, |text| match text {
            "hosted" => Ok(CollectiveType::Hosted),
            "connected" => Ok(CollectiveType::Connected),
            _ => Err("must be \"hosted\" or \"connected\""),
        }),
        ztp_account_type: source.text(&setting::ZTP_ACCOUNT_TYPE, |text| match text {
            "standard" => Ok(AccountType::Standard),
            "demo" => Ok(AccountType::Demo),
            _ => Err("must be \"standard\" or \"demo\""),
        }),
        crl_enabled: source.switch(&setting::CRL_ENABLED),
    }
}

fn limits(source: &mut Source<'_>) -> Limits {
    let default = Limits::default();
    let mut limit = |setting, default| source.number(setting).unwrap_or(default);
    Limits {
        sign_in_failures_per_minute: limit(
            &setting::SIGN_IN_FAILURES,
            default.sign_in_failures_per_minute,
        ),
        requests_without_token_per_minute: limit(
            &setting::REQUESTS_WITHOUT_TOKEN,
            default.requests_without_token_per_minute,
        ),
        connections: limit(&setting::CONNECTIONS, default.connections),
        hash_queue: limit(&setting::HASH_QUEUE, default.hash_queue),
    }
}

/// A name that is still one within `otpauth://totp/issuer:user`, where a colon ends it.
fn issuer(text: &str) -> Result<String, &'static str> {
    let is_short = text.chars().count() <= LONGEST_ISSUER;
    let is_name = !text.trim().is_empty() && !text.contains(|c: char| c.is_control() || c == ':');
    if !is_short || !is_name {
        return Err("must be a name of 1 to 64 characters, without control characters and colons");
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
