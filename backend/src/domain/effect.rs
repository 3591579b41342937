//! What a decision calls for, carried out in the transaction that stores the decision.

use tripline_protocol::id::{DeviceId, DriverId};
use tripline_protocol::link::down::CommandBody;
use tripline_protocol::unit::{Paise, Timestamp};

use super::order::Order;

/// Something to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The rider's platform is told, at least once and in order.
    Tell(Notice),
    /// The same, of the order as it was then: more than one step of a trip came at once.
    TellOf(Box<Order>, Notice),
    /// A command goes to a device.
    Command {
        /// To whom.
        device: DeviceId,
        /// What.
        body: Box<CommandBody>,
        /// After this it has no effect.
        expires_at: Option<Timestamp>,
    },
    /// The device is free for other orders.
    Release(DeviceId),
    /// A driver took a rider's money: it goes into the account of the driver's shift.
    Cash {
        /// Who.
        driver: DriverId,
        /// In which vehicle.
        device: DeviceId,
        /// How much.
        amount: Paise,
        /// When, by the device's clock.
        at: Timestamp,
    },
}

/// What the rider's platform is told unasked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// A driver accepted: the answer to `confirm`.
    Confirmed,
    /// A driver accepted an order that was confirmed before: with another driver, or ahead of the ride.
    Reassigned,
    /// The driver called it off before the start; another is looked for.
    Unassigned,
    /// No driver was found: the answer to `confirm`, as an error.
    Unserved,
    /// The trip moved on.
    Phase(Phase),
    /// The fare is final.
    FinalFare,
    /// The driver was paid.
    Paid,
    /// The ride was called off, by whomever, and what that costs.
    Cancelled,
}

impl Notice {
    /// Whether it tells of a driver who took the order.
    pub const fn is_assigned(self) -> bool {
        matches!(self, Self::Confirmed | Self::Reassigned | Self::Phase(Phase::Assigned))
    }
}

/// The phases of a trip that the rider's platform hears of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Phase {
    /// A driver accepted.
    Assigned,
    /// On the way to the rider.
    EnRouteToPickup,
    /// Waiting for the rider.
    AtPickup,
    /// The rider is aboard.
    Started,
    /// A stop on the way.
    Paused,
    /// On again after a pause.
    Resumed,
    /// Over.
    Ended,
    /// Called off, or the rider did not come.
    Cancelled,
}
