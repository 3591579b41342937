//! The fleet in memory: what is offered, and who may be offered a ride, as the store has it.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tracing::{error, info, warn};
use tripline_protocol::unit::Timestamp;

use super::{Platform, ServiceError};
use crate::domain::dispatch::Histories;
use crate::domain::fleet::{Catalog, Roster};
use crate::store::Tx;
use crate::store::change::FleetVersion;
use crate::time;

/// How often the store is asked whether another process changed the fleet, in ms.
pub const LOOK_EVERY_MS: u64 = 1_000;

/// How long what became of offers is used before it is looked at again, in ms. It moves slowly, and decides
/// only between vehicles that are about as good.
const HISTORIES_MS: i64 = 5_000;

/// Changes are looked for from so long before the last look on, in ms: whoever made them may have a clock
/// that is behind, and commits after it has read it.
const HISTORIES_OVERLAP_MS: i64 = 60_000;

/// What a platform has of the fleet, and how new it is.
#[derive(Debug, Default)]
pub(super) struct Known {
    version: Option<FleetVersion>,
    catalog: Arc<Catalog>,
    roster: Arc<Roster>,
    /// What became of offers.
    histories: Arc<Histories>,
    histories_at: Option<Timestamp>,
}

impl Platform {
    /// What is offered.
    pub fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner).catalog)
    }

    /// Who may be offered a ride. Give it back soon: a change waits for nobody, and copies what is in use.
    pub fn roster(&self) -> Arc<Roster> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner).roster)
    }

    /// What became of offers.
    pub(super) fn histories(&self) -> Arc<Histories> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner).histories)
    }

    /// Takes in what changed of the fleet; whoever changes it in this process calls this after the commit.
    /// Nobody is offered a ride on older knowledge than the last call's.
    pub async fn refresh_fleet(&self, at: Timestamp) -> Result<(), ServiceError> {
        // One at a time: an older look must not come to lie over a newer one.
        let _turn = self.refreshing.lock().await;
        let mut tx = self.store.read().await?;
        self.refresh_histories(&mut tx, at).await?;
        let before = self.known.read().unwrap_or_else(PoisonError::into_inner).version;
        let version = tx.fleet_version().await?;
        if before == Some(version) {
            return Ok(());
        }
        // What is read after the version may be newer than it, and is then read once more.
        let catalog = match before {
            Some(before) if before.catalog == version.catalog => None,
            _ => Some(tx.catalog().await?),
        };
        let vehicles = match before {
            Some(before) if before.roster == version.roster => Vec::new(),
            before => tx.rostered(before.map(|before| before.roster)).await?,
        };
        drop(tx);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if before.is_none() {
            known.roster = Arc::new(Roster::new(self.settings.roster.clone()));
        }
        let roster = Arc::make_mut(&mut known.roster);
        for (device, vehicle) in vehicles {
            roster.put(device, vehicle);
        }
        if let Some(catalog) = catalog {
            tell_catalog(&catalog);
            known.catalog = Arc::new(catalog);
        }
        known.version = Some(version);
        Ok(())
    }

    async fn refresh_histories(&self, tx: &mut Tx, at: Timestamp) -> Result<(), ServiceError> {
        let last = self.known.read().unwrap_or_else(PoisonError::into_inner).histories_at;
        if last.is_some_and(|last| (0..HISTORIES_MS).contains(&at.since_ms(last))) {
            return Ok(());
        }
        let since = last.map(|last| last.min(at).plus_ms(-HISTORIES_OVERLAP_MS));
        let changed = tx.histories(since.unwrap_or(Timestamp::from_unix_ms(i64::MIN))).await?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut known.histories).extend(changed);
        known.histories_at = Some(at);
        Ok(())
    }
}

fn tell_catalog(catalog: &Catalog) {
    let items = catalog.items().count();
    if items == 0 {
        warn!(
            "nothing is offered: every search is refused. `tripline-bpp import FILE` takes items in"
        );
    } else {
        info!(items, "offered");
    }
}

/// Follows what others change of the fleet.
pub async fn run(platform: Arc<Platform>) {
    let mut tick = tokio::time::interval(Duration::from_millis(LOOK_EVERY_MS));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if let Err(error) = platform.refresh_fleet(time::now()).await {
            error!(%error, "it could not be seen whether the fleet changed");
        }
    }
}
