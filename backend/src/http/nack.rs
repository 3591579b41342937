//! A refusal as HTTP has it: its status, what the sender may do about it, and when to come again.

use axum::Json;
use axum::http::header::{CONNECTION, PROXY_AUTHENTICATE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use tripline_protocol::signing::challenge;

use crate::beckn::v0_9::nack;
use crate::beckn::{Fault, FaultKind};

/// When to come again after too much at once, in s: every rate lets one through in a second.
pub(super) const RETRY_BUSY_S: u64 = 1;

/// When to come again while the registry cannot be asked or does not know us as we are, in s.
const RETRY_OUTAGE_S: u64 = 30;

/// The answer to a request that is refused. `realm` is our subscriber id.
pub(super) fn respond(fault: &Fault, realm: &str) -> Response {
    let mut response = (status(fault.kind), Json(nack(fault))).into_response();
    add_headers(response.headers_mut(), fault.kind, realm);
    response
}

const fn status(kind: FaultKind) -> StatusCode {
    match kind {
        FaultKind::Json => StatusCode::BAD_REQUEST,
        FaultKind::Unsigned | FaultKind::GatewayUnsigned => StatusCode::UNAUTHORIZED,
        FaultKind::UnknownAction => StatusCode::NOT_FOUND,
        FaultKind::TooSlow => StatusCode::REQUEST_TIMEOUT,
        FaultKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        FaultKind::Encoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        FaultKind::TooOften => StatusCode::TOO_MANY_REQUESTS,
        FaultKind::Overload | FaultKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        FaultKind::Context
        | FaultKind::Schema
        | FaultKind::UnknownProvider
        | FaultKind::UnknownItem
        | FaultKind::DropMissing
        | FaultKind::Payment
        | FaultKind::FormMissing
        | FaultKind::UnknownFulfillment
        | FaultKind::UnknownOrder
        | FaultKind::NotServed
        | FaultKind::MessageIdReused
        | FaultKind::Stale => StatusCode::OK,
    }
}

fn add_headers(headers: &mut HeaderMap, kind: FaultKind, realm: &str) {
    let mut challenge_in = |name| {
        if let Ok(value) = HeaderValue::from_str(&challenge(realm)) {
            headers.insert(name, value);
        }
    };
    match kind {
        FaultKind::Unsigned => challenge_in(WWW_AUTHENTICATE),
        FaultKind::GatewayUnsigned => challenge_in(PROXY_AUTHENTICATE),
        FaultKind::TooOften | FaultKind::Overload => {
            headers.insert(RETRY_AFTER, RETRY_BUSY_S.into());
        }
        FaultKind::Unavailable => {
            headers.insert(RETRY_AFTER, RETRY_OUTAGE_S.into());
        }
        // The rest of the body would be taken for a request.
        FaultKind::TooSlow | FaultKind::TooLarge => {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        FaultKind::Json
        | FaultKind::UnknownAction
        | FaultKind::Encoding
        | FaultKind::Context
        | FaultKind::Schema
        | FaultKind::UnknownProvider
        | FaultKind::UnknownItem
        | FaultKind::DropMissing
        | FaultKind::Payment
        | FaultKind::FormMissing
        | FaultKind::UnknownFulfillment
        | FaultKind::UnknownOrder
        | FaultKind::NotServed
        | FaultKind::MessageIdReused
        | FaultKind::Stale => {}
    }
}
