//! The rider changes a booked ride: another pickup before the arrival, another drop until the end, another way
//! of payment.
//!
//! What needs another price is proposed first and takes effect when the rider accepts that price. From then on
//! the order stands by the new terms, whatever the vehicle has heard of it.

use tripline_protocol::assignment::Change;
use tripline_protocol::link::down::CommandBody;
use tripline_protocol::link::up::CommandOutcome;
use tripline_protocol::order::OrderState;
use tripline_protocol::terms::Terms;
use tripline_protocol::trip::TripState;
use tripline_protocol::unit::{Paise, Timestamp};

use super::{Report, RideError};
use crate::domain::case::CaseKind;
use crate::domain::change::{CHANGES_MAX, Proposal, Wish};
use crate::domain::effect::Effect;
use crate::domain::estimate::{RoadModel, terms};
use crate::domain::order::Order;
use crate::domain::payment::PaymentTerms;
use crate::domain::trip::{Behind, By, Step, Trip};

/// What open offers are taken back for.
pub(super) const CHANGED: &str = "the rider changed the ride";

impl Order {
    /// Whether this can be changed at this point. What is as wished already is no change.
    pub fn check_change(&self, wish: &Wish) -> Result<(), RideError> {
        let refuse = |what, why| Err(RideError::NotChangeable { what, why });
        match self.state {
            OrderState::Confirmed | OrderState::Active => {}
            OrderState::Quoted | OrderState::Initialized => {
                return refuse("ride", "it is not booked yet");
            }
            OrderState::Completed => return refuse("ride", "it is over"),
            OrderState::Cancelled | OrderState::Unserved | OrderState::Expired => {
                return refuse("ride", "it does not take place");
            }
        }
        if self.trip.as_ref().is_some_and(Trip::is_over_in_vehicle) {
            return refuse("ride", "the vehicle has ended it");
        }
        let wish = self.unlike(wish);
        if !wish.is_empty() && self.changes >= CHANGES_MAX {
            return refuse("ride", "it was changed as often as may be");
        }
        if let Some(why) = wish.pickup.and(self.trip.as_ref()).and_then(past_pickup) {
            return refuse("pickup", why);
        }
        if wish.payment.is_some() && self.payment.collected.is_some() {
            return refuse("payment", "the driver has taken money already");
        }
        Ok(())
    }

    /// The terms of the ride if this were changed: tariff, in its version, and discounts stay, the estimate
    /// and the nights are new. For a ride that has begun the estimate is still of the whole way.
    pub fn proposed_terms(&self, wish: &Wish, road: &RoadModel, at: Timestamp) -> Terms {
        let Wish { pickup, drop, payment: _ } = self.unlike(wish);
        if pickup.is_none() && drop.is_none() {
            return self.terms.clone();
        }
        let pickup = pickup.as_ref().unwrap_or(&self.route.pickup).position;
        let drop = drop.as_ref().or(self.route.drop.as_ref());
        let drop = drop.map_or(self.terms.estimate.drop, |drop| drop.position);
        let started_at = self.trip.as_ref().and_then(|trip| trip.usage().started_at);
        let start_at = started_at.unwrap_or_else(|| self.terms.estimate.start_at.max(at));
        let Terms { tariff, discounts, .. } = self.terms.clone();
        terms(tariff, road.estimate(pickup, drop, start_at), discounts)
    }

    /// Notes a change with its price, for the rider to accept until `expires_at`; a later one replaces it.
    pub fn propose(
        &mut self,
        wish: Wish,
        terms: Terms,
        expires_at: Timestamp,
        at: Timestamp,
    ) -> Result<(), RideError> {
        self.check_change(&wish)?;
        let drop = wish.drop.or_else(|| self.route.drop.clone());
        let drop = drop.ok_or(RideError::NotChangeable { what: "ride", why: "it goes nowhere" })?;
        self.proposal = Some(Box::new(Proposal {
            pickup: wish.pickup.unwrap_or_else(|| self.route.pickup.clone()),
            drop,
            quote: terms.estimated(),
            terms,
            payment: wish.payment.unwrap_or(self.payment.terms),
            expires_at,
        }));
        self.touch(at);
        Ok(())
    }

    /// The rider takes the proposed change at this price: the order stands by it from here on. Whoever had the
    /// ride offered is to be asked anew, and its vehicle is told.
    pub fn accept_proposal(
        &mut self,
        total: Paise,
        at: Timestamp,
    ) -> Result<Vec<Effect>, RideError> {
        let proposal = self.proposal.as_ref().ok_or(RideError::NoProposal)?;
        let quoted = proposal.quote.total();
        if total != quoted {
            return Err(RideError::OtherPrice { quoted, said: total });
        }
        if proposal.expires_at <= at {
            return Err(RideError::QuoteExpired);
        }
        let wish = proposal.wish();
        self.check_change(&wish)?;
        let Proposal { terms, quote, .. } = proposal.as_ref().clone();
        self.proposal = None;
        self.quote = quote;
        Ok(self.change(&wish, terms, at))
    }

    /// The rider pays otherwise, which needs no other price.
    pub fn change_payment(
        &mut self,
        payment: PaymentTerms,
        at: Timestamp,
    ) -> Result<Vec<Effect>, RideError> {
        let wish = Wish { payment: Some(payment), ..Wish::default() };
        self.check_change(&wish)?;
        if let Some(proposal) = &mut self.proposal {
            proposal.payment = payment;
        }
        let terms = self.terms.clone();
        Ok(self.change(&wish, terms, at))
    }

