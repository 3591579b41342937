//! TLS towards devices: certificates of the device CA on both sides.
//!
//! What a session resumes may never have met the verifier again, so that whether a certificate still
//! counts is decided by the store at every CONNECT, not here.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig,
    SignatureScheme,
};
use tripline_protocol::unit::Timestamp;

use super::authority::{Authorities, IssueError};

/// How long a certificate that this backend shows lives, in ms. It is made anew at every start, whenever
/// the authorities change, and long before its end; see [`super::live`].
pub const SERVER_LIFE_MS: i64 = 90 * 86_400_000;

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A certificate.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// The library.
    #[error("TLS: {0}")]
    Rustls(#[from] rustls::Error),
    /// The verifier of the library.
    #[error("TLS: {0}")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

/// The certificate that this backend shows, with its key.
#[derive(Debug)]
pub struct ServerIdentity {
    provider: Arc<CryptoProvider>,
    shown: Arc<CertifiedKey>,
}

impl ServerIdentity {
    /// A new certificate under these names and addresses.
    pub fn new(
        authorities: &Authorities,
        hosts: &[String],
        now: Timestamp,
    ) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let (chain, key) = authorities.issue_server(hosts, now, SERVER_LIFE_MS)?;
        let shown = Arc::new(CertifiedKey::from_der(chain, key, &provider)?);
        Ok(Self { provider, shown })
    }
}

impl ResolvesServerCert for ServerIdentity {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.shown))
    }
}

/// TLS of the device endpoint: only devices with a certificate of the CA that has not expired get past
/// the handshake.
pub fn device_tls(
    authorities: &Authorities,
    identity: Arc<ServerIdentity>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::clone(&identity.provider);
    let roots = roots(authorities)?;
    let verifier =
        WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider)).build()?;
    server_config(provider, verifier, identity)
}

/// TLS of the enrolment listener: whoever comes without a certificate may enrol, and whoever comes with
/// one of the CA may renew it, even if it has expired meanwhile.
pub fn enrol_tls(
    authorities: &Authorities,
    identity: Arc<ServerIdentity>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::clone(&identity.provider);
    let roots = roots(authorities)?;
    let inner = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider))
        .allow_unauthenticated()
        .build()?;
    server_config(provider, Arc::new(ExpiredToo { inner }), identity)
}

fn roots(authorities: &Authorities) -> Result<Arc<RootCertStore>, TlsError> {
    let mut roots = RootCertStore::empty();
    for authority in authorities.all() {
        roots.add(authority.certificate.clone())?;
    }
    Ok(Arc::new(roots))
}

fn server_config(
    provider: Arc<CryptoProvider>,
    verifier: Arc<dyn ClientCertVerifier>,
    identity: Arc<ServerIdentity>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(identity);
    // Sessions rest with the devices, and a fleet that comes back at once costs little.
    config.ticketer = rustls::crypto::ring::Ticketer::new()?;
    config.send_tls13_tickets = 1;
    Ok(Arc::new(config))
}

/// Verifies as of a certificate's last moment where it has expired.
#[derive(Debug)]
struct ExpiredToo {
    inner: Arc<dyn ClientCertVerifier>,
}

impl ClientCertVerifier for ExpiredToo {
    fn offer_client_auth(&self) -> bool {
        self.inner.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        match self.inner.verify_client_cert(end_entity, intermediates, now) {
            Err(rustls::Error::InvalidCertificate(CertificateError::ExpiredContext {
                not_after,
                ..
            })) => self.inner.verify_client_cert(end_entity, intermediates, not_after),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
