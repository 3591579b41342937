//! Whether devices are heard, also by a platform that was started a moment ago.

use tripline_protocol::id::DeviceId;
use tripline_protocol::unit::Timestamp;

use super::{Platform, ServiceError};
use crate::domain::effect::Effect;
use crate::domain::order::Order;
use crate::domain::ride::Look;
use crate::store::Tx;

/// How long a platform listens at least before it closes trips of devices that it has not heard, in ms: those
/// that lost it come back within a minute or two.
const LISTENS_MS_MIN: i64 = 10 * 60_000;

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
            let look = Look { heard: heard, not_before, at };
            effects.extend(order.handle_look(trip, look, &self.settings.ride));
        }
        Ok(effects)
    }

    /// When a device was heard last, on whichever lane. What is stored of it survives a restart; positions are
    /// in memory, and come again.
    pub(super) async fn heard(
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
