//! `GET /metrics` and `GET /health`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use tracing::error;

use super::App;
use crate::service::Platform;
use crate::store::StoreError;

/// What [`crate::metrics::Metrics::text`] is.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) async fn metrics(State(app): State<App>) -> Response {
    // Other processes revoke and replay, so that the store knows how many. Without it the last count stands.
    if let Err(error) = count(&app.platform).await {
        error!(%error, "what the store holds cannot be counted");
    }
    ([(CONTENT_TYPE, OPEN_METRICS)], app.platform.metrics.text()).into_response()
}

async fn count(platform: &Platform) -> Result<(), StoreError> {
    let mut tx = platform.store.read().await?;
    let revoked = i64::try_from(tx.revoked_certificates().await?).unwrap_or(i64::MAX);
    platform.metrics.certificates_revoked.set(revoked);
    let callbacks = tx.callback_counts().await?;
    platform.metrics.callbacks_pending.set(callbacks.pending);
    platform.metrics.callbacks_dead.set(callbacks.dead);
    Ok(())
}

/// Well is who has a store to read.
pub(super) async fn health(State(app): State<App>) -> Response {
    match app.platform.store.read().await {
        Ok(_) => "ok\n".into_response(),
        Err(error) => {
            error!(%error, "not well: the store cannot be read");
            (StatusCode::SERVICE_UNAVAILABLE, "the store cannot be read\n").into_response()
        }
    }
}
