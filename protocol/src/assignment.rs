//! The assignment of an order to a driver: the offer, and what becomes of it.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::coded::coded_enum;
use crate::id::{AssignmentId, OrderId, TripId};
use crate::machine::machine;
use crate::otp::OtpVerifier;
use crate::terms::Terms;
use crate::unit::{Position, Timestamp};

coded_enum! {
    /// Where an assignment stands.
    AssignmentState {
        /// On the driver's screen.
        Offered => "offered",
        /// The driver took it.
        Accepted => "accepted",
        /// The driver declined.
        Rejected => "rejected",
        /// Nobody answered in time.
        Expired => "expired",
        /// Taken back by the backend.
        Withdrawn => "withdrawn",
    }
}

coded_enum! {
    /// What happens to an assignment.
    AssignmentEvent {
        /// The driver takes it.
        Accept => "accept",
        /// The driver declines.
        Reject => "reject",
        /// Its time ran out.
        Expire => "expire",
        /// The backend takes it back: cancelled, or given to another.
        Withdraw => "withdraw",
    }
}

machine!(AssignmentState on AssignmentEvent, "the offer", from Offered, {
    Offered + Accept => Accepted,
    Offered + Reject => Rejected,
    Offered + Expire => Expired,
    Offered + Withdraw => Withdrawn,
    Accepted + Withdraw => Withdrawn,
});

/// A pickup or a drop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Where.
    pub position: Position,
    /// The address as one line, empty if unknown.
    pub address: String,
}

/// An order as offered to a driver. It holds no rider's name or phone: those follow an acceptance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// This offer.
    pub id: AssignmentId,
    /// The order it offers.
    pub order: OrderId,
    /// The trip it becomes when accepted.
    pub trip: TripId,
    /// Where the rider waits.
    pub pickup: Place,
    /// Where the rider goes.
    pub drop: Place,
    /// The terms fixed with the quote; the vehicle's meter runs on them.
    pub terms: Terms,
    /// When the rider is to be picked up, of a ride that was booked ahead.
    pub pickup_at: Option<Timestamp>,
    /// When the offer ends unless answered.
    pub expires_at: Timestamp,
    /// What the rider's OTP is checked against; `None` if the ride needs none.
    pub otp: Option<OtpVerifier>,
    /// Whether the driver is to collect the fare in cash.
    pub collect_cash: bool,
    /// Whether the device takes it at once, without asking its driver.
    pub auto_accept: bool,
}

/// Who the rider is, sent to the device only once its driver has accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RiderContact {
    /// The trip this rider is on.
    pub trip: TripId,
    /// Name as given by the BAP.
    pub name: String,
    /// Phone as given by the BAP.
    pub phone: String,
}

/// What an accepted trip is from here on, where its rider changed it. The device knows best whether the rider is
/// aboard: from then on it keeps the pickup that it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The trip.
    pub trip: TripId,
    /// Where the rider waits.
    pub pickup: Place,
    /// Where the rider goes.
    pub drop: Place,
    /// The terms that hold from the start of the ride on.
    pub terms: Terms,
    /// Whether the driver is to collect the fare in cash.
    pub collect_cash: bool,
}
