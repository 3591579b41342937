//! Around every request: its id, its line in the log, and what every answer says.

use std::time::Instant;

use axum::extract::Request;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tracing::{debug, info};

use super::admission::Admitted;
use super::problem::Problem;
use crate::chance;

/// By which both sides find a request in their logs.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id that is taken from whoever asks, in bytes: a UUID has 36.
const REQUEST_ID_LEN_MAX: usize = 64;

/// Answers with the request's id, and so that nobody keeps the answer: it may hold drivers' phones.
pub(super) async fn around(request: Request, next: Next) -> Response {
    let id = asked_id(request.headers()).unwrap_or_else(made_id);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let began = Instant::now();
    let mut response = next.run(request).await;
    let (status, ms) = (response.status().as_u16(), began.elapsed().as_millis());
    let request_id = id.to_str().unwrap_or_default();
    // Never the query or a header: tokens and what is looked for are in them.
    if let Some(Admitted { actor, .. }) = response.extensions().get().filter(|_| !method.is_safe())
    {
        info!(request_id, actor = %actor.name, %method, path, status, ms, "an operator's request");
    } else {
        debug!(request_id, %method, path, status, ms, "admin request");
    }
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The id that was sent, if it is one that can stand in a log.
fn asked_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let id = headers.get(REQUEST_ID)?;
    let bytes = id.as_bytes();
    let is_id = (1..=REQUEST_ID_LEN_MAX).contains(&bytes.len()) && bytes.iter().all(fits);
    is_id.then(|| id.clone())
}

fn made_id() -> HeaderValue {
    let id = chance::uuid().map(|id| id.to_string()).unwrap_or_default();
    HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static(""))
}

pub(super) async fn not_found() -> Response {
    let detail = "there is nothing at this path; GET /v1/openapi.json tells what there is";
    Problem::new(StatusCode::NOT_FOUND, "no-route", detail).into_response()
}

pub(super) async fn method_not_allowed() -> Response {
    let detail = "this path does not take this method; the Allow header has those it takes";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "no-method", detail).into_response()
}
