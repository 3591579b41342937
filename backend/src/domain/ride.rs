//! The ride: how an order moves from terms to a final fare, by the words of the BAP, the driver and
//! the clock.
//!
//! Authority: the backend decides until the start of a trip, the device from start to stop. What the
//! BAP was told is never undone; what contradicts it becomes a case for the operator.

use tripline_protocol::assignment::{Assignment, AssignmentEvent, AssignmentState, RiderContact};
use tripline_protocol::fare::{Fare, Settlement};
use tripline_protocol::id::{AssignmentId, DeviceId, TripId};
use tripline_protocol::link::down::CommandBody;
use tripline_protocol::link::up::{Answer, Event};
use tripline_protocol::machine::{Machine as _, Refused};
use tripline_protocol::meter::Meter;
use tripline_protocol::order::{OrderEvent, OrderState};
use tripline_protocol::otp::{OTP_KEY_LEN, OtpVerifier, TypedOtp};
use tripline_protocol::trip::{TripEvent, TripState, TripStep};
use tripline_protocol::unit::Timestamp;

use super::dispatch::DispatchRules;
use super::effect::{Effect, Notice, Phase};
use super::order::{Conversation, Offer, Order, Rider, Trip, Vehicle};

/// A vehicle to offer the order to, held for it, with fresh identifiers for the offer.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The vehicle.
    pub vehicle: Vehicle,
    /// Fresh.
    pub assignment: AssignmentId,
    /// Fresh.
    pub trip: TripId,
    /// Fresh, for the OTP's verifier.
    pub otp_key: [u8; OTP_KEY_LEN],
}

/// Why a BAP's request cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RideError {
    /// The order is not where the request needs it to be.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The quote ran out.
    #[error("the quote has expired; select again")]
    QuoteExpired,
    /// A detail is missing.
    #[error("the order lacks {what}")]
    Missing {
        /// Which.
        what: &'static str,
    },
}

/// Why a step of a trip had no effect. It is kept, and a case for the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// Not at this point.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The device let a start pass that the backend does not.
    #[error("the trip was started with an OTP that is not the rider's")]
    Otp,
}

impl Order {
    /// `init`: the rider's details. May be repeated until `confirm`.
    pub fn initialize(
        &mut self,
        rider: Option<Rider>,
        conversation: Conversation,
        at: Timestamp,
    ) -> Result<(), RideError> {
        self.check_quote(at)?;
        self.advance(OrderEvent::Initialize)?;
        self.rider = rider.or(self.rider.take());
        self.conversation = conversation;
        self.touch(at);
        Ok(())
    }

    /// `confirm`: the order is booked and a driver is looked for. Without an `otp` the ride needs none.
    pub fn confirm(
        &mut self,
        rider: Option<Rider>,
        otp: Option<String>,
        conversation: Conversation,
        rules: &DispatchRules,
        at: Timestamp,
    ) -> Result<(), RideError> {
        self.check_quote(at)?;
        self.state.next(OrderEvent::Confirm)?;
        let rider = rider.or_else(|| self.rider.clone());
        if rider.is_none() {
            return Err(RideError::Missing { what: "the rider's name and phone" });
        }
        self.advance(OrderEvent::Confirm)?;
        self.rider = rider;
        self.otp = otp;
        self.search_until = Some(at.plus_ms(rules.search_ms));
        self.conversation = conversation;
        self.touch(at);
        Ok(())
    }

    fn check_quote(&self, at: Timestamp) -> Result<(), RideError> {
        let open = matches!(self.state, OrderState::Quoted | OrderState::Initialized);
        let expired = self.state == OrderState::Expired || open && self.quote_expires_at <= at;
        if expired { Err(RideError::QuoteExpired) } else { Ok(()) }
    }

    /// Offers the order to the next vehicle.
    pub fn offer(
        &mut self,
        candidate: Candidate,
        rules: &DispatchRules,
        at: Timestamp,
    ) -> Vec<Effect> {
        let Some(drop) = self.route.drop.clone() else { return Vec::new() };
        let search_until = self.search_until.unwrap_or(at);
        let expires_at = at.plus_ms(rules.offer_ms).min(search_until);
        let assignment = Assignment {
            id: candidate.assignment,
            order: self.id,
            trip: candidate.trip,
            pickup: self.route.pickup.clone(),
            drop,
            terms: self.terms.clone(),
            pickup_at: None,
            expires_at,
            otp: self.otp.as_ref().map(|otp| OtpVerifier::new(self.id, otp, candidate.otp_key)),
            collect_cash: true,
            auto_accept: false,
        };
        let device = candidate.vehicle.device.clone();
        self.offers.push(Offer {
            id: candidate.assignment,
            trip: candidate.trip,
            vehicle: candidate.vehicle,
            state: AssignmentState::INITIAL,
            expires_at,
        });
        self.touch(at);
        let body = Box::new(CommandBody::Offer(assignment));
        vec![Effect::Command { device, body, expires_at: Some(expires_at) }]
    }

