//! What the backend says to the desk.

use tripline_protocol::assignment::{Assignment, AssignmentEvent, AssignmentState};
use tripline_protocol::id::AssignmentId;
use tripline_protocol::link::down::{Command, CommandBody, DriveVerb};
use tripline_protocol::link::up::{CommandOutcome, Event};
use tripline_protocol::machine::Machine as _;
use tripline_protocol::terms::{DISCOUNTS_MAX, NIGHTS_MAX, Terms};
use tripline_protocol::trip::{TripEvent, TripStep};
use tripline_protocol::unit::Timestamp;

use super::{Desk, Offer, Trip};

impl Desk {
    /// What becomes of a command; `None` if its number was taken in before. Changes nothing.
    pub fn judge(&self, command: &Command, at: Timestamp) -> Option<CommandOutcome> {
        if command.number <= self.high_water {
            return None;
        }
        if command.expires_at.is_some_and(|expires_at| expires_at <= at) {
            return Some(CommandOutcome::Expired);
        }
        let possible = match &command.body {
            // Nobody would look at its deadline any more before it is accepted.
            CommandBody::Offer(offer) if offer.auto_accept && offer.expires_at <= at => {
                return Some(CommandOutcome::Expired);
            }
            CommandBody::Offer(offer) => {
                !self.is_busy() && !self.is_asked(at) && is_sound(&offer.terms)
            }
            CommandBody::Withdraw { assignment, .. } => self.can_withdraw(*assignment),
            CommandBody::Rider(contact) => self.trip_of(contact.trip).is_some(),
            CommandBody::CancelTrip { trip, .. } => {
                self.trip_of(*trip).is_some_and(|trip| trip.state.next(TripEvent::Cancel).is_ok())
            }
            CommandBody::Configure(settings) => settings.check().is_ok(),
            CommandBody::Drive { trip, verb, .. } => {
                self.trip_of(*trip).is_some_and(|trip| trip.state.next(verb.event()).is_ok())
            }
            CommandBody::UnlockOtp { trip } => {
                self.trip_of(*trip).is_some_and(|trip| !trip.state.is_terminal())
            }
            CommandBody::Change(change) => {
                let trip = self.trip_of(change.trip);
                trip.is_some_and(|trip| !trip.state.is_terminal()) && is_sound(&change.terms)
            }
            CommandBody::OnDuty(_) => true,
        };
        Some(if possible { CommandOutcome::Applied } else { CommandOutcome::Refused })
    }

    /// Whether an offer waits for the driver's answer.
    fn is_asked(&self, at: Timestamp) -> bool {
        self.offer.as_ref().is_some_and(|offer| {
            offer.state == AssignmentState::Offered && offer.assignment.expires_at > at
        })
    }

    fn can_withdraw(&self, assignment: AssignmentId) -> bool {
        let offer = self.offer.as_ref().filter(|offer| offer.assignment.id == assignment);
        let trip = self.trip.as_ref().filter(|trip| trip.assignment.id == assignment);
        // From start to stop the device decides: nobody withdraws a ride that is under way.
        trip.is_none_or(|trip| trip.state.next(TripEvent::Cancel).is_ok())
            && offer.is_some_and(|offer| offer.state.next(AssignmentEvent::Withdraw).is_ok())
    }

    /// Takes over a command that was applied, as `event` says.
    pub(super) fn apply_command(&mut self, body: &CommandBody, event: &Event) {
        match body {
            CommandBody::Offer(assignment) => self.take_offer(assignment),
            CommandBody::Withdraw { assignment, reason } => {
                if let Some(offer) = self.offer.as_mut().filter(|o| o.assignment.id == *assignment)
                {
                    offer.state = AssignmentState::Withdrawn;
                }
                let trip = self.trip.as_mut().filter(|trip| trip.assignment.id == *assignment);
                cancel(trip, reason, event);
            }
            CommandBody::Rider(contact) => {
                if let Some(trip) = self.trip_of_mut(contact.trip) {
                    trip.rider = Some(contact.clone());
                }
            }
            CommandBody::CancelTrip { trip, reason } => {
                cancel(self.trip_of_mut(*trip), reason, event);
            }
            CommandBody::Drive { trip, verb, reason } => self.drive(*trip, *verb, reason, event),
            CommandBody::UnlockOtp { trip } => {
                if let Some(trip) = self.trip_of_mut(*trip) {
                    trip.otp_tries = 0;
                }
            }
            CommandBody::Change(change) => {
                if let Some(trip) = self.trip_of_mut(change.trip) {
                    trip.change(change);
                }
            }
            CommandBody::OnDuty(told) => self.sign_in.take(told),
            // Settings are the memory's.
            CommandBody::Configure(_) => {}
        }
    }

    /// An offer that is accepted at once needs no event of its own: that it was applied says so.
    fn take_offer(&mut self, assignment: &Assignment) {
        let mut state = AssignmentState::INITIAL;
        if assignment.auto_accept {
            state = AssignmentState::Accepted;
            self.trip = Some(Trip::of(assignment.clone()));
        }
        self.offer = Some(Offer { assignment: assignment.clone(), state });
    }

    fn drive(
        &mut self,
        trip: tripline_protocol::id::TripId,
        verb: DriveVerb,
        reason: &str,
        event: &Event,
    ) {
        if let Some(trip) = self.trip_of_mut(trip) {
            trip.drive(verb, reason, event);
        }
    }
}

fn cancel(trip: Option<&mut Trip>, reason: &str, event: &Event) {
    if let Some(trip) = trip {
        trip.step(&TripStep::Cancel { reason: reason.into() }, event);
    }
}

/// Whether a fare can be computed by these terms.
fn is_sound(terms: &Terms) -> bool {
    terms.tariff.check().is_ok()
        && terms.nights.len() <= NIGHTS_MAX
        && terms.discounts.len() <= DISCOUNTS_MAX
}
