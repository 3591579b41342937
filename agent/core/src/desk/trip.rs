//! The offer on the screen, and the trip it becomes.

use alloc::string::String;

use serde::{Deserialize, Serialize};
use tripline_protocol::assignment::{Assignment, AssignmentState, Change, RiderContact};
use tripline_protocol::fare::Fare;
use tripline_protocol::link::down::DriveVerb;
use tripline_protocol::link::up::Event;
use tripline_protocol::machine::Machine;
use tripline_protocol::meter::{Meter, Moment, Reading};
use tripline_protocol::trip::{TripEvent, TripState, TripStep};
use tripline_protocol::unit::{Paise, Steady};

use super::action::cut;
use crate::memory::Anchor;

/// The offer on the driver's screen, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The offer.
    pub assignment: Assignment,
    /// Where it stands.
    pub state: AssignmentState,
}

/// The trip in hand, or the last one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trip {
    /// What was accepted, as the rider's last change has it.
    pub assignment: Assignment,
    /// Where it stands.
    pub state: TripState,
    /// Its meter.
    pub meter: Meter,
    /// Who the rider is, once told.
    pub rider: Option<RiderContact>,
    /// The fare at the stop.
    pub fare: Option<Fare>,
    /// What was collected.
    pub collected: Option<Paise>,
    /// Why it was cancelled, where somebody said so.
    pub cancel_reason: Option<String>,
    /// Tries at the OTP since the dispatcher last unlocked it, each counted before it was compared.
    pub otp_tries: u8,
    /// The last step that a dispatcher took on the driver's behalf.
    pub driven: Option<Driven>,
    /// What the rider changed since the driver's last step.
    pub changed: Changed,
    /// When it started, by the steady clock, as long as nobody knows the time of that.
    undated_start: Option<Steady>,
}

/// What the rider changed, as long as the driver is shown it: a driver who goes on has seen it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Where the rider waits.
    pub pickup: bool,
    /// Where the rider goes.
    pub drop: bool,
    /// Whether the driver collects the fare.
    pub payment: bool,
}

impl Changed {
    /// Whether there is anything to be seen.
    pub const fn is_any(self) -> bool {
        self.pickup || self.drop || self.payment
    }
}

/// A step taken on the driver's behalf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Driven {
    /// Which.
    pub verb: DriveVerb,
    /// Why.
    pub reason: String,
}

impl Trip {
    pub(super) fn of(assignment: Assignment) -> Self {
        Self {
            assignment,
            state: TripState::INITIAL,
            meter: Meter::default(),
            rider: None,
            fare: None,
            collected: None,
            cancel_reason: None,
            otp_tries: 0,
            driven: None,
            changed: Changed::default(),
            undated_start: None,
        }
    }

    /// The fare up to `reading`: running, or final once stopped. `None` of one that was called off: what
    /// that costs the rider, if anything, the platform decides.
    pub fn fare_at(&self, reading: Reading) -> Option<Fare> {
        let terms = &self.assignment.terms;
        match self.state {
            TripState::Cancelled => None,
            TripState::NoShow => Some(terms.no_show()),
            TripState::Assigned
            | TripState::EnRouteToPickup
            | TripState::AtPickup
            | TripState::Started
            | TripState::Paused
            | TripState::Ended => {
                let running = || terms.metered(self.meter.usage(reading));
                Some(self.fare.clone().unwrap_or_else(running))
            }
        }
    }

    /// The fare of a stop at `moment`.
    pub(super) fn fare_of_stop(&self, moment: &Moment) -> Fare {
        let stopped = self.meter.clone().after(TripEvent::Stop, moment);
        self.assignment.terms.metered(stopped.usage(moment.reading))
    }

    /// Takes a step that `event` tells of, if it is possible.
    pub(super) fn step(&mut self, step: &TripStep, event: &Event) {
        if let Some(trip_event) = step.event()
            && !self.go(trip_event, event)
        {
            return;
        }
        self.changed = Changed::default();
        match step {
            TripStep::Stop { fare } => self.fare = Some(fare.clone()),
            TripStep::Collected { amount } => self.collected = Some(*amount),
            TripStep::Cancel { reason } => self.cancel_reason = Some(cut(reason)),
            TripStep::Extra(extra) => drop(self.meter.add_extra(extra.clone())),
            TripStep::Depart
            | TripStep::Arrive
            | TripStep::ArriveOutside { .. }
            | TripStep::Start { .. }
            | TripStep::Pause
            | TripStep::Resume
            | TripStep::NoShow => {}
        }
    }

    /// Takes a step on the driver's behalf; the fare of a stop is read from the meter.
    pub(super) fn drive(&mut self, verb: DriveVerb, reason: &str, event: &Event) {
        let fare = self.fare_of_stop(&moment(event));
        if self.go(verb.event(), event) {
            self.fare = (verb == DriveVerb::Stop).then_some(fare);
            self.driven = Some(Driven { verb, reason: cut(reason) });
        }
    }

    /// Takes the rider's change over: the pickup as long as the rider is not aboard, the rest in any case. The
    /// meter goes on, and its fare is by the new terms.
    pub(super) fn change(&mut self, change: &Change) {
        let Change { trip: _, pickup, drop, terms, collect_cash } = change;
        let assignment = &mut self.assignment;
        if matches!(
            self.state,
            TripState::Assigned | TripState::EnRouteToPickup | TripState::AtPickup
        ) {
            self.changed.pickup |= assignment.pickup != *pickup;
            assignment.pickup = pickup.clone();
        }
        self.changed.drop |= assignment.drop != *drop;
        self.changed.payment |= assignment.collect_cash != *collect_cash;
        assignment.drop = drop.clone();
        assignment.terms = terms.clone();
        assignment.collect_cash = *collect_cash;
    }

    fn go(&mut self, trip_event: TripEvent, event: &Event) -> bool {
        let Ok(state) = self.state.next(trip_event) else { return false };
        self.state = state;
        self.meter = core::mem::take(&mut self.meter).after(trip_event, &moment(event));
        if trip_event == TripEvent::Start {
            self.undated_start = (!event.gnss_time).then_some(event.reading.steady);
        }
        true
    }

    /// A start of this epoch is dated by its first GNSS time: whether it was night depends on it.
    pub(super) fn date(&mut self, anchor: Anchor) {
        if let Some(steady) = self.undated_start.take()
            && self.fare.is_none()
        {
            self.meter.date_start(anchor.date(steady));
        }
    }

    /// A new epoch: no anchor dates what came before it.
    pub(super) const fn begin_epoch(&mut self) {
        self.undated_start = None;
    }
}

/// What a meter is to know of an event, by the device's own clock.
fn moment(event: &Event) -> Moment {
    event.moment(event.at)
}
