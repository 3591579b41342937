//! A request's body: whole, within its length and its time, and as it is.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::beckn::{Fault, FaultKind};

/// Largest body taken, in bytes. A confirm with long addresses has a tenth of it.
pub const BODY_LEN_MAX: usize = 256 * 1024;

/// Longest time for a body to come in, in ms.
pub const BODY_MS_MAX: u64 = 10_000;

/// Reads a body to its end.
pub(super) async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Fault> {
    check_head(headers)?;
    let whole = Limited::new(body, BODY_LEN_MAX).collect();
    match tokio::time::timeout(Duration::from_millis(BODY_MS_MAX), whole).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Fault::new(FaultKind::TooSlow, "the body did not come to its end")),
        Err(_) => {
            let message = format!("the body did not come within {BODY_MS_MAX} ms");
            Err(Fault::new(FaultKind::TooSlow, message))
        }
    }
}

/// What can be told before a byte of the body is there.
fn check_head(headers: &HeaderMap) -> Result<(), Fault> {
    let identity =
        |value: &axum::http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(CONTENT_ENCODING).iter().all(identity) {
        let message =
            "an encoded body is not taken: what is signed are the bytes of the JSON itself";
        return Err(Fault::new(FaultKind::Encoding, message));
    }
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let length: Option<u64> = length.and_then(|text| text.parse().ok());
    if length.is_some_and(|length| length > BODY_LEN_MAX as u64) {
        return Err(too_large());
    }
    Ok(())
}

fn too_large() -> Fault {
    Fault::new(FaultKind::TooLarge, format!("the body is longer than {BODY_LEN_MAX} bytes"))
}
