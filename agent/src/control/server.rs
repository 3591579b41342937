//! The server side of local control: accepts, reads one line, asks the engine, answers.

use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tracing::warn;

use super::message::{REQUEST_LEN_MAX, Request, Response};
use crate::error::AgentError;

/// Connections at once; a panel, a person and a few scripts.
const CONNECTIONS_MAX: usize = 16;

/// A connection that says nothing for so long is closed, in ms.
const IDLE_MS_MAX: u64 = 60_000;

/// A request and where its answer goes.
#[derive(Debug)]
pub struct Asked {
    /// What is asked.
    pub request: Request,
    /// Where the answer goes.
    pub answer: oneshot::Sender<Response>,
}

/// The socket, removed when the agent ends.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl ControlSocket {
    /// Binds the socket, in place of one that a killed agent left behind.
    pub fn bind(path: &Path) -> Result<Self, AgentError> {
        let failed = |source: io::Error| AgentError::Socket { path: path.into(), source };
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(failed)?;
        }
        match std::os::unix::net::UnixStream::connect(path) {
            Ok(_) => return Err(AgentError::Busy { path: path.into() }),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                // Connecting to an ordinary file is refused too; that one is not ours to remove.
                let kind = std::fs::symlink_metadata(path).map_err(failed)?.file_type();
                if kind.is_socket() {
                    std::fs::remove_file(path).map_err(failed)?;
                }
            }
            // No such file, or something `bind` will complain about in its own words.
            Err(_) => {}
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(path, owner_only).map_err(failed)?;
        Ok(Self { listener, path: path.into() })
    }

    /// Serves until the engine goes away.
    pub async fn run(self, engine: mpsc::Sender<Asked>) {
        let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let Ok(permit) = Arc::clone(&connections).acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let engine = engine.clone();
                    tokio::spawn(async move {
                        let idle = Duration::from_millis(IDLE_MS_MAX);
                        let _ = tokio::time::timeout(idle, serve(stream, engine)).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    warn!(%error, "control socket cannot accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// One request, one answer.
async fn serve(stream: UnixStream, engine: mpsc::Sender<Asked>) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    BufReader::new(read.take(REQUEST_LEN_MAX)).read_line(&mut line).await?;
    let text = match serde_json::from_str(&line) {
        Ok(request) => {
            let (answer, answered) = oneshot::channel();
            if engine.send(Asked { request, answer }).await.is_err() {
                return Ok(());
            }
            match answered.await {
                Ok(response) => serde_json::to_string(&response)?,
                Err(_) => return Ok(()),
            }
        }
        Err(error) => {
            serde_json::json!({ "error": format!("the request is not understood: {error}") })
                .to_string()
        }
    };
    write.write_all(text.as_bytes()).await?;
    write.write_all(b"\n").await
}
