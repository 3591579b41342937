//! Dispatch: offering an order to the next vehicle, and what is due when nobody answers.

use tracing::{error, info};
use tripline_protocol::id::{AssignmentId, OrderId, TripId};
use tripline_protocol::order::OrderState;
use tripline_protocol::unit::Timestamp;

use super::choice::Wanted;
use super::effects::Wake;
use super::{Platform, ServiceError};
use crate::chance;
use crate::domain::dispatch::{Cause, Decision, Ranking};
use crate::domain::effect::Effect;
use crate::domain::order::{Order, Vehicle};
use crate::domain::ride::Candidate;
use crate::store::Tx;
use crate::store::order::StoredOrder;
use crate::store::retry::retry;

/// Orders looked after in one go.
const DUE_ORDERS_MAX: u32 = 32;

impl Platform {
    /// Does what is due by `at` about orders that wait for a driver; gives of how many.
    pub async fn handle_due(&self, at: Timestamp) -> Result<u32, ServiceError> {
        self.refresh_fleet(at).await?;
        let (mut handled, mut after) = (0, None);
        // Those that cannot be handled stay due, longest of all: it is looked behind them.
        while handled < DUE_ORDERS_MAX {
            let mut tx = self.store.read().await?;
            let due = tx.due_orders(at, after, DUE_ORDERS_MAX - handled).await?;
            drop(tx);
            let Some(last) = due.last() else { break };
            after = Some(*last);
            for (_, id) in due {
                // One order that cannot be handled must not keep the others waiting.
                match self.handle_one_due(id, at).await {
                    Ok(()) => handled += 1,
                    Err(error) => error!(order = %id, %error, "order not looked after"),
                }
            }
        }
        Ok(handled)
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
        let cause = cause_of(&stored.order);
        let mut effects = stored.order.handle_timeout(at);
        effects.extend(self.handle_due_looks(tx, &mut stored.order, at).await?);
        effects.extend(self.offer_next(tx, &mut stored.order, cause, at).await?);
        self.carry_out(tx, &mut stored, effects, at).await
    }

    /// Carries out a change of the rider's. Who had the ride offered is free before the next drivers are asked,
    /// and may be among them.
    pub async fn carry_out_change(
        &self,
        tx: &mut Tx,
        stored: &mut StoredOrder,
        effects: Vec<Effect>,
        at: Timestamp,
    ) -> Result<Wake, ServiceError> {
        let mut left = Vec::new();
        for effect in effects {
            if let Effect::Release(device) = effect {
                tx.release(&device, stored.order.id).await?;
            } else {
                left.push(effect);
            }
        }
        left.extend(self.offer_next(tx, &mut stored.order, Cause::Changed, at).await?);
        self.carry_out(tx, stored, left, at).await
    }

    /// Offers an order that waits for a driver to the next vehicles, which are held for it.
    pub(super) async fn offer_next(
        &self,
        tx: &mut Tx,
        order: &mut Order,
        cause: Cause,
        at: Timestamp,
    ) -> Result<Vec<Effect>, ServiceError> {
        let is_early = order.search_from.is_some_and(|from| from > at);
        if order.state != OrderState::Confirmed || order.has_open_offer() || is_early {
            return Ok(Vec::new());
        }
        if order.named.is_some() && order.past_trips.is_empty() {
            return self.offer_to_named(tx, order, at).await;
        }
        let rules = &self.settings.dispatch;
        let wanted = Wanted::of_order(order);
        let place = order.route.pickup.position;
        let count = rules.at_a_time();
        let ranking = self.choose(tx, place, &wanted, count, at).await?;
        let vehicles = take(tx, order.id, &ranking, count).await?;
        let offered: Vec<_> = vehicles.iter().map(|vehicle| vehicle.device.clone()).collect();
        let decision = Decision::new(cause, ranking, offered, rules, at);
        tx.add_decision(order.id, &decision).await?;
        if vehicles.is_empty() {
            order.find_nobody(at);
        }
        if order.needs_new_otp() && !vehicles.is_empty() {
            order.renew_otp(chance::otp()?);
        }
        let mut effects = Vec::new();
        for vehicle in vehicles {
            effects.extend(self.offer_to(tx, order, vehicle, at).await?);
        }
        Ok(effects)
    }

    /// Offers an order to the one driver whom its quote named. If that one does not take it, nobody does.
    async fn offer_to_named(
        &self,
        tx: &mut Tx,
        order: &mut Order,
        at: Timestamp,
    ) -> Result<Vec<Effect>, ServiceError> {
        let named = order.named.clone().filter(|_| order.asked().next().is_none());
        let Some(vehicle) = named else { return Ok(order.give_up_named(at)) };
        // An offer that was taken back for a change freed it for a moment.
        let was_free = !order.offers.is_empty();
        if was_free && !tx.hold(&vehicle.device, order.id).await? {
            return Ok(order.give_up_named(at));
        }
        self.offer_to(tx, order, vehicle, at).await
    }

    /// Offers an order to a vehicle that is held for it.
    async fn offer_to(
        &self,
        tx: &mut Tx,
        order: &mut Order,
        vehicle: Vehicle,
        at: Timestamp,
    ) -> Result<Vec<Effect>, ServiceError> {
        let candidate = Candidate {
            vehicle,
            assignment: AssignmentId::from(chance::uuid()?),
            trip: TripId::from(chance::uuid()?),
            otp_key: chance::bytes()?,
        };
        tx.add_assignment(candidate.assignment, candidate.trip, order.id).await?;
        info!(order = %order.id, device = %candidate.vehicle.device, "offered");
        Ok(order.offer(candidate, &self.settings.dispatch, at))
    }
}

/// Why a driver is looked for once something is due.
fn cause_of(order: &Order) -> Cause {
    if order.has_open_offer() {
        Cause::NotTaken
    } else if order.is_scheduled() && order.offers.is_empty() {
        Cause::Scheduled
    } else {
        Cause::LookedAgain
    }
}

/// Takes the best `count` vehicles for an order. The key of the table of holds decides between orders that
/// want the same one, whichever backends they are on.
async fn take(
    tx: &mut Tx,
    order: OrderId,
    ranking: &Ranking,
    count: usize,
) -> Result<Vec<Vehicle>, ServiceError> {
    let mut taken = Vec::new();
    let mut left = ranking.ranked.as_slice();
    while taken.len() < count && !left.is_empty() {
        let (best, others) = left.split_at((count - taken.len()).min(left.len()));
        left = others;
        // In one order whoever takes them, so that two who want the same ones seldom wait for each other.
        let mut devices: Vec<_> = best.iter().map(|it| &it.device).collect();
        devices.sort_unstable();
        for device in devices {
            let Some(vehicle) = tx.vehicle(device).await? else { continue };
            if tx.hold(device, order).await? {
                taken.push(vehicle);
            }
        }
    }
    Ok(taken)
}
