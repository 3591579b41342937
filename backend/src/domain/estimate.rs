//! Estimates before the ride: straight line with a road factor, and no more than that.

use std::fmt;

use serde::{Deserialize, Serialize};
use tripline_protocol::tariff::Tariff;
use tripline_protocol::terms::{Discount, Estimate, Terms};
use tripline_protocol::unit::{Position, Timestamp};

use super::live::distance_m;
use super::night::nights;

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
    fn road_m(self, straight_m: u32) -> u32 {
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

    /// What is to be expected of a ride from pickup to drop that starts then.
    pub fn estimate(&self, pickup: Position, drop: Position, start_at: Timestamp) -> Estimate {
        let distance_m = self.distance_m(pickup, drop);
        let duration_s = u32::try_from(self.duration_s(distance_m)).unwrap_or(u32::MAX);
        Estimate { distance_m, duration_s, start_at, pickup, drop }
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

/// The terms of a ride on this tariff. They are fixed here, and with them its fare is a matter of what is
/// driven.
pub fn terms(tariff: Tariff, estimate: Estimate, discounts: Vec<Discount>) -> Terms {
    let night = tariff.night.as_ref();
    // A tariff whose zone is unknown is not taken in, so that none has one here.
    let nights = night.and_then(|night| nights(night, estimate.start_at).ok()).unwrap_or_default();
    Terms { tariff, nights, discounts, estimate }
}
