//! What dispatchers do on a driver's behalf. The device carries it out, so that its meter is read; its report
//! is the step.

use tripline_protocol::id::{CommandNumber, TripId};
use tripline_protocol::link::down::DriveVerb;
use tripline_protocol::link::up::CommandOutcome;
use tripline_protocol::machine::Machine as _;
use tripline_protocol::unit::Timestamp;

use super::step::Detail;
use super::{Handled, Report, RideError, RideRules};
use crate::domain::effect::Effect;
use crate::domain::order::Order;
use crate::domain::trip::{ASKED_MAX, Asked, By, OtpCheck, Outcome, Step, Trip, TripFact};

impl Order {
    /// The trip that a dispatcher may drive: the one that counts, not over.
    pub fn live_trip(&self) -> Result<&Trip, RideError> {
        let trip = self.trip.as_ref().ok_or(RideError::NoTrip { state: self.state })?;
        if trip.is_live() { Ok(trip) } else { Err(RideError::Over { state: trip.state }) }
    }

    /// Whether the vehicle has started with an OTP that is not the rider's, so that the order waits for
    /// somebody to answer for it.
    pub fn waits_for_voucher(&self) -> bool {
        let is_it =
            |fact: &TripFact| fact.outcome == Outcome::Crossed && fact.otp == Some(OtpCheck::Wrong);
        self.live_trip().is_ok_and(|trip| trip.facts.iter().any(is_it))
    }

    /// Whether the vehicle can take this step, as far as it was heard.
    pub fn check_drive(&self, verb: DriveVerb) -> Result<&Trip, RideError> {
        let trip = self.live_trip()?;
        trip.driven.next(verb.event())?;
        Ok(trip)
    }

    /// Notes that the device was asked for a step.
    pub fn note_asked(&mut self, asked: Asked, at: Timestamp) {
        let Some(trip) = self.trip.as_mut() else { return };
        let by = By::operator(&asked.name);
        trip.note(at, at, Step::Asked(asked.verb), by, asked.reason.clone());
        if trip.asked.len() >= ASKED_MAX {
            trip.asked.remove(0);
        }
        trip.asked.push(asked);
        self.touch(at);
    }

    /// What became of a step that the device was asked for.
    pub fn handle_drive_done(
        &mut self,
        id: TripId,
        (number, verb): (CommandNumber, DriveVerb),
        outcome: CommandOutcome,
        report: &Report<'_>,
        rules: &RideRules,
    ) -> Handled {
        let Some(trip) = self.trip_mut(id) else { return Handled::default() };
        let place = trip.asked.iter().position(|asked| asked.number == number);
        let asked = place.map(|place| trip.asked.remove(place));
        let (by, reason) = match (asked, &trip.closed) {
            (Some(asked), _) => (By::operator(&asked.name), asked.reason),
            (None, Some(closed)) => (closed.by.clone(), closed.reason.clone()),
            (None, None) => (By::Rule, String::new()),
        };
        match outcome {
            CommandOutcome::Applied => {
                let report = Report { by, ..report.clone() };
                let detail = Detail { reason: &reason, ..Detail::default() };
                self.handle_move(id, verb.event(), &detail, &report, rules)
            }
            CommandOutcome::Expired | CommandOutcome::Refused => {
                let why = format!("on the device: {outcome}");
                trip.note_refused(report.happened(), report.at, Step::Asked(verb), by, why);
                self.touch(report.at);
                Handled::default()
            }
        }
    }

    /// A dispatcher answers for a start whose OTP was not the rider's: the order follows what was driven.
    pub fn vouch(
        &mut self,
        name: &str,
        reason: &str,
        rules: &RideRules,
        at: Timestamp,
    ) -> Result<Vec<Effect>, RideError> {
        let id = self.live_trip()?.id;
        let Some(trip) = self.trip.as_mut() else { return Ok(Vec::new()) };
        let starts = trip.facts.iter_mut().filter(|fact| fact.otp == Some(OtpCheck::Wrong));
        starts.for_each(|fact| fact.otp = Some(OtpCheck::Vouched));
        trip.note(at, at, Step::Vouched, By::operator(name), reason.to_owned());
        self.touch(at);
        let mut effects = self.follow(id, at, rules);
        effects.extend(self.release_if_over(id));
        Ok(effects)
    }

    /// The device takes OTPs again.
    pub fn handle_unlocked(&mut self, id: TripId, report: &Report<'_>) {
        let Some(trip) = self.trip_mut(id) else { return };
        trip.otp.tries = 0;
        let (at, by) = (report.happened(), report.by.clone());
        trip.note(at, report.at, Step::OtpUnlocked, by, String::new());
        self.touch(report.at);
    }
}
