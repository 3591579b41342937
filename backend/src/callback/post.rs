//! One delivery attempt.

use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::Resolve;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode};
use tripline_protocol::signing::sign;
use tripline_protocol::unit::Timestamp;
use url::Url;

use crate::beckn::{Answer, Refusal, parse_answer};
use crate::keys::live::LiveKeys;
use crate::keys::ring::NetworkKey;
use crate::network::directory::{Directory, DirectoryError, Look};
use crate::network::guard::{Guard, GuardedResolver, Scheme, SystemResolver};
use crate::network::http::{ReadError, builder, read, without_url};
use crate::network::subscriber::{Role, vouch_for};
use crate::store::callback::DueCallback;
use crate::time;

/// Longest answer read, in bytes.
const ANSWER_LEN_MAX: usize = 64 * 1024;

/// How long a signature holds, in s. Each attempt has a fresh one.
const SIGNATURE_S: i64 = 60;

/// Keys that an attempt is signed with, one after another: while keys are changed two hold.
const KEYS_TRIED_MAX: usize = 2;

/// How long a connection is kept that nothing is sent on, in s. It goes to an address that was looked at when
/// it was made; what the name means since is not forgotten for longer than this.
const IDLE_S_MAX: u64 = 15;

/// Connections kept to one host that nothing is sent on. More are open while more callbacks are under way;
/// these are for the next ones, and there are many hosts.
const IDLE_PER_HOST_MAX: usize = 4;

/// Longest reason kept of a failure, in characters.
const REASON_LEN_MAX: usize = 300;

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Attempt {
    /// The subscriber has it.
    Taken,
    /// It may be taken another time.
    Later {
        /// Why it was not.
        reason: String,
        /// What it says of the subscriber.
        health: Health,
        /// How long the subscriber asks to be left alone, in s.
        retry_after_s: Option<u64>,
    },
    /// The subscriber says that it will not take it.
    Refused {
        /// Why, for a log.
        logged: String,
        /// Why, for the operator.
        reason: String,
    },
    /// It goes nowhere: there is nothing at this address that may be sent to.
    Forbidden {
        /// Why.
        reason: String,
    },
}

/// What an attempt says of the subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    /// It works.
    Well,
    /// It is there, but could not take it.
    Strained,
    /// It is not there, or says that it does not work.
    Silent,
    /// Nothing: it was not asked.
    Unknown,
}

impl Attempt {
    /// What it says of the subscriber.
    pub(super) const fn health(&self) -> Health {
        match self {
            Self::Taken | Self::Refused { .. } => Health::Well,
            Self::Forbidden { .. } => Health::Unknown,
            Self::Later { health, .. } => *health,
        }
    }

    /// To be tried again.
    pub(super) fn later(reason: &str, health: Health) -> Self {
        let reason = reason.chars().take(REASON_LEN_MAX).collect();
        Self::Later { reason, health, retry_after_s: None }
    }

    fn nack(status: StatusCode, refusal: &Refusal) -> Self {
        let with_status = |text: String| match status {
            StatusCode::OK => text,
            status => format!("{text} ({status})"),
        };
        Self::Refused {
            logged: with_status(refusal.for_log()),
            reason: with_status(refusal.for_operator()),
        }
    }
}

/// Signs and posts callbacks.
#[derive(Debug, Clone)]
pub struct Poster {
    https: Client,
    /// Resolves names to addresses of the private networks only.
    http: Client,
    keys: Arc<LiveKeys>,
    directory: Arc<Directory>,
    guard: Guard,
    timeout: Duration,
}

impl Poster {
    /// A poster that signs with `keys`, sends to whom the directory vouches for and the guard lets
    /// through, and waits `timeout_ms` for an answer.
    pub fn new(
        keys: Arc<LiveKeys>,
        directory: Arc<Directory>,
        guard: Guard,
        timeout_ms: u64,
    ) -> Result<Self, String> {
        Self::with_resolver(keys, directory, guard, timeout_ms, &(Arc::new(SystemResolver) as _))
    }

    /// The same, with a resolver in place of the system's.
    pub fn with_resolver(
        keys: Arc<LiveKeys>,
        directory: Arc<Directory>,
        guard: Guard,
        timeout_ms: u64,
        resolver: &Arc<dyn Resolve>,
    ) -> Result<Self, String> {
        let client = |scheme| {
            let resolver = GuardedResolver::new(Arc::clone(resolver), guard.clone(), scheme);
            builder(timeout_ms)
                .dns_resolver(Arc::new(resolver))
                .https_only(scheme == Scheme::Https)
                .pool_idle_timeout(Duration::from_secs(IDLE_S_MAX))
                .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
                .build()
                .map_err(|error| format!("the HTTP client cannot be made: {error}"))
        };
        let timeout = Duration::from_millis(timeout_ms);
        let (https, http) = (client(Scheme::Https)?, client(Scheme::Http)?);
        Ok(Self { https, http, keys, directory, guard, timeout })
    }

    /// Attempts a delivery: at most the time-out to learn whether it may be sent, and as much to send it.
    pub(super) async fn post(&self, due: &DueCallback) -> Attempt {
        let checked = tokio::time::timeout(self.timeout, self.check(due, time::now())).await;
        let url = match checked {
            Ok(Ok(url)) => url,
            Ok(Err(not_now)) => return not_now,
            Err(_) => {
                return Attempt::later("the registry did not answer in time", Health::Unknown);
            }
        };
        // Whatever dribbles in, and under however many keys it was asked for.
        let sent = tokio::time::timeout(self.timeout, self.deliver(due, &url)).await;
        sent.unwrap_or_else(|_| Attempt::later("no whole answer in time", Health::Silent))
    }

