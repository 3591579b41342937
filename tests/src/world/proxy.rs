//! The network between vehicle and backend, with two verbs, cut and restore, and a width.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Bytes carried at once: a packet or so.
const CHUNK_LEN: usize = 1_500;

/// Wide enough to be no hindrance.
const BYTES_PER_S_MAX: u64 = 1_000_000_000;

/// A TCP proxy.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    open: watch::Sender<bool>,
    bytes_per_s: Arc<AtomicU64>,
}

impl Proxy {
    /// Starts a proxy to `target` on a free port.
    pub async fn start(target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (open, opened) = watch::channel(true);
        let bytes_per_s = Arc::new(AtomicU64::new(BYTES_PER_S_MAX));
        let width = Arc::clone(&bytes_per_s);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(carry(stream, target, opened.clone(), Arc::clone(&width)));
            }
        });
        Ok(Self { address, open, bytes_per_s })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends every connection and lets none through.
    pub fn cut(&self) {
        self.open.send_replace(false);
    }

    /// Lets connections through again.
    pub fn restore(&self) {
        self.open.send_replace(true);
    }

    /// Lets so many bytes a second from the vehicle to the backend, as a poor radio does.
    pub fn narrow(&self, bytes_per_s: u64) {
        self.bytes_per_s.store(bytes_per_s.max(1), Ordering::Relaxed);
    }
}

/// Carries one connection until either end closes it or the network is cut.
async fn carry(
    stream: TcpStream,
    target: SocketAddr,
    mut open: watch::Receiver<bool>,
    bytes_per_s: Arc<AtomicU64>,
) {
    if !*open.borrow_and_update() {
        return;
    }
    let Ok(onward) = TcpStream::connect(target).await else { return };
    let _ = (stream.set_nodelay(true), onward.set_nodelay(true));
    let ((from_vehicle, mut to_vehicle), (mut from_backend, to_backend)) =
        (stream.into_split(), onward.into_split());
    tokio::select! {
        _ = carry_up(from_vehicle, to_backend, &bytes_per_s) => {}
        _ = copy(&mut from_backend, &mut to_vehicle) => {}
        _ = open.wait_for(|open| !open) => {}
    }
}

async fn carry_up(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    bytes_per_s: &AtomicU64,
) -> io::Result<()> {
    let mut chunk = [0; CHUNK_LEN];
    loop {
        let len = from.read(&mut chunk).await?;
        if len == 0 {
            return Ok(());
        }
        let bytes_per_s = bytes_per_s.load(Ordering::Relaxed);
        if bytes_per_s < BYTES_PER_S_MAX {
            let taken_us = len as u64 * 1_000_000 / bytes_per_s;
            tokio::time::sleep(Duration::from_micros(taken_us)).await;
        }
        to.write_all(chunk.get(..len).unwrap_or_default()).await?;
    }
}
