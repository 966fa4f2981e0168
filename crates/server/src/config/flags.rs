//! The flags with which every command that needs the server's settings can be called.

use std::fmt;
use std::path::PathBuf;

use super::Database;

/// Settings on the command line. Each wins over its variable, which wins over the file.
#[derive(Clone, Default, clap::Args)]
#[expect(clippy::doc_markdown, reason = "these are shown by --help as they are")]
#[command(next_help_heading = "Settings (a flag wins over its variable, a variable over the file)")]
pub struct Flags {
    /// File of settings [env: VESTIBULE_CONFIG; default: vestibule.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where to listen; port 0 takes a free one [env: VESTIBULE_LISTEN; default: 127.0.0.1:8443]
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<String>,
    /// What has to be kept [env: VESTIBULE_DATA_DIR; default: ./vestibule-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<String>,
    /// `sqlite:FILE`, `postgres://…` or `memory:` [env: VESTIBULE_DATABASE_URL; default: a file in
    /// the data directory]
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
    /// Speak HTTP without TLS, behind a proxy that does TLS [env: VESTIBULE_HTTP]
    #[arg(long)]
    pub http: bool,
    /// Certificate chain, PEM [env: VESTIBULE_TLS_CERT; default: a self-signed one in the data directory]
    #[arg(long, value_name = "FILE")]
    pub tls_cert: Option<String>,
    /// Its private key, PEM [env: VESTIBULE_TLS_KEY]
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<String>,
    /// Where measures are shown, at /metrics; port 0 takes a free one [env: VESTIBULE_METRICS_LISTEN; default: nowhere]
    #[arg(long, value_name = "ADDR:PORT")]
    pub metrics_listen: Option<String>,
}

impl Flags {
    /// What was given for a flag.
    pub(super) fn get(&self, flag: &str) -> Option<&str> {
        match flag {
            "--listen" => self.listen.as_deref(),
            "--data-dir" => self.data_dir.as_deref(),
            "--database-url" => self.database_url.as_deref(),
            "--http" => self.http.then_some("true"),
            "--tls-cert" => self.tls_cert.as_deref(),
            "--tls-key" => self.tls_key.as_deref(),
            "--metrics-listen" => self.metrics_listen.as_deref(),
            _ => None,
        }
    }
}

/// Without the password that the URL of a database may hold.
impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |url: &String| Database::parse(url).map_or("…".to_owned(), |d| d.to_string());
        f.debug_struct("Flags")
            .field("config", &self.config)
            .field("listen", &self.listen)
            .field("data_dir", &self.data_dir)
            .field("database_url", &self.database_url.as_ref().map(shown))
            .field("http", &self.http)
            .field("tls_cert", &self.tls_cert)
            .field("tls_key", &self.tls_key)
            .field("metrics_listen", &self.metrics_listen)
            .finish()
    }
}
