//! `GET /receipt/{token}.txt` and `.pdf`: what a ride cost, for whoever holds the receipt's link.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
    RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use tracing::error;

use super::App;
use super::listener::Peer;
use super::nack::RETRY_BUSY_S;

/// What every answer says: keep it nowhere, take it for what it says it is, run and load nothing, tell nobody
/// the address, list it nowhere.
const STRICT: [(HeaderName, &str); 5] = [
    (CACHE_CONTROL, "no-store"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'; sandbox"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
];

/// What a receipt is asked for as.
#[derive(Clone, Copy)]
enum Form {
    Text,
    Pdf,
}

/// Show what a ride cost to whoever has its receipt's link.
#[utoipa::path(get, path = "/receipt/{file}", tag = "rider",
    params(("file" = String, Path, description = "The capability with `.txt` or `.pdf` behind it")),
    responses(
        (status = 200, description = "The receipt", content(
            (String = "text/plain"), (Vec<u8> = "application/pdf"))),
        (status = 404, description = "No such receipt, or none yet", body = String),
        (status = 429, description = "Too many requests come from the address",
            headers(("Retry-After" = u64, description = "In s")), body = String),
        (status = 503, description = "The store", body = String)))]
pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Extension(Peer(peer)): Extension<Peer>,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Response {
    // One account with its requests: a link is guessed as little as a signature.
    if let Err(fault) = app.gate.count_address(peer, &headers) {
        let retry = [(RETRY_AFTER, RETRY_BUSY_S)];
        return (StatusCode::TOO_MANY_REQUESTS, STRICT, retry, fault.message).into_response();
    }
    let form = |ending, form| file.strip_suffix(ending).map(|token| (token, form));
    let Some((token, form)) = form(".txt", Form::Text).or_else(|| form(".pdf", Form::Pdf)) else {
        return said(StatusCode::NOT_FOUND, "no such receipt\n");
    };
    match app.platform.receipt(token).await {
        Ok(Some(receipt)) => match form {
            Form::Text => {
                let kind = [(CONTENT_TYPE, "text/plain; charset=utf-8")];
                (STRICT, kind, receipt.text()).into_response()
            }
            Form::Pdf => {
                let kind = [
                    (CONTENT_TYPE, "application/pdf"),
                    (CONTENT_DISPOSITION, "inline; filename=\"receipt.pdf\""),
                ];
                (STRICT, kind, receipt.pdf()).into_response()
            }
        },
        Ok(None) => said(StatusCode::NOT_FOUND, "no such receipt\n"),
        Err(error) => {
            error!(%error, "receipt not served");
            said(StatusCode::SERVICE_UNAVAILABLE, "try again\n")
        }
    }
}

fn said(status: StatusCode, what: &'static str) -> Response {
    (status, STRICT, what).into_response()
}
