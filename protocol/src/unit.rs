//! Units at the borders: times, distances, money. Integers throughout; the unit is in the name.

use core::fmt;
use core::ops::{Add, AddAssign, Sub};

use serde::{Deserialize, Serialize};

/// A fact's time: milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Timestamp {
    /// Milliseconds since the Unix epoch.
    pub unix_ms: i64,
}

impl Timestamp {
    /// The time so many milliseconds after 1970-01-01T00:00:00Z.
    pub const fn from_unix_ms(unix_ms: i64) -> Self {
        Self { unix_ms }
    }

    /// This time moved by `ms` milliseconds.
    #[must_use]
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self { unix_ms: self.unix_ms.saturating_add(ms) }
    }

    /// Milliseconds from `earlier` to this time; negative if this one comes first.
    pub const fn since_ms(self, earlier: Self) -> i64 {
        self.unix_ms.saturating_sub(earlier.unix_ms)
    }
}

/// A deadline's time: milliseconds since this process started. Never jumps, means nothing elsewhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Uptime {
    /// Milliseconds since the process started.
    pub ms: u64,
}

impl Uptime {
    /// The uptime so many milliseconds after the start.
    pub const fn from_ms(ms: u64) -> Self {
        Self { ms }
    }

    /// This uptime and `ms` milliseconds.
    #[must_use]
    pub const fn plus_ms(self, ms: u64) -> Self {
        Self { ms: self.ms.saturating_add(ms) }
    }

    /// Milliseconds from `earlier` to this uptime, 0 if this one comes first.
    pub const fn since_ms(self, earlier: Self) -> u64 {
        self.ms.saturating_sub(earlier.ms)
    }
}

/// A reading of the device's steady clock, in milliseconds since its journal began.
///
/// It goes on across restarts of the agent and never goes back, whatever happens to the wall clock,
/// so the durations that enter a fare are differences of this clock (DESIGN promise 7).
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct Steady {
    /// Milliseconds since the journal began.
    pub ms: u64,
}

impl Steady {
    /// Milliseconds from `earlier` to this reading, 0 if this one comes first.
    pub const fn since_ms(self, earlier: Self) -> u64 {
        self.ms.saturating_sub(earlier.ms)
    }
}

/// The device's odometer, in millimetres since its journal began. It never goes back.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct Odometer {
    /// Millimetres driven.
    pub mm: u64,
}

impl Odometer {
    /// Millimetres driven since `earlier`, 0 if this reading comes first.
    pub const fn since_mm(self, earlier: Self) -> u64 {
        self.mm.saturating_sub(earlier.mm)
    }
}

/// An amount of money in paise, the minor unit of the Indian rupee. Negative amounts are credits.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Paise(pub i64);

impl Paise {
    /// Nothing.
    pub const ZERO: Self = Self(0);
}

impl Add for Paise {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Paise {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Paise {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// Rupees with two decimals, as Beckn's `DecimalValue` wants them: `76.50`, `-3.00`.
impl fmt::Display for Paise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let magnitude = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:02}", magnitude / 100, magnitude % 100)
    }
}

/// A place on the WGS 84 ellipsoid, in units of 1e-7 degree (about 11 mm).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "RawPosition")]
pub struct Position {
    lat_e7: i32,
    lon_e7: i32,
}

/// A latitude or longitude outside the globe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a position's latitude lies within 90 degrees and its longitude within 180")]
pub struct PositionError;

#[derive(Deserialize)]
struct RawPosition {
    lat_e7: i32,
    lon_e7: i32,
}

impl Position {
    /// The place at this latitude (-90 to 90 degrees) and longitude (-180 to 180), both times 1e7.
    pub const fn new(lat_e7: i32, lon_e7: i32) -> Result<Self, PositionError> {
        const LAT_E7_MAX: u32 = 900_000_000;
        const LON_E7_MAX: u32 = 1_800_000_000;
        if lat_e7.unsigned_abs() <= LAT_E7_MAX && lon_e7.unsigned_abs() <= LON_E7_MAX {
            Ok(Self { lat_e7, lon_e7 })
        } else {
            Err(PositionError)
        }
    }

    /// Latitude times 1e7, north positive.
    pub const fn lat_e7(self) -> i32 {
        self.lat_e7
    }

    /// Longitude times 1e7, east positive.
    pub const fn lon_e7(self) -> i32 {
        self.lon_e7
    }

    /// Latitude in degrees, for trigonometry only; stored and sent values stay integers.
    pub fn lat_deg(self) -> f64 {
        f64::from(self.lat_e7) / 1e7
    }

    /// Longitude in degrees, for trigonometry only; stored and sent values stay integers.
    pub fn lon_deg(self) -> f64 {
        f64::from(self.lon_e7) / 1e7
    }
}

impl TryFrom<RawPosition> for Position {
    type Error = PositionError;
    fn try_from(raw: RawPosition) -> Result<Self, Self::Error> {
        Self::new(raw.lat_e7, raw.lon_e7)
    }
}

/// `lat,lon` in degrees with seven decimals, the form of Beckn's `Gps` (core 0.9.4).
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_e7(self.lat_e7, f)?;
        f.write_str(",")?;
        fmt_e7(self.lon_e7, f)
    }
}

fn fmt_e7(value: i32, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let sign = if value < 0 { "-" } else { "" };
    let magnitude = value.unsigned_abs();
    write!(f, "{sign}{}.{:07}", magnitude / 10_000_000, magnitude % 10_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn money_prints_as_rupees_with_two_decimals() {
        for (paise, text) in [(7650, "76.50"), (5, "0.05"), (-300, "-3.00"), (-5, "-0.05")] {
            assert_eq!(Paise(paise).to_string(), text);
        }
    }

    #[test]
    fn a_position_prints_latitude_first_with_seven_decimals() {
        let position = Position::new(-5_000_000, 1_220_930_000).expect("on the globe");
        assert_eq!(position.to_string(), "-0.5000000,122.0930000");
    }

    #[test]
    fn a_position_off_the_globe_is_refused_also_on_the_wire() {
        assert_eq!(Position::new(900_000_001, 0), Err(PositionError));
        assert_eq!(Position::new(0, i32::MIN), Err(PositionError));
        let bytes = postcard::to_allocvec(&(900_000_001_i32, 0_i32)).expect("encodes");
        assert!(postcard::from_bytes::<Position>(&bytes).is_err());
    }
}
