//! What an event of a device sets in motion.

use tracing::{debug, error, info, warn};
use tripline_protocol::id::{AssignmentId, DeviceId, TripId};
use tripline_protocol::link::up::{Event, EventBody};
use tripline_protocol::unit::Timestamp;

use super::effects::Wake;
use super::{Platform, ServiceError};
use crate::device::printable_version;
use crate::domain::dispatch::Cause;
use crate::domain::effect::{Effect, Notice};
use crate::domain::ride::{Handled, Report};
use crate::domain::trip::{By, OFFLINE_MS_MIN};
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
            EventBody::Sos { trip } => {
                self.handle_sos(tx, device, *trip, event.fact_at(at), at).await
            }
            EventBody::OtpTried { trip } => self.handle_otp_try(tx, device, *trip, event, at).await,
            EventBody::SignedIn { driver, pin } => {
                let times = (event.fact_at(at), at);
                self.handle_sign_in(tx, device, (driver, pin), times).await
            }
            EventBody::Duty { duty } => {
                Self::handle_duty(tx, device, (*duty).into(), (event.fact_at(at), at)).await
            }
            EventBody::Lost => Ok((Some("its record was damaged".into()), Wake::default())),
            EventBody::CommandDone { number, outcome } => {
                // A command is large, and other events need no room for one.
                let done = (*number, *outcome);
                Box::pin(self.handle_command_done(tx, device, done, event, at)).await
            }
            EventBody::Answered { assignment, answer } => {
                let id = *assignment;
                let Some(mut stored) = self.own_assignment(tx, device, id).await? else {
                    return Ok((Some("no such offer to this device".into()), Wake::default()));
                };
                let (happened, rules) = (event.fact_at(at), self.settings.ride);
                let handled = stored.order.handle_answer(id, answer, &rules, happened, at);
                self.store_handled(tx, stored, handled, at).await
            }
            EventBody::Trip { trip, step } => {
                let Some(mut stored) = self.own_trip(tx, device, *trip).await? else {
                    return Ok((Some("no such trip of this device".into()), Wake::default()));
                };
                let report = self.report(tx, device, event, at).await?;
                let rules = self.settings.ride;
                let handled = stored.order.handle_step(*trip, step, &report, &rules);
                self.store_handled(tx, stored, handled, at).await
            }
        }
    }

    /// An event of a trip, with what the platform knows of its way here.
    pub(super) async fn report<'e>(
        &self,
        tx: &mut Tx,
        device: &DeviceId,
        event: &'e Event,
        at: Timestamp,
    ) -> Result<Report<'e>, ServiceError> {
        let happened = event.fact_at(at);
        let late = at.since_ms(happened) >= OFFLINE_MS_MIN;
        let presence = if late { None } else { tx.presence(device).await? };
        // It was not connected then: it is not, or it came after.
        let away = presence.is_some_and(|it| !it.connected || it.since > happened);
        Ok(Report { by: By::Device, event, at, offline: late || away })
    }

    /// An OTP is tried on the device: it is counted.
    async fn handle_otp_try(
        &self,
        tx: &mut Tx,
        device: &DeviceId,
        trip: TripId,
        event: &Event,
        at: Timestamp,
    ) -> Result<(Refusal, Wake), ServiceError> {
        debug!(%device, %trip, "an OTP is tried");
        let Some(mut stored) = self.own_trip(tx, device, trip).await? else {
            return Ok((Some("no such trip of this device".into()), Wake::default()));
        };
        stored.order.handle_otp_try(trip, event.fact_at(at), at);
        let wake = self.carry_out(tx, &mut stored, Vec::new(), at).await?;
        Ok((None, wake))
    }

    /// The driver calls for help: the operator's log says so, and the order gets a case.
    async fn handle_sos(
        &self,
        tx: &mut Tx,
        device: &DeviceId,
        trip: Option<TripId>,
        happened: Timestamp,
        at: Timestamp,
    ) -> Result<(Refusal, Wake), ServiceError> {
        error!(%device, trip = trip.map(|trip| trip.to_string()), "SOS: the driver calls for help");
        let Some(trip) = trip else { return Ok((None, Wake::default())) };
        let Some(mut stored) = self.own_trip(tx, device, trip).await? else {
            return Ok((None, Wake::default()));
        };
        stored.order.handle_sos(trip, happened, at);
        let wake = self.carry_out(tx, &mut stored, Vec::new(), at).await?;
        Ok((None, wake))
    }

    /// Stores an order after an event, with all that it calls for.
    pub(super) async fn store_handled(
        &self,
        tx: &mut Tx,
        mut stored: StoredOrder,
        handled: Handled,
        at: Timestamp,
    ) -> Result<(Refusal, Wake), ServiceError> {
        let Handled { mut effects, refused } = handled;
        let given_up = effects.contains(&Effect::Tell(Notice::Unassigned));
        let cause = if given_up { Cause::GivenUp } else { Cause::NotTaken };
        effects.extend(self.offer_next(tx, &mut stored.order, cause, at).await?);
        let wake = self.carry_out(tx, &mut stored, effects, at).await?;
        Ok((refused, wake))
    }

    /// The order of a trip that this device was offered.
    pub(super) async fn own_trip(
        &self,
        tx: &mut Tx,
        device: &DeviceId,
        trip: TripId,
    ) -> Result<Option<StoredOrder>, ServiceError> {
        let is_own = |stored: &StoredOrder| {
            let mut offers = stored.order.offers.iter();
            offers.any(|offer| offer.trip == trip && offer.vehicle.device == *device)
        };
        // Nobody locks what is another's.
        if !tx.look_at_order_of_trip(trip).await?.is_some_and(|stored| is_own(&stored)) {
            return Ok(None);
        }
        Ok(tx.order_of_trip(trip).await?.filter(is_own))
    }

    pub(super) async fn own_assignment(
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
