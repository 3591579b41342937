//! A fix: what the receiver said of one instant.

use serde::{Deserialize, Serialize};

use crate::coded::coded_enum;
use crate::unit::{Position, Timestamp};

coded_enum! {
    /// How the receiver arrived at a fix (NMEA 0183 GGA quality indicator, GSA mode; UBX-NAV-PVT).
    FixType {
        /// Dead reckoned, entered by hand or simulated: no satellites behind it.
        Estimated => "estimated",
        /// Satellites alone, altitude held and not solved for.
        TwoD => "2d",
        /// Satellites alone; also where the receiver does not say how many dimensions it solved for.
        ThreeD => "3d",
        /// Corrected by a reference station or an augmentation system.
        Differential => "differential",
        /// Carrier phase, ambiguities floating.
        RtkFloat => "rtk-float",
        /// Carrier phase, ambiguities fixed.
        RtkFixed => "rtk-fixed",
    }
}

coded_enum! {
    /// Why a fix does not move the odometer. It is kept all the same.
    Refusal {
        /// Not from satellites.
        Estimated => "estimated",
        /// HDOP above the limit.
        PoorGeometry => "poor-geometry",
        /// Too far from the fix before it for any road vehicle.
        Jump => "jump",
        /// Not later than the fix before it.
        OutOfOrder => "out-of-order",
        /// Its time does not go on from the fixes before it; trusted once others confirm it.
        TimeJump => "time-jump",
        /// The receiver's own speed is beyond any road vehicle's.
        Speed => "speed",
        /// Its speed changed faster than any road vehicle's can.
        Acceleration => "acceleration",
    }
}

/// The position of one instant, as assembled from the receiver's sentences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fix {
    /// GNSS time of the fix.
    pub at: Timestamp,
    /// Where.
    pub position: Position,
    /// Speed over ground in mm/s.
    pub speed_mmps: Option<u32>,
    /// Course over ground in 1/100 degree clockwise from true north, 0 to 35999.
    pub course_cdeg: Option<u16>,
    /// Altitude above mean sea level in mm.
    pub altitude_mm: Option<i32>,
    /// Satellites used.
    pub satellites: Option<u8>,
    /// Horizontal dilution of precision times 100.
    pub hdop_c: Option<u16>,
    /// Estimated horizontal accuracy (one sigma) in mm, where the receiver tells it.
    pub accuracy_mm: Option<u32>,
    /// How the receiver arrived at it.
    pub fix_type: FixType,
    /// Why the gate refused it; `None` for a fix that counts.
    pub refused: Option<Refusal>,
}

/// Where and when a fix was, without the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixStamp {
    /// GNSS time of the fix.
    pub at: Timestamp,
    /// Where.
    pub position: Position,
}

impl From<&Fix> for FixStamp {
    fn from(fix: &Fix) -> Self {
        Self { at: fix.at, position: fix.position }
    }
}
