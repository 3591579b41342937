//! `GET /track/{token}`: the vehicle's position for whoever holds the ride's link, as JSON.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use jiff::Timestamp as Instant;
use serde_json::{Value, json};
use tracing::error;

use super::App;
use super::listener::Peer;
use super::nack::RETRY_BUSY_S;
use crate::domain::live::LivePosition;
use crate::service::Tracked;
use crate::time;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Extension(Peer(peer)): Extension<Peer>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Response {
    // One account with its requests: a link is guessed as little as a signature.
    if let Err(fault) = app.gate.count_address(peer, &headers) {
        let body = Json(json!({ "message": fault.message }));
        let retry = [(RETRY_AFTER, RETRY_BUSY_S)];
        return (StatusCode::TOO_MANY_REQUESTS, retry, body).into_response();
    }
    let (status, body) = match app.platform.tracked(&token).await {
        Ok(Tracked::Active(position)) => (StatusCode::OK, active(position)),
        Ok(Tracked::Over) => {
            (StatusCode::GONE, json!({ "status": "inactive", "message": "no ride is under way" }))
        }
        Ok(Tracked::Unknown) => (StatusCode::NOT_FOUND, json!({ "message": "no such link" })),
        Err(error) => {
            error!(%error, "tracking link not served");
            (StatusCode::SERVICE_UNAVAILABLE, json!({ "message": "try again" }))
        }
    };
    (status, [(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

fn active(position: Option<LivePosition>) -> Value {
    let location = position.map(|seen| {
        let at = Instant::from_millisecond(seen.live.at.unix_ms).unwrap_or(Instant::UNIX_EPOCH);
        json!({
            "gps": seen.live.position.to_string(),
            "at": at.to_string(),
            "age_ms": seen.age_ms(time::now()),
            "speed_mmps": seen.live.speed_mmps,
            "course_cdeg": seen.live.course_cdeg,
        })
    });
    json!({ "status": "active", "location": location })
}
