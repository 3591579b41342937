//! Writes down which devices are connected. Only a device's newest state is kept until then, and many
//! are written together: ten thousand devices that come back at once are a few transactions.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tracing::warn;
use tripline_protocol::id::DeviceId;
use tripline_protocol::unit::Timestamp;

use crate::service::Platform;
use crate::store::StoreError;
use crate::store::presence::PresenceRow;

/// How often what changed is written, in ms.
const WRITE_EVERY_MS: u64 = 1_000;

/// Rows in a transaction: it must not hold up for long what commits batches.
const ROWS_AT_ONCE: usize = 500;

/// Longest version that is kept or logged, in characters.
const VERSION_LEN_MAX: usize = 64;

/// What may be kept and logged of a version, which a peer wrote.
pub(crate) fn printable_version(version: &str) -> String {
    version.chars().filter(|c| !c.is_control()).take(VERSION_LEN_MAX).collect()
}

/// What is known of a device.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) connected: bool,
    pub(super) since: Timestamp,
    pub(super) peer: SocketAddr,
    /// What it runs, if it said so.
    pub(super) agent_version: Option<String>,
}

/// The newest state of every device that changed since the last write. It holds as many as there are
/// vehicles at most.
#[derive(Debug, Default)]
pub(super) struct PresenceBoard {
    changed: Mutex<HashMap<DeviceId, Seen>>,
}

impl PresenceBoard {
    fn lock(&self) -> MutexGuard<'_, HashMap<DeviceId, Seen>> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the newest state. A version that was not written yet is kept if there is no newer one.
    pub(super) fn note(&self, device: &DeviceId, mut seen: Seen) {
        let mut changed = self.lock();
        let before = changed.get_mut(device).and_then(|before| before.agent_version.take());
        seen.agent_version = seen.agent_version.or(before);
        changed.insert(device.clone(), seen);
    }

    /// Takes out what is to be written next.
    fn take(&self) -> Vec<(DeviceId, Seen)> {
        let mut changed = self.lock();
        let devices: Vec<_> = changed.keys().take(ROWS_AT_ONCE).cloned().collect();
        if devices.len() == changed.len() {
            return std::mem::take(&mut *changed).into_iter().collect();
        }
        devices.into_iter().filter_map(|device| changed.remove_entry(&device)).collect()
    }

    /// Puts back what could not be written, unless something newer came meanwhile.
    fn put_back(&self, rows: Vec<(DeviceId, Seen)>) {
        let mut changed = self.lock();
        for (device, seen) in rows {
            let newest = changed.entry(device).or_insert_with(|| seen.clone());
            newest.agent_version = newest.agent_version.take().or(seen.agent_version);
        }
    }
}

/// Notes that nobody is connected: nobody can be, to a platform that has just started.
pub(super) async fn begin(platform: &Platform, at: Timestamp) -> Result<(), StoreError> {
    let mut tx = platform.store.write().await?;
    tx.end_all_presence(at).await?;
    tx.commit().await
}

/// Writes until the task is dropped.
pub(super) async fn run(platform: Arc<Platform>) {
    let mut tick = tokio::time::interval(Duration::from_millis(WRITE_EVERY_MS));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        loop {
            let rows = platform.sessions.presence.take();
            if rows.is_empty() {
                break;
            }
            if let Err(error) = write(&platform, &rows).await {
                warn!(%error, devices = rows.len(), "presence could not be written; again later");
                platform.sessions.presence.put_back(rows);
                break;
            }
        }
    }
}

async fn write(platform: &Platform, rows: &[(DeviceId, Seen)]) -> Result<(), StoreError> {
    let mut tx = platform.store.write().await?;
    for (device, seen) in rows {
        tx.set_presence(PresenceRow {
            device: device.clone(),
            connected: seen.connected,
            since: seen.since,
            peer: seen.peer.to_string(),
            agent_version: seen.agent_version.clone().unwrap_or_default(),
        })
        .await?;
    }
    tx.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(connected: bool, version: Option<&str>) -> Seen {
        let peer = SocketAddr::from(([192, 0, 2, 1], 1));
        let agent_version = version.map(str::to_owned);
        Seen { connected, since: Timestamp::from_unix_ms(1), peer, agent_version }
    }

    #[test]
    fn the_newest_state_wins_and_the_newest_version_with_it_also_after_a_failure() {
        let (board, device) = (PresenceBoard::default(), "a".parse().expect("valid"));
        board.note(&device, seen(true, Some("1")));
        board.note(&device, seen(false, None));
        let rows = board.take();
        assert_eq!(rows.len(), 1);
        board.note(&device, seen(true, None));
        board.put_back(rows);
        let (_, newest) = board.take().pop().expect("one");
        assert_eq!((newest.connected, newest.agent_version.as_deref()), (true, Some("1")));
        assert!(board.take().is_empty());
    }

    #[test]
    fn of_a_version_no_more_is_kept_than_a_line_of_the_log_bears() {
        assert_eq!(printable_version("1.2.3\n\u{1b}[31m"), "1.2.3[31m");
        assert_eq!(printable_version(&"ä".repeat(60_000)).chars().count(), VERSION_LEN_MAX);
    }

    #[test]
    fn a_whole_fleet_is_taken_in_pieces() {
        let board = PresenceBoard::default();
        for n in 0..=2 * ROWS_AT_ONCE {
            board.note(&format!("d{n}").parse().expect("valid"), seen(true, None));
        }
        let taken = [board.take().len(), board.take().len(), board.take().len()];
        assert_eq!(taken, [ROWS_AT_ONCE, ROWS_AT_ONCE, 1]);
    }
}
