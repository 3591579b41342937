//! What dispatch knows of the fleet without asking the store for each vehicle: the roster, and what became
//! of offers. Both follow the store, whoever writes there.

use std::sync::{Arc, PoisonError};

use tripline_protocol::unit::Timestamp;

use super::{Platform, ServiceError};
use crate::domain::dispatch::Histories;
use crate::domain::fleet::Roster;

/// How long what became of offers is used before it is looked at again, in ms. It moves slowly, and decides
/// only between vehicles that are about as good.
const HISTORIES_MS: i64 = 5_000;

/// Changes are looked for from so long before the last look on, in ms: whoever made them may have a clock
/// that is behind, and commits after it has read it.
const HISTORIES_OVERLAP_MS: i64 = 60_000;

/// The roster and what became of offers, as of the last look.
#[derive(Debug, Clone, Default)]
pub(super) struct KnownFleet {
    /// Who may be offered a ride.
    pub(super) roster: Arc<Roster>,
    /// What became of offers.
    pub(super) histories: Arc<Histories>,
    version: Option<u64>,
    histories_at: Option<Timestamp>,
}

impl Platform {
    /// The fleet as it was known at the last look.
    pub(super) fn known_fleet(&self) -> KnownFleet {
        self.known_fleet.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes up what changed in the store. Nobody is offered a ride on older knowledge than the last call's.
    pub async fn refresh_fleet(&self, at: Timestamp) -> Result<(), ServiceError> {
        let (version, histories_at) = {
            let known = self.known_fleet.read().unwrap_or_else(PoisonError::into_inner);
            (known.version, known.histories_at)
        };
        let mut tx = self.store.read().await?;
        let newest = tx.fleet_version().await?.roster;
        let vehicles =
            if version == Some(newest) { Vec::new() } else { tx.rostered(version).await? };
        let is_due = |last: Timestamp| !(0..HISTORIES_MS).contains(&at.since_ms(last));
        let histories = if histories_at.is_none_or(is_due) {
            let since = histories_at.map(|last| last.min(at).plus_ms(-HISTORIES_OVERLAP_MS));
            Some(tx.histories(since.unwrap_or(Timestamp::from_unix_ms(i64::MIN))).await?)
        } else {
            None
        };
        drop(tx);
        let mut known = self.known_fleet.write().unwrap_or_else(PoisonError::into_inner);
        // Another look that began later may have been faster.
        if known.version == version && !vehicles.is_empty() {
            let roster = Arc::make_mut(&mut known.roster);
            for (device, vehicle) in vehicles {
                roster.put(device, vehicle);
            }
        }
        if known.version == version {
            known.version = Some(newest);
        }
        if let Some(histories) = histories {
            Arc::make_mut(&mut known.histories).extend(histories);
            known.histories_at = Some(at);
        }
        Ok(())
    }
}
