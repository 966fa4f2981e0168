//! Whether a server is who it should be: by its chain of certificates, or by a fingerprint.
//!
//! Whatever the rule, the signatures of the handshake are verified: whoever shows a certificate
//! must have its key.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use crate::fingerprint::Fingerprint;
use crate::tls::provider;

/// By what a server is judged.
#[derive(Debug)]
pub enum Rule {
    /// Its chain ends at one of these, and its name is in its certificate.
    Roots(RootCertStore),
    /// Its certificate has this fingerprint.
    Pinned(Fingerprint),
    /// Not at all.
    Anyone,
}

impl Rule {
    /// The roots of the system.
    pub fn system() -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Self::Roots(roots)
    }

    /// The roots in a file, and no others.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn from_file(path: &Path) -> Result<Self, String> {
        let failed = |what: String| format!("{}: {what}", path.display());
        let pem = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|error| failed(error.to_string()))?;
            roots
                .add(certificate)
                .map_err(|error| failed(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(failed("holds no certificate in PEM form".to_owned()));
        }
        Ok(Self::Roots(roots))
    }
}

/// What a client needs that trusts whom the system trusts, whatever is asked of it later.
pub(crate) fn system_roots() -> Result<ClientConfig, Error> {
    Arc::new(Verifier::new(Rule::system())).client_config()
}

/// What was found wrong with a certificate.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The fingerprint of the certificate.
    pub fingerprint: Fingerprint,
    /// What is wrong with it.
    pub reason: String,
}

/// Judges, and remembers the last verdict that was bad.
#[derive(Debug)]
pub(super) struct Verifier {
    judge: Judge,
    provider: Arc<CryptoProvider>,
    distrust: Mutex<Option<Verdict>>,
}

#[derive(Debug)]
enum Judge {
    Chain(Arc<WebPkiServerVerifier>),
    /// There is nobody to end a chain.
    NoRoots,
    Pinned(Fingerprint),
    Anyone,
}

impl Verifier {
    pub(super) fn new(rule: Rule) -> Self {
        let judge = match rule {
            Rule::Anyone => Judge::Anyone,
            Rule::Pinned(fingerprint) => Judge::Pinned(fingerprint),
            Rule::Roots(roots) => {
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
                    .build()
                    .map_or(Judge::NoRoots, Judge::Chain)
            }
        };
        Self {
            judge,
            provider: provider(),
            distrust: Mutex::new(None),
        }
    }

    pub(super) fn client_config(self: &Arc<Self>) -> Result<ClientConfig, Error> {
        let verifier: Arc<dyn ServerCertVerifier> = Arc::clone(self) as _;
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }

    /// The last verdict, if it was bad.
    pub(super) fn distrust(&self) -> Option<Verdict> {
        self.distrust
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn judge(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match &self.judge {
            Judge::Chain(chain) => chain.verify_server_cert(leaf, rest, name, ocsp, now),
            Judge::NoRoots => Err(CertificateError::UnknownIssuer.into()),
            Judge::Pinned(expected) if *expected == Fingerprint::of(leaf) => {
                Ok(ServerCertVerified::assertion())
            }
            Judge::Pinned(_) => Err(CertificateError::ApplicationVerificationFailure.into()),
            Judge::Anyone => Ok(ServerCertVerified::assertion()),
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.judge(end_entity, intermediates, server_name, ocsp_response, now);
        let distrust = verified.as_ref().err().map(|error| Verdict {
            fingerprint: Fingerprint::of(end_entity),
            reason: reason(error),
        });
        *self.distrust.lock().unwrap_or_else(PoisonError::into_inner) = distrust;
        verified
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// What is wrong with a certificate, for people.
fn reason(error: &Error) -> String {
    let Error::InvalidCertificate(error) = error else {
        return error.to_string();
    };
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the list of reasons is open"
    )]
    match error {
        CertificateError::UnknownIssuer => {
            "it was not issued by anybody that this system trusts".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "it has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet, or the clock of this machine is wrong".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another name".to_owned()
        }
        CertificateError::ApplicationVerificationFailure => "it is another one".to_owned(),
        other => other.to_string(),
    }
}
