//! What the order makes of its trip's record: it follows, step by step, as far as its machine lets it, and the
//! rider's platform is told. What it cannot follow stands as a crossing, and is a case.

use tripline_protocol::fare::Settlement;
use tripline_protocol::id::TripId;
use tripline_protocol::machine::Machine as _;
use tripline_protocol::order::OrderEvent;
use tripline_protocol::trip::TripEvent;
use tripline_protocol::unit::Timestamp;

use super::RideRules;
use crate::domain::case::{CaseKind, DrivenPart};
use crate::domain::effect::{Effect, Notice, Phase};
use crate::domain::order::{CancelledBy, Order, PAST_TRIPS_MAX};
use crate::domain::trip::{OtpCheck, Outcome, Step, Trip, TripFact};

impl Order {
    /// Lets the order follow its trip's record.
    pub(super) fn follow(&mut self, id: TripId, at: Timestamp, rules: &RideRules) -> Vec<Effect> {
        let (mut effects, mut from) = (Vec::new(), 0);
        while let Some(place) = self.next_to_follow(id, from) {
            if effects.iter().any(|effect| matches!(effect, Effect::Tell(_))) {
                let then = self.clone();
                effects = effects.into_iter().map(|effect| as_of(effect, &then)).collect();
            }
            effects.extend(self.follow_fact(place, at, rules));
            from = place + 1;
        }
        effects
    }

    /// The next fact of the record, from this place on, that the order can follow.
    fn next_to_follow(&self, id: TripId, from: usize) -> Option<usize> {
        let trip = self.trip.as_ref().filter(|_| self.follows(id))?;
        let follows = |fact: &TripFact| fact.outcome == Outcome::Crossed && trip.can_follow(fact);
        trip.facts.get(from..)?.iter().position(follows).map(|place| from + place)
    }

    fn follow_fact(&mut self, place: usize, at: Timestamp, rules: &RideRules) -> Vec<Effect> {
        let Some(trip) = self.trip.as_mut() else { return Vec::new() };
        let Some(fact) = trip.facts.get_mut(place) else { return Vec::new() };
        fact.outcome = Outcome::Applied;
        let (happened, reason) = (fact.at, fact.reason.clone());
        let Step::Moved(event) = fact.step else { return Vec::new() };
        let Ok(state) = trip.state.next(event) else { return Vec::new() };
        let phase_before = trip.phase;
        trip.state = state;
        trip.phase = phase_after(event);
        trip.phase_at = trip.phase_at.max(happened);
        trip.ended_at = state.is_terminal().then_some(happened);
        let phase = trip.phase;
        match event {
            TripEvent::Stop => self.settle(at),
            TripEvent::Cancel => self.unassign(&reason, at, rules),
            TripEvent::NoShow => {
                let (reason, fare) = ("the rider did not come".to_owned(), self.terms.no_show());
                self.call_off(CancelledBy::Driver, None, reason, fare, at)
            }
            TripEvent::Depart
            | TripEvent::Arrive
            | TripEvent::ArriveOutside
            | TripEvent::Start
            | TripEvent::Pause
            | TripEvent::Resume => {
                // A second arrival, inside the fence after one outside, is no news to the rider.
                let news = phase != phase_before;
                if news { vec![Effect::Tell(Notice::Phase(phase))] } else { Vec::new() }
            }
        }
    }

    /// The ride is over. Where vehicle and platform computed its fare, the lower is charged. One of the vehicle
    /// that cannot be by the order's terms counts for nothing.
    fn settle(&mut self, at: Timestamp) -> Vec<Effect> {
        let Some(trip) = &self.trip else { return Vec::new() };
        let (id, ours) = (trip.id, self.terms.metered(trip.usage()));
        let settlement = match trip.vehicle_fare.clone() {
            Some(vehicle) if vehicle.can_be_of(&self.terms) => Settlement::of(vehicle, ours),
            Some(vehicle) => {
                let (total, version) = (vehicle.total(), vehicle.tariff_version);
                let what = format!(
                    "the vehicle's fare of {total}, by version {version} of a tariff, is not by the order's \
                     terms: ours is charged"
                );
                self.open_case(CaseKind::Fare, Some(id), what, at);
                Settlement::alone(ours)
            }
            None => Settlement::alone(ours),
        };
        self.complete(settlement, at)
    }

    /// The order ends with this settlement, which never changes.
    pub(super) fn complete(&mut self, settlement: Settlement, at: Timestamp) -> Vec<Effect> {
        if self.advance(OrderEvent::Complete).is_err() {
            return Vec::new();
        }
        self.settlement = Some(settlement);
        self.note_overpaid(at);
        self.note_not_taken(at);
        let mut effects =
            vec![Effect::Tell(Notice::Phase(Phase::Ended)), Effect::Tell(Notice::FinalFare)];
        if self.payment.is_collected() {
            effects.push(Effect::Tell(Notice::Paid));
        }
        effects
    }

