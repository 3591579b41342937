//! Estimates before the ride: straight line with a road factor, and no more than that.

use std::fmt;

use serde::{Deserialize, Serialize};
use tripline_protocol::tariff::{Fare, FareReason, Tariff, Usage};
use tripline_protocol::unit::Position;

use super::live::distance_m;

/// How a straight line becomes a road.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoadModel {
    /// Road metres for a hundred straight ones.
    pub road_factor_percent: u32,
    /// Speed in town, in km/h.
    pub speed_kmph: u32,
}

impl RoadModel {
    /// Estimated road distance in metres.
    pub fn distance_m(&self, from: Position, to: Position) -> u32 {
        self.road_m(distance_m(from, to))
    }

    /// Estimated road metres for straight ones.
    fn road_m(&self, straight_m: u32) -> u32 {
        let road = u64::from(straight_m) * u64::from(self.road_factor_percent) / 100;
        u32::try_from(road).unwrap_or(u32::MAX)
    }

    /// Estimated seconds over a road distance.
    pub fn duration_s(&self, road_m: u32) -> u64 {
        u64::from(road_m) * 3600 / (u64::from(self.speed_kmph.max(1)) * 1000)
    }

    /// Estimated seconds until a vehicle that is so far away in a straight line is there.
    pub fn pickup_s(&self, straight_m: u32) -> u64 {
        self.duration_s(self.road_m(straight_m))
    }

    /// Estimated fare from pickup to drop.
    pub fn fare(&self, tariff: &Tariff, road_m: u32) -> Fare {
        let usage = Usage {
            distance_m: u64::from(road_m),
            riding_s: self.duration_s(road_m),
            waiting_s: 0,
        };
        tariff.fare(usage, FareReason::Estimate)
    }
}

/// What an estimate is, for people: no map was asked.
impl fmt::Display for RoadModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, percent) = (self.road_factor_percent / 100, self.road_factor_percent % 100);
        let factor = format!("{whole}.{percent:02}");
        let factor = factor.strip_suffix('0').unwrap_or(&factor);
        write!(f, "straight line x {factor} at {} km/h, no map", self.speed_kmph)
    }
}
