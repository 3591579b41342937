//! A backend's enrolment listener, small and real: HTTPS with a CA of its own.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, IsCa, Issuer, KeyPair,
};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::{ServerConfig, WebPkiClientVerifier};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tripline_agent_link::https::BackendUrl;
use tripline_agent_link::tls::sha256;
use tripline_protocol::enrol::{
    ENROL_PATH, EnrolCode, EnrolFailure, EnrolRefusal, EnrolRequest, Enrolled, RenewRequest,
};
use tripline_protocol::link::settings::DeviceSettings;
use tripline_protocol::signing::SecretKey;

/// What it does with a request.
#[derive(Clone)]
pub(crate) enum Behaviour {
    /// What a backend does.
    Honest,
    /// It enrols, and the connection breaks before the answer is out.
    DropsTheAnswer,
    /// It answers this.
    Says(StatusCode, String),
    /// It never answers.
    Silent,
}

/// The times of its certificates; years begin.
#[derive(Clone, Copy)]
pub(crate) struct Years {
    pub(crate) from: i32,
    pub(crate) to: i32,
}

pub(crate) struct Backend {
    ca_pem: String,
    ca: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    address: Mutex<Option<SocketAddr>>,
    pub(crate) behaviour: Mutex<Behaviour>,
    /// Code and certificate, by the request's key.
    issued: Mutex<HashMap<String, (Vec<u8>, String)>>,
    /// When what it issues is to be renewed.
    pub(crate) renew_at_unix_ms: AtomicI64,
    /// The bodies that came, with whether the client showed a certificate.
    pub(crate) seen: Mutex<Vec<(String, bool)>>,
}

impl Backend {
    pub(crate) async fn start() -> Arc<Self> {
        Self::start_with("127.0.0.1", Years { from: 2020, to: 2100 }).await
    }

