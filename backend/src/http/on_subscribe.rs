//! `POST {base}/on_subscribe`: the registry's challenge, which shows it that we hold the key that we
//! registered and live at the address that we gave.
//!
//! Anybody can post here, and nothing that comes in is believed. Nothing is signed. A challenge is read only
//! while a registration of ours is pending, only with that key and for the configured registry, and only so
//! often, and each address posts as often as it may send requests. What is counted are answers and not attempts: to make a challenge that can be read takes the
//! registry's private key, while garbage takes nothing and would use up the registry's turn. Whoever gets no
//! answer is not told why; our log says it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Request, State};
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json, Router};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tracing::{error, info, warn};
use tripline_protocol::unit::Timestamp;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::document::under;
use super::gate::Gate;
use super::listener::Peer;
use super::nack;
use crate::keys::challenge::ChallengeError;
use crate::keys::encryption::RegistryPublicKey;
use crate::keys::live::{self, LiveKeys};
use crate::metrics::Reason;
use crate::network::subscriber::normalized_id;
use crate::seldom::Seldom;
use crate::service::Platform;
use crate::store::StoreError;
use crate::time;

/// Largest body taken, in bytes. The longest challenge has a third of it.
pub const BODY_LEN_MAX: usize = 4 * 1024;

/// Longest time for a body, in ms.
const BODY_MS_MAX: u64 = 5_000;

/// Time between two words about posts that got no answer, for the same reason, in ms: anybody can cause them.
const WORD_MS: i64 = 60_000;

/// Challenges looked at at once, each of which asks the store: the registry sends one, and strangers are to
/// keep no connection of the store from those it is for.
const AT_ONCE_MAX: usize = 4;

/// What a registry posts. Some send more, of which nothing is needed.
#[derive(Debug, Deserialize, ToSchema)]
struct Posted {
    /// For whom it is
    subscriber_id: Option<String>,
    #[expect(dead_code, reason = "read so that it is of the right form")]
    status: Option<String>,
    /// What only we can read, in Base64
    challenge: String,
}

/// The answer to a challenge.
#[derive(Debug, Serialize, ToSchema)]
struct Answer {
    /// What stood in it
    answer: String,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// The body is not what a registry posts.
    #[error("the body is no challenge from line {line}, column {column} on")]
    Malformed {
        /// Where, from 1.
        line: usize,
        /// Where in it, from 1.
        column: usize,
    },
    /// The body ends before its end.
    #[error("the body did not come whole")]
    Broken,
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

/// What stands before the desk.
struct Counter {
    desk: ChallengeDesk,
    gate: Arc<Gate>,
    at_once: Semaphore,
    told: Seldom,
}

/// The route. The gate, which other requests pass too, counts addresses. `base` is the path of our registered
/// address, without a slash at its end.
pub fn router(desk: ChallengeDesk, gate: Arc<Gate>, base: &str) -> Router {
    routes(desk, gate, base).into()
}

/// The same, with its description.
pub fn routes(desk: ChallengeDesk, gate: Arc<Gate>, base: &str) -> OpenApiRouter {
    let at_once = Semaphore::new(AT_ONCE_MAX);
    let counter = Counter { desk, gate, at_once, told: Seldom::default() };
    OpenApiRouter::new()
        .routes(under(base, routes!(handle)))
        .layer(DefaultBodyLimit::max(BODY_LEN_MAX))
        .with_state(Arc::new(counter))
}

/// Answer the registry's challenge to a key of ours.
#[utoipa::path(post, path = "/on_subscribe", tag = "registry", request_body = Posted,
    responses(
        (status = 200, description = "What stood in the challenge", body = Answer),
        (status = 400, description = "The body is no challenge", body = Object),
        (status = 403, description = "This challenge is not answered", body = Object),
        (status = 408, description = "The body did not come in its time", body = Object),
        (status = 413, description = "The body is too long", body = Object),
        (status = 429, description = "Too many requests come from the address", body = Object),
        (status = 503, description = "Too many at once, or the store", body = Object)))]
async fn handle(
    State(counter): State<Arc<Counter>>,
    Extension(Peer(peer)): Extension<Peer>,
    request: Request,
) -> Response {
    let platform = &counter.desk.platform;
    let count = |outcome| {
        platform.metrics.challenges.get_or_create(&Reason { reason: outcome }).inc();
    };
    if let Err(fault) = counter.gate.count_address(peer, request.headers()) {
        count(fault.kind.code());
        return nack::respond(&fault, &platform.settings.identity.subscriber_id);
    }
    let answered = counter.answer(request).await;
    count(answered.as_ref().map_or_else(Unanswered::code, |_| "answered"));
    let response = match answered {
        Ok(answer) => Json(Answer { answer }).into_response(),
        Err(unanswered) => {
            counter.tell(&unanswered);
            unanswered.into_response()
        }
    };
    ([(CACHE_CONTROL, "no-store")], response).into_response()
}

impl Counter {
    async fn answer(&self, request: Request) -> Result<String, Unanswered> {
        let body = read(request).await?;
        let _place = self.at_once.try_acquire().map_err(|_| Unanswered::Busy)?;
        self.desk.answer(&body, time::now()).await
    }

    /// Nothing that was posted gets into the log, nor does each post.
    fn tell(&self, unanswered: &Unanswered) {
        let code = unanswered.code();
        if !self.told.is_due_of(code, time::now(), WORD_MS) {
            return;
        }
        if let Unanswered::Store(error) = unanswered {
            error!(code, %error, "challenge not answered");
        } else {
            warn!(code, reason = %unanswered, "challenge not answered");
        }
    }
}

/// The body, if it is small and comes in time.
async fn read(request: Request) -> Result<Bytes, Unanswered> {
    let deadline = Duration::from_millis(BODY_MS_MAX);
    let read = tokio::time::timeout(deadline, Bytes::from_request(request, &())).await;
    read.map_err(|_| Unanswered::TooSlow)?.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Unanswered::TooLarge,
        _ => Unanswered::Broken,
    })
}

impl ChallengeDesk {
    /// The answer to a posted challenge, counted before it is given.
    pub async fn answer(&self, body: &[u8], now: Timestamp) -> Result<String, Unanswered> {
        // Its words would quote the body.
        let malformed = |error: serde_json::Error| Unanswered::Malformed {
            line: error.line(),
            column: error.column(),
        };
        let posted: Posted = serde_json::from_slice(body).map_err(malformed)?;
        let registry = self.registry.as_ref().ok_or(Unanswered::NoRegistry)?;
        let named = posted.subscriber_id.filter(|id| !id.is_empty());
        if named.is_some_and(|id| normalized_id(&id) != self.keys.subscriber_id()) {
            return Err(Unanswered::Other);
        }
        let pending = self.platform.store.read().await?.pending_registrations(now).await?;
        let mut ring = self.keys.current();
        if pending.iter().any(|id| ring.key(id).is_err()) {
            // Registries send their challenge at once.
            ring = live::looked_up(&self.keys, now).await;
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
            Self::Malformed { .. } | Self::Broken => "malformed",
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
        let (status, message) = match self {
            Self::Malformed { .. } | Self::Broken => (
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
