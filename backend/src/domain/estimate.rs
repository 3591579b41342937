//! Estimates before the ride: straight line with a road factor, and no more than that.

use tripline_protocol::tariff::{Fare, FareReason, Tariff, Usage};
use tripline_protocol::unit::Position;

use super::live::distance_m;

/// How a straight line becomes a road.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoadModel {
    /// Road metres for a hundred straight ones.
    pub road_factor_percent: u32,
    /// Speed in town, in km/h.
    pub speed_kmph: u32,
}

impl RoadModel {
    /// Estimated road distance in metres.
    pub fn distance_m(&self, from: Position, to: Position) -> u32 {
        let straight = u64::from(distance_m(from, to));
        let road = straight * u64::from(self.road_factor_percent) / 100;
        u32::try_from(road).unwrap_or(u32::MAX)
    }

    /// Estimated seconds over a road distance.
    pub fn duration_s(&self, road_m: u32) -> u64 {
        u64::from(road_m) * 3600 / (u64::from(self.speed_kmph.max(1)) * 1000)
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
