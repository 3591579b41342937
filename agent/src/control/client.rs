//! The client side of local control, for the command line. Blocking: it asks one thing.

use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::message::{Request, Response};
use crate::error::AgentError;

/// Longest wait for an answer, in ms: an answer waits for a disk.
const ANSWER_MS_MAX: u64 = 30_000;

/// Asks the running agent.
pub fn ask(socket: &Path, request: &Request) -> Result<Response, AgentError> {
    let not_running = || AgentError::NotRunning { path: socket.into() };
    let broken = |error: std::io::Error| {
        AgentError::Internal(format!("the agent at {} did not answer: {error}", socket.display()))
    };
    let mut stream = UnixStream::connect(socket).map_err(|error| {
        if error.kind() == ErrorKind::PermissionDenied {
            let message = format!("{} may be used by the agent's own user only", socket.display());
            AgentError::Refused { message }
        } else {
            not_running()
        }
    })?;
    stream.set_read_timeout(Some(Duration::from_millis(ANSWER_MS_MAX))).map_err(broken)?;
    let mut line = serde_json::to_string(request)
        .map_err(|error| AgentError::Internal(format!("the request cannot be written: {error}")))?;
    line.push('\n');
    stream.write_all(line.as_bytes()).map_err(broken)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).map_err(broken)?;
    serde_json::from_str(&answer).map_err(|_| {
        AgentError::Internal(format!(
            "the agent at {} gave no answer; its log says why",
            socket.display()
        ))
    })
}
