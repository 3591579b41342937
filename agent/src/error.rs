//! What can go wrong, in one clear sentence each, with a way out and an exit code.

use std::io;
use std::path::PathBuf;

/// Why the agent or one of its commands gave up.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The configuration.
    #[error("the configuration is not usable: {reason}")]
    Config {
        /// What is wrong, with file and key.
        reason: String,
    },
    /// No such serial device at start.
    #[error(
        "there is no serial device {}: plug the receiver in or set [receiver] port; \
         with --wait-for-receiver the agent starts without it", path.display()
    )]
    NoReceiver {
        /// The configured port.
        path: PathBuf,
    },
    /// The serial device cannot be opened at start.
    #[error("the serial device {} cannot be opened: {reason}; check its permissions and that no other program holds it", path.display())]
    ReceiverRefused {
        /// The configured port.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The device sends bytes that are neither NMEA nor UBX.
    #[error(
        "{} sends {bytes} bytes and not one valid NMEA sentence at {tried} baud: \
         check [receiver] baud and the wiring", path.display()
    )]
    Garbage {
        /// The configured port.
        path: PathBuf,
        /// How many bytes came.
        bytes: u64,
        /// The rate or rates that were tried.
        tried: String,
    },
    /// The recording to replay cannot be read.
    #[error("the recording {} cannot be read: {reason}", path.display())]
    Recording {
        /// The configured file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The data folder or the journal in it.
    #[error("the journal in {} cannot be used: {reason}", path.display())]
    Storage {
        /// The data folder.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// Another agent runs here.
    #[error("another agent is using {}: stop it first", path.display())]
    Busy {
        /// The data folder or the socket.
        path: PathBuf,
    },
    /// The control socket cannot be made.
    #[error("the control socket {} cannot be made: {source}; set [control] socket to a writable place", path.display())]
    Socket {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No agent answers on the control socket.
    #[error("no agent answers at {}: start `tripline-agent run`, or name its socket with --socket", path.display())]
    NotRunning {
        /// Where.
        path: PathBuf,
    },
    /// The running agent refused.
    #[error("{message}")]
    Refused {
        /// Why, and what to do.
        message: String,
    },
    /// A recording with nothing of a receiver in it.
    #[error(
        "{} has {bytes} bytes and not one valid NMEA sentence or UBX frame: is it a recording of a \
         receiver, and was it made at the right baud rate? (GPX tracks are for tripline-sim)",
        path.display()
    )]
    NoRecording {
        /// Which.
        path: PathBuf,
        /// How many bytes it has.
        bytes: u64,
    },
    /// `doctor` found something wrong, and has said what.
    #[error(
        "{count} of what was looked at is not as it should be; the lines marked FAULT say what to do"
    )]
    Unwell {
        /// How many faults.
        count: usize,
    },
    /// No identity.
    #[error(
        "this device is not enrolled (there is no identity in {}): `tripline-bpp vehicle add` prints a \
         code, and `tripline-agent enrol --backend URL --code CODE` uses it", path.display()
    )]
    NotEnrolled {
        /// The identity's folder.
        path: PathBuf,
    },
    /// An identity that cannot be used.
    #[error("the identity of this device cannot be used: {reason}")]
    Identity {
        /// Why, and what to do.
        reason: String,
    },
    /// No identity came of it.
    #[error("not enrolled: {reason}")]
    Enrolment {
        /// Why, and what to do.
        reason: String,
    },
    /// Something that should not happen.
    #[error("{0}")]
    Internal(String),
}

impl AgentError {
    /// The exit code; `--help` lists them.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Internal(_) => 1,
            Self::Config { .. } => 3,
            Self::NoReceiver { .. } | Self::ReceiverRefused { .. } | Self::Recording { .. } => 4,
            Self::Garbage { .. } | Self::NoRecording { .. } => 5,
            Self::Storage { .. } => 6,
            Self::Busy { .. } | Self::Socket { .. } => 7,
            Self::NotRunning { .. } => 8,
            Self::Refused { .. } => 9,
            Self::Unwell { .. } => 10,
            Self::NotEnrolled { .. } | Self::Identity { .. } => 11,
            Self::Enrolment { .. } => 12,
        }
    }
}
