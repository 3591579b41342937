//! The subscribers as the registry, or a file in its stead, knows them.
//!
//! A registry's answers are cached and outlive an outage of it ([`Directory::find`]); a file of a closed
//! network is followed as it changes. Whoever must know of a subscriber asks here, and fails closed where
//! nothing can be said.

mod entry;

mod file;

mod strangers;

mod cache;
mod kept;
mod registry;
mod seldom;

mod live;

use std::path::Path;
use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use serde_json::Value;
use tracing::warn;
use tripline_protocol::unit::Timestamp;

use self::file::FileDirectory;
use self::live::Live;
use self::registry::RegistryClient;
pub(crate) use self::seldom::Seldom;
use super::subscriber::{Role, Subscriber, normalized_id};
use crate::config::Config;
use crate::error::BppError;
use crate::metrics::{Metrics, Reason};
use crate::store::{Store, StoreError};

/// Longest id of somebody who may be a subscriber, in bytes: a domain name and a path behind it.
const ID_LEN_MAX: usize = 512;

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

/// Who is asked for: a subscriber in a role.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key {
    id: String,
    role: Role,
}

type Entries = Arc<[Subscriber]>;

/// What a directory counts.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    lookups: Family<Reason, Counter>,
    entries_refused: Family<Reason, Counter>,
}

/// A subscriber in a role, as it is known here.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its id.
    pub id: String,
    /// What it does.
    pub role: Role,
    /// Its entries; none if the registry had some once and has none at this time.
    pub entries: Arc<[Subscriber]>,
    /// When the registry was asked; `None` from a file.
    pub fetched_at: Option<Timestamp>,
}

/// Everybody we may meet.
#[derive(Debug)]
pub struct Directory {
    source: Source,
}

#[derive(Debug)]
enum Source {
    File(Arc<FileDirectory>),
    Registry(Arc<Live>),
}

impl Counts {
    /// Those of a platform.
    pub fn of(metrics: &Metrics) -> Self {
        Self {
            lookups: metrics.registry_lookups.clone(),
            entries_refused: metrics.registry_entries_refused.clone(),
        }
    }

    fn looked_up(&self, reason: &'static str) {
        self.lookups.get_or_create(&Reason { reason }).inc();
    }

    fn refused(&self, reason: &'static str, entries: u64) {
        if entries > 0 {
            self.entries_refused.get_or_create(&Reason { reason }).inc_by(entries);
        }
    }
}

impl Directory {
    /// The directory that the configuration names. A registry is not asked yet.
    pub fn open(config: &Config, store: Store, counts: Counts) -> Result<Self, BppError> {
        let Some(url) = &config.registry.url else {
            let path = config.subscribers_file().unwrap_or_default();
            return Self::of_file(&path).map_err(|reason| BppError::File { path, reason });
        };
        if url.starts_with("http://") {
            warn!(
                url,
                "what this registry says can be changed on the way: https:// would protect it"
            );
        }
        let own_id = normalized_id(&config.beckn.subscriber_id);
        let client = RegistryClient::new(url, &config.registry).map_err(BppError::Internal)?;
        let live = Live::new(client, &config.registry, own_id, store, counts);
        Ok(Self { source: Source::Registry(Arc::new(live)) })
    }

    /// The subscribers of a file in the form of a 0.9.x registry's lookup answer. An error names the entry
    /// and its field.
    pub fn of_file(path: &Path) -> Result<Self, String> {
        Ok(Self { source: Source::File(Arc::new(FileDirectory::open(path)?)) })
    }

    /// Reads what a registry said before, so that one that is down at the start is no hindrance.
    pub async fn load(&self, now: Timestamp) -> Result<(), StoreError> {
        match &self.source {
            Source::File(_) => Ok(()),
            Source::Registry(live) => live.load(now).await,
        }
    }

    /// Whether a registry says who is on the network.
    pub const fn has_registry(&self) -> bool {
        matches!(self.source, Source::Registry(_))
    }

    /// Every entry of a subscriber in a role, whether it holds or not.
    ///
    /// With a registry, it waits at most for one lookup, whose time is bounded by `[registry]
    /// timeout_ms`. `now` is the system's time.
    pub async fn find(
        &self,
        subscriber_id: &str,
        role: Role,
        look: Look,
        now: Timestamp,
    ) -> Result<Arc<[Subscriber]>, DirectoryError> {
        let Some(key) = key(subscriber_id, role) else { return Ok(Arc::default()) };
        match &self.source {
            Source::File(file) => Ok(file.find(&key)),
            Source::Registry(live) => live.find(key, look, now).await,
        }
    }

    /// The same as the registry has it at this moment, whatever is cached; an error if it cannot be asked.
    /// For us alone: nothing that a peer can cause bounds how often this is done.
    pub async fn refresh(
        &self,
        subscriber_id: &str,
        role: Role,
        now: Timestamp,
    ) -> Result<Arc<[Subscriber]>, DirectoryError> {
        let Some(key) = key(subscriber_id, role) else { return Ok(Arc::default()) };
        match &self.source {
            Source::File(file) => Ok(file.find(&key)),
            Source::Registry(live) => live.refresh(key, now).await,
        }
    }

    /// Everybody who is written down, by id and role.
    pub async fn listed(&self, now: Timestamp) -> Result<Vec<Listed>, StoreError> {
        let mut listed: Vec<_> = match &self.source {
            Source::File(file) => {
                let of =
                    |(key, entries): (&Key, &Entries)| (key.clone(), Arc::clone(entries), None);
                file.current().iter().map(of).collect()
            }
            Source::Registry(live) => {
                let all = live.all(now).await?.into_iter();
                all.map(|(key, entries, at)| (key, entries, Some(at))).collect()
            }
        };
        listed.sort_by(|(one, ..), (other, ..)| one.cmp(other));
        let of = |(key, entries, fetched_at): (Key, Entries, _)| Listed {
            id: key.id,
            role: key.role,
            entries,
            fetched_at,
        };
        Ok(listed.into_iter().map(of).collect())
    }

    /// Writes down what was looked up and is not written down yet. [`Directory::run`] does so by itself.
    pub async fn flush(&self) -> Result<(), StoreError> {
        match &self.source {
            Source::File(_) => Ok(()),
            Source::Registry(live) => live.flush().await,
        }
    }

    /// Follows the file, or the store for what others looked up, until the task is dropped.
    pub async fn run(self: Arc<Self>) {
        match &self.source {
            Source::File(file) => Arc::clone(file).run().await,
            Source::Registry(live) => live.run().await,
        }
    }
}

/// Entries as a registry writes them, restricted to what is kept.
pub fn entries_as_json(entries: &[Subscriber]) -> Value {
    entry::as_json(entries)
}

/// Who is asked for; `None` if nobody can have this id.
fn key(subscriber_id: &str, role: Role) -> Option<Key> {
    let id = normalized_id(subscriber_id);
    (1..=ID_LEN_MAX).contains(&id.len()).then_some(Key { id, role })
}
