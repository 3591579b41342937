//! Accepts devices.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tracing::warn;

use super::connection;
use super::ingest::Submitted;
use crate::identity::live::TlsSource;
use crate::service::Platform;

/// Connections at once.
const CONNECTIONS_MAX: usize = 10_000;

/// Wait after a failed accept (out of file descriptors, mostly), in ms.
const ACCEPT_RETRY_MS: u64 = 100;

/// Accepts until the task is dropped.
pub async fn run(
    listener: TcpListener,
    tls: TlsSource,
    platform: Arc<Platform>,
    ingest: mpsc::Sender<Submitted>,
) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, peer)) => {
                let (platform, ingest) = (Arc::clone(&platform), ingest.clone());
                let tls = tls.current();
                tokio::spawn(async move {
                    connection::serve(stream, tls, peer, platform, ingest).await;
                    drop(permit);
                });
            }
            Err(error) => {
                warn!(%error, "device listener cannot accept");
                tokio::time::sleep(Duration::from_millis(ACCEPT_RETRY_MS)).await;
            }
        }
    }
}
