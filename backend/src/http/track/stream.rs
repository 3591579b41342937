//! A ride as a stream of server-sent events.
//!
//! An event has the same JSON as the link's answer, and an id. `over` and `changed` are the last of a stream.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::Frame;
use serde::Serialize;
use tokio::sync::mpsc;

use super::view::{NothingView, RideView};
use super::{CHANGED, OVER};
use crate::service::track::{Seen, Watch};
use crate::time;

/// Longest stream, in ms. A client begins another by itself.
pub const STREAM_MS_MAX: u64 = 115_000;

/// Longest silence in a stream, in ms: proxies take a silent connection for a dead one after 60 s.
const HEARTBEAT_MS: u64 = 15_000;

/// What a stream begins with: how soon a client begins another after its end, in ms.
const BEGINNING: &[u8] = b"retry: 1000\n\n";

/// A comment, which no client shows.
const HEARTBEAT: &[u8] = b": \n\n";

/// Pieces that wait for a slow client. Whatever is newer waits in the watch, where it is one.
const PIECES_MAX: usize = 1;

/// The pieces of a stream, as they are made.
struct Pieces(mpsc::Receiver<Bytes>);

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// The stream of a watcher, which ends at `until` at the latest.
pub(super) fn stream(watch: Watch, until: Instant) -> Body {
    let (pieces, received) = mpsc::channel(PIECES_MAX);
    tokio::spawn(async move {
        tokio::select! {
            _ = tell(watch, &pieces) => {}
            () = pieces.closed() => {}
            () = tokio::time::sleep_until(until.into()) => {}
        }
    });
    Body::new(Pieces(received))
}

/// Tells what there is to see until there is nothing more to see, or nobody who listens.
async fn tell(mut watch: Watch, pieces: &mpsc::Sender<Bytes>) -> Option<()> {
    pieces.send(Bytes::from_static(BEGINNING)).await.ok()?;
    loop {
        let (event, is_last) = event(&watch.look());
        pieces.send(event.into()).await.ok()?;
        if is_last {
            return None;
        }
        let silence = Duration::from_millis(HEARTBEAT_MS);
        loop {
            match tokio::time::timeout(silence, watch.changed()).await {
                Ok(true) => break,
                Ok(false) => return None,
                Err(_) => pieces.send(Bytes::from_static(HEARTBEAT)).await.ok()?,
            }
        }
    }
}

/// An event, and whether it is the last.
fn event(seen: &Seen) -> (String, bool) {
    match seen {
        Seen::Ride(shown) => {
            let received = shown.position.map_or(0, |seen| seen.received_at.unix_ms);
            let id = format!("id: {}.{received}\n", shown.version);
            (written(&id, &RideView::of(shown, time::now())), false)
        }
        Seen::Changed => (written("event: changed\n", &NothingView::of_ride(CHANGED)), true),
        Seen::Over => (written("event: over\n", &NothingView::of_ride(OVER)), true),
    }
}

fn written(head: &str, view: &impl Serialize) -> String {
    // JSON on one line: a break in a text is escaped in it.
    let data = serde_json::to_string(view).unwrap_or_default();
    format!("{head}data: {data}\n\n")
}
