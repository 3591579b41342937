//! TLS towards the backend: which server to believe, and who this device is.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::{Error as PemError, PemObject as _};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore,
    SignatureScheme,
};
use tripline_protocol::enrol::EnrolCode;

use crate::clock::{self, Clock};
use crate::identity::Identity;

/// Servers whose sessions are kept to resume: a device knows the endpoint and the enrolment listener,
/// and a fleet in one process keeps as little as it can for each of its devices.
const SESSIONS_MAX: usize = 2;

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A certificate or a key.
    #[error("a certificate or key is no PEM: {0}")]
    Pem(#[from] PemError),
    /// The library.
    #[error("TLS cannot be set up: {0}")]
    Rustls(#[from] rustls::Error),
    /// The verifier of the library.
    #[error("TLS cannot be set up: {0}")]
    Verifier(#[from] rustls::client::VerifierBuilderError),
}

/// TLS as this device: it believes servers of its CAs, and shows its certificate. `clock` judges what
/// servers show.
pub fn client_config(
    identity: &Identity,
    clock: Arc<Clock>,
) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = provider();
    let inner =
        WebPkiServerVerifier::builder_with_provider(roots(identity)?, Arc::clone(&provider))
            .build()?;
    let certificate = CertificateDer::from_pem_slice(identity.certificate_pem.as_bytes())?;
    let mut config = builder(provider, Trust::Roots(inner), clock)?
        .with_client_auth_cert(vec![certificate], identity.key.der()?)?;
    config.resumption = Resumption::in_memory_sessions(SESSIONS_MAX);
    Ok(Arc::new(config))
}

/// TLS of a device that has a code and no identity: it believes servers of the one CA that the code pins,
/// and shows nothing.
pub fn pinned_config(code: &EnrolCode, clock: Arc<Clock>) -> Result<Arc<ClientConfig>, TlsError> {
    Ok(Arc::new(builder(provider(), Trust::Pin(*code), clock)?.with_no_client_auth()))
}

/// Refuses an identity that TLS could not be done with: its certificate is not for its key, for instance.
pub(crate) fn check(identity: &Identity) -> Result<(), TlsError> {
    let clock = Arc::new(Clock::new(identity.issued_at));
    client_config(identity, clock).map(|_| ())
}

/// Refuses an identity whose certificate is of none of the CAs that came with it, or has expired already
/// when it is issued.
pub(crate) fn check_issuer(identity: &Identity) -> Result<(), TlsError> {
    let verifier =
        WebPkiClientVerifier::builder_with_provider(roots(identity)?, provider()).build()?;
    let certificate = CertificateDer::from_pem_slice(identity.certificate_pem.as_bytes())?;
    let issued_at = clock::unix_time(identity.issued_at)
        .ok_or_else(|| rustls::Error::General("it was issued before 1970".into()))?;
    verifier.verify_client_cert(&certificate, &[], issued_at)?;
    Ok(())
}

fn roots(identity: &Identity) -> Result<Arc<RootCertStore>, TlsError> {
    let mut roots = RootCertStore::empty();
    for pem in &identity.ca_pems {
        roots.add(CertificateDer::from_pem_slice(pem.as_bytes())?)?;
    }
    Ok(Arc::new(roots))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn builder(
    provider: Arc<CryptoProvider>,
    trust: Trust,
    clock: Arc<Clock>,
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>, TlsError> {
    let verifier =
        Arc::new(Verifier { trust, provider: Arc::clone(&provider), clock: Arc::clone(&clock) });
    Ok(ClientConfig::builder_with_details(provider, clock)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier))
}

/// Which servers are believed.
#[derive(Debug)]
enum Trust {
    /// Those of these CAs.
    Roots(Arc<WebPkiServerVerifier>),
    /// Those that bring the CA along which this code pins, and whose certificate is of that CA.
    Pin(EnrolCode),
}

/// The library's verifier, on a device whose clock may be behind, or ahead by what a receiver said.
#[derive(Debug)]
struct Verifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
    clock: Arc<Clock>,
}

impl Verifier {
    fn of(&self, chain: &[CertificateDer<'_>]) -> Result<Arc<WebPkiServerVerifier>, rustls::Error> {
        let code = match &self.trust {
            Trust::Roots(verifier) => return Ok(Arc::clone(verifier)),
            Trust::Pin(code) => code,
        };
        let pinned = chain.iter().find(|certificate| code.pins(&sha256(certificate)));
        let mut roots = RootCertStore::empty();
        roots.add(pinned.ok_or(CertificateError::UnknownIssuer)?.clone().into_owned())?;
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))
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
    ) -> Result<ServerCertVerified, rustls::Error> {
        let inner = self.of(intermediates)?;
        let verify = |now| {
            inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        };
        match verify(now) {
            // The CA issues nothing ahead of time, so it is our clock that is behind: a board without
            // a clock chip that has seen no satellite yet. Everything else is verified as ever.
            Err(rustls::Error::InvalidCertificate(CertificateError::NotValidYetContext {
                not_before,
                ..
            })) => verify(not_before),
            // Or ahead, by the word of a receiver gone wrong: then the system clock's counts as much.
            // Whoever moves that one back can do so for any judgement here.
            Err(
                error @ rustls::Error::InvalidCertificate(CertificateError::ExpiredContext {
                    ..
                }),
            ) => self.clock.system().map_or(Err(error), verify),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// SHA-256 of a certificate.
pub fn sha256(certificate: &CertificateDer<'_>) -> [u8; 32] {
    let digest = ring::digest::digest(&ring::digest::SHA256, certificate);
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(digest.as_ref());
    fingerprint
}

/// What TLS has to do with an error: the error of TLS that it stands for.
pub fn cause<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        // What is inside an I/O error is not its source.
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let tls = inner.and_then(|inner| inner.downcast_ref()).or_else(|| error.downcast_ref());
        if tls.is_some() {
            return tls;
        }
        next = error.source();
    }
    None
}

/// A failed handshake in plain words, with a way out.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "an open list of the library; what is not named here is told in its own words"
)]
pub fn explain(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(error) => explain_server(error),
        rustls::Error::AlertReceived(alert) => explain_alert(*alert),
        error => {
            format!("the TLS handshake failed: {error}; check that the port is that of the backend")
        }
    }
}

