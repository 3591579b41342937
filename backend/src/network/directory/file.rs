//! The subscribers of a closed network: a file in the form of a lookup answer, read again when it changes.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tracing::{error, info};

use super::entry::parse_file;
use super::{Entries, Key};

/// How often the file is looked at, in ms.
const LOOK_MS: u64 = 2_000;

/// Longest file that is read, in bytes: some ten thousand subscribers.
const FILE_LEN_MAX: u64 = 16 * 1024 * 1024;

/// Looks that fail between two words about it: an hour's.
const FAILURES_PER_WORD: u32 = 1_800;

/// What tells a file from the one that was there before: modified when, how long, which inode.
type Stamp = (i64, i64, u64, u64);

type Subscribers = HashMap<Key, Entries>;

/// A file of subscribers.
#[derive(Debug)]
pub(super) struct FileDirectory {
    path: PathBuf,
    current: RwLock<Arc<Subscribers>>,
    /// Of the file that was last read with success.
    stamp: Mutex<Stamp>,
}

impl FileDirectory {
    /// Reads the file. An error names the entry and its field.
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        let (subscribers, stamp) = load(path)?;
        Ok(Self {
            path: path.into(),
            current: RwLock::new(Arc::new(subscribers)),
            stamp: Mutex::new(stamp),
        })
    }

    /// The entries of a subscriber in a role.
    pub(super) fn find(&self, key: &Key) -> Entries {
        self.current().get(key).cloned().unwrap_or_default()
    }

    /// Everybody, as last read.
    pub(super) fn current(&self) -> Arc<Subscribers> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the file again if it changed; says whether it did. A file that cannot be used changes
    /// nothing, and is read again at the next look.
    pub(super) fn refresh(&self) -> Result<bool, String> {
        let read = *self.stamp.lock().unwrap_or_else(PoisonError::into_inner);
        if stamp(&self.path)? == read {
            return Ok(false);
        }
        let (subscribers, stamp) = load(&self.path)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(subscribers);
        *self.stamp.lock().unwrap_or_else(PoisonError::into_inner) = stamp;
        Ok(true)
    }

    /// Follows the file until the task is dropped.
    pub(super) async fn run(self: Arc<Self>) {
        let mut tick = tokio::time::interval(Duration::from_millis(LOOK_MS));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut failures = 0_u32;
        loop {
            tick.tick().await;
            let looking = Arc::clone(&self);
            // A file: not on a thread that serves connections.
            let looked = tokio::task::spawn_blocking(move || looking.refresh()).await;
            match looked.unwrap_or_else(|error| Err(error.to_string())) {
                Ok(changed) => {
                    failures = 0;
                    if changed {
                        let subscribers = self.current().len();
                        info!(subscribers, "the subscribers' file was read again");
                    }
                }
                Err(reason) => {
                    failures = failures.saturating_add(1);
                    if is_told(failures) {
                        error!(reason, "the subscribers stay as they were");
                    }
                }
            }
        }
    }
}

/// Whether this failure in a row is told: the first may have fallen into the middle of a change, the next
/// is told at once, and what lasts is told each hour.
fn is_told(failures: u32) -> bool {
    failures % FAILURES_PER_WORD == 2
}

fn stamp(path: &Path) -> Result<Stamp, String> {
    let of = std::fs::metadata(path).map_err(|error| format!("cannot be read: {error}"))?;
    Ok((of.mtime(), of.mtime_nsec(), of.len(), of.ino()))
}

fn load(path: &Path) -> Result<(Subscribers, Stamp), String> {
    // Before the file: one that changes while it is read is then read once more.
    let stamp = stamp(path)?;
    if stamp.2 > FILE_LEN_MAX {
        return Err(format!("is longer than {FILE_LEN_MAX} bytes"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"))?;
    let mut grouped: HashMap<Key, Vec<_>> = HashMap::new();
    for entry in parse_file(&text)? {
        let key = Key { id: entry.id.clone(), role: entry.role };
        grouped.entry(key).or_default().push(entry);
    }
    let subscribers = grouped.into_iter().map(|(key, entries)| (key, entries.into()));
    Ok((subscribers.collect(), stamp))
}
