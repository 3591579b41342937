//! The listener of a stub and its connections, until the last handle is gone.
//!
//! `axum::serve` always answers. A stub that dies between request and answer needs its own loop, where a
//! connection can be closed with nothing said; and it must be able to come back where others know it.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use axum::Router;
use axum::response::{IntoResponse, Response};
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

/// How long a client may take for a request's head.
const HEAD_READ_MAX: Duration = Duration::from_secs(10);

/// How long to wait after a failed `accept`, most likely for want of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// Marks a response that is not to be sent: the connection is closed in its stead.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HangUp;

impl IntoResponse for HangUp {
    fn into_response(self) -> Response {
        let mut response = Response::default();
        response.extensions_mut().insert(self);
        response
    }
}

/// Binds, at a port of the system's choice if the address has port 0.
pub(crate) async fn bind(listen: SocketAddr) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener =
        TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// A server at one address, running or not. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    router: Router,
    running: Mutex<Option<watch::Sender<bool>>>,
}

impl Server {
    pub(crate) fn start(listener: TcpListener, address: SocketAddr, router: Router) -> Self {
        let running = Mutex::new(Some(run(listener, router.clone())));
        Self { address, router, running }
    }

    /// Ends it; when this returns, nothing is answered any more and the port is free.
    pub(crate) async fn stop(&self) {
        if let Some(stop) = self.running.lock().await.take() {
            stop.send_replace(true);
            stop.closed().await;
        }
    }

    /// Listens again at the address it had. One that runs is left alone.
    pub(crate) async fn start_again(&self) -> anyhow::Result<()> {
        let mut running = self.running.lock().await;
        if running.is_none() {
            let (listener, _) = bind(self.address).await?;
            *running = Some(run(listener, self.router.clone()));
        }
        Ok(())
    }
}

fn run(listener: TcpListener, router: Router) -> watch::Sender<bool> {
    let (stop, stopping) = watch::channel(false);
    tokio::spawn(serve(stopping, listener, router));
    stop
}

/// `stopping` is dropped last, which is how [`Server::stop`] knows that all is closed.
async fn serve(mut stopping: watch::Receiver<bool>, listener: TcpListener, router: Router) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            // An error means that the server was dropped.
            _ = stopping.changed() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(converse(stream, router.clone()));
                }
                Err(_) => tokio::time::sleep(ACCEPT_RETRY).await,
            },
        }
    }
    drop(listener);
    connections.shutdown().await;
}

/// Serves one connection. How it ends is the peer's affair, or the behavior that was set.
async fn converse(stream: TcpStream, router: Router) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request| {
        let answer = router.call(request);
        async move {
            let Ok(response) = answer.await;
            match response.extensions().get::<HangUp>() {
                Some(HangUp) => Err(anyhow!("closed without an answer")),
                None => Ok(response),
            }
        }
    });
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_READ_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
