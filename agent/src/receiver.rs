//! The receiver task: owns the serial port, opens it again when it vanishes, hands on its bytes.

use std::io;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;
use tokio_serial::{SerialPortBuilderExt as _, SerialStream};
use tracing::{info, warn};

use crate::config;
use crate::error::AgentError;

/// Bytes read at once.
const CHUNK_LEN: usize = 1024;

/// Chunks waiting for the engine; at 115200 baud this is over five seconds.
pub const CHUNKS_MAX: usize = 64;

/// Wait between two attempts to open the port, in ms.
const REOPEN_MS: u64 = 1_000;

/// What the receiver task tells the engine.
#[derive(Debug)]
pub enum Input {
    /// Bytes from the line.
    Bytes(Vec<u8>),
    /// The port was opened, for the first time or again.
    Opened,
    /// The port is gone.
    Closed,
}

/// Opens the port.
pub fn open(config: &config::Receiver) -> Result<SerialStream, AgentError> {
    let path = config.port.clone();
    if !path.exists() {
        return Err(AgentError::NoReceiver { path });
    }
    let name = path.to_string_lossy().into_owned();
    tokio_serial::new(name, config.baud)
        .open_native_async()
        .map_err(|error| AgentError::ReceiverRefused { path, reason: error.description })
}

/// Reads until the engine goes away. `port` is the one opened at start, if it was there.
pub async fn run(
    config: config::Receiver,
    mut port: Option<SerialStream>,
    engine: mpsc::Sender<Input>,
) {
    let mut told_missing = false;
    loop {
        match port.take() {
            Some(open) => {
                info!(port = %config.port.display(), baud = config.baud, "receiver open");
                told_missing = false;
                if engine.send(Input::Opened).await.is_err() {
                    return;
                }
                let reason = match read(open, &engine).await {
                    Ok(()) => return,
                    Err(error) => error,
                };
                warn!(port = %config.port.display(), %reason, "receiver gone; trying again");
                if engine.send(Input::Closed).await.is_err() {
                    return;
                }
            }
            None => match open(&config) {
                Ok(open) => {
                    port = Some(open);
                    continue;
                }
                Err(error) => {
                    if !told_missing {
                        warn!(%error, "receiver missing; trying again until it is back");
                        told_missing = true;
                    }
                }
            },
        }
        tokio::time::sleep(Duration::from_millis(REOPEN_MS)).await;
        if engine.is_closed() {
            return;
        }
    }
}

/// Reads until the port fails (`Err`) or the engine goes away (`Ok`).
async fn read(mut port: SerialStream, engine: &mpsc::Sender<Input>) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_LEN];
    loop {
        // A pseudo-terminal whose master is closed reads as an end of file.
        let len = port.read(&mut chunk).await?;
        let bytes = chunk.get(..len).unwrap_or_default();
        if bytes.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if engine.send(Input::Bytes(bytes.to_vec())).await.is_err() {
            return Ok(());
        }
    }
}
