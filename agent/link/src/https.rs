//! HTTPS to the backend's enrolment listener: JSON out, JSON back, over one connection.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tripline_protocol::enrol::BODY_LEN_MAX;
use url::{Host, Url};

use crate::tls;

/// The port of the enrolment listener, where an address names none.
pub const ENROL_PORT: u16 = 8884;

/// How long each step may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// The name and the connection together.
    pub connect: Duration,
    /// The handshake of TLS.
    pub handshake: Duration,
    /// A whole answer.
    pub answer: Duration,
}

impl Default for Deadlines {
    /// A board signs slowly, a mobile network loses packets, and a backend that a fleet comes back to has
    /// a queue.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            handshake: Duration::from_secs(15),
            answer: Duration::from_secs(30),
        }
    }
}

/// Where a backend enrols devices: `https://host[:port]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendUrl {
    host: Host,
    port: u16,
}

/// A text that is no address of a backend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no address of a backend; write it as https://HOST or https://HOST:PORT")]
pub struct UrlError {
    /// The text.
    pub text: String,
}

impl FromStr for BackendUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let wrong = || UrlError { text: text.into() };
        let url = Url::parse(text.trim()).map_err(|_| wrong())?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let anonymous = url.username().is_empty() && url.password().is_none();
        if url.scheme() != "https" || !bare || !anonymous {
            return Err(wrong());
        }
        let host = url.host().ok_or_else(wrong)?.to_owned();
        // The library takes 443 for unsaid, so the text decides.
        let said_443 = text.trim().trim_end_matches('/').ends_with(":443");
        let port = url.port().unwrap_or(if said_443 { 443 } else { ENROL_PORT });
        if port == 0 {
            return Err(wrong());
        }
        Ok(Self { host, port })
    }
}

impl fmt::Display for BackendUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}:{}", self.host, self.port)
    }
}

impl BackendUrl {
    /// Its host, an IPv6 address without brackets.
    fn bare_host(&self) -> String {
        match &self.host {
            Host::Domain(name) => name.clone(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        }
    }
}

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpsError {
    /// The name, or the connection.
    #[error("{url} cannot be reached: {source}; check the address and the network between")]
    Unreachable {
        /// Where.
        url: BackendUrl,
        /// What the system said.
        source: io::Error,
    },
    /// The handshake.
    #[error("{url}: {reason}")]
    Handshake {
        /// Where.
        url: BackendUrl,
        /// Why, with a way out.
        reason: String,
    },
    /// It took too long.
    #[error("{url} took longer than {limit:?} for {step}; check the network, and try again")]
    Deadline {
        /// Where.
        url: BackendUrl,
        /// What was waited for.
        step: &'static str,
        /// How long.
        limit: Duration,
    },
    /// It is not HTTP, or it broke off.
    #[error("{url} broke off: {reason}; try again, and check that the port is the enrolment port")]
    Broken {
        /// Where.
        url: BackendUrl,
        /// What the library said.
        reason: String,
    },
    /// More than an answer can be.
    #[error(
        "{url} answers more than {BODY_LEN_MAX} bytes: it is not the enrolment port of a backend"
    )]
    TooLong {
        /// Where.
        url: BackendUrl,
    },
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its body, at most [`BODY_LEN_MAX`] bytes.
    pub body: Bytes,
}

