//! `POST {base}/on_subscribe`: the registry's challenge, which shows it that we hold the key that we
//! registered and live at the address that we gave.
//!
//! Anybody can post here, and nothing that comes in is believed. Nothing is signed. A challenge is read only
//! while a registration of ours is pending, only with that key and for the configured registry, and only so
//! often. What is counted are answers and not attempts: to make a challenge that can be read takes the
//! registry's private key, while garbage takes nothing and would use up the registry's turn. Whoever gets no
//! answer is not told why; our log says it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Request, State};
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tracing::{error, info, warn};
use tripline_protocol::unit::Timestamp;

use crate::keys::challenge::ChallengeError;
use crate::keys::encryption::RegistryPublicKey;
use crate::keys::live::{self, LiveKeys};
use crate::metrics::Reason;
use crate::network::subscriber::normalized_id;
use crate::service::Platform;
use crate::store::StoreError;
use crate::time;

/// Largest body taken, in bytes. The longest challenge has a third of it.
pub const BODY_LEN_MAX: usize = 4 * 1024;

/// Longest time for a body, in ms.
const BODY_MS_MAX: u64 = 5_000;

/// Challenges looked at at once, each of which asks the store: the registry sends one, and strangers are to
/// keep no connection of the store from those it is for.
const AT_ONCE_MAX: usize = 4;

/// What a registry posts. Some send more, of which nothing is needed.
#[derive(Debug, Deserialize)]
struct Posted {
    subscriber_id: Option<String>,
    #[expect(dead_code, reason = "read so that it is of the right form")]
    status: Option<String>,
    challenge: String,
}

/// The answer to a challenge.
#[derive(Debug, Serialize)]
struct Answer {
    answer: String,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// The body is not what a registry posts.
    #[error("the body: {0}")]
    Malformed(String),
    /// The body is too large.
    #[error("the body is longer than {BODY_LEN_MAX} bytes")]
    TooLarge,
    /// The body does not come.
    #[error("the body was not there within {BODY_MS_MAX} ms")]
    TooSlow,
    /// No registry's key is configured.
    #[error("[registry] encryption_public_key is not set")]
    NoRegistry,
    /// Meant for somebody else.
    #[error("it is for another subscriber")]
    Other,
    /// No registration of ours waits for it.
    #[error("no registration of ours is pending")]
    NotPending,
    /// It cannot be read with the key of any that does.
    #[error("{0}")]
    Unreadable(ChallengeError),
    /// Too many at once.
    #[error("too many challenges at once")]
    Busy,
    /// The store.
    #[error("the store: {0}")]
    Store(#[from] StoreError),
}

/// Who answers challenges.
#[derive(Debug)]
pub struct ChallengeDesk {
    /// The platform.
    pub platform: Arc<Platform>,
    /// Our keys.
    pub keys: Arc<LiveKeys>,
    /// Whose challenges are read; nobody's if not set.
    pub registry: Option<RegistryPublicKey>,
}

/// The route. `base` is the path of our registered address, without a slash at its end.
pub fn router(desk: ChallengeDesk, base: &str) -> Router {
    let desk = (Arc::new(desk), Arc::new(Semaphore::new(AT_ONCE_MAX)));
    Router::new()
        .route(&format!("{base}/on_subscribe"), post(handle))
        .layer(DefaultBodyLimit::max(BODY_LEN_MAX))
        .with_state(desk)
}

async fn handle(
    State((desk, at_once)): State<(Arc<ChallengeDesk>, Arc<Semaphore>)>,
    request: Request,
) -> Response {
    let answered = match (read(request).await, at_once.try_acquire()) {
        (Ok(body), Ok(_permit)) => desk.answer(&body, time::now()).await,
        (Ok(_), Err(_)) => Err(Unanswered::Busy),
        (Err(unread), _) => Err(unread),
    };
    let outcome = answered.as_ref().map_or_else(Unanswered::code, |_| "answered");
    let challenges = &desk.platform.metrics.challenges;
    challenges.get_or_create(&Reason { reason: outcome }).inc();
    let response = match answered {
        Ok(answer) => Json(Answer { answer }).into_response(),
        Err(unanswered) => unanswered.into_response(),
    };
    ([(CACHE_CONTROL, "no-store")], response).into_response()
}

/// The body, if it is small and comes in time.
async fn read(request: Request) -> Result<Bytes, Unanswered> {
    let deadline = Duration::from_millis(BODY_MS_MAX);
    let read = tokio::time::timeout(deadline, Bytes::from_request(request, &())).await;
    read.map_err(|_| Unanswered::TooSlow)?.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Unanswered::TooLarge,
        _ => Unanswered::Malformed(rejection.body_text()),
    })
}

