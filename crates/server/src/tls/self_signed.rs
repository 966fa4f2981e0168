//! The self-signed certificate, kept in the data directory so that its fingerprint stays.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::Duration;

use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SanType, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use vestibule_engine::Timestamp;

use super::{TlsError, in_time, provider, read_chain};
use crate::files::{self, ReadError};

/// The clock of a client may be behind ours.
const VALID_BEFORE: Duration = Duration::from_hours(24);
/// In all it is valid for 825 days, the longest that the systems of Apple accept.
const VALID_AFTER: Duration = Duration::from_hours(824 * 24);
/// A start within the last days makes a new one.
const RENEWED_BEFORE: Duration = Duration::from_hours(30 * 24);

pub(super) struct Kept {
    pub(super) certificate: CertificateDer<'static>,
    pub(super) key: PrivateKeyDer<'static>,
}

/// The certificate and its key, from the data directory or new. The key is made once.
pub(super) fn keep(data_dir: &Path, now: Timestamp) -> Result<Kept, TlsError> {
    let key = keep_key(&data_dir.join("tls-key.pem"))?;
    let path = data_dir.join("tls-cert.pem");
    if let Some(certificate) = usable(&path, &key, now) {
        return Ok(Kept {
            certificate,
            key: der(&key),
        });
    }
    let issued = issue(&key, now)?;
    files::replace_private(&path, issued.pem().as_bytes())
        .map_err(|source| TlsError::Io { path, source })?;
    Ok(Kept {
        certificate: issued.der().clone(),
        key: der(&key),
    })
}

fn keep_key(path: &Path) -> Result<KeyPair, TlsError> {
    let failed = |source| TlsError::Key {
        path: path.to_owned(),
        source,
    };
    match files::read_private(path) {
        Ok(pem) => return Ok(KeyPair::from_pem(pem.expose())?),
        Err(ReadError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let pem = vestibule_engine::Secret::new(key.serialize_pem());
    files::create_private(path, pem.expose().as_bytes()).map_err(|error| failed(error.into()))?;
    Ok(key)
}

/// The certificate that is there, if it can be used for a while.
fn usable(path: &Path, key: &KeyPair, now: Timestamp) -> Option<CertificateDer<'static>> {
    let certificate = read_chain(path).ok()?.into_iter().next()?;
    let matches = CertifiedKey::from_der(vec![certificate.clone()], der(key), &provider()).is_ok();
    let lasts = in_time(&certificate, now) && in_time(&certificate, now.after(RENEWED_BEFORE));
    (matches && lasts).then_some(certificate)
}

fn issue(key: &KeyPair, now: Timestamp) -> Result<rcgen::Certificate, TlsError> {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "vestibule");
    params.subject_alt_names = vec![
        SanType::DnsName("localhost".try_into()?),
        SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)),
    ];
    params.subject_alt_names.extend(host_name());
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let at = |time: Timestamp| date_time_ymd(1970, 1, 1) + Duration::from_secs(time.unix_seconds());
    params.not_before = at(now.before(VALID_BEFORE));
    params.not_after = at(now.after(VALID_AFTER));
    Ok(params.self_signed(key)?)
}

/// The name of this machine, if it can stand in a certificate.
fn host_name() -> Option<SanType> {
    let system = rustix::system::uname();
    let name = system.nodename().to_str().ok()?.to_ascii_lowercase();
    let letters = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if name.is_empty() || name == "localhost" || !name.chars().all(letters) {
        return None;
    }
    Some(SanType::DnsName(name.try_into().ok()?))
}

fn der(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::Arc;

    use rustls::RootCertStore;
    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier as _;
    use rustls::pki_types::{ServerName, UnixTime};

    use super::*;

    fn days(n: u64) -> Timestamp {
        Timestamp::from_unix_seconds(1_800_000_000).after(Duration::from_secs(n * 86_400))
    }

    #[test]
    fn it_is_kept_until_it_is_about_to_end() {
        let directory = tempfile::tempdir().unwrap();
        let certificate = |day| keep(directory.path(), days(day)).unwrap().certificate;
        let first = certificate(0);
        assert_eq!(certificate(1), first);
        assert_eq!(certificate(793), first);
        let second = certificate(795);
        assert_ne!(second, first);
        assert_eq!(certificate(796), second);
        assert_ne!(certificate(5_000), second, "expired");
    }

    #[test]
    fn a_pair_that_does_not_match_is_mended() {
        let directory = tempfile::tempdir().unwrap();
        keep(directory.path(), days(0)).unwrap();
        fs::remove_file(directory.path().join("tls-key.pem")).unwrap();
        let kept = keep(directory.path(), days(0)).unwrap();
        CertifiedKey::from_der(vec![kept.certificate], kept.key, &provider()).unwrap();
        fs::write(directory.path().join("tls-cert.pem"), "garbage").unwrap();
        keep(directory.path(), days(0)).unwrap();
    }

    #[test]
    fn the_key_is_ours_alone() {
        let directory = tempfile::tempdir().unwrap();
        keep(directory.path(), days(0)).unwrap();
        let key = directory.path().join("tls-key.pem");
        assert_eq!(
            fs::metadata(&key).unwrap().permissions().mode() & 0o777,
            0o600
        );
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(
            keep(directory.path(), days(0)),
            Err(TlsError::Key { .. })
        ));
    }

    #[test]
    fn clients_that_trust_it_accept_it() {
        let directory = tempfile::tempdir().unwrap();
        let certificate = keep(directory.path(), days(0)).unwrap().certificate;
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .unwrap();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(days(1).unix_seconds()));
        for (name, accepted) in [
            ("localhost", true),
            ("127.0.0.1", true),
            ("::1", true),
            ("example.com", false),
        ] {
            let server = ServerName::try_from(name).unwrap();
            let outcome = verifier.verify_server_cert(&certificate, &[], &server, &[], now);
            assert_eq!(outcome.is_ok(), accepted, "{name}: {outcome:?}");
        }
    }
}