    /// What became of the command that told a vehicle of a change.
    pub fn handle_change_done(
        &mut self,
        change: &Change,
        outcome: CommandOutcome,
        report: &Report<'_>,
    ) {
        let (at, happened) = (report.at, report.happened());
        let is_last = self.trip.as_ref().is_some_and(|trip| *change == self.change_of(trip));
        let to_pickup = self.route.pickup == change.pickup;
        let Some(trip) = self.trip_mut(change.trip) else { return };
        let problem = if outcome == CommandOutcome::Applied {
            trip.note(happened, at, Step::ChangeTaken, By::Device, String::new());
            let sent_on = trip.behind.as_ref().is_some_and(|behind| behind.pickup);
            let behind = Behind { terms: change.terms.clone(), pickup: !to_pickup };
            trip.behind = (trip.behind.is_some() && !is_last).then(|| Box::new(behind));
            let waits = sent_on && trip.driven == TripState::AtPickup;
            waits.then_some("the vehicle was at the pickup when it heard of another one")
        } else {
            let why = format!("on the device: {outcome}");
            trip.note_refused(happened, at, Step::ChangeTaken, By::Device, why);
            let counts = trip.is_live() || trip.state == TripState::Ended;
            counts.then_some(NOT_TAKEN)
        };
        self.touch(at);
        let is_ours = self.trip.as_ref().is_some_and(|trip| trip.id == change.trip);
        if let Some(what) = problem.filter(|_| is_ours) {
            self.open_case(CaseKind::Change, Some(change.trip), what, at);
        }
    }

    /// A ride that ended while its vehicle went by the terms of before is for a person to look at.
    pub(super) fn note_not_taken(&mut self, at: Timestamp) {
        let Some(trip) = self.trip.as_ref().filter(|trip| trip.behind.is_some()) else { return };
        let id = trip.id;
        self.open_case(CaseKind::Change, Some(id), NOT_TAKEN, at);
    }

    /// What of a wish is not as it is.
    fn unlike(&self, wish: &Wish) -> Wish {
        let Wish { pickup, drop, payment } = wish.clone();
        Wish {
            pickup: pickup.filter(|pickup| *pickup != self.route.pickup),
            drop: drop.filter(|drop| self.route.drop.as_ref() != Some(drop)),
            payment: payment.filter(|payment| *payment != self.payment.terms),
        }
    }

    /// The order stands by another route, other terms and another way of payment.
    fn change(&mut self, wish: &Wish, terms: Terms, at: Timestamp) -> Vec<Effect> {
        let wish = self.unlike(wish);
        self.touch(at);
        if wish.is_empty() && terms == self.terms {
            return Vec::new();
        }
        self.changes += 1;
        let (parts, other_pickup) = (wish.parts(), wish.pickup.is_some());
        let collected_before = self.payment.terms.driver_collects();
        let is_elsewhere = other_pickup || wish.drop.is_some() || terms != self.terms;
        let Wish { pickup, drop, payment } = wish;
        self.route.pickup = pickup.unwrap_or_else(|| self.route.pickup.clone());
        self.route.drop = drop.or(self.route.drop.take());
        self.payment.terms = payment.unwrap_or(self.payment.terms);
        let former = std::mem::replace(&mut self.terms, terms);
        let collects = self.payment.terms.driver_collects();
        let mut effects = Vec::new();
        let is_news = is_elsewhere || collects != collected_before;
        if is_news {
            effects = self.take_offers_back(at);
            effects.extend(self.tell_vehicle(former, other_pickup));
        }
        if let Some(trip) = self.trip.as_mut() {
            trip.note(at, at, Step::Changed, By::Rider, parts);
        }
        effects
    }

    /// Open offers are of another ride: who had them may be asked for this one.
    fn take_offers_back(&mut self, at: Timestamp) -> Vec<Effect> {
        let open: Vec<_> = self.open_offers().map(|offer| offer.id).collect();
        for offer in self.offers.iter_mut().filter(|offer| open.contains(&offer.id)) {
            offer.outdated = true;
        }
        self.withdraw_open_offers(CHANGED, at)
    }

    /// The vehicle of a trip that goes on goes by the `former` terms until it has taken the change.
    fn tell_vehicle(&mut self, former: Terms, other_pickup: bool) -> Option<Effect> {
        let trip = self.trip.as_ref().filter(|trip| trip.is_live())?;
        let (device, body) = (trip.vehicle.device.clone(), self.change_of(trip));
        let trip = self.trip.as_mut()?;
        let first = || Box::new(Behind { terms: former, pickup: false });
        trip.behind.get_or_insert_with(first).pickup |= other_pickup;
        let body = Box::new(CommandBody::Change(body));
        Some(Effect::Command { device, body, expires_at: None })
    }

    /// The ride as it is, for the vehicle of a trip.
    fn change_of(&self, trip: &Trip) -> Change {
        let Self { route, terms, .. } = self;
        Change {
            trip: trip.id,
            pickup: route.pickup.clone(),
            drop: route.drop.clone().unwrap_or_else(|| route.pickup.clone()),
            terms: terms.clone(),
            collect_cash: self.payment.terms.driver_collects(),
        }
    }
}

const NOT_TAKEN: &str = "the vehicle did not take the rider's change: it went by the places, the terms and the \
                         payment of before";

/// Why a trip's pickup cannot be another any more.
const fn past_pickup(trip: &Trip) -> Option<&'static str> {
    if is_aboard(trip.state) || is_aboard(trip.driven) {
        Some("the rider is aboard")
    } else if is_to_pickup(trip.state) && is_to_pickup(trip.driven) {
        None
    } else {
        Some("the driver is there")
    }
}

const fn is_aboard(state: TripState) -> bool {
    matches!(state, TripState::Started | TripState::Paused)
}

const fn is_to_pickup(state: TripState) -> bool {
    matches!(state, TripState::Assigned | TripState::EnRouteToPickup)
}
