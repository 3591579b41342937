//! The fleet in memory: what is offered, and who may be offered a ride, as the store has it.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tracing::{error, info, warn};
use tripline_protocol::unit::{Position, Timestamp};

use super::{Platform, ServiceError};
use crate::domain::catalog::Listing;
use crate::domain::fleet::{Catalog, Roster};
use crate::domain::live::Near;
use crate::store::change::FleetVersion;

/// How often the store is asked whether another process changed the fleet, in ms.
pub const LOOK_EVERY_MS: u64 = 1_000;

/// What a platform has of the fleet, and how new it is.
#[derive(Debug, Default)]
pub(super) struct Known {
    version: Option<FleetVersion>,
    catalog: Arc<Catalog>,
    roster: Arc<Roster>,
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

    /// Looks at the vehicles near a place that may come for what is booked, nearest first.
    pub(super) fn ready_near<T>(
        &self,
        place: Position,
        listing: &Listing,
        at: Timestamp,
        look: impl FnOnce(&mut dyn Iterator<Item = Near<'_>>) -> T,
    ) -> T {
        let (roster, fleet) = (self.roster(), self.fleet());
        let is_ready = |near: &Near<'_>| {
            roster.get(near.device).is_some_and(|vehicle| {
                vehicle.serves(&listing.provider_id, &listing.vehicle_category)
                    && vehicle.blocked(roster.rules(), at).is_none()
            })
        };
        look(&mut fleet.near(place, self.settings.dispatch.radius_m, at).filter(is_ready))
    }

    /// Takes in what changed of the fleet; whoever changes it in this process calls this after the commit.
    pub async fn refresh_fleet(&self) -> Result<(), ServiceError> {
        // One at a time: an older look must not come to lie over a newer one.
        let _turn = self.refreshing.lock().await;
        let before = self.known.read().unwrap_or_else(PoisonError::into_inner).version;
        let mut tx = self.store.read().await?;
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
        if let Err(error) = platform.refresh_fleet().await {
            error!(%error, "it could not be seen whether the fleet changed");
        }
    }
}
