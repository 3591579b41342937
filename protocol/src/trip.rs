//! The trip: what the vehicle did for an order.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::coded::coded_enum;
use crate::fare::{Extra, Fare};
use crate::machine::machine;
use crate::otp::TypedOtp;
use crate::unit::Paise;

coded_enum! {
    /// Where a trip stands.
    TripState {
        /// The driver accepted and has not set off.
        Assigned => "assigned",
        /// On the way to the rider.
        EnRouteToPickup => "en-route-to-pickup",
        /// Waiting for the rider.
        AtPickup => "at-pickup",
        /// The rider is aboard.
        Started => "started",
        /// The rider is aboard and the meter's distance stands still.
        Paused => "paused",
        /// Over.
        Ended => "ended",
        /// Called off before the start.
        Cancelled => "cancelled",
        /// The rider did not come.
        NoShow => "no-show",
    }
}

coded_enum! {
    /// What happens to a trip.
    TripEvent {
        /// The driver sets off.
        Depart => "depart",
        /// The driver is at the pickup.
        Arrive => "arrive",
        /// The rider is aboard, OTP checked.
        Start => "start",
        /// A stop on the way.
        Pause => "pause",
        /// On again.
        Resume => "resume",
        /// The rider is dropped.
        Stop => "stop",
        /// Called off.
        Cancel => "cancel",
        /// The rider did not come.
        NoShow => "no-show",
        /// The driver says so, and the receiver says the pickup is elsewhere: no waiting is charged.
        ArriveOutside => "arrive-outside",
    }
}

machine!(TripState on TripEvent, "the trip", from Assigned, {
    Assigned + Depart => EnRouteToPickup,
    Assigned + Arrive => AtPickup,
    Assigned + ArriveOutside => AtPickup,
    Assigned + Cancel => Cancelled,
    EnRouteToPickup + Arrive => AtPickup,
    EnRouteToPickup + ArriveOutside => AtPickup,
    EnRouteToPickup + Cancel => Cancelled,
    AtPickup + Arrive => AtPickup,
    AtPickup + Start => Started,
    AtPickup + Cancel => Cancelled,
    AtPickup + NoShow => NoShow,
    Started + Pause => Paused,
    Started + Stop => Ended,
    Paused + Resume => Started,
    Paused + Stop => Ended,
});

/// A trip event with what it carries, as the device reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TripStep {
    /// The driver set off.
    Depart,
    /// The driver is at the pickup.
    Arrive,
    /// The rider is aboard.
    Start {
        /// The OTP as typed, checked again by the backend; `None` if the ride needs none.
        otp: Option<TypedOtp>,
    },
    /// A stop on the way.
    Pause,
    /// On again.
    Resume,
    /// The rider was dropped.
    Stop {
        /// What the vehicle's meter says the rider owes.
        fare: Fare,
    },
    /// The driver called it off.
    Cancel {
        /// Why, in the driver's words or a code of the panel.
        reason: String,
    },
    /// The rider did not come.
    NoShow,
    /// The driver was paid. Not a step of the machine: payment is separate from the trip's phase.
    Collected {
        /// How much.
        amount: Paise,
    },
    /// The driver says the vehicle is at the pickup, and its receiver says it is not.
    ArriveOutside {
        /// Straight-line distance from the last fix to the pickup, in metres.
        distance_m: u32,
    },
    /// The driver paid something for the rider. Not a step of the machine.
    Extra(Extra),
}

impl TripStep {
    /// The machine's event for this step; `None` for a payment or an extra.
    pub const fn event(&self) -> Option<TripEvent> {
        match self {
            Self::Depart => Some(TripEvent::Depart),
            Self::Arrive => Some(TripEvent::Arrive),
            Self::Start { .. } => Some(TripEvent::Start),
            Self::Pause => Some(TripEvent::Pause),
            Self::Resume => Some(TripEvent::Resume),
            Self::Stop { .. } => Some(TripEvent::Stop),
            Self::Cancel { .. } => Some(TripEvent::Cancel),
            Self::NoShow => Some(TripEvent::NoShow),
            Self::ArriveOutside { .. } => Some(TripEvent::ArriveOutside),
            Self::Collected { .. } | Self::Extra(_) => None,
        }
    }
}
