//! A body that goes out piece by piece and says how far it is.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::watch;

/// A piece, in bytes: small enough that a slow line shows that it moves.
const PIECE_LEN: usize = 64 * 1024;

/// The bytes, and who hears how many of them have gone out.
#[derive(Debug)]
pub(super) struct Pieces {
    rest: Bytes,
    sent: u64,
    told: watch::Sender<u64>,
}

impl Pieces {
    /// All of it is still to be sent. `told` is dropped when all of it is gone.
    pub(super) fn new(bytes: Vec<u8>, told: watch::Sender<u64>) -> Self {
        Self { rest: bytes.into(), sent: 0, told }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let len = self.rest.len().min(PIECE_LEN);
        let piece = self.rest.split_to(len);
        self.sent += len as u64;
        let _ = self.told.send(self.sent);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}