    /// Where the callback may be sent, if it may be sent where it is meant to go.
    async fn check(&self, due: &DueCallback, now: Timestamp) -> Result<Url, Attempt> {
        let url = self.guard.check(&due.url);
        let url = url.map_err(|error| Attempt::Forbidden { reason: error.to_string() })?;
        let unknown = |error: DirectoryError| Attempt::later(&error.to_string(), Health::Unknown);
        for look in [Look::Cached, Look::Anew] {
            // It may have moved, or moved back.
            let entries = self.directory.find(&due.subscriber_id, Role::Bap, look, now).await;
            if vouch_for(&entries.map_err(unknown)?, &due.url, now) {
                return Ok(url);
            }
        }
        // A registry errs, and an entry is renewed a minute late: nothing is sent, and nothing is lost.
        Err(Attempt::later("the subscriber is not registered at this address now", Health::Unknown))
    }

    /// Sends it, signed with the key that signs. One that does not know that key yet, or any more, is shown
    /// the next at once.
    async fn deliver(&self, due: &DueCallback, url: &Url) -> Attempt {
        let ring = self.keys.current();
        let mut attempt = Attempt::later("there is no key to sign with", Health::Unknown);
        for key in ring.keys().take(KEYS_TRIED_MAX) {
            let unauthorized;
            (unauthorized, attempt) = match self.send(due, url, key).await {
                Ok(response) => {
                    (response.status() == StatusCode::UNAUTHORIZED, judge(response).await)
                }
                Err(error) => (false, Attempt::later(&without_url(error), Health::Silent)),
            };
            if !unauthorized {
                break;
            }
        }
        attempt
    }

    async fn send(
        &self,
        due: &DueCallback,
        url: &Url,
        key: &NetworkKey,
    ) -> reqwest::Result<Response> {
        let created_s = time::now().unix_ms.div_euclid(1000);
        let key_id = key.key_id(self.keys.subscriber_id());
        let authorization =
            sign(&due.body, &key.signing, &key_id, created_s, created_s + SIGNATURE_S);
        let client = if url.scheme() == "http" { &self.http } else { &self.https };
        client
            .post(url.clone())
            .header(AUTHORIZATION, authorization)
            .header(CONTENT_TYPE, "application/json")
            .body(due.body.clone())
            .send()
            .await
    }
}

/// What an answer means.
async fn judge(response: Response) -> Attempt {
    let status = response.status();
    if status.is_success() {
        return judge_body(response).await;
    }
    let health = match status {
        StatusCode::UNAUTHORIZED
        | StatusCode::REQUEST_TIMEOUT
        | StatusCode::TOO_EARLY
        | StatusCode::TOO_MANY_REQUESTS => Health::Strained,
        status if status.is_server_error() => Health::Silent,
        status => return refused(status, response).await,
    };
    let retry_after_s = retry_after_s(&response);
    Attempt::Later { reason: format!("answered {status}"), health, retry_after_s }
}

async fn judge_body(response: Response) -> Attempt {
    let status = response.status();
    match read(response, ANSWER_LEN_MAX).await.map(|body| parse_answer(&body)) {
        Ok(Answer::Ack) => Attempt::Taken,
        Ok(Answer::Nack(refusal)) => Attempt::nack(status, &refusal),
        Ok(Answer::Unclear) => {
            Attempt::later(&format!("answered {status} with no ACK in it"), Health::Strained)
        }
        Err(error @ ReadError::TooLong(_)) => Attempt::later(&error.to_string(), Health::Strained),
        // One that drips is no better than one that is silent.
        Err(ReadError::Broken(reason)) => Attempt::later(&reason, Health::Silent),
    }
}

/// A status that will not change; some say why.
async fn refused(status: StatusCode, response: Response) -> Attempt {
    match read(response, ANSWER_LEN_MAX).await.map(|body| parse_answer(&body)) {
        Ok(Answer::Nack(refusal)) => Attempt::nack(status, &refusal),
        Ok(Answer::Ack | Answer::Unclear) | Err(_) => {
            let reason = format!("answered {status}");
            Attempt::Refused { logged: reason.clone(), reason }
        }
    }
}

/// The header's form in seconds; the one with a date is passed over, since it needs their clock.
fn retry_after_s(response: &Response) -> Option<u64> {
    response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// How long the client waits, in ms. Nobody else has a time here.
    const TIMEOUT_MS: u64 = 200;

    #[tokio::test]
    async fn an_answer_that_does_not_end_in_time_is_the_answer_of_one_that_is_silent() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("bound"));
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("accepted");
            assert!(stream.read(&mut [0; 4096]).await.expect("a request") > 0);
            let head = b"HTTP/1.1 200 OK\r\ncontent-length: 9000\r\n\r\n";
            stream.write_all(head).await.expect("written");
            while stream.write_all(b" ").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let client = builder(TIMEOUT_MS).build().expect("a client");
        let response = client.post(url).send().await.expect("a head");
        let attempt = judge(response).await;
        assert!(matches!(attempt, Attempt::Later { health: Health::Silent, .. }), "{attempt:?}");
    }
}
