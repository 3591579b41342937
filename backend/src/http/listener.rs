//! HTTP connections: hyper with a timer, since `axum::serve` sets none and a slow client would hold
//! its connection for ever.

use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::time::{Duration, Instant};

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tracing::debug;

use crate::listen::{self, Door, Entrance, Limits, descriptors};

/// What an HTTP listener admits. There is no limit for an address: behind a reverse proxy all of the
/// world is one.
pub const LIMITS: Limits = Limits {
    connections_max: descriptors::BESIDE_DEVICES_MAX,
    pending_max: descriptors::BESIDE_DEVICES_MAX,
    pending_per_address_max: descriptors::BESIDE_DEVICES_MAX,
    rate_per_address: None,
};

/// Longest time for a request's head, in ms.
const HEAD_MS_MAX: u64 = 10_000;

/// Largest request head, in bytes, and largest piece of a body in memory: a signature and what proxies add.
const HEAD_LEN_MAX: usize = 16 * 1024;

/// How long a connection is kept for further requests, in ms.
const CONNECTION_MS_MAX: u64 = 120_000;

/// How long the request that is under way then may take, in ms: it bounds a body that drips in.
const LAST_REQUEST_MS_MAX: u64 = 30_000;

/// Who is at the other end of a connection, for handlers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// Until when a connection lasts at the longest, for handlers whose answers have no end of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lasts(pub Instant);

/// What is left of a connection's time for the end of such an answer, in ms.
const END_MS: u64 = 5_000;

impl Lasts {
    fn from_now() -> Self {
        let life = Duration::from_millis(CONNECTION_MS_MAX);
        let last = Duration::from_millis(LAST_REQUEST_MS_MAX - END_MS);
        Self(Instant::now() + life + last)
    }
}

/// Serves until the task is dropped.
pub async fn run(listener: TcpListener, router: Router) {
    let serve = |stream, peer, entrance| connection(stream, peer, entrance, router.clone());
    let refused = |peer, refusal: listen::Refusal| {
        debug!(%peer, reason = refusal.code(), "HTTP connection refused");
    };
    listen::run(listener, Door::new(LIMITS), serve, refused).await;
}

/// Serves one connection. It is pending to its end: who asks is not known here, so that the oldest makes
/// room where there is none.
pub async fn connection<S>(stream: S, peer: SocketAddr, entrance: Entrance, router: Router)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let peer_address = Peer(peer.ip().to_canonical());
    let router = router.layer(Extension(peer_address)).layer(Extension(Lasts::from_now()));
    tokio::select! {
        () = entrance.evicted() => debug!(%peer, "HTTP connection made room for a newer one"),
        ended = serve(stream, router, Duration::from_millis(HEAD_MS_MAX)) => {
            if let Err(error) = ended {
                debug!(%peer, %error, "HTTP connection ended");
            }
        }
    }
}

/// Serves requests for as long as a connection lives. The last is finished. `head` is the longest time for a
/// request's head.
async fn serve<S>(stream: S, router: Router, head: Duration) -> Result<(), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .max_buf_size(HEAD_LEN_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    let life = Duration::from_millis(CONNECTION_MS_MAX);
    if let Ok(ended) = tokio::time::timeout(life, connection.as_mut()).await {
        return ended;
    }
    connection.as_mut().graceful_shutdown();
    let last = Duration::from_millis(LAST_REQUEST_MS_MAX);
    tokio::time::timeout(last, connection).await.unwrap_or(Ok(()))
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;
    use axum::routing::{get, post};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;

    /// What the other end says until it closes, to a peer that says this.
    async fn answer_to(said: &[u8], head: Duration) -> String {
        let (near, mut far) = tokio::io::duplex(1024);
        let router = Router::new().route("/", get(|| async { "here" }));
        let serving = tokio::spawn(serve(near, router, head));
        far.write_all(said).await.expect("sent");
        let mut answer = String::new();
        far.read_to_string(&mut answer).await.expect("closed");
        let _ = serving.await.expect("no panic");
        answer
    }

    #[tokio::test]
    async fn a_connection_without_a_whole_head_is_closed_when_its_time_is_over() {
        let head = Duration::from_millis(20);
        for said in ["", "G", "GET / HTTP/1.1\r\nhost: x\r\n"] {
            assert!(!answer_to(said.as_bytes(), head).await.contains("here"), "{said}");
        }
        let whole = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
        let answer = answer_to(whole.as_bytes(), head).await;
        assert!(answer.ends_with("here"), "and one that asks nothing more after it: {answer}");
    }

    #[tokio::test]
    async fn a_head_longer_than_any_is_refused_as_such() {
        let said = format!("GET / HTTP/1.1\r\nx: {}", "x".repeat(HEAD_LEN_MAX));
        let (near, mut far) = tokio::io::duplex(2 * HEAD_LEN_MAX);
        let serving = tokio::spawn(serve(near, Router::new(), Duration::from_mins(1)));
        far.write_all(said.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        far.read_to_string(&mut answer).await.expect("closed");
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
        let _ = serving.await.expect("no panic");
    }

    #[tokio::test]
    async fn silent_peers_and_bodies_that_never_come_make_room_for_whoever_asks() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let router = Router::new()
            .route("/", get(|| async { "here" }))
            .route("/body", post(|_: Bytes| async { "taken" }));
        let server = tokio::spawn(run(listener, router));
        let mut silent = Vec::new();
        for n in 0..LIMITS.connections_max + 100 {
            let mut peer = TcpStream::connect(address).await.expect("accepted");
            if n % 10 != 0 {
                let head = b"POST /body HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n";
                peer.write_all(head).await.expect("sent");
            }
            silent.push(peer);
        }
        let mut asking = TcpStream::connect(address).await.expect("accepted");
        asking
            .write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .await
            .expect("sent");
        let mut answer = String::new();
        asking.read_to_string(&mut answer).await.expect("answered");
        assert!(answer.ends_with("here"), "{answer}");
        // The first to come made room.
        let mut byte = [0];
        let first = silent.first_mut().expect("one");
        assert_eq!(first.read(&mut byte).await.expect("closed, not reset"), 0);
        server.abort();
    }
}
