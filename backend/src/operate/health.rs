//! How the platform does, at a glance.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::OperateError;
use crate::network::standing::Standing;
use crate::service::Platform;

/// How the platform does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HealthView {
    /// The version of the program.
    pub version: String,
    /// Whether requests from the network are served, as far as the registry has a say in it.
    pub network_served: bool,
    /// Devices that are connected to this backend.
    pub devices_connected: i64,
    /// Vehicles whose position was heard since this backend started.
    pub vehicles_heard: u64,
    /// Callbacks that wait.
    pub callbacks_pending: i64,
    /// Callbacks that were given up and are kept.
    pub callbacks_dead: i64,
}

/// How it does; an error if it has no store to read.
pub async fn show(platform: &Platform) -> Result<HealthView, OperateError> {
    let callbacks = platform.store.read().await?.callback_counts().await?;
    Ok(HealthView {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        network_served: *platform.standing.borrow() == Standing::Good,
        devices_connected: platform.metrics.devices_connected.get(),
        vehicles_heard: platform.fleet().len() as u64,
        callbacks_pending: callbacks.pending,
        callbacks_dead: callbacks.dead,
    })
}
