//! The subscribers as the registry, or a file in its stead, knows them.

use std::path::Path;
use std::sync::Arc;

use tripline_protocol::unit::Timestamp;

use super::subscriber::{Role, Subscriber, normalized_id, parse_entries};

/// How fresh an answer must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// As fresh as the cache has it.
    Cached,
    /// Asked for anew, if that was not done a moment ago: what is cached did not fit.
    Anew,
}

/// Why nothing can be said of a subscriber.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// The registry cannot be asked, and nothing it said before still holds.
    #[error("the registry cannot be asked: {0}")]
    Unavailable(String),
}

/// Everybody we may meet.
#[derive(Debug)]
pub struct Directory {
    subscribers: Vec<Subscriber>,
}

impl Directory {
    /// The subscribers of a file in the form of a 0.9.x registry's lookup answer.
    pub fn of_file(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
        let subscribers =
            parse_entries(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self { subscribers })
    }

    /// Every entry of a subscriber in a role, whether it holds or not.
    #[expect(clippy::unused_async, reason = "a registry is asked")]
    pub async fn find(
        &self,
        subscriber_id: &str,
        role: Role,
        _look: Look,
        _now: Timestamp,
    ) -> Result<Arc<[Subscriber]>, DirectoryError> {
        let id = normalized_id(subscriber_id);
        let of = |entry: &&Subscriber| entry.id == id && entry.role == role;
        Ok(self.subscribers.iter().filter(of).cloned().collect())
    }
}