/// A connection, for one request after the other.
#[derive(Debug)]
pub struct Connection {
    url: BackendUrl,
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
    answer: Duration,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connection {
    /// Connects, and believes the server or not as `config` says.
    pub async fn open(
        url: &BackendUrl,
        config: Arc<ClientConfig>,
        deadlines: Deadlines,
    ) -> Result<Self, HttpsError> {
        let Deadlines { connect, handshake, answer } = deadlines;
        let broken = |error: hyper::Error| broken(url, &error);
        let host = url.bare_host();
        let connecting = TcpStream::connect((host.as_str(), url.port));
        let tcp = within(url, "the connection", connect, connecting)
            .await?
            .map_err(|source| HttpsError::Unreachable { url: url.clone(), source })?;
        let name = ServerName::try_from(host).map_err(|error| HttpsError::Handshake {
            url: url.clone(),
            reason: error.to_string(),
        })?;
        let shaking = TlsConnector::from(config).connect(name, tcp);
        let tls = within(url, "the TLS handshake", handshake, shaking)
            .await?
            .map_err(|error| HttpsError::Handshake { url: url.clone(), reason: reason(&error) })?;
        let (sender, driver) = http1::handshake(TokioIo::new(tls)).await.map_err(broken)?;
        let driver = tokio::spawn(async move {
            // Whoever waits for an answer is told of the error.
            let _ = driver.await;
        });
        Ok(Self { url: url.clone(), sender, driver, answer })
    }

    /// Where it goes.
    pub fn url(&self) -> &BackendUrl {
        &self.url
    }

    /// Posts JSON, and gives the answer, whatever its status.
    pub async fn post(&mut self, path: &str, json: Vec<u8>) -> Result<Answer, HttpsError> {
        let url = self.url.clone();
        within(&url, "the answer", self.answer, self.exchange(path, json)).await?
    }

    async fn exchange(&mut self, path: &str, json: Vec<u8>) -> Result<Answer, HttpsError> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(HOST, format!("{}:{}", self.url.host, self.url.port))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(json)))
            .map_err(|error| broken(&self.url, &error))?;
        self.sender.ready().await.map_err(|error| broken(&self.url, &error))?;
        let answer =
            self.sender.send_request(request).await.map_err(|error| broken(&self.url, &error))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), BODY_LEN_MAX).collect().await;
        let body = body.map_err(|error| {
            if error.is::<LengthLimitError>() {
                return HttpsError::TooLong { url: self.url.clone() };
            }
            broken(&self.url, error.as_ref())
        })?;
        Ok(Answer { status, body: body.to_bytes() })
    }
}

fn broken(url: &BackendUrl, error: &(dyn std::error::Error + 'static)) -> HttpsError {
    let url = url.clone();
    // TLS 1.3 tells that it refuses our certificate only after its handshake.
    match tls::cause(error) {
        Some(error) => HttpsError::Handshake { url, reason: tls::explain(error) },
        None => HttpsError::Broken { url, reason: error.to_string() },
    }
}

/// What TLS says, or the system.
fn reason(error: &io::Error) -> String {
    tls::cause(error).map_or_else(|| error.to_string(), tls::explain)
}

async fn within<T>(
    url: &BackendUrl,
    step: &'static str,
    limit: Duration,
    work: impl Future<Output = T>,
) -> Result<T, HttpsError> {
    let done = timeout(limit, work).await;
    done.map_err(|_| HttpsError::Deadline { url: url.clone(), step, limit })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Result<String, UrlError> {
        text.parse::<BackendUrl>().map(|url| url.to_string())
    }

    #[test]
    fn an_address_is_https_a_host_and_a_port_that_may_be_left_out() {
        for (text, read) in [
            ("https://bpp.example", "https://bpp.example:8884"),
            ("https://bpp.example/", "https://bpp.example:8884"),
            ("https://bpp.example:443", "https://bpp.example:443"),
            ("https://127.0.0.1:9000", "https://127.0.0.1:9000"),
            ("https://[::1]", "https://[::1]:8884"),
        ] {
            assert_eq!(url(text).as_deref(), Ok(read));
        }
    }

    #[test]
    fn everything_else_is_refused_with_how_to_write_it() {
        for text in [
            "",
            "bpp.example",
            "bpp.example:8884",
            "http://bpp.example",
            "https://",
            "https://bpp.example/enrol",
            "https://bpp.example?code=1",
            "https://me:secret@bpp.example",
            "https://bpp.example:0",
            "https://bpp.example:99999",
        ] {
            let error = url(text).expect_err(text);
            assert!(error.to_string().contains("https://HOST"), "{error}");
        }
    }
}