impl ChallengeDesk {
    /// The answer to a posted challenge, counted before it is given.
    pub async fn answer(&self, body: &[u8], now: Timestamp) -> Result<String, Unanswered> {
        let posted: Posted = serde_json::from_slice(body)
            .map_err(|error| Unanswered::Malformed(error.to_string()))?;
        let registry = self.registry.as_ref().ok_or(Unanswered::NoRegistry)?;
        let named = posted.subscriber_id.filter(|id| !id.is_empty());
        if named.is_some_and(|id| normalized_id(&id) != self.keys.subscriber_id()) {
            return Err(Unanswered::Other);
        }
        let pending = self.platform.store.read().await?.pending_registrations(now).await?;
        let mut ring = self.keys.current();
        if pending.iter().any(|id| ring.key(id).is_err()) {
            // Registries send their challenge at once.
            ring = live::looked_up(&self.keys).await;
        }
        let mut why = Unanswered::NotPending;
        for key in pending.iter().filter_map(|id| ring.key(id).ok()) {
            match key.encryption.read_challenge(registry, &posted.challenge) {
                Ok(answer) if self.may_answer(&key.unique_key_id, now).await? => {
                    info!(key = key.unique_key_id, "challenge of the registry answered");
                    return Ok(answer);
                }
                Ok(_) => {}
                Err(error) => why = Unanswered::Unreadable(error),
            }
        }
        Err(why)
    }

    async fn may_answer(&self, unique_key_id: &str, now: Timestamp) -> Result<bool, StoreError> {
        let mut tx = self.platform.store.write().await?;
        let may = tx.count_answer(unique_key_id, now).await?;
        tx.commit().await?;
        Ok(may)
    }
}

impl Unanswered {
    /// A short fixed word for it.
    const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::TooLarge => "too-large",
            Self::TooSlow => "too-slow",
            Self::NoRegistry => "no-registry",
            Self::Other => "other-subscriber",
            Self::NotPending => "not-pending",
            Self::Unreadable(_) => "unreadable",
            Self::Busy => "busy",
            Self::Store(_) => "store",
        }
    }
}

impl IntoResponse for Unanswered {
    fn into_response(self) -> Response {
        if let Self::Store(error) = &self {
            error!(%error, "challenge not answered");
        } else {
            warn!(reason = %self, "challenge not answered");
        }
        let (status, message) = match self {
            Self::Malformed(_) => (
                StatusCode::BAD_REQUEST,
                "the body must be JSON with a challenge, which is a text, and perhaps a \
                 subscriber_id and a status"
                    .into(),
            ),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, self.to_string()),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, self.to_string()),
            // One text for all, from which nobody learns how near he was.
            Self::NoRegistry | Self::Other | Self::NotPending | Self::Unreadable(_) => {
                (StatusCode::FORBIDDEN, "this challenge is not answered".to_owned())
            }
            Self::Busy | Self::Store(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "try again in some seconds".into())
            }
        };
        (status, Json(serde_json::json!({ "error": { "message": message } }))).into_response()
    }
}