    /// The driver called it off before the start: another is looked for, so often and no more.
    fn unassign(&mut self, reason: &str, at: Timestamp, rules: &RideRules) -> Vec<Effect> {
        let before = self.past_trips.iter().filter(|trip| trip.ours).count();
        let is_enough = u32::try_from(before).is_ok_and(|before| before >= rules.reassign_max);
        if is_enough || self.past_trips.len() >= PAST_TRIPS_MAX {
            let reason = format!("drivers called it off {} times, last: {reason}", before + 1);
            return self.call_off(CancelledBy::Rule, None, reason, self.terms.cancelled(0), at);
        }
        if self.advance(OrderEvent::Unassign).is_err() {
            return Vec::new();
        }
        if let Some(trip) = self.trip.take() {
            self.end_accepted_offer(trip.id);
            self.past_trips.push(trip);
        }
        self.search_until = Some(at.plus_ms(rules.search_ms).max(self.pickup_at.unwrap_or(at)));
        self.otp_spent = self.otp.is_some();
        vec![Effect::Tell(Notice::Unassigned)]
    }

    /// Frees the vehicle of a trip that is over there, whatever the order makes of it.
    pub(super) fn release_if_over(&mut self, id: TripId) -> Vec<Effect> {
        let Some(trip) = self.trip_mut(id).filter(|trip| trip.is_over_in_vehicle()) else {
            return Vec::new();
        };
        trip.release()
    }

    /// Opens or updates the case of what was driven and is not in the order.
    pub(super) fn note_crossing(&mut self, id: TripId, at: Timestamp) {
        let follows = self.follows(id);
        let Some(trip) = self.trip_of(id) else { return };
        let crossed = |fact: &&TripFact| fact.outcome == Outcome::Crossed;
        let of_extras = trip.facts.iter().filter(crossed);
        let extras = of_extras.filter(|fact| matches!(fact.step, Step::Extra(_))).count();
        let mut moved =
            trip.facts.iter().filter(crossed).filter(|fact| matches!(fact.step, Step::Moved(_)));
        let wrong_otp = moved.clone().any(|fact| fact.otp == Some(OtpCheck::Wrong));
        let driven = trip.was_driven().then(|| self.driven_part(trip));
        let found = if follows && wrong_otp {
            Some((CaseKind::Otp, "the trip was started with an OTP that is not the rider's".into()))
        } else if follows || moved.next().is_none() || driven.is_none() {
            None
        } else if let Some(closed) = &trip.closed {
            let what = format!("closed by {}: {}; the vehicle went on", closed.by, closed.reason);
            Some((CaseKind::Closed, what))
        } else {
            let stands = if trip.ours { trip.state.code() } else { "another's" };
            Some((CaseKind::Driven, format!("the vehicle drove a trip that is {stands}")))
        };
        if !follows && extras > 0 {
            let what = "an extra came after the fare was final; it is not in it";
            self.open_case(CaseKind::Extra, Some(id), what, at);
        }
        let Some((kind, what)) = found else { return };
        if let Some(case) = self.cases.find_or_open(kind, Some(id), at, || what) {
            case.driven = driven;
        }
    }

    fn driven_part(&self, trip: &Trip) -> DrivenPart {
        let usage = trip.usage();
        DrivenPart {
            distance_m: usage.distance_m,
            seconds: usage.riding_s.saturating_add(usage.paused_s),
            fare: self.terms.metered(usage),
            over: trip.driven.is_terminal(),
        }
    }
}

impl Trip {
    /// Whether the order can follow this fact.
    fn can_follow(&self, fact: &TripFact) -> bool {
        match fact.step {
            Step::Moved(event) => {
                fact.otp != Some(OtpCheck::Wrong) && self.state.next(event).is_ok()
            }
            Step::Extra(_) => true,
            Step::Accepted
            | Step::Collected(_)
            | Step::OtpTried
            | Step::OtpUnlocked
            | Step::Sos
            | Step::Asked(_)
            | Step::Vouched
            | Step::Changed
            | Step::ChangeTaken
            | Step::Cancelled
            | Step::Closed => false,
        }
    }

    /// Frees its vehicle, if it is held.
    pub(super) fn release(&mut self) -> Vec<Effect> {
        if !std::mem::take(&mut self.held) {
            return Vec::new();
        }
        vec![Effect::Release(self.vehicle.device.clone())]
    }
}

/// What is told, as the order was before what comes next.
fn as_of(effect: Effect, then: &Order) -> Effect {
    match effect {
        Effect::Tell(notice) => Effect::TellOf(Box::new(then.clone()), notice),
        Effect::TellOf(..) | Effect::Command { .. } | Effect::Release(_) | Effect::Cash { .. } => {
            effect
        }
    }
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
