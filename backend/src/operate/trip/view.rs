//! Trips, as operators see them. No OTP, and no rider's name or phone.

use serde::{Deserialize, Serialize};
use tripline_protocol::fare::Fare;
use tripline_protocol::unit::Timestamp;
use utoipa::ToSchema;

use crate::domain::case::{Case, DrivenPart};
use crate::domain::order::Order;
use crate::domain::trip::{Outcome, Trip, TripFact};
use crate::operate::rating::RatingMark;

/// A trip.
#[expect(clippy::struct_excessive_bools, reason = "a view: each is a mark that people look for")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TripView {
    /// Its id.
    pub id: String,
    /// Its order.
    pub order: String,
    /// Where the order stands.
    #[schema(example = "active")]
    pub order_state: String,
    /// Where the trip stands for the order: what the rider's platform was told.
    #[schema(example = "started")]
    pub told: String,
    /// Where it stands in the vehicle, as far as it was heard.
    #[schema(example = "started")]
    pub driven: String,
    /// The device.
    pub device: String,
    /// The vehicle's plate.
    pub registration: String,
    /// Who drives, by their id.
    pub driver: Option<String>,
    /// The driver's name.
    pub driver_name: String,
    /// When it was accepted, in Unix milliseconds.
    pub accepted_at_unix_ms: i64,
    /// When it was over for the order.
    pub ended_at_unix_ms: Option<i64>,
    /// Whether the vehicle is held for it.
    pub held: bool,
    /// When its device was heard last; absent for a trip that is over.
    pub heard_at_unix_ms: Option<i64>,
    /// Whether the trip goes on and its device has not been heard for too long.
    pub silent: bool,
    /// Metres with the rider aboard, as far as they were heard.
    pub distance_m: u64,
    /// What the rider is charged, once that is known, in paise.
    pub charged_paise: Option<i64>,
    /// What the driver took, in paise.
    pub collected_paise: Option<i64>,
    /// OTPs tried since it was last unlocked.
    pub otp_tries: u32,
    /// Whether the device takes no OTP until a dispatcher unlocks it.
    pub otp_locked: bool,
    /// Whether it was started with no network.
    pub offline_start: bool,
    /// Whether it waits for a dispatcher to answer for a start with an OTP that is not the rider's.
    pub waits_for_voucher: bool,
    /// Cases of the order that nobody has looked at.
    pub open_cases: u64,
}

/// A trip with its record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TripDetail {
    /// The trip.
    #[serde(flatten)]
    pub trip: TripView,
    /// Why it was closed without its device, and by whom.
    pub closed: Option<String>,
    /// What happened, in that order.
    pub facts: Vec<FactView>,
    /// Facts that there was no room for.
    pub facts_left_out: u32,
    /// The order's cases.
    pub cases: Vec<CaseView>,
    /// How the order was rated.
    pub ratings: Vec<RatingMark>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FactView {
    /// When, in Unix milliseconds.
    pub at_unix_ms: i64,
    /// When it was learnt of.
    pub received_at_unix_ms: i64,
    /// What.
    #[schema(example = "start")]
    pub what: String,
    /// Who did it.
    #[schema(example = "device")]
    pub by: String,
    /// Why, where somebody said so.
    pub reason: String,
    /// The odometer in millimetres, if the device reported it.
    pub odometer_mm: Option<u64>,
    /// Of a start: what was made of its OTP.
    pub otp: Option<String>,
    /// `applied`, `crossed` or `refused`.
    #[schema(example = "applied")]
    pub outcome: String,
    /// Why it was refused.
    pub refused: Option<String>,
}

/// A case for the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CaseView {
    /// Its id: the order's, a colon, and its number there.
    pub id: String,
    /// The order.
    pub order: String,
    /// The trip.
    pub trip: Option<String>,
    /// What it is about, as a code.
    #[schema(example = "driven")]
    pub kind: String,
    /// When it was found, in Unix milliseconds.
    pub at_unix_ms: i64,
    /// What, in words.
    pub what: String,
    /// How often, of what is counted: of a rider who asks for support.
    pub times: u32,
    /// What was driven beside the order.
    pub driven: Option<DrivenView>,
    /// Who looked at it.
    pub resolved_by: Option<String>,
    /// When.
    pub resolved_at_unix_ms: Option<i64>,
    /// What was done about it.
    pub resolution: Option<String>,
}