    pub(crate) async fn start_with(name: &str, years: Years) -> Arc<Self> {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a CA");
        let backend = Arc::new(Self {
            ca_pem: certificate.pem(),
            ca: certificate.der().clone(),
            issuer: Issuer::new(params, key),
            address: Mutex::new(None),
            behaviour: Mutex::new(Behaviour::Honest),
            issued: Mutex::default(),
            renew_at_unix_ms: AtomicI64::new(4_000_000_000_000),
            seen: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        *backend.address.lock().expect("whole") = Some(listener.local_addr().expect("an address"));
        let acceptor = TlsAcceptor::from(backend.tls_with(name, years, &backend));
        tokio::spawn(Arc::clone(&backend).serve(listener, acceptor));
        backend
    }

    /// Listens at another port as well, with another TLS.
    pub(crate) async fn serve_also(self: &Arc<Self>, config: Arc<ServerConfig>) -> BackendUrl {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(Arc::clone(self).serve(listener, TlsAcceptor::from(config)));
        format!("https://{address}").parse().expect("an address")
    }

    pub(crate) fn url(&self) -> BackendUrl {
        let address = self.address.lock().expect("whole").expect("started");
        format!("https://{address}").parse().expect("an address")
    }

    pub(crate) fn code(&self, secret: u8) -> EnrolCode {
        let sha256 = sha256(&self.ca);
        EnrolCode {
            secret: [secret; 16],
            ca_fingerprint: std::array::from_fn(|index| sha256[index]),
        }
    }

    pub(crate) fn behave(&self, behaviour: Behaviour) {
        *self.behaviour.lock().expect("whole") = behaviour;
    }

    pub(crate) fn requests(&self) -> usize {
        self.seen.lock().expect("whole").len()
    }

    /// TLS with a certificate of this backend's CA, and the CA of `shown` along with it.
    pub(crate) fn tls_with(&self, name: &str, years: Years, shown: &Self) -> Arc<ServerConfig> {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new([name.to_string()]).expect("a name");
        params.not_before = rcgen::date_time_ymd(years.from, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.to, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let mut roots = RootCertStore::empty();
        roots.add(self.ca.clone()).expect("a CA");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone())
            .allow_unauthenticated()
            .build()
            .expect("a verifier");
        let chain = vec![certificate.der().clone(), shown.ca.clone()];
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_client_cert_verifier(clients)
            .with_single_cert(chain, key)
            .expect("a certificate");
        Arc::new(config)
    }

    async fn serve(self: Arc<Self>, listener: TcpListener, acceptor: TlsAcceptor) {
        loop {
            let (tcp, _) = listener.accept().await.expect("a connection");
            let (backend, acceptor) = (Arc::clone(&self), acceptor.clone());
            tokio::spawn(async move {
                let Ok(tls) = acceptor.accept(tcp).await else { return };
                let known = tls.get_ref().1.peer_certificates().is_some();
                let service = service_fn(move |request| Arc::clone(&backend).take(request, known));
                let _ = http1::Builder::new().serve_connection(TokioIo::new(tls), service).await;
            });
        }
    }

    async fn take(
        self: Arc<Self>,
        request: Request<Incoming>,
        known: bool,
    ) -> Result<Response<Full<Bytes>>, std::io::Error> {
        let path = request.uri().path().to_string();
        let body = request.into_body().collect().await.expect("a body").to_bytes();
        let text = String::from_utf8(body.to_vec()).expect("a text");
        self.seen.lock().expect("whole").push((text.clone(), known));
        let behaviour = self.behaviour.lock().expect("whole").clone();
        let (status, json) = match behaviour {
            Behaviour::Honest => self.answer(&path, &text, known),
            Behaviour::DropsTheAnswer => {
                self.answer(&path, &text, known);
                return Err(std::io::Error::other("broken on purpose"));
            }
            Behaviour::Says(status, text) => (status, text),
            Behaviour::Silent => std::future::pending().await,
        };
        let mut response = Response::new(Full::from(json));
        *response.status_mut() = status;
        Ok(response)
    }

    fn answer(&self, path: &str, text: &str, known: bool) -> (StatusCode, String) {
        let answered = if path == ENROL_PATH {
            let request: EnrolRequest = serde_json::from_str(text).expect("a request");
            self.enrol(&request)
        } else if known {
            let request: RenewRequest = serde_json::from_str(text).expect("a request");
            Ok(self.enrolled(self.certificate(&request.csr_pem).1))
        } else {
            Err(EnrolRefusal::NoCertificate)
        };
        let json = |value: &dyn Fn() -> serde_json::Result<String>| value().expect("JSON");
        match answered {
            Ok(enrolled) => (StatusCode::OK, json(&|| serde_json::to_string(&enrolled))),
            Err(refusal) => {
                let failure = EnrolFailure::new(refusal, "no");
                (StatusCode::FORBIDDEN, json(&|| serde_json::to_string(&failure)))
            }
        }
    }

    /// A code counts once, with one key.
    fn enrol(&self, request: &EnrolRequest) -> Result<Enrolled, EnrolRefusal> {
        let (key, certificate) = self.certificate(&request.csr_pem);
        let mut issued = self.issued.lock().expect("whole");
        let (used_with, certificate) =
            issued.entry(request.code.clone()).or_insert((key.clone(), certificate));
        if *used_with != key {
            return Err(EnrolRefusal::UsedCode);
        }
        Ok(self.enrolled(certificate.clone()))
    }

    /// The key of a request and a certificate for it.
    pub(crate) fn certificate(&self, csr_pem: &str) -> (Vec<u8>, String) {
        let csr = CertificateSigningRequestParams::from_pem(csr_pem).expect("a request");
        let key = rcgen::PublicKeyData::der_bytes(&csr.public_key).to_vec();
        let params = CertificateParams::default();
        let certificate = params.signed_by(&csr.public_key, &self.issuer).expect("a certificate");
        (key, certificate.pem())
    }

    pub(crate) fn enrolled(&self, certificate_pem: String) -> Enrolled {
        Enrolled {
            device: "ka-01-ab-1234".parse().expect("valid"),
            certificate_pem,
            ca_pems: vec![self.ca_pem.clone()],
            host: "127.0.0.1".into(),
            port: 8883,
            command_keys: vec![SecretKey::from_seed(&[1; 32]).public().to_string()],
            issued_at_unix_ms: 1_800_000_000_000,
            renew_at_unix_ms: self.renew_at_unix_ms.load(Ordering::Relaxed),
            expires_at_unix_ms: 4_100_000_000_000,
            settings: DeviceSettings { live_idle_ms: Some(9_000), ..DeviceSettings::default() },
        }
    }
}
