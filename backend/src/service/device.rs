//! What an event of a device sets in motion.

use tracing::{debug, error, info, warn};
use tripline_protocol::id::{AssignmentId, DeviceId, TripId};
use tripline_protocol::link::down::{Command, CommandBody};
use tripline_protocol::link::envelope::decode;
use tripline_protocol::link::up::{CommandOutcome, Event, EventBody};
use tripline_protocol::unit::Timestamp;

use super::effects::Wake;
use super::{Platform, ServiceError};
use crate::device::printable_version;
use crate::domain::dispatch::Cause;
use crate::domain::effect::Effect;
use crate::store::Tx;
use crate::store::order::StoredOrder;

/// Why an event had no effect. It is kept all the same.
pub type Refusal = Option<String>;

impl Platform {
    /// Lets one event have its effect; says why it had none.
    pub(super) async fn handle_event(
        &self,
        tx: &mut Tx,
        device: &DeviceId,
        event: &Event,
        at: Timestamp,
    ) -> Result<(Refusal, Wake), ServiceError> {
        match &event.body {
            EventBody::Booted { agent_version, .. } => {
                info!(%device, agent_version = printable_version(agent_version), "agent started");
                Ok((None, Wake::default()))
            }
            EventBody::Motion { state, ignition } => {
                debug!(%device, %state, ignition, "vehicle");
                Ok((None, Wake::default()))
            }
            EventBody::Near { trip, place } => {
                debug!(%device, %trip, %place, "vehicle is near");
                Ok((None, Wake::default()))
            }
            EventBody::Overspeed { speed_mmps, limit_mmps } => {
                info!(%device, speed_mmps, limit_mmps, "vehicle is faster than permitted");
                Ok((None, Wake::default()))
            }
            EventBody::Trouble { trouble, present } => {
                warn!(%device, %trouble, present, "device trouble");
                Ok((None, Wake::default()))
            }
            EventBody::Running { settings } => {
                debug!(%device, ?settings, "device runs");
                if let Err(out_of_range) = settings.check() {
                    return Ok((Some(out_of_range.to_string()), Wake::default()));
                }
                tx.set_running(device, *settings, event.fact_at(at)).await?;
                Ok((None, Wake::default()))
            }
            EventBody::Sos { trip } => self.handle_sos(tx, device, *trip, at).await,
            EventBody::OtpTried { trip } => {
                debug!(%device, %trip, "an OTP is tried");
                Ok((None, Wake::default()))
            }
            EventBody::SignedIn { driver, .. } => {
                info!(%device, %driver, "driver signs in");
                Ok((None, Wake::default()))
            }
            EventBody::Duty { duty } => {
                info!(%device, %duty, "driver's duty");
                Ok((None, Wake::default()))
            }
            EventBody::Lost => Ok((Some("its record was damaged".into()), Wake::default())),
            EventBody::CommandDone { number, outcome } => {
                let payload = tx.finish_down_message(device, *number, *outcome).await?;
                let wake = match (payload, outcome) {
                    (_, CommandOutcome::Applied) | (None, _) => Wake::default(),
                    (Some(payload), CommandOutcome::Expired | CommandOutcome::Refused) => {
                        self.handle_undelivered(tx, &payload, at).await?
                    }
                };
                Ok((None, wake))
            }
            EventBody::Answered { assignment, answer } => {
                let id = *assignment;
                let Some(mut stored) = self.own_assignment(tx, device, id).await? else {
                    return Ok((Some("no such offer to this device".into()), Wake::default()));
                };
                let outcome = stored.order.handle_answer(id, answer, event.fact_at(at), at);
                self.store_outcome(tx, stored, outcome, at).await
            }
            EventBody::Trip { trip, step } => {
                let Some(mut stored) = self.own_trip(tx, device, Some(*trip)).await? else {
                    return Ok((Some("no such trip of this device".into()), Wake::default()));
                };
                let outcome = stored.order.handle_step(*trip, step, event, at);
                self.store_outcome(tx, stored, outcome, at).await
            }
        }
    }

    /// The driver calls for help: the operator's log says so, and the order gets a case.
    async fn handle_sos(
        &self,
        tx: &mut Tx,
        device: &DeviceId,
        trip: Option<TripId>,
        at: Timestamp,
    ) -> Result<(Refusal, Wake), ServiceError> {
        error!(%device, trip = trip.map(|trip| trip.to_string()), "SOS: the driver calls for help");
        let Some(mut stored) = self.own_trip(tx, device, trip).await? else {
            return Ok((None, Wake::default()));
        };
        stored.order.handle_sos(at);
        let wake = self.carry_out(tx, &mut stored, Vec::new(), at).await?;
        Ok((None, wake))
    }

    /// Stores an order after an event. What the domain refused changed nothing but the order's cases.
    async fn store_outcome<E: std::fmt::Display>(
        &self,
        tx: &mut Tx,
        mut stored: StoredOrder,
        outcome: Result<Vec<Effect>, E>,
        at: Timestamp,
    ) -> Result<(Refusal, Wake), ServiceError> {
        let (refused, mut effects) = match outcome {
            Ok(effects) => (None, effects),
            Err(refused) => (Some(refused.to_string()), Vec::new()),
        };
        effects.extend(self.offer_next(tx, &mut stored.order, Cause::NotTaken, at).await?);
        let wake = self.carry_out(tx, &mut stored, effects, at).await?;
        Ok((refused, wake))
    }

    /// A command had no effect on the device: an offer goes to the next vehicle.
    async fn handle_undelivered(
        &self,
        tx: &mut Tx,
        payload: &[u8],
        at: Timestamp,
    ) -> Result<Wake, ServiceError> {
        let Ok(Command { body: CommandBody::Offer(assignment), .. }) = decode(payload) else {
            return Ok(Wake::default());
        };
        let Some(mut stored) = tx.order_of_assignment(assignment.id).await? else {
            return Ok(Wake::default());
        };
        let mut effects = stored.order.handle_undelivered(assignment.id, at);
        effects.extend(self.offer_next(tx, &mut stored.order, Cause::NotTaken, at).await?);
        self.carry_out(tx, &mut stored, effects, at).await
    }

    async fn own_trip(
        &self,
        tx: &mut Tx,
        device: &DeviceId,
        trip: Option<TripId>,
    ) -> Result<Option<StoredOrder>, ServiceError> {
        let Some(trip) = trip else { return Ok(None) };
        let is_own = |stored: &StoredOrder| {
            stored.order.trip.as_ref().is_some_and(|trip| trip.vehicle.device == *device)
        };
        // Nobody locks what is another's.
        if !tx.look_at_order_of_trip(trip).await?.is_some_and(|stored| is_own(&stored)) {
            return Ok(None);
        }
        Ok(tx.order_of_trip(trip).await?.filter(is_own))
    }

    async fn own_assignment(
        &self,
        tx: &mut Tx,
        device: &DeviceId,
        id: AssignmentId,
    ) -> Result<Option<StoredOrder>, ServiceError> {
        let is_own = |stored: &StoredOrder| {
            let mut offers = stored.order.offers.iter();
            offers.any(|offer| offer.id == id && offer.vehicle.device == *device)
        };
        // Nobody locks what is another's.
        if !tx.look_at_order_of_assignment(id).await?.is_some_and(|stored| is_own(&stored)) {
            return Ok(None);
        }
        Ok(tx.order_of_assignment(id).await?.filter(is_own))
    }
}
