//! The levers' way in: a Unix socket, one lever a line, one line of answer each.

use std::fmt::Display;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::lever::Lever;

/// The longest lever has 11 bytes; a longer line than this is someone at the wrong socket.
const LINE_BYTES_MAX: u64 = 256;

/// A test moves levers from one place, perhaps with a person beside it. Further clients wait.
const CLIENTS_MAX: usize = 16;

/// Levers under way to the player, which answers within a millisecond.
pub const REQUESTS_MAX: usize = 16;

/// How long a client waits for the answer to one lever.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// A lever (a receiver's unless said otherwise) and where its answer goes.
#[derive(Debug)]
pub struct Request<L = Lever> {
    /// What to do.
    pub lever: L,
    /// One line, without its end.
    pub answer: oneshot::Sender<String>,
}

/// A control socket that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Another process answers there.
    #[error("the control socket {} is in use; stop the other simulator or choose another path", .0.display())]
    InUse(PathBuf),
    /// Something that is not a socket stands at the path.
    #[error("{} exists and is not a socket; remove it or choose another path", .0.display())]
    NotASocket(PathBuf),
    /// The file system refused.
    #[error("cannot make the control socket {} ({source}); does its directory exist, and is the path under 108 bytes?", path.display())]
    NoSocket {
        /// Where it was to be.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// The server's end. Dropping it removes the socket.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl ControlSocket {
    /// Listens at `path`, in place of a socket that a killed simulator left behind.
    pub fn bind(path: &Path) -> Result<Self, ControlError> {
        let owned = || path.to_owned();
        if let Ok(found) = fs::symlink_metadata(path) {
            if !found.file_type().is_socket() {
                return Err(ControlError::NotASocket(owned()));
            }
            if BlockingStream::connect(path).is_ok() {
                return Err(ControlError::InUse(owned()));
            }
            let _ = fs::remove_file(path);
        }
        let listener = UnixListener::bind(path)
            .map_err(|source| ControlError::NoSocket { path: owned(), source })?;
        Ok(Self { listener, path: owned() })
    }

    /// Hands levers to the player, or whoever else moves them, until it is gone.
    pub async fn serve<L>(self, requests: mpsc::Sender<Request<L>>)
    where
        L: FromStr<Err: Display> + Send + 'static,
    {
        let mut clients = JoinSet::new();
        while !requests.is_closed() {
            if clients.len() >= CLIENTS_MAX {
                clients.join_next().await;
            }
            while clients.try_join_next().is_some() {}
            clients.spawn(converse(self.accept().await, requests.clone()));
        }
    }

    /// The next client.
    pub(crate) async fn accept(&self) -> UnixStream {
        loop {
            // Accepting fails only for want of file descriptors; waiting for a client to leave helps.
            match self.listener.accept().await {
                Ok((client, _)) => return client,
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// A client that goes away, or sends what is no line, ends only its own conversation.
async fn converse<L: FromStr<Err: Display>>(
    client: UnixStream,
    requests: mpsc::Sender<Request<L>>,
) {
    let (reading, mut writing) = client.into_split();
    let mut reading = tokio::io::BufReader::new(reading);
    loop {
        let mut line = Vec::new();
        let mut limited = (&mut reading).take(LINE_BYTES_MAX);
        if !limited.read_until(b'\n', &mut line).await.is_ok_and(|count| count > 0) {
            return;
        }
        let overlong = limited.limit() == 0 && !line.ends_with(b"\n");
        let answer = if overlong {
            format!("error: a lever has at most {LINE_BYTES_MAX} bytes")
        } else {
            answer(&String::from_utf8_lossy(&line), &requests).await
        };
        let written = writing.write_all(format!("{answer}\n").as_bytes()).await;
        if written.is_err() || overlong {
            return;
        }
    }
}

async fn answer<L: FromStr<Err: Display>>(
    line: &str,
    requests: &mpsc::Sender<Request<L>>,
) -> String {
    let lever: L = match line.parse() {
        Ok(lever) => lever,
        Err(error) => return format!("error: {error}"),
    };
    let (answer, answered) = oneshot::channel();
    // Either fails only when the player is gone.
    let _ = requests.send(Request { lever, answer }).await;
    answered.await.unwrap_or_else(|_| "error: the simulator is ending".to_owned())
}

/// A simulator that could not be spoken to.
#[derive(Debug, thiserror::Error)]
pub enum SpeakError {
    /// Nobody listens at the path.
    #[error("no simulator listens at {} ({source}); start one with `tripline-sim receiver --control {}` or `tripline-sim pins`", path.display(), path.display())]
    NobodyThere {
        /// The socket.
        path: PathBuf,
        /// Why the connection failed.
        #[source]
        source: io::Error,
    },
    /// The conversation broke off.
    #[error("the simulator at {} did not answer `{line}` ({source}); look at what it printed", path.display())]
    NoAnswer {
        /// The socket.
        path: PathBuf,
        /// The lever.
        line: String,
        /// What happened.
        #[source]
        source: io::Error,
    },
}

/// The client's end: sends levers and returns their answers.
#[derive(Debug)]
pub struct ControlClient {
    stream: BufReader<BlockingStream>,
    path: PathBuf,
}

impl ControlClient {
    /// Connects to a running simulator.
    pub fn connect(path: &Path) -> Result<Self, SpeakError> {
        let connected = BlockingStream::connect(path).and_then(|stream| {
            stream.set_read_timeout(Some(ANSWER_WITHIN))?;
            stream.set_write_timeout(Some(ANSWER_WITHIN))?;
            Ok(BufReader::new(stream))
        });
        let path = path.to_owned();
        match connected {
            Ok(stream) => Ok(Self { stream, path }),
            Err(source) => Err(SpeakError::NobodyThere { path, source }),
        }
    }

    /// Moves one lever. The answer is `ok`, `error: ...`, or the JSON of `status`.
    pub fn pull(&mut self, line: &str) -> Result<String, SpeakError> {
        self.ask(line).map_err(|source| SpeakError::NoAnswer {
            path: self.path.clone(),
            line: line.to_owned(),
            source,
        })
    }

    fn ask(&mut self, line: &str) -> io::Result<String> {
        self.stream.get_mut().write_all(format!("{line}\n").as_bytes())?;
        let mut answer = String::new();
        if self.stream.read_line(&mut answer)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(answer.trim_end().to_owned())
    }
}
