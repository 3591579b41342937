//! What is known of a vehicle and its driver when an order is offered.

use std::fmt;

use tripline_protocol::unit::Timestamp;

/// A driver without a ride for so long has waited as long as counts, in s.
pub const IDLE_S_FULL: u32 = 1_800;

/// The worst rating, in hundredths of a star.
pub const RATING_CENTI_MIN: u16 = 100;

/// The best rating, in hundredths of a star.
pub const RATING_CENTI_MAX: u16 = 500;

/// Whether a driver wants rides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// At work.
    On,
    /// Not at work.
    Off,
    /// At work, and resting.
    Break,
}

impl fmt::Display for Duty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Break => "break",
        })
    }
}

/// What the fleet's records say of a vehicle. What is not known neither helps nor harms it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its category, in the operator's words.
    pub category: String,
    /// Whose vehicle it is.
    pub provider: String,
    /// Whether a driver is signed in.
    pub has_driver: bool,
    /// Whether its driver wants rides.
    pub duty: Duty,
    /// Whether papers of vehicle and driver hold.
    pub documents_hold: bool,
    /// Whether the operator lets it take orders at all.
    pub accepts: bool,
    /// Share of offers accepted, in thousandths.
    pub acceptance_permille: Option<u16>,
    /// What riders say, in hundredths of a star.
    pub rating_centi: Option<u16>,
    /// Since when its driver has been without a ride.
    pub idle_since: Option<Timestamp>,
}
