//! The endpoint of callbacks: examined, noted, then treated as the behavior says.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;
use tripline_protocol::signing::{self, SignatureHeader};

use super::{Behavior, Desk, Entry, PATH};
use crate::schema;
use crate::server::HangUp;

/// Longest body taken, in bytes; a callback has a few thousand.
const BODY_LEN_MAX: usize = 1 << 20;

/// How long a silent platform keeps a connection: longer than any sender waits.
const SILENCE_MAX: Duration = Duration::from_mins(1);

pub(super) fn router(desk: Arc<Desk>) -> Router {
    Router::new()
        .route(&format!("{PATH}/{{action}}"), post(receive))
        .layer(DefaultBodyLimit::max(BODY_LEN_MAX))
        .with_state(desk)
}

async fn receive(
    State(desk): State<Arc<Desk>>,
    Path(action): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut behavior = desk.behavior.subscribe();
    let set = *behavior.borrow_and_update();
    let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let entry = examine(&desk, set, action, authorization, &body);
    desk.ledger.add(entry.clone());
    match entry.answered {
        Behavior::Ack => Json(json!({ "message": { "ack": { "status": "ACK" } } })).into_response(),
        Behavior::Nack => nack(&desk, &entry),
        Behavior::Error500 => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Behavior::Silent => {
            keep_silent(behavior).await;
            HangUp.into_response()
        }
        Behavior::Unreachable => HangUp.into_response(),
    }
}

/// Waits for another behavior, but not for ever.
async fn keep_silent(mut behavior: watch::Receiver<Behavior>) {
    let changed = behavior.wait_for(|set| *set != Behavior::Silent);
    let _ = tokio::time::timeout(SILENCE_MAX, changed).await;
}

/// What came, and what is to be done with it.
fn examine(
    desk: &Desk,
    set: Behavior,
    action: String,
    authorization: Option<&str>,
    bytes: &Bytes,
) -> Entry {
    let now = Timestamp::now();
    let body = serde_json::from_slice(bytes)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(bytes).into_owned()));
    let signature = check_signature(desk, authorization, bytes, now);
    let signature_valid = signature.is_ok();
    let checked = signature.and_then(|()| check_context(desk, &action, &body));
    let checked = checked.and_then(|()| check_content(&action, &body));
    let fault = checked.err().map(|error| format!("{error:#}"));
    let refused = set == Behavior::Ack && fault.is_some();
    let answered = if refused { Behavior::Nack } else { set };
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    Entry {
        at_unix_ms: now.as_millisecond(),
        action,
        order_id: text("/message/order/id"),
        message_id: text("/context/message_id").unwrap_or_default(),
        bytes: bytes.clone(),
        signed: authorization.and_then(|header| SignatureHeader::parse(header).ok()),
        signature_valid,
        fault,
        answered,
        body,
    }
}

/// The BPP, and nobody else, must have signed these very bytes.
fn check_signature(
    desk: &Desk,
    authorization: Option<&str>,
    body: &[u8],
    now: Timestamp,
) -> anyhow::Result<()> {
    let header = authorization.context("there is no Authorization header")?;
    let header = SignatureHeader::parse(header)?;
    let key = desk.keys.of_bpp(&desk.bpp.subscriber_id, &header.key_id)?;
    Ok(signing::verify(&header, body, &key, now.as_second())?)
}

/// The frame must be this action's, from the BPP, for us.
fn check_context(desk: &Desk, action: &str, body: &Value) -> anyhow::Result<()> {
    let context = body.get("context").context("the body is no JSON object with a context")?;
    let text = |name: &str| context.get(name).and_then(Value::as_str).unwrap_or_default();
    let expected =
        [("action", action), ("bap_id", &desk.subscriber_id), ("bpp_id", &desk.bpp.subscriber_id)];
    for (name, value) in expected {
        ensure!(text(name) == value, "context.{name} is {:?}, not {value:?}", text(name));
    }
    ensure!(!text("message_id").is_empty(), "context.message_id is missing");
    Ok(())
}

/// What is said must be what the specification says, and what we hold ourselves to beyond it.
fn check_content(action: &str, body: &Value) -> anyhow::Result<()> {
    let faults = schema::faults(action, body);
    ensure!(faults.is_empty(), "{action} is not as specified: {}", faults.join("; "));
    Ok(())
}

/// A refusal: for the sender, for the content, or because it was set.
fn nack(desk: &Desk, entry: &Entry) -> Response {
    let message = entry.fault.as_deref().unwrap_or("callbacks are refused at the moment");
    let body = Json(json!({
        "message": { "ack": { "status": "NACK" } },
        "error": { "type": "CORE-ERROR", "code": "30000", "message": message },
    }));
    if !entry.signature_valid {
        let challenge = signing::challenge(&desk.subscriber_id);
        return (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, challenge)], body).into_response();
    }
    let status = if entry.fault.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    (status, body).into_response()
}
