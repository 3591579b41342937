//! `POST /lookup`, and the answers that lie.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Json;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::response::{IntoResponse as _, Response};
use hyper::body::Frame;
use serde_json::{Value, json};
use tripline_protocol::signing::SecretKey;

use super::book::text;
use super::{Behavior, Desk, Lie, TRUTH_PATH};

/// A piece of the list that never ends.
const PIECE: &[u8] = &[b' '; 8192];

/// Where nobody is: a reserved name (RFC 6761).
const NOWHERE: &str = "http://elsewhere.invalid/beckn";

/// The seed of a key that signs nothing in any test.
const NOBODYS_SEED: [u8; 32] = [0xAB; 32];

pub(super) async fn handle(State(desk): State<Arc<Desk>>, body: Bytes) -> Response {
    let asked: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    desk.note_lookup(&asked);
    match desk.treat().await {
        Ok(Behavior::Lying(lie)) => tell_lie(&desk, lie, &asked),
        Ok(Behavior::Honest | Behavior::Slow(_) | Behavior::Silent | Behavior::Error500) => {
            tell_truth(&desk, &asked)
        }
        Err(refusal) => refusal,
    }
}

/// Where a redirect leads.
pub(super) async fn handle_truth(State(desk): State<Arc<Desk>>, body: Bytes) -> Response {
    desk.note_redirected();
    let asked = serde_json::from_slice(&body).unwrap_or(Value::Null);
    tell_truth(&desk, &asked)
}

fn tell_truth(desk: &Desk, asked: &Value) -> Response {
    if !asked.is_object() {
        return (StatusCode::BAD_REQUEST, "a lookup is a JSON object\n").into_response();
    }
    Json(desk.book().find(asked)).into_response()
}

fn tell_lie(desk: &Desk, lie: Lie, asked: &Value) -> Response {
    let entries = desk.book().find(asked);
    let changed = |key: &str, value: String| {
        let change = |mut entry: Value| {
            entry[key] = json!(value);
            entry
        };
        Json(entries.iter().cloned().map(change).collect::<Vec<_>>()).into_response()
    };
    match lie {
        Lie::AnotherSubscriber => {
            let id = text(asked, "subscriber_id");
            let mut others = desk.book().entries().to_vec();
            others.retain(|entry| text(entry, "subscriber_id") != id);
            Json(others).into_response()
        }
        Lie::AnotherKey => {
            let key = SecretKey::from_seed(&NOBODYS_SEED).public();
            changed("signing_public_key", key.to_string())
        }
        Lie::AnotherUrl => changed("subscriber_url", NOWHERE.into()),
        Lie::NotJson => {
            ([(CONTENT_TYPE, "text/html")], "<html>Welcome to the registry!</html>").into_response()
        }
        Lie::Endless => ([(CONTENT_TYPE, "application/json")], Body::new(Endless)).into_response(),
        Lie::Redirect => {
            let onward = format!("{}{TRUTH_PATH}", desk.url);
            (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, onward)]).into_response()
        }
    }
}

/// A body that goes on for as long as somebody reads it.
struct Endless;

impl HttpBody for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(PIECE)))))
    }
}
