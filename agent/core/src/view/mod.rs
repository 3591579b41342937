//! What the driver sees, as data: the panel and `tripline-agent trip show` print it.

mod trip;

use alloc::string::{String, ToString};

use serde::{Deserialize, Serialize};
use tripline_protocol::duty::Duty;
use tripline_protocol::fix::FixStamp;
use tripline_protocol::link::up::MotionState;
use tripline_protocol::meter::Reading;
use tripline_protocol::unit::Timestamp;

use crate::desk::{Offer, SignIn, Trip};
pub use trip::TripView;

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
    /// Who drives.
    pub driver: DriverView,
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
    /// The most that was told the rider, where that was a range.
    pub estimated_fare_max_paise: Option<i64>,
    /// When the rider is to be picked up, Unix milliseconds, of a ride that was booked ahead.
    pub pickup_at_unix_ms: Option<i64>,
    /// Whether the driver is to collect the fare in cash; if not, it is prepaid.
    pub collect_cash: bool,
    /// Seconds left to answer.
    pub seconds_left: i64,
}

/// Who drives. A PIN is in no view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriverView {
    /// How the sign-in stands.
    pub sign_in: SignInState,
    /// The id of who is signed in.
    pub id: Option<String>,
    /// The name of who is signed in.
    pub name: Option<String>,
    /// Whether rides are taken.
    pub duty: Duty,
    /// The id of who asked to be signed in and was not answered.
    pub asked_id: Option<String>,
    /// The duty that was asked for and not answered.
    pub asked_duty: Option<Duty>,
    /// Why the last thing asked was refused.
    pub refused: Option<String>,
}

/// How a sign-in stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignInState {
    /// Nobody is signed in.
    Nobody,
    /// Asked; the platform has not answered.
    Asked,
    /// Granted.
    Granted,
    /// Refused.
    Refused,
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
            driver: DriverView::new(&SignIn::default()),
        }
    }
}

impl View {
    /// With who drives.
    pub(crate) fn with_driver(mut self, sign_in: &SignIn) -> Self {
        self.driver = DriverView::new(sign_in);
        self
    }

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
            estimated_fare_max_paise: assignment.terms.estimated_max().map(|most| most.0),
            pickup_at_unix_ms: assignment.pickup_at.map(|at| at.unix_ms),
            collect_cash: assignment.collect_cash,
            seconds_left: assignment.expires_at.since_ms(at).max(0) / 1000,
        }
    }
}

impl DriverView {
    fn new(sign_in: &SignIn) -> Self {
        let state = if sign_in.asked().is_some() {
            SignInState::Asked
        } else if sign_in.refused().is_some() {
            SignInState::Refused
        } else if sign_in.driver().is_some() {
            SignInState::Granted
        } else {
            SignInState::Nobody
        };
        let (id, name) = sign_in.driver().map(|(id, name)| (id.to_string(), name.clone())).unzip();
        Self {
            sign_in: state,
            id,
            name,
            duty: sign_in.duty(),
            asked_id: sign_in.asked().map(ToString::to_string),
            asked_duty: sign_in.duty_asked(),
            refused: sign_in.refused().map(String::from),
        }
    }
}

fn place(place: &tripline_protocol::assignment::Place) -> String {
    if place.address.is_empty() { place.position.to_string() } else { place.address.clone() }
}
