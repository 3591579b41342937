//! Who is signed in on which device.

use tripline_protocol::id::{DeviceId, DriverId};
use tripline_protocol::unit::Timestamp;

coded! {
    /// Whether a driver takes rides.
    DutyState {
        /// Signed in, and takes rides.
        On => "on",
        /// Signed out.
        Off => "off",
        /// Signed in, and is offered nothing.
        Break => "break",
    }
}

/// A driver's duty on a device. One that is off is not on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duty {
    /// Who.
    pub driver: DriverId,
    /// On which device.
    pub device: DeviceId,
    /// On or on a break.
    pub state: DutyState,
    /// Since when.
    pub since: Timestamp,
}
