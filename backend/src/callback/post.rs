//! One delivery attempt.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, StatusCode, redirect};
use tripline_protocol::signing::{KeyId, SecretKey, sign};

use crate::beckn::v0_9::is_nack;
use crate::network::subscribers::Subscribers;
use crate::store::callback::DueCallback;
use crate::time;

/// Longest answer read, in bytes.
const ANSWER_LEN_MAX: usize = 64 * 1024;

/// How long a signature holds, in s. Each attempt has a fresh one.
const SIGNATURE_S: i64 = 60;

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Attempt {
    /// The subscriber has it.
    Taken,
    /// It may be taken another time.
    Later(String),
    /// It will not be taken.
    Refused(String),
}

/// Signs and posts callbacks.
#[derive(Debug, Clone)]
pub struct Poster {
    client: Client,
    key: SecretKey,
    key_id: KeyId,
    subscribers: Arc<Subscribers>,
}

impl Poster {
    /// A poster that signs as `key_id` with `key` and waits `timeout_ms` for an answer.
    pub fn new(
        key: SecretKey,
        key_id: KeyId,
        subscribers: Arc<Subscribers>,
        timeout_ms: u64,
    ) -> Result<Self, String> {
        let timeout = Duration::from_millis(timeout_ms);
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(timeout)
            .connect_timeout(timeout)
            .user_agent(concat!("tripline-bpp/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| format!("the HTTP client cannot be made: {error}"))?;
        Ok(Self { client, key, key_id, subscribers })
    }

    pub(super) async fn post(&self, due: &DueCallback) -> Attempt {
        let now = time::now();
        if !self.subscribers.vouch_for(&due.subscriber_id, &due.url, now) {
            return Attempt::Refused("the subscriber is not registered at this address now".into());
        }
        let created_s = now.unix_ms.div_euclid(1000);
        let expires_s = created_s + SIGNATURE_S;
        let authorization = sign(&due.body, &self.key, &self.key_id, created_s, expires_s);
        let sent = self
            .client
            .post(&due.url)
            .header(AUTHORIZATION, authorization)
            .header(CONTENT_TYPE, "application/json")
            .body(due.body.clone())
            .send()
            .await;
        match sent {
            Ok(response) => judge(response).await,
            Err(error) => Attempt::Later(without_url(error)),
        }
    }
}

async fn judge(response: reqwest::Response) -> Attempt {
    let status = response.status();
    let later = matches!(
        status,
        StatusCode::UNAUTHORIZED
            | StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_EARLY
            | StatusCode::TOO_MANY_REQUESTS
    );
    if later || status.is_server_error() {
        return Attempt::Later(format!("answered {status}"));
    }
    if !status.is_success() {
        return Attempt::Refused(format!("answered {status}"));
    }
    match read(response).await {
        Ok(body) if is_nack(&body) => Attempt::Refused("answered NACK".into()),
        Ok(_) => Attempt::Taken,
        Err(reason) => Attempt::Later(reason),
    }
}

/// The answer's body, bounded.
async fn read(mut response: reqwest::Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(without_url)? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_LEN_MAX {
            return Err(format!("answered more than {ANSWER_LEN_MAX} bytes"));
        }
    }
    Ok(body)
}

/// An error's words with its causes, and without the URL, which the log has already.
fn without_url(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text += &format!(": {inner}");
        cause = inner.source();
    }
    text
}
