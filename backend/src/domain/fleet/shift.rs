//! Shifts, and the cash that is accounted by them.

use tripline_protocol::id::{DeviceId, DriverId, OrderId};
use tripline_protocol::unit::{Paise, Timestamp};
use uuid::Uuid;

/// A driver's time with a vehicle: from sign-in to sign-out or, for one who does not sign in, from the first
/// cash to its settlement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shift {
    /// Its stable id.
    pub id: Uuid,
    /// Who.
    pub driver: DriverId,
    /// In which vehicle it began.
    pub device: DeviceId,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What the driver has in hand of it: taken in and not handed over.
    pub balance: Paise,
}

coded! {
    /// What an entry of a cash account is.
    CashKind {
        /// The fare of an order, taken in.
        Collected => "collected",
        /// Handed over to the operator.
        Settled => "settled",
    }
}

/// An entry of a shift's cash account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cash {
    /// Its stable id.
    pub id: Uuid,
    /// Of which shift.
    pub shift: Uuid,
    /// What it is.
    pub kind: CashKind,
    /// Of which order.
    pub order: Option<OrderId>,
    /// How much: positive what came in, negative what was handed over.
    pub amount: Paise,
    /// When.
    pub at: Timestamp,
    /// In words.
    pub note: String,
}
