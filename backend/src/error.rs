//! What can go wrong, in one clear sentence each, with a way out and an exit code.

use std::io;
use std::path::PathBuf;

use crate::store::StoreError;

/// Why the platform or one of its commands gave up.
#[derive(Debug, thiserror::Error)]
pub enum BppError {
    /// The configuration.
    #[error("the configuration is not usable: {reason}")]
    Config {
        /// What is wrong, with file and key.
        reason: String,
    },
    /// A file of ours.
    #[error("{}: {reason}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The store.
    #[error("the store {url} cannot be used: {source}")]
    Store {
        /// Its URL, without a password.
        url: String,
        /// What is wrong.
        source: StoreError,
    },
    /// An address to listen on.
    #[error("cannot listen on {address} ({what}): {source}; stop what listens there or set {key}")]
    Listen {
        /// The address.
        address: String,
        /// What for.
        what: &'static str,
        /// The key that sets it.
        key: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The registry cannot be asked.
    #[error("the registry {url} cannot be asked: {reason}; see [registry] url and timeout_ms")]
    Registry {
        /// Its address.
        url: String,
        /// What it, or the network, said.
        reason: String,
    },
    /// A gateway cannot be asked.
    #[error(
        "the gateway {name} at {url} cannot be asked: {reason}; see [gateways.{name}] url and timeout_ms"
    )]
    Gateway {
        /// Its name.
        name: String,
        /// Its address.
        url: String,
        /// What it, or the network, said.
        reason: String,
    },
    /// The registry has another address for us.
    #[error(
        "the registry, or the file in its place, has another address for us, {registered}, than ours, \
         {ours}: what is meant for us would go there. Register {ours}, or set [beckn] uri to the \
         registered address"
    )]
    Moved {
        /// The address it has.
        registered: String,
        /// Ours.
        ours: String,
    },
    /// A command that cannot be carried out.
    #[error("{message}")]
    Refused {
        /// Why, and what to do.
        message: String,
    },
    /// A device was asked for something, and what became of it is not known yet.
    #[error(
        "device {device} has not reported within {waited_s} s; it will take the command when it comes, \
         unless that has expired. `tripline-bpp trip show` tells"
    )]
    NotReported {
        /// Which.
        device: String,
        /// How long it was waited for, in s.
        waited_s: u64,
    },
    /// A gateway was waited for, and still looks at something.
    #[error(
        "{name} has not looked at everything within {waited_s} s; `tripline-bpp gateway get {name} --wait` \
         waits on"
    )]
    NotSettled {
        /// Which.
        name: String,
        /// How long it was waited for, in s.
        waited_s: u64,
    },
    /// `doctor` found something wrong, and has said what.
    #[error("doctor found {}", if *count == 1 { "a fault".into() } else { format!("{count} faults") })]
    Unwell {
        /// How many faults.
        count: usize,
    },
    /// Something that should not happen.
    #[error("{0}")]
    Internal(String),
}

impl BppError {
    /// The exit code; `--help` lists them.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Internal(_) => 1,
            Self::Config { .. } => 3,
            Self::File { .. } => 4,
            Self::Registry { .. } | Self::Gateway { .. } => 5,
            Self::Store { .. } => 6,
            Self::Listen { .. } => 7,
            Self::Moved { .. } => 8,
            Self::Refused { .. } => 9,
            Self::NotReported { .. } | Self::NotSettled { .. } => 10,
            Self::Unwell { .. } => 11,
        }
    }
}
