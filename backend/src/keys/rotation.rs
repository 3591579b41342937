//! A rotation's two steps that nobody has to be there for: signing switches to the next key when peers can
//! know it, and the previous one goes when nobody needs it any more.
//!
//! Peers look our key up where we look them up, at the registry or in a file, so that this is where it is
//! seen that they can know it. A peer whose cache still has the old key answers 401 and is served with the
//! previous one for as long as it is kept.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};
use tripline_protocol::unit::Timestamp;

use super::live::LiveKeys;
use super::ring::{KeyRing, NetworkKey, RingError};
use crate::error::BppError;
use crate::network::directory::{Directory, Look};
use crate::network::subscriber::{Role, Subscriber};
use crate::time;

/// How often our own entry is looked up while a next key waits, in ms.
pub const LOOK_MS: u64 = 30_000;

/// Looks that fail between two words about it: an hour's.
const FAILURES_PER_WORD: u32 = 120;

/// What a rotation needs.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// Our keys as they sign.
    pub keys: Arc<LiveKeys>,
    /// Their file.
    pub path: PathBuf,
    /// Where our own entry is looked up.
    pub directory: Arc<Directory>,
    /// Our address, as registered.
    pub url: String,
}

/// A step that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// This key signs.
    Switched(String),
    /// This key was dropped.
    Retired(String),
}

/// Whether these entries of ours show a key so that peers take what it signs.
fn is_shown(entries: &[Subscriber], key: &NetworkKey, url: &str, now: Timestamp) -> bool {
    entries.iter().any(|entry| {
        // Registries without ids of keys know one key of a subscriber.
        let names_it = entry.unique_key_id.as_ref().is_none_or(|id| *id == key.unique_key_id);
        names_it && entry.key == key.signing.public() && entry.url == url && entry.is_active(now)
    })
}

impl Rotation {
    /// Takes the steps that are due, until the task is dropped, looking every `look`.
    pub async fn run(self, look: Duration) {
        let mut tick = tokio::time::interval(look);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut failures = 0_u32;
        loop {
            tick.tick().await;
            match self.step(time::now()).await {
                Ok(step) => {
                    failures = 0;
                    match step {
                        Some(Step::Switched(key)) => info!(key, "signing switched to the next key"),
                        Some(Step::Retired(key)) => info!(key, "the previous key was dropped"),
                        None => {}
                    }
                }
                Err(error) => {
                    if failures.is_multiple_of(FAILURES_PER_WORD) {
                        warn!(%error, "the rotation of our keys does not go on");
                    }
                    failures = failures.saturating_add(1);
                }
            }
        }
    }

    /// Takes the step that is due, if one is.
    pub async fn step(&self, now: Timestamp) -> Result<Option<Step>, BppError> {
        let ring = self.keys.current();
        if let Some(next) = ring.next() {
            let (id, look) = (self.keys.subscriber_id(), Look::Anew);
            let entries = self.directory.find(id, Role::Bpp, look, now).await;
            let entries = entries.map_err(|error| BppError::Internal(error.to_string()))?;
            if !is_shown(&entries, next, &self.url, now) {
                return Ok(None);
            }
            let id = next.unique_key_id.clone();
            return self.change(move |ring| switch_to(ring, id, now)).await;
        }
        // Of the ring in memory it is only asked whether it is worth to lock the file.
        if ring.as_ref().clone().retire_if_old(now).is_some() {
            return self.change(move |ring| Ok(ring.retire_if_old(now).map(Step::Retired))).await;
        }
        Ok(None)
    }

    async fn change(
        &self,
        change: impl FnOnce(&mut KeyRing) -> Result<Option<Step>, RingError> + Send + 'static,
    ) -> Result<Option<Step>, BppError> {
        let (keys, path) = (Arc::clone(&self.keys), self.path.clone());
        let changed = tokio::task::spawn_blocking(move || changed(&keys, &path, change)).await;
        changed.unwrap_or_else(|error| Err(BppError::Internal(error.to_string())))
    }
}

fn changed(
    keys: &LiveKeys,
    path: &Path,
    change: impl FnOnce(&mut KeyRing) -> Result<Option<Step>, RingError>,
) -> Result<Option<Step>, BppError> {
    let (_, step) = KeyRing::change(path, change)?;
    keys.refresh(path)?;
    Ok(step)
}

/// An operator may have been faster: then there is nothing left to do.
fn switch_to(
    ring: &mut KeyRing,
    unique_key_id: String,
    now: Timestamp,
) -> Result<Option<Step>, RingError> {
    if ring.next().is_none_or(|next| next.unique_key_id != unique_key_id) {
        return Ok(None);
    }
    ring.switch(now)?;
    Ok(Some(Step::Switched(unique_key_id)))
}
