//! What of a ride its link shows: what somebody at the kerb needs, and nothing more.

use std::sync::Arc;

use tripline_protocol::assignment::Place;
use tripline_protocol::id::{DeviceId, OrderId, TripId};
use tripline_protocol::trip::TripState;

use crate::domain::live::{LivePosition, distance_m};
use crate::domain::order::Order;

/// A ride that may be seen. It is copied out of the order field by field, so that no OTP and no phone is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackedRide {
    /// The order; not shown.
    pub order: OrderId,
    /// The trip; not shown.
    pub trip: TripId,
    /// The device in the vehicle; not shown.
    pub device: DeviceId,
    /// Where the trip stands for the order.
    pub state: TripState,
    /// Registration plate.
    pub registration: String,
    /// Category, in the operator's words.
    pub category: String,
    /// Who made it.
    pub make: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// The colour.
    pub color: Option<String>,
    /// The driver's first name. The rider has name and phone from the network; whoever else got the link needs
    /// no more than to call to the right car.
    pub driver: Option<String>,
    /// Where the rider waits.
    pub pickup: Place,
    /// Where the rider goes.
    pub drop: Option<Place>,
}

impl TrackedRide {
    /// The ride of an order; none before a driver has it and after its end.
    pub fn of(order: &Order) -> Option<Self> {
        let trip = order.trip.as_ref().filter(|_| order.is_trackable())?;
        let vehicle = trip.vehicle.clone();
        Some(Self {
            order: order.id,
            trip: trip.id,
            device: vehicle.device,
            state: trip.state,
            registration: vehicle.registration,
            category: vehicle.category,
            make: vehicle.make,
            model: vehicle.model,
            color: vehicle.color,
            driver: vehicle.driver_name.split_whitespace().next().map(str::to_owned),
            pickup: order.route.pickup.clone(),
            drop: order.route.drop.clone(),
        })
    }

    /// Whether the rider is still to be picked up.
    pub const fn is_before_pickup(&self) -> bool {
        match self.state {
            TripState::Assigned | TripState::EnRouteToPickup | TripState::AtPickup => true,
            TripState::Started
            | TripState::Paused
            | TripState::Ended
            | TripState::Cancelled
            | TripState::NoShow => false,
        }
    }

    /// Where the vehicle goes next.
    pub fn next(&self) -> Option<&Place> {
        if self.is_before_pickup() { Some(&self.pickup) } else { self.drop.as_ref() }
    }
}

/// A ride as it is seen at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The ride.
    pub ride: Arc<TrackedRide>,
    /// Which version of its order that is: the higher, the newer.
    pub version: i64,
    /// Where the vehicle is; `None` while that is not known.
    pub position: Option<LivePosition>,
}

impl Shown {
    /// The straight line from the vehicle to where it goes next, in whole metres.
    pub fn next_m(&self) -> Option<u32> {
        let position = self.position?.live.position;
        Some(distance_m(position, self.ride.next()?.position))
    }
}
