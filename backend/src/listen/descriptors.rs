//! How many connections there are file descriptors for. One that finds none is refused by the system,
//! and so is a file of the store: better to know before.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::debug;

/// Descriptors kept for all else: HTTP connections, the store's files and connections, the log.
const KEPT: u64 = 2_200;

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
