//! An observation: what the receiver said of one instant, before it is known to be a fix that counts.
//!
//! NMEA and UBX both end here. A [`Fix`] is an observation whose time is known.

use tripline_protocol::fix::{Fix, FixType};
use tripline_protocol::unit::{Position, Timestamp};

use crate::calendar::TimeOfDay;

/// The position of one instant, as assembled from the receiver's sentences or its UBX frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    /// Date and time, where the receiver has told both.
    pub at: Option<Timestamp>,
    /// Time of day; known without a date where a receiver sends GGA or GLL alone.
    pub time_of_day: Option<TimeOfDay>,
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
    /// Estimated horizontal accuracy (one sigma) in mm.
    pub accuracy_mm: Option<u32>,
    /// How the receiver arrived at it.
    pub fix_type: FixType,
}

impl Observation {
    /// The fix, dated `at`.
    pub const fn fix(&self, at: Timestamp) -> Fix {
        Fix {
            at,
            position: self.position,
            speed_mmps: self.speed_mmps,
            course_cdeg: self.course_cdeg,
            altitude_mm: self.altitude_mm,
            satellites: self.satellites,
            hdop_c: self.hdop_c,
            accuracy_mm: self.accuracy_mm,
            fix_type: self.fix_type,
            refused: None,
        }
    }
}
