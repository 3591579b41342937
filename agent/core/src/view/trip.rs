//! A trip, as the driver sees it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use tripline_protocol::fare::{Extra, FareLine, FareReason};
use tripline_protocol::meter::Reading;
use tripline_protocol::trip::TripState;
use tripline_protocol::unit::{Paise, Timestamp};

use super::place;
use crate::desk::{Changed, Driven, OTP_TRIES_MAX, Trip};

/// A trip. The rider's OTP is in no view.
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
    /// When the rider is to be picked up, Unix milliseconds, of a ride that was booked ahead.
    pub pickup_at_unix_ms: Option<i64>,
    /// The rider's name, once told.
    pub rider_name: Option<String>,
    /// The rider's phone, once told.
    pub rider_phone: Option<String>,
    /// Whether the start needs the rider's OTP.
    pub needs_otp: bool,
    /// Tries at it that are left; at 0 a dispatcher unlocks it. `None` if the ride needs none.
    pub otp_tries_left: Option<u8>,
    /// Measured distance so far.
    pub distance_m: u64,
    /// What of it was counted across gaps, where no fix tells the way.
    pub bridged_m: u64,
    /// The distance that is charged for: the measured one, or the estimate's.
    pub billed_m: u64,
    /// Seconds riding so far.
    pub riding_s: u64,
    /// Seconds waiting at the pickup so far.
    pub waiting_s: u64,
    /// Seconds in pauses so far.
    pub paused_s: u64,
    /// Whether waiting time runs: not after an arrival outside the pickup's fence.
    pub waits: bool,
    /// What the driver paid for the rider.
    pub extras: Vec<Extra>,
    /// The tariff by code and version.
    pub tariff: String,
    /// Fare so far, or final once ended; 0 of a trip that was called off.
    pub fare_paise: i64,
    /// Where the fare's inputs come from; `None` of a trip that was called off.
    pub fare_reason: Option<FareReason>,
    /// The fare's lines.
    pub fare_lines: Vec<FareLine>,
    /// Whether the driver is to collect it in cash; if not, it is prepaid.
    pub collect_cash: bool,
    /// What was collected.
    pub collected_paise: Option<i64>,
    /// Why it was cancelled.
    pub cancel_reason: Option<String>,
    /// The last step that a dispatcher took on the driver's behalf, and why.
    pub dispatcher: Option<String>,
    /// What the rider changed since the driver's last step: pickup, drop, payment.
    pub changed: Option<String>,
}

impl TripView {
    pub(super) fn new(trip: &Trip, reading: Reading) -> Self {
        let assignment = &trip.assignment;
        let usage = trip.meter.usage(reading);
        let fare = trip.fare_at(reading);
        let driven = |Driven { verb, reason }: &Driven| format!("{verb}: {reason}");
        let tries_left = OTP_TRIES_MAX.saturating_sub(trip.otp_tries);
        Self {
            trip_id: assignment.trip.to_string(),
            order_id: assignment.order.to_string(),
            state: trip.state,
            pickup: place(&assignment.pickup),
            drop: place(&assignment.drop),
            pickup_at_unix_ms: assignment.pickup_at.map(|Timestamp { unix_ms }| unix_ms),
            rider_name: trip.rider.as_ref().map(|rider| rider.name.clone()),
            rider_phone: trip.rider.as_ref().map(|rider| rider.phone.clone()),
            needs_otp: assignment.otp.is_some(),
            otp_tries_left: assignment.otp.map(|_| tries_left),
            distance_m: usage.distance_m,
            bridged_m: usage.bridged_m,
            billed_m: fare.as_ref().map_or(0, |fare| fare.billed_m),
            riding_s: usage.riding_s,
            waiting_s: usage.waiting_s,
            paused_s: usage.paused_s,
            waits: trip.meter.is_waiting(),
            extras: usage.extras,
            tariff: format!(
                "{} version {}",
                assignment.terms.tariff.code, assignment.terms.tariff.version
            ),
            fare_paise: fare.as_ref().map_or(0, |fare| fare.total().0),
            fare_reason: fare.as_ref().map(|fare| fare.reason),
            fare_lines: fare.map(|fare| fare.lines).unwrap_or_default(),
            collect_cash: assignment.collect_cash,
            collected_paise: trip.collected.map(|Paise(paise)| paise),
            cancel_reason: trip.cancel_reason.clone(),
            dispatcher: trip.driven.as_ref().map(driven),
            changed: changed(trip.changed),
        }
    }
}

fn changed(changed: Changed) -> Option<String> {
    let Changed { pickup, drop, payment } = changed;
    let parts = [(pickup, "pickup"), (drop, "drop"), (payment, "payment")];
    let told: Vec<_> = parts.into_iter().filter(|(is, _)| *is).map(|(_, part)| part).collect();
    changed.is_any().then(|| told.join(", "))
}
