//! A refusal as HTTP has it: its status, what the sender may do about it, and when to come again.

use axum::Json;
use axum::http::header::{CONNECTION, PROXY_AUTHENTICATE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use tripline_protocol::signing::challenge;

use crate::beckn::{Fault, FaultKind, nack};

/// When to come again after too much at once, in s: every rate lets one through in a second.
pub(super) const RETRY_BUSY_S: u64 = 1;

/// When to come again while the registry cannot be asked or does not know us as we are, in s.
const RETRY_OUTAGE_S: u64 = 30;

/// Every status that a request is answered with, and what it means.
pub(super) const STATUSES: [(StatusCode, &str); 9] = [
    (StatusCode::OK, "Taken and stored (ACK), or refused for what it says (NACK)"),
    (StatusCode::BAD_REQUEST, "Not JSON, or not one that is read in one way only"),
    (StatusCode::UNAUTHORIZED, "It is not known who sent it, or which gateway passed it on"),
    (StatusCode::NOT_FOUND, "The action is not served"),
    (StatusCode::REQUEST_TIMEOUT, "The body did not come in its time, or not whole"),
    (StatusCode::PAYLOAD_TOO_LARGE, "The body is longer than any that is taken"),
    (StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body is encoded"),
    (StatusCode::TOO_MANY_REQUESTS, "More than the address or the subscriber may send"),
    (StatusCode::SERVICE_UNAVAILABLE, "It cannot be taken in now"),
];

/// The answer to a request that is refused. `realm` is our subscriber id.
pub(super) fn respond(fault: &Fault, realm: &str) -> Response {
    respond_with(fault, realm, Json(nack(fault)))
}

/// The same with another body.
pub(super) fn respond_with(fault: &Fault, realm: &str, body: impl IntoResponse) -> Response {
    let mut response = (status(fault.kind), body).into_response();
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
        | FaultKind::UnknownPromotion
        | FaultKind::TooFarAhead
        | FaultKind::Quantity
        | FaultKind::DropMissing
        | FaultKind::NoMatch
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
        | FaultKind::UnknownPromotion
        | FaultKind::TooFarAhead
        | FaultKind::Quantity
        | FaultKind::DropMissing
        | FaultKind::NoMatch
        | FaultKind::Payment
        | FaultKind::FormMissing
        | FaultKind::UnknownFulfillment
        | FaultKind::UnknownOrder
        | FaultKind::NotServed
        | FaultKind::MessageIdReused
        | FaultKind::Stale => {}
    }
}
