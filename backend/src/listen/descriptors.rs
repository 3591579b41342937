//! How many connections there are file descriptors for. One that finds none is refused by the system,
//! and so is a file of the store: better to know before.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::debug;

/// Connections at once of each listener that is not the device endpoint.
pub const BESIDE_DEVICES_MAX: usize = 512;

/// Such listeners: for Beckn requests, for enrolments, for operators.
const LISTENERS_BESIDE: u64 = 3;

/// Descriptors kept for all else: deliveries, the store's files and connections, the log.
const KEPT_FOR_THE_REST: u64 = 664;

/// Descriptors that are not for devices.
const KEPT: u64 = LISTENERS_BESIDE * BESIDE_DEVICES_MAX as u64 + KEPT_FOR_THE_REST;

/// Raises this process's limit as far as it may, and says for how many connections there is room: at
/// least half of what there is.
pub fn for_connections() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: maximum, maximum };
    let limit = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        Err(error) => {
            debug!(%error, "the limit of open files stays as it is");
            current
        }
    };
    let limit = limit.unwrap_or(u64::MAX);
    usize::try_from(limit - KEPT.min(limit / 2)).unwrap_or(usize::MAX)
}
