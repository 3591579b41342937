//! Ends that come from the platform: the order is called off, or its trip is closed without its device.

use tripline_protocol::assignment::AssignmentEvent;
use tripline_protocol::fare::{Fare, Settlement};
use tripline_protocol::id::{DeviceId, TripId};
use tripline_protocol::link::down::{CommandBody, DriveVerb};
use tripline_protocol::link::up::CommandOutcome;
use tripline_protocol::machine::Machine as _;
use tripline_protocol::order::OrderEvent;
use tripline_protocol::trip::{TripEvent, TripState};
use tripline_protocol::unit::Timestamp;

use super::step::Detail;
use super::{Handled, Report, RideError, RideRules};
use crate::domain::course::Heard;
use crate::domain::effect::{Effect, Notice, Phase};
use crate::domain::order::{Cancelled, CancelledBy, Order};
use crate::domain::passage::Passage;
use crate::domain::trip::{By, Closed, Step, Trip};

impl Order {
    /// The order is cancelled by somebody who is not its driver. The rider is charged by the terms, everybody
    /// else's cancellation costs nothing. The vehicle is held until its device knows.
    pub fn cancel(
        &mut self,
        by: &By,
        reason: &str,
        at: Timestamp,
    ) -> Result<Vec<Effect>, RideError> {
        self.state.next(OrderEvent::Cancel)?;
        if self.trip.as_ref().is_some_and(Trip::is_under_way) {
            return Err(RideError::UnderWay);
        }
        let (who, name) = who(by);
        let fare = self.cancellation_fare(who, at);
        let waits = self.is_confirmation_awaited();
        let mut effects = self.withdraw_open_offers("the ride was called off", at);
        effects.extend(self.release_named());
        effects.extend(self.drop_trip(by, reason, at));
        if waits {
            effects.push(Effect::Tell(Notice::Unserved));
        }
        effects.extend(self.call_off(who, name, reason.to_owned(), fare, at));
        if let Some(id) = self.trip.as_ref().map(|trip| trip.id) {
            self.note_crossing(id, at);
        }
        Ok(effects)
    }

    /// What calling the order off at `at` costs the rider: by the terms, from the acceptance on, if the rider
    /// does; nothing if anybody else does.
    pub fn cancellation_fare(&self, by: CancelledBy, at: Timestamp) -> Fare {
        let accepted = self.trip.as_ref().filter(|_| by == CancelledBy::Rider);
        let since_ms = accepted.map_or(0, |trip| at.since_ms(trip.accepted_at));
        self.terms.cancelled(u64::try_from(since_ms / 1000).unwrap_or(0))
    }

    /// The trip ends for the order, and its device is told.
    fn drop_trip(&mut self, by: &By, reason: &str, at: Timestamp) -> Vec<Effect> {
        let Some(trip) = self.trip.as_mut() else { return Vec::new() };
        let Ok(state) = trip.state.next(TripEvent::Cancel) else { return Vec::new() };
        trip.end(state, Phase::Cancelled, at);
        trip.note(at, at, Step::Cancelled, by.clone(), reason.to_owned());
        if trip.is_over_in_vehicle() {
            return Vec::new();
        }
        let body = CommandBody::CancelTrip { trip: trip.id, reason: reason.to_owned() };
        vec![tell_device(trip, body)]
    }

    /// The order is called off, which costs the rider this.
    pub(super) fn call_off(
        &mut self,
        by: CancelledBy,
        name: Option<String>,
        reason: String,
        fare: Fare,
        at: Timestamp,
    ) -> Vec<Effect> {
        if self.advance(OrderEvent::Cancel).is_err() {
            return Vec::new();
        }
        self.cancelled = Some(Cancelled { by, name, reason, at, fare: Some(fare) });
        self.touch(at);
        vec![Effect::Tell(Notice::Cancelled)]
    }

    pub(super) fn end_accepted_offer(&mut self, trip: TripId) {
        let of_trip = self.offers.iter_mut().find(|offer| offer.trip == trip);
        if let Some(offer) = of_trip
            && let Ok(state) = offer.state.next(AssignmentEvent::Withdraw)
        {
            offer.state = state;
        }
    }

