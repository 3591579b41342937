//! A request's body: whole, within its length and its time, and as it is.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use bytes::BytesMut;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::beckn::{Fault, FaultKind};

/// Largest body taken, in bytes. A confirm with long addresses has a tenth of it.
pub const BODY_LEN_MAX: usize = 256 * 1024;

/// Longest time for a body to come in, in ms.
pub const BODY_MS_MAX: u64 = 10_000;

/// Why a body was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BodyError {
    /// Too long.
    #[error("the body is longer than {0} bytes")]
    TooLarge(usize),
    /// Too slow.
    #[error("the body did not come within {BODY_MS_MAX} ms")]
    TooSlow,
    /// Not whole.
    #[error("the body did not come to its end")]
    CutOff,
    /// Encoded, compressed for instance.
    #[error("an encoded body is not taken: what is signed are the bytes of the JSON itself")]
    Encoded,
}

impl From<BodyError> for Fault {
    fn from(error: BodyError) -> Self {
        let kind = match error {
            BodyError::TooLarge(_) => FaultKind::TooLarge,
            BodyError::TooSlow | BodyError::CutOff => FaultKind::TooSlow,
            BodyError::Encoded => FaultKind::Encoding,
        };
        Self::new(kind, error.to_string())
    }
}

/// Reads a body to its end.
pub(super) async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Fault> {
    Ok(read_up_to(headers, body, BODY_LEN_MAX).await?)
}

/// Reads a body of at most so many bytes to its end.
pub(super) async fn read_up_to(
    headers: &HeaderMap,
    body: Body,
    len_max: usize,
) -> Result<Bytes, BodyError> {
    check_head(headers, len_max)?;
    let whole = whole(Limited::new(body, len_max));
    match tokio::time::timeout(Duration::from_millis(BODY_MS_MAX), whole).await {
        Ok(Ok(body)) => Ok(body.freeze()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(BodyError::TooLarge(len_max)),
        Ok(Err(_)) => Err(BodyError::CutOff),
        Err(_) => Err(BodyError::TooSlow),
    }
}

/// A body in one piece from the beginning on: what comes in single bytes takes no more room than what comes
/// at once.
async fn whole<B>(mut body: B) -> Result<BytesMut, B::Error>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            whole.extend_from_slice(&data);
        }
    }
    Ok(whole)
}

/// A media type without its parameters, of which UTF-8 is the only one that ours would have.
pub(super) fn media_type(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let (media_type, parameters) = text.split_once(';').unwrap_or((text, ""));
    let parameters = parameters.trim().to_ascii_lowercase();
    let is_ours = matches!(&*parameters, "" | "charset=utf-8" | "charset=\"utf-8\"");
    is_ours.then(|| media_type.trim().to_ascii_lowercase())
}

/// What can be told before a byte of the body is there.
fn check_head(headers: &HeaderMap, len_max: usize) -> Result<(), BodyError> {
    let identity =
        |value: &axum::http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(CONTENT_ENCODING).iter().all(identity) {
        return Err(BodyError::Encoded);
    }
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let length: Option<u64> = length.and_then(|text| text.parse().ok());
    if length.is_some_and(|length| length > len_max as u64) {
        return Err(BodyError::TooLarge(len_max));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use hyper::body::Frame;

    use super::*;

    /// So many frames of one byte each.
    struct Bytewise(usize);

    impl HttpBody for Bytewise {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let Some(left) = self.0.checked_sub(1) else { return Poll::Ready(None) };
            self.0 = left;
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
        }
    }

    #[tokio::test]
    async fn a_body_in_single_bytes_takes_about_as_much_room_as_it_has_bytes() {
        let Ok(body) = whole(Bytewise(100_000)).await;
        assert_eq!(body, vec![b'x'; 100_000]);
        assert!(body.capacity() <= 2 * 100_000, "{}", body.capacity());
        let body = read(&HeaderMap::new(), Body::new(Bytewise(BODY_LEN_MAX))).await;
        assert_eq!(body.map(|body| body.len()), Ok(BODY_LEN_MAX));
        let body = read(&HeaderMap::new(), Body::new(Bytewise(BODY_LEN_MAX + 1))).await;
        assert_eq!(body.map_err(|fault| fault.kind), Err(FaultKind::TooLarge));
    }
}
