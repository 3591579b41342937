//! Devices that are not heard any more. A trip whose device is silent for long is closed by rule, on record.

use tripline_protocol::id::TripId;
use tripline_protocol::unit::Timestamp;

use super::RideRules;
use crate::domain::case::CaseKind;
use crate::domain::effect::Effect;
use crate::domain::order::Order;
use crate::domain::passage::Passage;
use crate::domain::trip::{By, Closed, Step, Trip};

/// A look at a trip's device.
#[derive(Debug, Clone, Copy)]
pub struct Look<'t> {
    /// When the device was last heard, on whichever lane; `None` if nobody knows.
    pub heard: Option<Timestamp>,
    /// Nothing is closed before: a platform that was down has to listen for a while first.
    pub not_before: Timestamp,
    /// The device's trail behind the last event of its ride.
    pub trail: &'t [Passage],
    /// When it is looked.
    pub at: Timestamp,
}

impl Order {
    /// Trips whose devices are to be looked at by `at`.
    pub fn due_looks(&self, at: Timestamp) -> Vec<&Trip> {
        let due = |trip: &&Trip| {
            (trip.is_live() || trip.held) && trip.look_at.is_some_and(|look_at| look_at <= at)
        };
        self.trips().filter(due).collect()
    }

    /// Closes a trip whose device was silent for too long, or says when it is to be looked at next.
    pub fn handle_look(&mut self, id: TripId, look: Look<'_>, rules: &RideRules) -> Vec<Effect> {
        let Some(trip) = self.trip_mut(id) else { return Vec::new() };
        trip.heard_at = look.heard.map_or(trip.heard_at, |heard| heard.max(trip.heard_at));
        let close_at = trip.last_sign().plus_ms(rules.close_silent_ms).max(look.not_before);
        if close_at > look.at {
            trip.look_at = Some(close_at);
            return Vec::new();
        }
        trip.look_at = None;
        let minutes = look.at.since_ms(trip.last_sign()) / 60_000;
        let reason = format!("nothing was heard of it for {minutes} minutes");
        if !trip.is_live() {
            return self.let_go(id, reason, look.at);
        }
        let Ok(effects) = self.close(&By::Rule, &reason, look.trail, look.at) else {
            return Vec::new();
        };
        self.open_case(CaseKind::Closed, Some(id), format!("closed by rule: {reason}"), look.at);
        effects
    }

    /// A vehicle is held no longer for a trip that is over for the order.
    fn let_go(&mut self, id: TripId, reason: String, at: Timestamp) -> Vec<Effect> {
        let Some(trip) = self.trip_mut(id) else { return Vec::new() };
        trip.closed = Some(Closed { by: By::Rule, at, reason: reason.clone(), heard: None });
        trip.note(at, at, Step::Closed, By::Rule, reason);
        let effects = trip.release();
        self.touch(at);
        effects
    }
}

impl Trip {
    /// From when on its silence counts. A trip that is over in the vehicle has nothing more to say, however
    /// often its device is heard.
    fn last_sign(&self) -> Timestamp {
        if !self.is_over_in_vehicle() {
            return self.heard_at;
        }
        self.facts.iter().map(|fact| fact.received_at).max().unwrap_or(self.heard_at)
    }
}
