//! TLS of the server: the certificate that was given, or a self-signed one that is kept.

mod self_signed;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{CertificateError, RootCertStore, ServerConfig};
use vestibule_engine::Timestamp;

use crate::files::ReadError;
use crate::fingerprint::Fingerprint;

/// Longer than any certificate is valid.
const LONGEST: Duration = Duration::from_hours(100 * 366 * 24);

/// What a server needs to speak TLS.
#[derive(Debug)]
pub struct ServerTls {
    /// TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1.
    pub config: Arc<ServerConfig>,
    /// The fingerprint of the certificate.
    pub fingerprint: Fingerprint,
    /// Whether the certificate is out of its time now.
    pub out_of_time: bool,
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read or written.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A private key that others may read.
    #[error("the TLS key {path} {source}", path = .path.display())]
    Key {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: ReadError,
    },
    /// A file does not hold what it should.
    #[error("{path} holds no {what} in PEM form", path = .path.display())]
    Missing {
        /// Which file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// Certificate and key do not go together, or are of a kind that is not supported.
    #[error("{cert} and {key} cannot be used together: {source}", cert = .cert.display(), key = .key.display())]
    Pair {
        /// The file of the certificate.
        cert: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// The self-signed certificate could not be made.
    #[error("the self-signed certificate cannot be made: {0}")]
    SelfSigned(#[from] rcgen::Error),
    /// The library does not take its own defaults.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// Uses a certificate that was given.
///
/// # Errors
/// Why it cannot be used.
pub fn given(cert: &Path, key: &Path, now: Timestamp) -> Result<ServerTls, TlsError> {
    let chain = read_chain(cert)?;
    let read = |source| TlsError::Io {
        path: key.to_owned(),
        source,
    };
    let pem = vestibule_engine::Secret::new(fs::read(key).map_err(read)?);
    let private = PrivateKeyDer::from_pem_slice(pem.expose()).map_err(|_| TlsError::Missing {
        path: key.to_owned(),
        what: "private key",
    })?;
    let pair = |source| TlsError::Pair {
        cert: cert.to_owned(),
        key: key.to_owned(),
        source,
    };
    server_tls(chain, private, now, pair)
}

/// Uses the self-signed certificate in the data directory; makes it, or makes it anew, if there is
/// none whose time is not about to end.
///
/// # Errors
/// Why it cannot be used.
pub fn self_signed(data_dir: &Path, now: Timestamp) -> Result<ServerTls, TlsError> {
    let kept = self_signed::keep(data_dir, now)?;
    server_tls(vec![kept.certificate], kept.key, now, TlsError::Setup)
}

fn read_chain(cert: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = fs::read(cert).map_err(|source| TlsError::Io {
        path: cert.to_owned(),
        source,
    })?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .unwrap_or_default();
    if chain.is_empty() {
        return Err(TlsError::Missing {
            path: cert.to_owned(),
            what: "certificate",
        });
    }
    Ok(chain)
}

fn server_tls(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    now: Timestamp,
    pair: impl FnOnce(rustls::Error) -> TlsError,
) -> Result<ServerTls, TlsError> {
    let leaf = chain
        .first()
        .cloned()
        .unwrap_or_else(|| CertificateDer::from(Vec::new()));
    let fingerprint = Fingerprint::of(&leaf);
    let out_of_time = !in_time(&leaf, now);
    let certified = CertifiedKey::from_der(chain, key, &provider()).map_err(pair)?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(ServerTls {
        config: Arc::new(config),
        fingerprint,
        out_of_time,
    })
}

/// When the time of the certificate in a file ends; `None` if it is out of its time now.
pub(crate) fn ends(cert: &Path, now: Timestamp) -> Option<Timestamp> {
    let certificate = read_chain(cert).ok()?.into_iter().next()?;
    if !in_time(&certificate, now) {
        return None;
    }
    // From now on it is within its time until some second, and never again: that one is found by
    // halving the time in which it lies.
    let (mut within, mut after) = (now, now.after(LONGEST));
    while after.since(within) > Duration::from_secs(1) {
        let middle = within.after(after.since(within) / 2);
        if in_time(&certificate, middle) {
            within = middle;
        } else {
            after = middle;
        }
    }
    Some(within)
}

/// The cryptography that is used everywhere.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Whether a certificate is within its time.
///
/// It is verified against itself, which fails for other reasons if it is not self-signed; the
/// time is looked at first.
fn in_time(certificate: &CertificateDer<'_>, now: Timestamp) -> bool {
    let mut roots = RootCertStore::empty();
    if roots.add(certificate.clone().into_owned()).is_err() {
        return false;
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build();
    let (Ok(verifier), Ok(name)) = (verifier, ServerName::try_from("localhost")) else {
        return false;
    };
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now.unix_seconds()));
    let outcome = verifier.verify_server_cert(certificate, &[], &name, &[], now);
    !matches!(
        outcome,
        Err(rustls::Error::InvalidCertificate(
            CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. }
                | CertificateError::BadEncoding
        ))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_is_checked() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let now = Timestamp::from_unix_seconds(1_800_000_000);
        let own = self_signed(directory.path(), now).unwrap();
        let (cert, key) = (path("tls-cert.pem"), path("tls-key.pem"));
        let given_now = given(&cert, &key, now).unwrap();
        assert_eq!(given_now.fingerprint, own.fingerprint);
        assert!(!given_now.out_of_time);
        assert_eq!(
            given_now.config.alpn_protocols,
            [b"h2".to_vec(), b"http/1.1".to_vec()]
        );
        let later = now.after(Duration::from_hours(826 * 24));
        assert!(given(&cert, &key, later).unwrap().out_of_time);
        let end = now.after(Duration::from_hours(824 * 24));
        assert!(ends(&cert, now).unwrap().since(end) <= Duration::from_secs(1));
        assert!(end.since(ends(&cert, now).unwrap()) <= Duration::from_secs(1));
        assert_eq!(ends(&cert, later), None);

        assert!(matches!(
            given(&path("no"), &key, now),
            Err(TlsError::Io { .. })
        ));
        assert!(matches!(
            given(&key, &key, now),
            Err(TlsError::Missing {
                what: "certificate",
                ..
            })
        ));
        assert!(matches!(
            given(&cert, &cert, now),
            Err(TlsError::Missing {
                what: "private key",
                ..
            })
        ));
        let other = tempfile::tempdir().unwrap();
        self_signed(other.path(), now).unwrap();
        let mixed = given(&cert, &other.path().join("tls-key.pem"), now).unwrap_err();
        assert!(matches!(mixed, TlsError::Pair { .. }), "{mixed}");
    }
}