    /// Nobody is free to be asked; the order is looked at again in a while.
    pub fn find_nobody(&mut self, at: Timestamp) {
        self.touch(at);
    }

    /// The driver's answer to an offer, given at `happened` by the device's clock. `at` is when the
    /// backend learns of it.
    pub fn handle_answer(
        &mut self,
        id: AssignmentId,
        answer: &Answer,
        happened: Timestamp,
        at: Timestamp,
    ) -> Result<Vec<Effect>, Refused> {
        let event = match answer {
            Answer::Accept => AssignmentEvent::Accept,
            Answer::Reject { .. } => AssignmentEvent::Reject,
        };
        let Some(offer) = self.offers.iter_mut().find(|offer| offer.id == id) else {
            return Ok(Vec::new());
        };
        let device = offer.vehicle.device.clone();
        let state = match offer.state.next(event) {
            Ok(state) => state,
            // Too late: the order went on without this driver, who has to be told.
            Err(refused) if event == AssignmentEvent::Accept => {
                let why = format!("a late answer was refused: {refused}");
                self.open_case(why, at);
                return Ok(vec![withdraw(device, id, "the order went to another driver")]);
            }
            Err(refused) => return Err(refused),
        };
        offer.state = state;
        let (trip, vehicle) = (offer.trip, offer.vehicle.clone());
        self.touch(at);
        if state != AssignmentState::Accepted {
            return Ok(vec![Effect::Release(device)]);
        }
        self.advance(OrderEvent::Assign)?;
        self.trip = Some(Trip {
            id: trip,
            vehicle,
            state: TripState::INITIAL,
            phase: Phase::Assigned,
            phase_at: happened,
            meter: Meter::default(),
            start_fix: None,
            stop_fix: None,
            accepted_at: at,
        });
        let mut effects = vec![Effect::Tell(Notice::Confirmed)];
        if let Some(Rider { name, phone }) = self.rider.clone() {
            let body = Box::new(CommandBody::Rider(RiderContact { trip, name, phone }));
            effects.push(Effect::Command { device, body, expires_at: None });
        }
        Ok(effects)
    }

    /// The device could not show the offer: it is busy, or the offer came too late.
    pub fn handle_undelivered(&mut self, id: AssignmentId, at: Timestamp) -> Vec<Effect> {
        self.end_offer(id, AssignmentEvent::Expire, at)
    }

    fn end_offer(
        &mut self,
        id: AssignmentId,
        event: AssignmentEvent,
        at: Timestamp,
    ) -> Vec<Effect> {
        let Some(offer) = self.offers.iter_mut().find(|offer| offer.id == id) else {
            return Vec::new();
        };
        let Ok(state) = offer.state.next(event) else { return Vec::new() };
        offer.state = state;
        let device = offer.vehicle.device.clone();
        self.touch(at);
        vec![Effect::Release(device)]
    }

    /// Time passed: quotes and offers expire, and with the search's end the order is given up.
    pub fn handle_timeout(&mut self, at: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.quote_expires_at <= at && self.advance(OrderEvent::Expire).is_ok() {
            self.touch(at);
        }
        if self.state != OrderState::Confirmed {
            return effects;
        }
        let expired = self.open_offer().filter(|offer| offer.expires_at <= at);
        if let Some((id, device)) = expired.map(|offer| (offer.id, offer.vehicle.device.clone())) {
            effects.extend(self.end_offer(id, AssignmentEvent::Expire, at));
            effects.push(withdraw(device, id, "the offer has expired"));
        }
        let over = self.search_until.is_some_and(|until| until <= at);
        if over && self.open_offer().is_none() && self.advance(OrderEvent::GiveUp).is_ok() {
            self.touch(at);
            effects.push(Effect::Tell(Notice::Unserved));
        }
        effects
    }

