//! Who the agent is, in the form that a connection needs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ClientConfig;
use tripline_agent_link::{Clock, Identity, tls};

use crate::error::AgentError;

/// The folder of the identity in the data folder.
const FOLDER: &str = "identity";

/// An identity and TLS with it, which keeps sessions to resume across connections.
#[derive(Debug)]
pub struct Credentials {
    /// Who this device is.
    pub identity: Identity,
    /// TLS as that.
    pub tls: Arc<ClientConfig>,
}

impl Credentials {
    /// The credentials of an identity.
    pub fn new(identity: Identity, clock: &Clock) -> Result<Self, AgentError> {
        let tls = tls::client_config(&identity, Arc::new(clock.clone()))
            .map_err(|error| AgentError::Identity { reason: error.to_string() })?;
        // The backend's clock was right when it issued the certificate.
        clock.advance(identity.issued_at);
        Ok(Self { identity, tls })
    }

    /// Those of the identity in the data folder.
    pub fn load(data_dir: &Path, clock: &Clock) -> Result<Self, AgentError> {
        let dir = folder(data_dir);
        let identity = Identity::load(&dir)
            .map_err(|error| AgentError::Identity { reason: error.to_string() })?
            .ok_or(AgentError::NotEnrolled { path: dir })?;
        Self::new(identity, clock)
    }
}

/// Where the identity is in a data folder.
pub fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join(FOLDER)
}
