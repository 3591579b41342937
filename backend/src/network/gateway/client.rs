//! A gateway over HTTP: `POST {url}/{action}`, with bounds on silence, time and length.

use std::time::Duration;

use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Body, Client, Response};
use tokio::sync::watch;
use tripline_protocol::unit::Timestamp;

use super::answer::{self, Answer, Envelope, Unusable};
use super::message::{self, Form, Unwritable};
use super::token::Token;
use super::upload::Pieces;
use crate::config::Gateway;
use crate::network::http::{builder, without_url};
use crate::network::subscriber::normalized_url;

/// Longest whole call, in ms: with the largest documents there and back on a line of 1 Mbit/s.
const CALL_MS_MAX: u64 = 20 * 60_000;

/// Longest answer that is read, in bytes: a gateway sends every document back that it has of us.
const ANSWER_LEN_MAX: usize = 128 * 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The request could not be written; it was not sent.
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
    /// Nobody is there; nothing was sent.
    #[error("{0}")]
    NotConnected(String),
    /// The connection broke before there was a whole answer.
    #[error("{0}")]
    Broken(String),
    /// It said nothing, or took nothing, for too long.
    #[error("it was silent for {0} ms")]
    Silent(u64),
    /// It answered too much.
    #[error("it answered more than {ANSWER_LEN_MAX} bytes")]
    TooLong,
    /// It answered something else than the document says.
    #[error("it {0}")]
    Unusable(#[from] Unusable),
}

/// How far a request is on its way out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that are out.
    pub sent: u64,
    /// Bytes of the whole.
    pub of: u64,
}

/// Hears how far a request is.
pub type Listener<'a> = &'a (dyn Fn(Progress) + Sync);

/// A gateway.
#[derive(Debug)]
pub struct GatewayClient {
    http: Client,
    url: String,
    form: Form,
    silence_ms: u64,
}

impl GatewayClient {
    /// A client of the gateway of a configuration.
    pub fn new(config: &Gateway) -> Result<Self, String> {
        // Silence is bounded below, and a whole call with documents takes longer than an answer.
        let made =
            builder(CALL_MS_MAX).connect_timeout(Duration::from_millis(config.timeout_ms)).build();
        Ok(Self {
            http: made.map_err(|error| {
                format!("the HTTP client cannot be made: {}", without_url(error))
            })?,
            url: normalized_url(&config.url),
            form: config.form,
            silence_ms: config.timeout_ms,
        })
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Asks, and waits for the answer.
    pub async fn call(
        &self,
        body: &message::Body<'_>,
        token: Option<&Token>,
        now: Timestamp,
        listener: Listener<'_>,
    ) -> Result<Answer, CallError> {
        let written = message::write(self.form, body, token, now)?;
        let of = written.body.len() as u64;
        let (told, sent) = watch::channel(0);
        let mut request = self
            .http
            .post(format!("{}/{}", self.url, written.action.code()))
            .header(CONTENT_TYPE, "application/json")
            .header(CONTENT_LENGTH, of);
        for (name, text) in &written.headers {
            let mut value = HeaderValue::from_str(text)
                .map_err(|_| CallError::NotConnected(format!("{name} fits into no HTTP header")))?;
            value.set_sensitive(*name == "token");
            request = request.header(HeaderName::from_static(name), value);
        }
        let sending = request.body(Body::wrap(Pieces::new(written.body, told))).send();
        let response = tokio::select! {
            sent = sending => sent.map_err(broken)?,
            () = self.silent(sent, |sent| listener(Progress { sent, of })) => {
                return Err(CallError::Silent(self.silence_ms));
            }
        };
        listener(Progress { sent: of, of });
        let envelope = envelope(&response);
        let body = self.read(response).await?;
        Ok(answer::read(&envelope, &body, token)?)
    }

    /// Done when nothing went out for too long or, once all is out, nothing came in.
    async fn silent(&self, mut sent: watch::Receiver<u64>, hear: impl Fn(u64)) {
        let silence = Duration::from_millis(self.silence_ms);
        loop {
            match tokio::time::timeout(silence, sent.changed()).await {
                Ok(Ok(())) => hear(*sent.borrow_and_update()),
                // All of it is out.
                Ok(Err(_)) => return tokio::time::sleep(silence).await,
                Err(_) => return,
            }
        }
    }

    async fn read(&self, mut response: Response) -> Result<Vec<u8>, CallError> {
        let silence = Duration::from_millis(self.silence_ms);
        let mut body = Vec::new();
        loop {
            let chunk = tokio::time::timeout(silence, response.chunk()).await;
            let chunk = chunk.map_err(|_| CallError::Silent(self.silence_ms))?;
            let Some(chunk) = chunk.map_err(broken)? else { return Ok(body) };
            if body.len() + chunk.len() > ANSWER_LEN_MAX {
                return Err(CallError::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
    }
}

fn broken(error: reqwest::Error) -> CallError {
    let is_connect = error.is_connect();
    let words = without_url(error);
    if is_connect { CallError::NotConnected(words) } else { CallError::Broken(words) }
}

fn envelope(response: &Response) -> Envelope {
    let header = |name| response.headers().get(name)?.to_str().ok().map(str::to_owned);
    Envelope {
        status: response.status().as_u16(),
        action: header("action"),
        message: header("message"),
    }
}