    /// What became of the command that told a device of a cancellation.
    pub fn handle_cancel_done(
        &mut self,
        id: TripId,
        outcome: CommandOutcome,
        report: &Report<'_>,
        rules: &RideRules,
    ) -> Handled {
        match outcome {
            CommandOutcome::Applied => {
                let detail = Detail { reason: "as the platform told it", ..Detail::default() };
                self.handle_move(id, TripEvent::Cancel, &detail, report, rules)
            }
            // It drives, or it has no such trip.
            CommandOutcome::Expired | CommandOutcome::Refused => {
                self.touch(report.at);
                let trip = self.trip_mut(id).filter(|trip| !trip.is_live() && !trip.was_driven());
                trip.map(Trip::release).unwrap_or_default().into()
            }
        }
    }

    /// The trip that counts is closed without its device: a ride that began is charged as far as it was
    /// heard, by its events and by the trail behind the last of them; one that did not is called off. The
    /// vehicle is free at once, and its device told when it comes.
    pub fn close(
        &mut self,
        by: &By,
        reason: &str,
        trail: &[Passage],
        at: Timestamp,
    ) -> Result<Vec<Effect>, RideError> {
        let Some(trip) = self.trip.as_mut() else {
            return Err(RideError::NoTrip { state: self.state });
        };
        if !trip.is_live() && !trip.held {
            return Err(RideError::Over { state: trip.state });
        }
        let id = trip.id;
        let heard = trip.heard_of(trail, at);
        // What came in before comes before it, and what comes in from now on behind it, in the same millisecond too.
        let last = trip.facts.iter().map(|fact| fact.received_at).max();
        let closed_at = last.map_or(at, |last| at.max(last.plus_ms(1)));
        let reason_kept = reason.to_owned();
        trip.closed = Some(Closed { by: by.clone(), at: closed_at, reason: reason_kept, heard });
        trip.note(at, at, Step::Closed, by.clone(), reason.to_owned());
        let mut effects = trip.release();
        if trip.is_under_way() {
            effects.extend(self.close_ride(by, reason, heard, at));
        } else if trip.is_live() {
            effects.extend(self.drop_trip(by, reason, at));
            let ((who, name), fare) = (who(by), self.terms.cancelled(0));
            effects.extend(self.call_off(who, name, reason.to_owned(), fare, at));
        }
        self.touch(at);
        self.note_crossing(id, at);
        Ok(effects)
    }

    /// Which part of whose trail tells how far the ride went behind its last event, if it is closed at `at`.
    pub fn trail_behind(&self, id: TripId, at: Timestamp) -> Option<(DeviceId, Timestamp)> {
        let trip = self.trip.as_ref().filter(|trip| trip.id == id && trip.is_under_way())?;
        let (since, _) = trip.last_told().filter(|(since, _)| *since < at)?;
        Some((trip.vehicle.device.clone(), since))
    }

    fn close_ride(
        &mut self,
        by: &By,
        reason: &str,
        heard: Option<Heard>,
        at: Timestamp,
    ) -> Vec<Effect> {
        let Some(trip) = self.trip.as_mut() else { return Vec::new() };
        let Ok(state) = trip.state.next(TripEvent::Stop) else { return Vec::new() };
        trip.end(state, Phase::Ended, at);
        let told = format!("closed by {by}: {reason}");
        let body = CommandBody::Drive { trip: trip.id, verb: DriveVerb::Stop, reason: told };
        let command = tell_device(trip, body);
        let settlement = Settlement::alone(self.terms.silent(trip.usage_heard(heard)));
        let mut effects = self.complete(settlement, at);
        effects.push(command);
        effects
    }
}

impl Trip {
    fn end(&mut self, state: TripState, phase: Phase, at: Timestamp) {
        self.state = state;
        self.phase = phase;
        self.phase_at = self.phase_at.max(at);
        self.ended_at = Some(at);
    }
}

fn tell_device(trip: &Trip, body: CommandBody) -> Effect {
    let device = trip.vehicle.device.clone();
    Effect::Command { device, body: Box::new(body), expires_at: None }
}

fn who(by: &By) -> (CancelledBy, Option<String>) {
    match by {
        By::Device => (CancelledBy::Driver, None),
        By::Rider => (CancelledBy::Rider, None),
        By::Operator { name } => (CancelledBy::Operator, Some(name.clone())),
        By::Rule => (CancelledBy::Rule, None),
    }
}