/// The server's certificate, and why it was refused here.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "an open list of the library; what is not named here is told in its own words"
)]
fn explain_server(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer
        | CertificateError::BadSignature
        | CertificateError::ApplicationVerificationFailure => {
            "what answers there is not this device's backend: its certificate is of another CA; check \
             the address, and if the backend was set up anew, enrol with a new code"
                .into()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the backend's certificate is not for this name; use a name that `tripline-bpp` lists \
             under [device] hosts, or add this one there"
                .into()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the backend's certificate has expired by this device's clock; check the clock, and \
             otherwise restart the backend, which makes a new one"
                .into()
        }
        other => format!("the backend's certificate is refused: {other}"),
    }
}

/// Our certificate, and why the server refused it.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "an open list of the library; what is not named here is told in its own words"
)]
fn explain_alert(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateExpired => {
            "this device's certificate has expired; it is renewed as soon as the backend's enrolment \
             port is reached, and a new code enrols it anew"
                .into()
        }
        AlertDescription::CertificateRevoked => {
            "this device's certificate was revoked; enrol with a new code".into()
        }
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::DecryptError => {
            "the backend does not know the CA of this device's certificate; enrol with a new code"
                .into()
        }
        AlertDescription::CertificateRequired => {
            "the backend wants a certificate of this device; enrol with a code".into()
        }
        other => format!("the backend ended the TLS handshake: {other:?}; check the address and port"),
    }
}