/// What a vehicle drove beside its order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DrivenView {
    /// Metres with the rider aboard.
    pub distance_m: u64,
    /// Seconds with the rider aboard.
    pub seconds: u64,
    /// What it would cost by the order's terms, in paise.
    pub fare_paise: i64,
    /// Whether it is over.
    pub over: bool,
}

impl TripView {
    /// A trip of an order, whose device was last heard then.
    pub fn of(
        order: &Order,
        trip: &Trip,
        heard: Option<Timestamp>,
        silent_ms: i64,
        now: Timestamp,
    ) -> Self {
        let counts = order.trip.as_ref().is_some_and(|current| current.id == trip.id);
        let heard = heard.unwrap_or(trip.heard_at).max(trip.heard_at);
        let total = |fare: &Fare| fare.total().0;
        Self {
            id: trip.id.to_string(),
            order: order.id.to_string(),
            order_state: order.state.code().to_owned(),
            told: trip.state.code().to_owned(),
            driven: trip.driven.code().to_owned(),
            device: trip.vehicle.device.to_string(),
            registration: trip.vehicle.registration.clone(),
            driver: trip.vehicle.driver.as_ref().map(ToString::to_string),
            driver_name: trip.vehicle.driver_name.clone(),
            accepted_at_unix_ms: trip.accepted_at.unix_ms,
            ended_at_unix_ms: trip.ended_at.map(|at| at.unix_ms),
            held: trip.held,
            heard_at_unix_ms: trip.is_live().then_some(heard.unix_ms),
            silent: trip.is_silent(heard, silent_ms, now),
            distance_m: trip.usage().distance_m,
            charged_paise: order.charged().filter(|_| counts).map(total),
            collected_paise: order.payment.amount().filter(|_| counts).map(|amount| amount.0),
            otp_tries: trip.otp.tries,
            otp_locked: trip.otp.is_locked() && !trip.was_driven(),
            offline_start: trip.otp.offline_start,
            waits_for_voucher: counts && order.waits_for_voucher(),
            open_cases: order.cases.open() as u64,
        }
    }
}

impl TripDetail {
    /// The same with the trip's record.
    pub fn of(order: &Order, trip: &Trip, view: TripView, ratings: Vec<RatingMark>) -> Self {
        Self {
            trip: view,
            closed: trip.closed.as_ref().map(|it| format!("by {}: {}", it.by, it.reason)),
            facts: trip.facts.iter().map(FactView::from).collect(),
            facts_left_out: trip.facts_left_out,
            cases: order.cases.iter().map(|case| CaseView::of(order, case)).collect(),
            ratings,
        }
    }
}

impl From<&TripFact> for FactView {
    fn from(fact: &TripFact) -> Self {
        let outcome = match &fact.outcome {
            Outcome::Applied => "applied",
            Outcome::Crossed => "crossed",
            Outcome::Refused(_) => "refused",
        };
        Self {
            at_unix_ms: fact.at.unix_ms,
            received_at_unix_ms: fact.received_at.unix_ms,
            what: fact.step.to_string(),
            by: fact.by.to_string(),
            reason: fact.reason.clone(),
            odometer_mm: fact.measured.map(|it| it.reading.odometer.mm),
            otp: fact.otp.map(|check| check.code().to_owned()),
            outcome: outcome.to_owned(),
            refused: fact.outcome.refused(),
        }
    }
}

impl CaseView {
    /// A case of an order.
    pub fn of(order: &Order, case: &Case) -> Self {
        let resolved = case.resolved.as_ref();
        Self {
            id: format!("{}:{}", order.id, case.number),
            order: order.id.to_string(),
            trip: case.trip.map(|trip| trip.to_string()),
            kind: case.kind.code().to_owned(),
            at_unix_ms: case.at.unix_ms,
            what: case.what.clone(),
            times: case.times,
            driven: case.driven.as_ref().map(DrivenView::from),
            resolved_by: resolved.map(|it| it.by.clone()),
            resolved_at_unix_ms: resolved.map(|it| it.at.unix_ms),
            resolution: resolved.map(|it| it.note.clone()),
        }
    }
}

impl From<&DrivenPart> for DrivenView {
    fn from(part: &DrivenPart) -> Self {
        Self {
            distance_m: part.distance_m,
            seconds: part.seconds,
            fare_paise: part.fare.total().0,
            over: part.over,
        }
    }
}
