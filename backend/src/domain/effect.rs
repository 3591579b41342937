//! What a decision calls for, carried out in the transaction that stores the decision.

use tripline_protocol::id::DeviceId;
use tripline_protocol::link::down::CommandBody;
use tripline_protocol::unit::Timestamp;

/// Something to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The rider's platform is told, at least once and in order.
    Tell(Notice),
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
}

/// What the rider's platform is told unasked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// A driver accepted: the answer to `confirm`.
    Confirmed,
    /// No driver was found: the answer to `confirm`, as an error.
    Unserved,
    /// The trip moved on.
    Phase(Phase),
    /// The fare is final.
    FinalFare,
    /// The driver was paid.
    Paid,
    /// The ride was called off by driver or operator.
    Cancelled,
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
