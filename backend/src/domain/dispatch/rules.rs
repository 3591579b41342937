//! By which rules orders are offered.

use serde::{Deserialize, Serialize};

use crate::domain::estimate::RoadModel;

/// Most vehicles that an order is offered to at a time: each is kept from all other orders meanwhile.
pub const BATCH_MAX: u8 = 8;

/// Largest weight: they are read as shares of a hundred, though they need not add up to it.
pub const WEIGHT_MAX: u8 = 100;

/// Most times that an order goes to another vehicle after its driver cancelled.
pub const REASSIGN_MAX: u32 = 8;

/// How much each part of a score counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weights {
    /// How soon the vehicle is at the pickup.
    pub pickup: u8,
    /// How long its driver has been without a ride.
    pub idle: u8,
    /// How many of the offers made to it were accepted.
    pub acceptance: u8,
    /// What riders say of the driver.
    pub rating: u8,
}

/// How orders are offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DispatchRules {
    /// How far a vehicle may be from the pickup, in metres.
    pub radius_m: u32,
    /// What makes one vehicle better than another.
    pub weights: Weights,
    /// To how many vehicles an order is offered at a time, 1 to [`BATCH_MAX`].
    pub batch: u8,
    /// How long a driver has to answer, in ms.
    pub offer_ms: i64,
    /// How long a driver is looked for at all, in ms.
    pub search_ms: i64,
    /// How long before the pickup of a scheduled ride a driver is looked for, in ms.
    pub lead_ms: i64,
    /// Whether devices accept offers by themselves.
    pub auto_accept: bool,
    /// How often an order goes to another vehicle after its driver cancelled.
    pub reassign_max: u32,
    /// How straight lines become roads.
    pub road: RoadModel,
}

impl Weights {
    /// What is near comes first, and the rest decides between what is about as near.
    pub const DEFAULT: Self = Self { pickup: 70, idle: 10, acceptance: 10, rating: 10 };
}

impl DispatchRules {
    /// One vehicle after another, each for half a minute, for two minutes.
    pub const DEFAULT: Self = Self {
        radius_m: 5_000,
        weights: Weights::DEFAULT,
        batch: 1,
        offer_ms: 30_000,
        search_ms: 120_000,
        lead_ms: 900_000,
        auto_accept: false,
        reassign_max: 3,
        road: RoadModel { road_factor_percent: 130, speed_kmph: 20 },
    };

    /// To how many vehicles an order is offered at a time. One that accepts by itself is asked alone.
    pub fn at_a_time(&self) -> usize {
        if self.auto_accept { 1 } else { usize::from(self.batch.clamp(1, BATCH_MAX)) }
    }
}
