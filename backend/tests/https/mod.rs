//! A client of the enrolment listener, by hand: its TLS and one request.

use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A certificate that a client shows, and its key.
pub(crate) type Shown<'a> = (&'a CertificateDer<'static>, &'a KeyPair);

/// TLS that trusts this CA.
pub(crate) fn client(ca: &CertificateDer<'static>, shown: Option<Shown<'_>>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(ca.clone()).expect("a CA");
    let builder = ClientConfig::builder().with_root_certificates(roots);
    let config = match shown {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
            builder.with_client_auth_cert(vec![certificate.clone()], key).expect("a pair")
        }
    };
    TlsConnector::from(Arc::new(config))
}

/// A signing request in PEM.
pub(crate) fn csr(key: &KeyPair) -> String {
    let request = CertificateParams::default().serialize_request(key).expect("a request");
    request.pem().expect("PEM")
}

/// Posts JSON over HTTPS, with or without a certificate; gives status and JSON.
pub(crate) async fn post(
    address: SocketAddr,
    ca: &CertificateDer<'static>,
    path: &str,
    body: &Value,
    shown: Option<Shown<'_>>,
) -> (u16, Value) {
    let stream = TcpStream::connect(address).await.expect("connects");
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    let mut stream = client(ca, shown).connect(name, stream).await.expect("TLS");
    let body = body.to_string();
    let len = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nhost: enrol\r\ncontent-length: {len}\r\n\r\n");
    stream.write_all((head + &body).as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    // A server that has answered may close without a word on the rest of a body it did not want.
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).expect("UTF-8");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|text| text.parse().ok()).expect("a status");
    (status, serde_json::from_str(body).expect("JSON"))
}
