//! Whether devices are heard, also by a platform that was started a moment ago.

use tripline_protocol::id::{DeviceId, TripId};
use tripline_protocol::unit::Timestamp;

use super::{Platform, ServiceError};
use crate::domain::effect::Effect;
use crate::domain::order::Order;
use crate::domain::passage::Passage;
use crate::domain::ride::Look;
use crate::store::{StoreError, Tx};

/// How long a platform listens at least before it closes trips of devices that it has not heard, in ms: those
/// that lost it come back within a minute or two.
const LISTENS_MS_MIN: i64 = 10 * 60_000;

/// How long before the last event of a ride its trail is read, in ms: a minute, for the fix before it.
const BEFORE_MS: i64 = 60_000;

/// The trail of a trip's device behind its last event, for whoever closes it at `at`: as far as it was heard
/// it is charged. Empty if it is not under way.
pub(crate) async fn trail_behind(
    tx: &mut Tx,
    order: &Order,
    trip: TripId,
    at: Timestamp,
) -> Result<Vec<Passage>, StoreError> {
    let Some((device, since)) = order.trail_behind(trip, at) else { return Ok(Vec::new()) };
    tx.trail_between(&device, since.plus_ms(-BEFORE_MS), at).await
}

impl Platform {
    /// Closes trips of an order whose devices were silent for too long.
    pub(super) async fn handle_due_looks(
        &self,
        tx: &mut Tx,
        order: &mut Order,
        at: Timestamp,
    ) -> Result<Vec<Effect>, ServiceError> {
        let due = order.due_looks(at);
        let due: Vec<_> =
            due.into_iter().map(|trip| (trip.id, trip.vehicle.device.clone())).collect();
        let not_before = self.since.plus_ms(LISTENS_MS_MIN);
        let mut effects = Vec::new();
        for (trip, device) in due {
            let heard = self.heard(tx, &device, at).await?;
            let trail = trail_behind(tx, order, trip, at).await?;
            let look = Look { heard, not_before, trail: &trail, at };
            effects.extend(order.handle_look(trip, look, &self.settings.ride));
        }
        Ok(effects)
    }

    /// Counts the trips that are under way, and those of them whose devices are not heard.
    pub async fn count_silent(&self, now: Timestamp) -> Result<(), ServiceError> {
        let mut tx = self.store.read().await?;
        let under_way = tx.devices_under_way(now).await?;
        drop(tx);
        let count = under_way.len();
        let is_silent = |(device, stored): &(DeviceId, Timestamp)| {
            let live = self.fleet().get(device).map(|seen| seen.received_at);
            let heard = live.map_or(*stored, |live| live.max(*stored));
            now.since_ms(heard) > self.settings.ride.silent_ms
        };
        let silent = under_way.iter().filter(|trip| is_silent(trip)).count();
        self.metrics.trips_under_way.set(i64::try_from(count).unwrap_or(i64::MAX));
        self.metrics.trips_silent.set(i64::try_from(silent).unwrap_or(i64::MAX));
        Ok(())
    }

    /// When a device was heard last, on whichever lane. What is stored of it survives a restart; positions are
    /// in memory, and come again.
    pub async fn heard(
        &self,
        tx: &mut Tx,
        device: &DeviceId,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, ServiceError> {
        let stored = tx.heard(device, now).await?;
        let live = self.fleet().get(device).map(|seen| seen.received_at);
        Ok(stored.max(live))
    }
}
