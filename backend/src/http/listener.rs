//! The HTTP accept loop: hyper with a timer, since `axum::serve` sets none and a slow client would
//! hold its connection for ever.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tracing::{debug, warn};

/// Connections at once.
const CONNECTIONS_MAX: usize = 1024;

/// Longest time for a request's head, in ms.
const HEAD_MS_MAX: u64 = 10_000;

/// Longest life of a connection, in ms: it bounds a body that drips in.
const CONNECTION_MS_MAX: u64 = 120_000;

/// Wait after a failed accept (out of file descriptors, mostly), in ms.
const ACCEPT_RETRY_MS: u64 = 100;

/// Serves until the task is dropped.
pub async fn run(listener: TcpListener, router: Router) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, peer)) => {
                let service = TowerToHyperService::new(router.clone());
                tokio::spawn(async move {
                    let connection = http1::Builder::new()
                        .timer(TokioTimer::new())
                        .header_read_timeout(Duration::from_millis(HEAD_MS_MAX))
                        .serve_connection(TokioIo::new(stream), service);
                    let life = Duration::from_millis(CONNECTION_MS_MAX);
                    if let Ok(Err(error)) = tokio::time::timeout(life, connection).await {
                        debug!(%peer, %error, "HTTP connection ended");
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                warn!(%error, "HTTP listener cannot accept");
                tokio::time::sleep(Duration::from_millis(ACCEPT_RETRY_MS)).await;
            }
        }
    }
}
