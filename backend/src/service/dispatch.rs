//! Dispatch: offering an order to the next vehicle, and what is due when nobody answers.

use tracing::{error, info};
use tripline_protocol::id::{AssignmentId, OrderId, TripId};
use tripline_protocol::order::OrderState;
use tripline_protocol::unit::Timestamp;

use super::effects::Wake;
use super::{Platform, ServiceError};
use crate::chance;
use crate::domain::dispatch::candidates;
use crate::domain::effect::Effect;
use crate::domain::order::Order;
use crate::domain::ride::Candidate;
use crate::store::Tx;
use crate::store::retry::retry;

/// Orders looked at in one go.
const DUE_ORDERS_MAX: u32 = 32;

impl Platform {
    /// Does what is due by `at` about orders that wait for a driver; gives how many there were.
    pub async fn handle_due(&self, at: Timestamp) -> Result<usize, ServiceError> {
        let mut tx = self.store.read().await?;
        let due = tx.due_orders(at, DUE_ORDERS_MAX).await?;
        drop(tx);
        let count = due.len();
        for id in due {
            // One order that cannot be handled must not keep the others waiting.
            if let Err(error) = self.handle_one_due(id, at).await {
                error!(order = %id, %error, "order not looked after");
            }
        }
        Ok(count)
    }

    async fn handle_one_due(&self, id: OrderId, at: Timestamp) -> Result<(), ServiceError> {
        let wake = retry(|| self.try_one_due(id, at)).await?;
        self.wake(wake);
        Ok(())
    }

    async fn try_one_due(&self, id: OrderId, at: Timestamp) -> Result<Wake, ServiceError> {
        let mut tx = self.store.write().await?;
        let wake = self.handle_due_order(&mut tx, id, at).await?;
        tx.commit().await?;
        Ok(wake)
    }

    async fn handle_due_order(
        &self,
        tx: &mut Tx,
        id: OrderId,
        at: Timestamp,
    ) -> Result<Wake, ServiceError> {
        let Some(mut stored) = tx.order(id).await? else { return Ok(Wake::default()) };
        // Another backend may have been here since it was listed.
        if stored.order.due_at().is_none_or(|due| due > at) {
            return Ok(Wake::default());
        }
        let mut effects = stored.order.handle_timeout(at);
        effects.extend(self.handle_due_looks(tx, &mut stored.order, at).await?);
        effects.extend(self.offer_next(tx, &mut stored.order, at).await?);
        self.carry_out(tx, &mut stored, effects, at).await
    }

    /// Offers an order that waits for a driver to the next vehicle, which is held for it.
    pub(super) async fn offer_next(
        &self,
        tx: &mut Tx,
        order: &mut Order,
        at: Timestamp,
    ) -> Result<Vec<Effect>, ServiceError> {
        if order.state != OrderState::Confirmed || order.has_open_offer() {
            return Ok(Vec::new());
        }
        let rules = &self.settings.dispatch;
        let held = tx.held().await?;
        let asked = order.offers.iter().map(|offer| offer.vehicle.device.clone()).collect();
        let place = order.route.pickup.position;
        let free =
            self.ready_near(place, &order.listing, at, |near| candidates(near, &held, &asked));
        for device in free {
            let Some(vehicle) = tx.vehicle(&device).await? else { continue };
            if !tx.hold(&device, order.id).await? {
                continue;
            }
            if order.needs_new_otp() {
                order.renew_otp(chance::otp()?);
            }
            let candidate = Candidate {
                vehicle,
                assignment: AssignmentId::from(chance::uuid()?),
                trip: TripId::from(chance::uuid()?),
                otp_key: chance::bytes()?,
            };
            tx.add_assignment(candidate.assignment, candidate.trip, order.id).await?;
            info!(order = %order.id, %device, "offered");
            return Ok(order.offer(candidate, rules, at));
        }
        order.find_nobody(at);
        Ok(Vec::new())
    }
}
