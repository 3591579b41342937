//! A ride as JSON: the answer of the link, and the data of each event.

use jiff::Timestamp as Instant;
use serde::Serialize;
use tripline_protocol::assignment::Place;
use tripline_protocol::trip::TripState;
use tripline_protocol::unit::Timestamp;
use utoipa::ToSchema;

use crate::domain::live::LivePosition;
use crate::service::track::{Shown, TrackedRide};

/// What is said of a ride that is shown.
const ACTIVE: &str = "active";

/// What is said of one that is not.
const INACTIVE: &str = "inactive";

/// A ride that is under way, from a driver's acceptance to the end.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RideView {
    /// `active`
    status: &'static str,
    /// Where the ride stands: `assigned`, `en-route-to-pickup`, `at-pickup`, `started` or `paused`
    pub(super) phase: &'static str,
    /// The same as a sentence
    pub(super) says: &'static str,
    /// Where the vehicle was last seen; null while that is not known
    pub(super) location: Option<LocationView>,
    /// Where the vehicle goes next, and how far that is; null while it is not known where the vehicle is
    pub(super) next: Option<NextView>,
    /// The vehicle
    pub(super) vehicle: VehicleView,
    /// The driver's first name; null if it is not known
    pub(super) driver: Option<String>,
    /// Where the rider is picked up
    pub(super) pickup: PlaceView,
    /// Where the rider goes
    pub(super) drop: Option<PlaceView>,
}

/// Where a vehicle was seen.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LocationView {
    /// Latitude and longitude in degrees
    pub(super) gps: String,
    /// When that was, by the vehicle's clock: RFC 3339, in UTC
    at: String,
    /// How long ago it came in, in ms, whatever the vehicle's clock says
    pub(super) age_ms: i64,
    /// Speed over ground in mm/s; null while it is not known
    speed_mmps: Option<u32>,
    /// Course over ground in hundredths of a degree from north, clockwise; null while it is not known
    pub(super) course_cdeg: Option<u16>,
}

/// Where a vehicle goes next.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NextView {
    /// `pickup` or `drop`
    place: &'static str,
    /// In a straight line, in m
    distance_m: u32,
    /// The same as a sentence
    pub(super) says: String,
}

/// What to look out for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct VehicleView {
    /// Registration plate
    pub(super) registration: String,
    /// Who made it
    pub(super) make: Option<String>,
    /// The model
    pub(super) model: Option<String>,
    /// The colour
    pub(super) color: Option<String>,
    /// Category, in the operator's words
    pub(super) category: String,
}

/// A place.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PlaceView {
    /// Latitude and longitude in degrees
    pub(super) gps: String,
    /// The address as one line; empty if it is not known
    pub(super) address: String,
}

/// Why there is nothing to see.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(super) struct NothingView {
    /// `inactive`, of a link that there is
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    /// In words
    message: &'static str,
}

impl RideView {
    /// A ride as it is seen at `now`.
    pub(super) fn of(shown: &Shown, now: Timestamp) -> Self {
        let ride = &shown.ride;
        Self {
            status: ACTIVE,
            phase: ride.state.code(),
            says: sentence(ride.state),
            location: shown.position.map(|seen| LocationView::of(&seen, now)),
            next: shown.next_m().map(|distance_m| NextView::of(ride, distance_m)),
            vehicle: VehicleView::of(ride),
            driver: ride.driver.clone(),
            pickup: PlaceView::of(&ride.pickup),
            drop: ride.drop.as_ref().map(PlaceView::of),
        }
    }
}

impl LocationView {
    fn of(seen: &LivePosition, now: Timestamp) -> Self {
        let at = Instant::from_millisecond(seen.live.at.unix_ms).unwrap_or(Instant::UNIX_EPOCH);
        Self {
            gps: seen.live.position.to_string(),
            at: at.to_string(),
            age_ms: seen.age_ms(now),
            speed_mmps: seen.live.speed_mmps,
            course_cdeg: seen.live.course_cdeg,
        }
    }
}

impl NextView {
    fn of(ride: &TrackedRide, distance_m: u32) -> Self {
        let place = if ride.is_before_pickup() { "pickup" } else { "drop" };
        let says = format!("{} in a straight line to the {place}", far(distance_m));
        Self { place, distance_m, says }
    }
}

impl VehicleView {
    fn of(ride: &TrackedRide) -> Self {
        Self {
            registration: ride.registration.clone(),
            make: ride.make.clone(),
            model: ride.model.clone(),
            color: ride.color.clone(),
            category: ride.category.clone(),
        }
    }
}

impl PlaceView {
    fn of(place: &Place) -> Self {
        Self { gps: place.position.to_string(), address: place.address.clone() }
    }
}

impl NothingView {
    /// Of a link whose ride is not shown.
    pub(super) const fn of_ride(message: &'static str) -> Self {
        Self { status: Some(INACTIVE), message }
    }

    /// Of whatever else.
    pub(super) const fn said(message: &'static str) -> Self {
        Self { status: None, message }
    }
}

/// Where a ride stands, for whoever waits for it.
const fn sentence(state: TripState) -> &'static str {
    match state {
        TripState::Assigned => "A driver has taken the ride",
        TripState::EnRouteToPickup => "The vehicle is on its way to the pickup",
        TripState::AtPickup => "The vehicle waits at the pickup",
        TripState::Started => "The ride is under way",
        TripState::Paused => "The ride is at a stop on its way",
        TripState::Ended => "The ride is over",
        TripState::Cancelled => "The ride was called off",
        TripState::NoShow => "The ride was called off: nobody came to the pickup",
    }
}

/// `840 m`, `1.2 km`.
fn far(m: u32) -> String {
    if m < 1_000 { format!("{m} m") } else { format!("{}.{} km", m / 1_000, m % 1_000 / 100) }
}
