//! What was answered before: a request under an `Idempotency-Key` has one effect however often it comes.
//!
//! The key is taken in the transaction of the verb, so that of two requests that come at once one waits for the
//! other. What was not carried out is not kept: it may be sent again under its key.

use std::sync::Arc;
use std::time::Duration;

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use tracing::error;
use tripline_protocol::unit::Timestamp;
use uuid::Uuid;

use super::problem::Problem;
use crate::operate::OperateError;
use crate::service::{Platform, ServiceError};
use crate::store::answer::PRUNED_AT_ONCE_MAX;
use crate::store::{StoreError, Tx};
use crate::time;

/// Longest key, in bytes: a UUID has 36.
pub(super) const IDEMPOTENCY_KEY_LEN_MAX: usize = 128;

/// How long an answer is kept, in ms: 24 hours.
const KEPT_MS: i64 = 24 * 3_600_000;

/// How often old answers are deleted, in s.
const FORGET_EVERY_S: u64 = 600;

/// Says that an answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// A key of a token, and what is asked under it.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) token: Uuid,
    pub(super) text: String,
    pub(super) digest: [u8; 32],
}

impl Key {
    /// Takes it; `false` if it was used before.
    pub(super) async fn claim(&self, tx: &mut Tx, now: Timestamp) -> Result<bool, StoreError> {
        tx.claim_answer(self.token, &self.text, &self.digest, now).await
    }

    /// Keeps what is answered, and its body if it may be kept.
    pub(super) async fn keep(
        &self,
        tx: &mut Tx,
        status: StatusCode,
        view: Option<&impl Serialize>,
    ) -> Result<(), OperateError> {
        let body = view.map(serde_json::to_string).transpose();
        let body = body.map_err(|error| ServiceError::Render(error.to_string()))?;
        Ok(tx.keep_answer(self.token, &self.text, status.as_u16(), body).await?)
    }

    /// What was answered then.
    pub(super) async fn answer(
        &self,
        tx: &mut Tx,
    ) -> Result<Result<Response, Problem>, StoreError> {
        let Some(answer) = tx.answer(self.token, &self.text).await? else {
            let row = format!("{} {}", self.token, self.text);
            return Err(StoreError::Conflict { table: "admin_answer", row });
        };
        if answer.digest != self.digest {
            let problem = "was used for another request; take a new one";
            return Ok(Err(Problem::invalid("Idempotency-Key", problem)));
        }
        let Some(body) = answer.body else {
            let detail =
                "this was carried out before; its answer held a secret, which is shown once";
            return Ok(Err(Problem::new(StatusCode::CONFLICT, "shown-once", detail)));
        };
        let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
        Ok(Ok(response))
    }
}

/// Forgets old answers, until the task is dropped.
pub async fn forget(platform: Arc<Platform>) {
    let mut tick = tokio::time::interval(Duration::from_secs(FORGET_EVERY_S));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if let Err(error) = forget_before(&platform, time::now().plus_ms(-KEPT_MS)).await {
            error!(%error, "old answers to operators could not be deleted");
        }
    }
}

async fn forget_before(platform: &Platform, before: Timestamp) -> Result<(), StoreError> {
    loop {
        let mut tx = platform.store.write().await?;
        let rows = tx.prune_answers(before).await?;
        tx.commit().await?;
        if rows < u64::from(PRUNED_AT_ONCE_MAX) {
            return Ok(());
        }
    }
}
