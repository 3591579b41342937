//! Where others come in.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::config::Config;
use crate::error::BppError;

/// The listeners, which wait until they are served.
pub(super) struct Doors {
    pub(super) beckn: TcpListener,
    pub(super) device: TcpListener,
    pub(super) enrol: TcpListener,
    pub(super) admin: TcpListener,
}

impl Doors {
    pub(super) async fn open(config: &Config) -> Result<Self, BppError> {
        Ok(Self {
            beckn: listen(config.beckn.listen, "Beckn requests", "[beckn] listen").await?,
            device: listen(config.device.listen, "devices", "[device] listen").await?,
            enrol: listen(config.enrol.listen, "enrolments", "[enrol] listen").await?,
            admin: listen(config.admin.listen, "operators", "[admin] listen").await?,
        })
    }

    pub(super) fn addresses(&self) -> Result<Value, BppError> {
        Ok(json!({
            "beckn": local(&self.beckn)?,
            "device": local(&self.device)?,
            "enrol": local(&self.enrol)?,
            "admin": local(&self.admin)?,
        }))
    }
}

async fn listen(
    address: SocketAddr,
    what: &'static str,
    key: &'static str,
) -> Result<TcpListener, BppError> {
    TcpListener::bind(address).await.map_err(|source| BppError::Listen {
        address: address.to_string(),
        what,
        key,
        source,
    })
}

fn local(listener: &TcpListener) -> Result<SocketAddr, BppError> {
    listener.local_addr().map_err(|error| BppError::Internal(error.to_string()))
}
