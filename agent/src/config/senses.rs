//! `[live]`, `[trail]`, `[motion]`, `[fence]` and `[gate]`: what an operator may also set from afar.
//!
//! What is left out here is as the engine has it by default, and ranges are those of the protocol.

use serde::Deserialize;
use tripline_agent_core::engine::Settings;
use tripline_protocol::link::settings::{self, DeviceSettings, NoPolicy};

use super::Config;

/// `[live]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Live {
    /// Between live positions on a trip, in ms.
    pub on_trip_ms: Option<u32>,
    /// Between live positions otherwise, in ms.
    pub idle_ms: Option<u32>,
}

/// `[trail]`: which fixes are kept, by what the vehicle does.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Trail {
    /// On a trip.
    pub on_trip: Option<Keep>,
    /// On the way to a pickup, and waiting there.
    pub to_pickup: Option<Keep>,
    /// Without a ride.
    pub moving: Option<Keep>,
    /// Parked.
    pub parked: Option<Keep>,
}

/// `full`, `every N s` or `within N m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Keep(settings::Keep);

impl TryFrom<String> for Keep {
    type Error = NoPolicy;

    fn try_from(text: String) -> Result<Self, NoPolicy> {
        text.parse().map(Self)
    }
}

/// `[motion]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Motion {
    /// Speed above which an overspeed event is told, in km/h; 0 for none.
    pub overspeed_kmh: Option<u32>,
    /// How long a vehicle stands until it is parked, in s.
    pub parked_after_s: Option<u32>,
    /// The same with the ignition off, in s.
    pub parked_ignition_off_s: Option<u32>,
}

/// `[fence]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fence {
    /// Radius around pickup and drop, in m.
    pub radius_m: Option<u32>,
}

/// `[gate]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gate {
    /// Highest HDOP of a fix that counts.
    pub hdop_max: Option<u32>,
    /// Highest speed of a fix that counts, in km/h.
    pub speed_kmh_max: Option<u32>,
}

impl Config {
    /// What the engine is told of it.
    pub fn settings(&self) -> Settings {
        // A power cut is to take no more with a sampler than without.
        let base = Settings { trail_delay_ms_max: self.journal.sync_ms, ..Settings::default() };
        base.under(&self.device_settings().over(&base.told()))
    }

    /// What the file says of what may also be set from afar.
    pub(super) fn device_settings(&self) -> DeviceSettings {
        let keep = |keep: Option<Keep>| keep.map(|Keep(keep)| keep);
        DeviceSettings {
            live_on_trip_ms: self.live.on_trip_ms,
            live_idle_ms: self.live.idle_ms,
            trail_on_trip: keep(self.trail.on_trip),
            trail_to_pickup: keep(self.trail.to_pickup),
            trail_moving: keep(self.trail.moving),
            trail_parked: keep(self.trail.parked),
            motion_overspeed_kmh: self.motion.overspeed_kmh,
            motion_parked_after_s: self.motion.parked_after_s,
            motion_parked_ignition_off_s: self.motion.parked_ignition_off_s,
            fence_radius_m: self.fence.radius_m,
            gate_hdop_max: self.gate.hdop_max,
            gate_speed_kmh_max: self.gate.speed_kmh_max,
        }
    }
}
