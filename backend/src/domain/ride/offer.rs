//! Offers of an order to drivers, one after another or several at once, and their answers.

use tripline_protocol::assignment::{Assignment, AssignmentEvent, AssignmentState, RiderContact};
use tripline_protocol::id::AssignmentId;
use tripline_protocol::link::down::CommandBody;
use tripline_protocol::link::up::Answer;
use tripline_protocol::machine::Machine as _;
use tripline_protocol::order::{OrderEvent, OrderState};
use tripline_protocol::otp::OtpVerifier;
use tripline_protocol::unit::Timestamp;

use super::change::CHANGED;
use super::{Candidate, Handled, RideRules, withdraw};
use crate::domain::dispatch::DispatchRules;
use crate::domain::effect::{Effect, Notice};
use crate::domain::order::{CancelledBy, Offer, Order, Rider, Vehicle};
use crate::domain::trip::Trip;

impl Order {
    /// Offers the order to a vehicle; others may have it offered too.
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
            pickup_at: self.pickup_at,
            expires_at,
            otp: self.otp.as_ref().map(|otp| OtpVerifier::new(self.id, otp, candidate.otp_key)),
            collect_cash: self.payment.terms.driver_collects(),
            auto_accept: rules.auto_accept,
        };
        let device = candidate.vehicle.device.clone();
        self.offers.push(Offer {
            id: candidate.assignment,
            trip: candidate.trip,
            vehicle: candidate.vehicle,
            state: AssignmentState::INITIAL,
            expires_at,
            outdated: false,
        });
        self.touch(at);
        let body = Box::new(CommandBody::Offer(assignment));
        vec![Effect::Command { device, body, expires_at: Some(expires_at) }]
    }

    /// Nobody is free to be asked; the order is looked at again in a while.
    pub fn find_nobody(&mut self, at: Timestamp) {
        self.touch(at);
    }

    /// Whether a fresh OTP is needed before the order is offered again.
    pub const fn needs_new_otp(&self) -> bool {
        self.otp_spent && self.otp.is_some()
    }

    /// Sets it.
    pub fn renew_otp(&mut self, otp: String) {
        self.otp = Some(otp);
        self.otp_spent = false;
    }

    /// The driver's answer to an offer, given at `happened` by the device's clock. `at` is when the
    /// backend learns of it.
    pub fn handle_answer(
        &mut self,
        id: AssignmentId,
        answer: &Answer,
        rules: &RideRules,
        happened: Timestamp,
        at: Timestamp,
    ) -> Handled {
        let event = match answer {
            Answer::Accept => AssignmentEvent::Accept,
            Answer::Reject { .. } => AssignmentEvent::Reject,
        };
        let Some(offer) = self.offers.iter_mut().find(|offer| offer.id == id) else {
            return Handled::default();
        };
        let device = offer.vehicle.device.clone();
        let state = match offer.state.next(event) {
            Ok(state) => state,
            // Too late: the order went on without this driver, who has to be told.
            Err(refused)
                if event == AssignmentEvent::Accept && offer.state != AssignmentState::Accepted =>
            {
                let taken = "the order went to another driver";
                let reason = if offer.outdated { CHANGED } else { taken };
                let effects = vec![withdraw(device, id, reason)];
                return Handled { effects, refused: Some(refused.to_string()) };
            }
            Err(refused) => return Handled::refused(refused.to_string()),
        };
        offer.state = state;
        let (trip, vehicle) = (offer.trip, offer.vehicle.clone());
        self.touch(at);
        if state != AssignmentState::Accepted {
            return vec![Effect::Release(device)].into();
        }
        let trip = Trip::accepted(trip, vehicle, happened, at);
        self.assign(trip, rules, at)
    }

    /// The trip is this driver's: whoever else was asked is told.
    fn assign(&mut self, mut trip: Trip, rules: &RideRules, at: Timestamp) -> Handled {
        if let Err(refused) = self.advance(OrderEvent::Assign) {
            return Handled::refused(refused.to_string());
        }
        // What was confirmed before there was a driver, or with another one, is told anew.
        let is_told = self.was_given_to_somebody() || self.is_scheduled();
        let notice = if is_told { Notice::Reassigned } else { Notice::Confirmed };
        let mut effects = vec![Effect::Tell(notice)];
        if let Some(Rider { name, phone }) = self.rider.clone() {
            let body = Box::new(CommandBody::Rider(RiderContact { trip: trip.id, name, phone }));
            let device = trip.vehicle.device.clone();
            effects.push(Effect::Command { device, body, expires_at: None });
        }
        trip.look_at = Some(self.pickup_at.unwrap_or(at).max(at).plus_ms(rules.close_silent_ms));
        self.trip = Some(trip);
        effects.extend(self.withdraw_open_offers("the order went to another driver", at));
        effects.into()
    }

    /// Takes every open offer back.
    pub(super) fn withdraw_open_offers(&mut self, reason: &str, at: Timestamp) -> Vec<Effect> {
        let open: Vec<_> =
            self.open_offers().map(|offer| (offer.id, offer.vehicle.clone())).collect();
        let ended = open.into_iter().flat_map(|(id, Vehicle { device, .. })| {
            let mut effects = self.end_offer(id, AssignmentEvent::Withdraw, at);
            effects.push(withdraw(device, id, reason));
            effects
        });
        ended.collect()
    }

    /// The device could not show the offer: it is busy, or the offer came too late.
    pub fn handle_undelivered(&mut self, id: AssignmentId, at: Timestamp) -> Vec<Effect> {
        self.end_offer(id, AssignmentEvent::Expire, at)
    }

    pub(super) fn end_offer(
        &mut self,
        id: AssignmentId,
        event: AssignmentEvent,
        at: Timestamp,
    ) -> Vec<Effect> {
        let Some(offer) = self.offers.iter_mut().find(|offer| offer.id == id) else {
            return Vec::new();
        };
        // One that was accepted is a trip, and that ends otherwise.
        if offer.state != AssignmentState::Offered {
            return Vec::new();
        }
        let Ok(state) = offer.state.next(event) else { return Vec::new() };
        offer.state = state;
        let device = offer.vehicle.device.clone();
        self.touch(at);
        vec![Effect::Release(device)]
    }

    /// Time passed: quotes and offers expire, and with the search's end the order is given up.
    pub fn handle_timeout(&mut self, at: Timestamp) -> Vec<Effect> {
        if self.quote_expires_at <= at && self.advance(OrderEvent::Expire).is_ok() {
            self.touch(at);
            return self.release_named();
        }
        if self.state != OrderState::Confirmed {
            return Vec::new();
        }
        let expired = self.open_offers().filter(|offer| offer.expires_at <= at);
        let expired: Vec<_> =
            expired.map(|offer| (offer.id, offer.vehicle.device.clone())).collect();
        let mut effects = Vec::new();
        for (id, device) in expired {
            effects.extend(self.end_offer(id, AssignmentEvent::Expire, at));
            effects.push(withdraw(device, id, "the offer has expired"));
        }
        let over = self.search_until.is_some_and(|until| until <= at);
        if over && !self.has_open_offer() {
            effects.extend(self.give_up(at));
        }
        effects
    }

    /// The one driver whom the quote named does not take it: there is no other to ask.
    pub fn give_up_named(&mut self, at: Timestamp) -> Vec<Effect> {
        if self.has_open_offer() || self.was_given_to_somebody() {
            return Vec::new();
        }
        self.give_up(at)
    }

    /// Whether the rider's platform still waits for the answer to its booking, which tells of a driver.
    pub(super) fn is_confirmation_awaited(&self) -> bool {
        let searching = self.state == OrderState::Confirmed && !self.is_scheduled();
        searching && !self.was_given_to_somebody()
    }

    /// Whether a driver had it who then called it off.
    fn was_given_to_somebody(&self) -> bool {
        self.past_trips.iter().any(|trip| trip.ours)
    }

    /// Nobody takes the order. Once it was confirmed, that is a cancellation, which costs nothing.
    fn give_up(&mut self, at: Timestamp) -> Vec<Effect> {
        let was_given = self.was_given_to_somebody();
        if was_given || self.is_scheduled() {
            let reason =
                if was_given { "no other driver was found" } else { "no driver was found" };
            let fare = self.terms.cancelled(0);
            return self.call_off(CancelledBy::Rule, None, reason.to_owned(), fare, at);
        }
        if self.advance(OrderEvent::GiveUp).is_err() {
            return Vec::new();
        }
        self.touch(at);
        vec![Effect::Tell(Notice::Unserved)]
    }
}
