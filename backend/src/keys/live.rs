//! The ring of a running platform, which follows its file.
//!
//! `tripline-bpp key` changes the file from another process, so that it is looked at every few seconds. One
//! that cannot be used changes nothing: the ring last read goes on signing.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use tracing::{error, info};
use tripline_protocol::unit::Timestamp;

use super::ring::KeyRing;
use crate::error::BppError;
use crate::seldom::Seldom;

/// How often the file is looked at, in ms.
const LOOK_MS: u64 = 2_000;

/// Shortest time between two looks out of turn, in ms: anybody who posts a challenge asks for one.
const ASKED_MS_MIN: i64 = 1_000;

/// Looks that fail between two words about it: an hour's.
const FAILURES_PER_WORD: u32 = 1_800;

/// Our keys as the next signature is to use them.
#[derive(Debug)]
pub struct LiveKeys {
    subscriber_id: String,
    current: RwLock<Arc<KeyRing>>,
    /// The file, once it is followed.
    followed: OnceLock<PathBuf>,
    asked: Seldom,
}

impl LiveKeys {
    /// Begins with this ring.
    pub fn new(subscriber_id: String, ring: KeyRing) -> Self {
        let current = RwLock::new(Arc::new(ring));
        Self { subscriber_id, current, followed: OnceLock::new(), asked: Seldom::default() }
    }

    /// Who we are.
    pub fn subscriber_id(&self) -> &str {
        &self.subscriber_id
    }

    /// The ring at this moment.
    pub fn current(&self) -> Arc<KeyRing> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the file again, and goes on with what it holds. Says whether that is another ring. After an
    /// error the ring is the one that it was.
    pub fn refresh(&self, path: &Path) -> Result<bool, BppError> {
        let read = KeyRing::load(path)?;
        if read.is_same_as(&self.current()) {
            return Ok(false);
        }
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(read);
        Ok(true)
    }
}

/// The ring after the file, if it is followed, was looked at out of turn: `tripline-bpp key` made a key, and
/// somebody asks for it before the next look. Once a second at most; the file had the key before anybody could
/// ask for it.
pub async fn looked_up(keys: &Arc<LiveKeys>, now: Timestamp) -> Arc<KeyRing> {
    let followed = keys.followed.get().filter(|_| keys.asked.is_due(now, ASKED_MS_MIN));
    if let Some(path) = followed.cloned() {
        let looking = Arc::clone(keys);
        // What fails here fails at the next look, which says so.
        let _ = tokio::task::spawn_blocking(move || looking.refresh(&path)).await;
    }
    keys.current()
}

/// Follows the file until the task is dropped.
pub async fn run(keys: Arc<LiveKeys>, path: PathBuf) {
    let _ = keys.followed.set(path.clone());
    let mut tick = tokio::time::interval(Duration::from_millis(LOOK_MS));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut failures = 0_u32;
    loop {
        tick.tick().await;
        let (looking, path) = (Arc::clone(&keys), path.clone());
        // A file and its disk: not on a thread that serves connections.
        match tokio::task::spawn_blocking(move || looking.refresh(&path)).await {
            Ok(Ok(changed)) => {
                failures = 0;
                if changed {
                    let ring = keys.current();
                    info!(signing = ring.signing().unique_key_id, "our keys changed");
                }
            }
            Ok(Err(error)) => {
                // The file is replaced whole, so that the first failure is no chance.
                if failures.is_multiple_of(FAILURES_PER_WORD) {
                    error!(%error, "our keys stay as they were: the file cannot be used");
                }
                failures = failures.saturating_add(1);
            }
            Err(error) => error!(%error, "our keys were not looked at"),
        }
    }
}
