//! Who drives: sign-in on the device, and whether the driver takes rides.

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::coded::coded_enum;
use crate::id::DriverId;

coded_enum! {
    /// Whether a driver takes rides.
    Duty {
        /// Not at work.
        Off => "off",
        /// At work: rides are offered.
        On => "on",
        /// At work, and none are offered.
        Break => "break",
    }
}

/// A PIN as the driver typed it. It does not print itself, so that no log shows it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TypedPin(pub String);

impl fmt::Debug for TypedPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TypedPin(..)")
    }
}

/// Fewest and most digits of a PIN.
pub const PIN_DIGITS: core::ops::RangeInclusive<usize> = 4..=8;

/// What the platform says of who drives this vehicle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnDuty {
    /// Who is signed in, by id and name; nobody.
    pub driver: Option<(DriverId, String)>,
    /// Whether that driver takes rides.
    pub duty: Duty,
    /// Why a sign-in was refused, for the driver.
    pub refused: Option<String>,
}