    /// A step of the trip, as the device reports it. `at` is when the backend learns of it.
    pub fn handle_step(
        &mut self,
        id: TripId,
        step: &TripStep,
        event: &Event,
        at: Timestamp,
    ) -> Result<Vec<Effect>, StepError> {
        let Some(trip) = self.trip.as_mut().filter(|trip| trip.id == id) else {
            return Ok(Vec::new());
        };
        if let TripStep::Collected { amount } = step {
            if self.collected.is_some() {
                self.open_case("the fare was reported as collected twice".into(), at);
                return Ok(Vec::new());
            }
            self.collected = Some(*amount);
            self.touch(at);
            return Ok(vec![Effect::Tell(Notice::Paid)]);
        }
        if let TripStep::Extra(extra) = step {
            if !trip.meter.add_extra(extra.clone()) {
                self.open_case("more was paid for the rider than a trip has lines for".into(), at);
            }
            self.touch(at);
            return Ok(Vec::new());
        }
        let Some(what) = step.event() else { return Ok(Vec::new()) };
        let state = match trip.state.next(what) {
            Ok(state) => state,
            Err(refused) => {
                self.open_case(format!("an event of the trip was refused: {refused}"), at);
                return Err(refused.into());
            }
        };
        if let TripStep::Start { otp } = step
            && !otp_matches(self.otp.as_deref(), otp.as_ref())
        {
            self.open_case(StepError::Otp.to_string(), at);
            return Err(StepError::Otp);
        }
        let phase_before = trip.phase;
        trip.state = state;
        trip.meter = trip.meter.clone().after(what, &event.moment(at));
        trip.phase = phase_after(what);
        trip.phase_at = trip.phase_at.max(event.fact_at(at));
        match what {
            TripEvent::Start => trip.start_fix = event.fix,
            TripEvent::Stop => trip.stop_fix = event.fix,
            TripEvent::Depart
            | TripEvent::Arrive
            | TripEvent::ArriveOutside
            | TripEvent::Pause
            | TripEvent::Resume
            | TripEvent::Cancel
            | TripEvent::NoShow => {}
        }
        let (device, phase) = (trip.vehicle.device.clone(), trip.phase);
        self.touch(at);
        match step {
            TripStep::Stop { fare } => {
                self.settle(fare.clone(), event)?;
                Ok(vec![
                    Effect::Tell(Notice::Phase(phase)),
                    Effect::Tell(Notice::FinalFare),
                    Effect::Release(device),
                ])
            }
            TripStep::Cancel { reason } => Ok(self.call_off(reason.clone(), device)?),
            TripStep::NoShow => Ok(self.call_off("the rider did not come".into(), device)?),
            TripStep::Depart
            | TripStep::Arrive
            | TripStep::ArriveOutside { .. }
            | TripStep::Start { .. }
            | TripStep::Pause
            | TripStep::Resume
            | TripStep::Collected { .. }
            | TripStep::Extra(_) => {
                // A second arrival, inside the fence after one outside, is no news to the rider.
                let news = phase != phase_before;
                Ok(if news { vec![Effect::Tell(Notice::Phase(phase))] } else { Vec::new() })
            }
        }
    }

    /// The driver called for help during the trip.
    pub fn handle_sos(&mut self, at: Timestamp) {
        self.open_case("SOS: the driver called for help".into(), at);
    }

    /// Both fares are known: the lower is charged.
    fn settle(&mut self, device: Fare, event: &Event) -> Result<(), Refused> {
        self.advance(OrderEvent::Complete)?;
        if let Some(trip) = &self.trip {
            let ours = self.terms.metered(trip.meter.usage(event.reading));
            self.settlement = Some(Settlement::of(device, ours));
        }
        Ok(())
    }

    fn call_off(&mut self, reason: String, device: DeviceId) -> Result<Vec<Effect>, Refused> {
        self.advance(OrderEvent::Cancel)?;
        self.cancel_reason = Some(reason);
        Ok(vec![Effect::Tell(Notice::Cancelled), Effect::Release(device)])
    }
}

fn withdraw(device: DeviceId, assignment: AssignmentId, reason: &str) -> Effect {
    let body = Box::new(CommandBody::Withdraw { assignment, reason: reason.into() });
    Effect::Command { device, body, expires_at: None }
}

const fn phase_after(event: TripEvent) -> Phase {
    match event {
        TripEvent::Depart => Phase::EnRouteToPickup,
        TripEvent::Arrive | TripEvent::ArriveOutside => Phase::AtPickup,
        TripEvent::Start => Phase::Started,
        TripEvent::Pause => Phase::Paused,
        TripEvent::Resume => Phase::Resumed,
        TripEvent::Stop => Phase::Ended,
        TripEvent::Cancel | TripEvent::NoShow => Phase::Cancelled,
    }
}

/// The rider's OTP against what the driver typed. A start without one passes only where none is asked.
fn otp_matches(otp: Option<&str>, typed: Option<&TypedOtp>) -> bool {
    match (otp, typed) {
        (None, _) => true,
        (Some(otp), Some(TypedOtp(typed))) => otp == typed.trim(),
        (Some(_), None) => false,
    }
}
