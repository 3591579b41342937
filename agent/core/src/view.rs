//! What the driver sees, as data: the panel and `tripline-agent trip show` print it.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use tripline_protocol::fare::FareLine;
use tripline_protocol::fix::FixStamp;
use tripline_protocol::link::up::MotionState;
use tripline_protocol::meter::Reading;
use tripline_protocol::trip::TripState;
use tripline_protocol::unit::{Paise, Timestamp};

use crate::desk::{Offer, Trip};

/// The driver's view. Money is in paise, distance in metres.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// The agent's time, Unix milliseconds.
    pub at_unix_ms: i64,
    /// Whether that is GNSS time.
    pub gnss_time: bool,
    /// Time and position (`lat,lon`) of the last fix that counted.
    pub fix: Option<FixView>,
    /// The device's odometer.
    pub odometer_m: u64,
    /// What the vehicle does.
    pub motion: MotionState,
    /// Whether its ignition is on, where a line tells.
    pub ignition: Option<bool>,
    /// The offer that waits for an answer.
    pub offer: Option<OfferView>,
    /// The trip in hand, or the last one.
    pub trip: Option<TripView>,
}

/// A fix, short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixView {
    /// GNSS time, Unix milliseconds.
    pub at_unix_ms: i64,
    /// `lat,lon` in degrees.
    pub gps: String,
}

/// An offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferView {
    /// Its id.
    pub assignment_id: String,
    /// Pickup address, or its position.
    pub pickup: String,
    /// Drop address, or its position.
    pub drop: String,
    /// Estimated distance from pickup to drop.
    pub estimated_distance_m: u32,
    /// Estimated fare.
    pub estimated_fare_paise: i64,
    /// Seconds left to answer.
    pub seconds_left: i64,
}

/// A trip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TripView {
    /// Its id.
    pub trip_id: String,
    /// The order's id.
    pub order_id: String,
    /// Where it stands.
    pub state: TripState,
    /// Pickup address, or its position.
    pub pickup: String,
    /// Drop address, or its position.
    pub drop: String,
    /// The rider's name, once told.
    pub rider_name: Option<String>,
    /// The rider's phone, once told.
    pub rider_phone: Option<String>,
    /// Whether the start needs the rider's OTP.
    pub needs_otp: bool,
    /// Billed distance so far.
    pub distance_m: u64,
    /// What of it was counted across gaps, where no fix tells the way.
    pub bridged_m: u64,
    /// Seconds riding so far.
    pub riding_s: u64,
    /// Seconds waiting so far.
    pub waiting_s: u64,
    /// Whether waiting time runs: not after an arrival outside the pickup's fence.
    pub waits: bool,
    /// Fare so far, or final once ended.
    pub fare_paise: i64,
    /// The fare's lines.
    pub fare_lines: Vec<FareLine>,
    /// Whether the driver is to collect it in cash.
    pub collect_cash: bool,
    /// What was collected.
    pub collected_paise: Option<i64>,
    /// Why it was cancelled.
    pub cancel_reason: Option<String>,
}

impl View {
    pub(crate) fn new(
        at: Timestamp,
        gnss_time: bool,
        fix: Option<FixStamp>,
        reading: Reading,
        offer: Option<&Offer>,
        trip: Option<&Trip>,
    ) -> Self {
        Self {
            at_unix_ms: at.unix_ms,
            gnss_time,
            fix: fix
                .map(|fix| FixView { at_unix_ms: fix.at.unix_ms, gps: fix.position.to_string() }),
            odometer_m: reading.odometer.mm / 1000,
            motion: MotionState::default(),
            ignition: None,
            offer: offer.map(|offer| OfferView::new(offer, at)),
            trip: trip.map(|trip| TripView::new(trip, reading)),
        }
    }
}

impl View {
    /// With what the vehicle does.
    pub(crate) const fn with_motion(mut self, motion: MotionState, ignition: Option<bool>) -> Self {
        (self.motion, self.ignition) = (motion, ignition);
        self
    }
}

impl OfferView {
    fn new(offer: &Offer, at: Timestamp) -> Self {
        let assignment = &offer.assignment;
        Self {
            assignment_id: assignment.id.to_string(),
            pickup: place(&assignment.pickup),
            drop: place(&assignment.drop),
            estimated_distance_m: assignment.terms.estimate.distance_m,
            estimated_fare_paise: assignment.terms.estimated().total().0,
            seconds_left: assignment.expires_at.since_ms(at).max(0) / 1000,
        }
    }
}

impl TripView {
    fn new(trip: &Trip, reading: Reading) -> Self {
        let assignment = &trip.assignment;
        let usage = trip.meter.usage(reading);
        let fare = trip.fare_at(reading);
        Self {
            trip_id: assignment.trip.to_string(),
            order_id: assignment.order.to_string(),
            state: trip.state,
            pickup: place(&assignment.pickup),
            drop: place(&assignment.drop),
            rider_name: trip.rider.as_ref().map(|rider| rider.name.clone()),
            rider_phone: trip.rider.as_ref().map(|rider| rider.phone.clone()),
            needs_otp: assignment.otp.is_some(),
            distance_m: usage.distance_m,
            bridged_m: usage.bridged_m,
            riding_s: usage.riding_s,
            waiting_s: usage.waiting_s,
            waits: trip.meter.is_waiting(),
            fare_paise: fare.total().0,
            fare_lines: fare.lines,
            collect_cash: assignment.collect_cash,
            collected_paise: trip.collected.map(|Paise(paise)| paise),
            cancel_reason: trip.cancel_reason.clone(),
        }
    }
}

fn place(place: &tripline_protocol::assignment::Place) -> String {
    if place.address.is_empty() { place.position.to_string() } else { place.address.clone() }
}
