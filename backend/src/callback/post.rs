//! One delivery attempt.

use std::sync::Arc;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, StatusCode};
use tripline_protocol::signing::sign;
use tripline_protocol::unit::Timestamp;

use crate::beckn::v0_9::is_nack;
use crate::keys::live::LiveKeys;
use crate::network::directory::{Directory, Look};
use crate::network::guard::Guard;
use crate::network::http::{builder, read, without_url};
use crate::network::subscriber::{Role, vouch_for};
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
    keys: Arc<LiveKeys>,
    directory: Arc<Directory>,
    guard: Guard,
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
        let client = builder(timeout_ms)
            .build()
            .map_err(|error| format!("the HTTP client cannot be made: {error}"))?;
        Ok(Self { client, keys, directory, guard })
    }

    pub(super) async fn post(&self, due: &DueCallback) -> Attempt {
        let now = time::now();
        if let Err(refused) = self.check(due, now).await {
            return refused;
        }
        let created_s = now.unix_ms.div_euclid(1000);
        let expires_s = created_s + SIGNATURE_S;
        let ring = self.keys.current();
        let key = ring.signing();
        let key_id = key.key_id(self.keys.subscriber_id());
        let authorization = sign(&due.body, &key.signing, &key_id, created_s, expires_s);
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

    /// Whether the callback may be sent where it is meant to go.
    async fn check(&self, due: &DueCallback, now: Timestamp) -> Result<(), Attempt> {
        self.guard.check(&due.url).map_err(|error| Attempt::Refused(error.to_string()))?;
        let id = &due.subscriber_id;
        let entries = self.directory.find(id, Role::Bap, Look::Cached, now).await;
        let entries = entries.map_err(|error| Attempt::Later(error.to_string()))?;
        if vouch_for(&entries, &due.url, now) {
            return Ok(());
        }
        Err(Attempt::Refused("the subscriber is not registered at this address now".into()))
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
    match read(response, ANSWER_LEN_MAX).await {
        Ok(body) if is_nack(&body) => Attempt::Refused("answered NACK".into()),
        Ok(_) => Attempt::Taken,
        Err(reason) => Attempt::Later(reason),
    }
}
