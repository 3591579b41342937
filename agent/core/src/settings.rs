//! What an operator may set: the device's own settings, and those from afar over them.
//!
//! The file of the device is the base. Over it lie the settings of the newest [`Configure`] command that
//! was applied, or those that enrolment brought until there is one; the base decides what they do not name.
//!
//! [`Configure`]: tripline_protocol::link::down::CommandBody::Configure

use tripline_protocol::link::settings::{DeviceSettings, Keep, NO_LIMIT};

use crate::gate::GateLimits;
use crate::motion::MotionLimits;
use crate::sampler::{Bounded, DELAY_MS_MAX, Policies, Policy};

/// How often live positions are sent, by what the vehicle does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cadence {
    /// Between live positions on a trip, in ms.
    pub live_on_trip_ms: u64,
    /// Between live positions otherwise, in ms.
    pub live_idle_ms: u64,
}

/// What an operator may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Live positions.
    pub cadence: Cadence,
    /// What a fix must keep to.
    pub gate: GateLimits,
    /// When the vehicle moves, stands, is parked, is too fast.
    pub motion: MotionLimits,
    /// Radius of the fences around pickup and drop, in metres.
    pub fence_radius_m: u32,
    /// Which fixes the trail keeps.
    pub trail: Policies,
    /// Longest that a policy set from afar holds a fix back, in ms.
    pub trail_delay_ms_max: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cadence: Cadence { live_on_trip_ms: 1_000, live_idle_ms: 5_000 },
            gate: GateLimits::default(),
            motion: MotionLimits::default(),
            fence_radius_m: crate::fence::RADIUS_M,
            trail: Policies::default(),
            trail_delay_ms_max: DELAY_MS_MAX,
        }
    }
}

impl Settings {
    /// These with `above` over them. What `above` does not name stays as it is.
    #[must_use]
    pub fn under(self, above: &DeviceSettings) -> Self {
        let Self { cadence, gate, motion, fence_radius_m, trail, trail_delay_ms_max } = self;
        let policy = |keep: Option<Keep>, base| {
            keep.map_or(base, |keep| Policy::from_keep(keep, trail_delay_ms_max))
        };
        let ms = |ms: Option<u32>, base_ms| ms.map_or(base_ms, u64::from);
        let s = |s: Option<u32>, base_ms| s.map_or(base_ms, |s| u64::from(s) * 1_000);
        let overspeed_mmps = above
            .motion_overspeed_kmh
            .map_or(motion.overspeed_mmps, |kmh| (kmh != NO_LIMIT).then_some(mmps(kmh)));
        Self {
            cadence: Cadence {
                live_on_trip_ms: ms(above.live_on_trip_ms, cadence.live_on_trip_ms),
                live_idle_ms: ms(above.live_idle_ms, cadence.live_idle_ms),
            },
            gate: GateLimits {
                hdop_c_max: above.gate_hdop_max.map_or(gate.hdop_c_max, hdop_c),
                speed_mmps_max: above.gate_speed_kmh_max.map_or(gate.speed_mmps_max, mmps),
                ..gate
            },
            motion: MotionLimits {
                overspeed_mmps,
                parked_after_ms: s(above.motion_parked_after_s, motion.parked_after_ms),
                parked_ignition_off_ms: s(
                    above.motion_parked_ignition_off_s,
                    motion.parked_ignition_off_ms,
                ),
                ..motion
            },
            fence_radius_m: above.fence_radius_m.unwrap_or(fence_radius_m),
            trail: Policies {
                on_trip: policy(above.trail_on_trip, trail.on_trip),
                to_pickup: policy(above.trail_to_pickup, trail.to_pickup),
                moving: policy(above.trail_moving, trail.moving),
                parked: policy(above.trail_parked, trail.parked),
                ..trail
            },
            trail_delay_ms_max,
        }
    }

    /// All of them as they are told, to the nearest where they are finer.
    pub fn told(&self) -> DeviceSettings {
        DeviceSettings {
            live_on_trip_ms: Some(narrow(self.cadence.live_on_trip_ms)),
            live_idle_ms: Some(narrow(self.cadence.live_idle_ms)),
            trail_on_trip: Some(self.trail.on_trip.keep()),
            trail_to_pickup: Some(self.trail.to_pickup.keep()),
            trail_moving: Some(self.trail.moving.keep()),
            trail_parked: Some(self.trail.parked.keep()),
            motion_overspeed_kmh: Some(self.motion.overspeed_mmps.map_or(NO_LIMIT, kmh)),
            motion_parked_after_s: Some(narrow(self.motion.parked_after_ms / 1_000)),
            motion_parked_ignition_off_s: Some(narrow(self.motion.parked_ignition_off_ms / 1_000)),
            fence_radius_m: Some(self.fence_radius_m),
            gate_hdop_max: Some(u32::from(self.gate.hdop_c_max / 100)),
            gate_speed_kmh_max: Some(kmh(self.gate.speed_mmps_max)),
        }
    }
}

impl Policy {
    /// The policy of a setting; what it bounds by an error it holds back for `delay_ms_max` at most.
    pub fn from_keep(keep: Keep, delay_ms_max: u64) -> Self {
        match keep {
            Keep::Full => Self::Full,
            Keep::EveryS(s) => Self::Every { ms: u64::from(s) * 1_000 },
            Keep::WithinM(m) => {
                Self::Bounded(Bounded { error_mm: u64::from(m) * 1_000, delay_ms_max })
            }
        }
    }

    /// The policy as a setting.
    pub fn keep(self) -> Keep {
        match self {
            Self::Full => Keep::Full,
            Self::Every { ms } => Keep::EveryS(narrower(ms / 1_000)),
            Self::Bounded(Bounded { error_mm, .. }) => Keep::WithinM(narrower(error_mm / 1_000)),
        }
    }
}

/// km/h of mm/s, to the nearest.
const fn kmh(mmps: u32) -> u32 {
    (mmps * 36 + 5_000) / 10_000
}

/// mm/s of km/h, to the nearest.
const fn mmps(kmh: u32) -> u32 {
    (kmh * 10_000 + 18) / 36
}

/// HDOP times 100.
fn hdop_c(hdop: u32) -> u16 {
    narrower(u64::from(hdop) * 100)
}

/// In 32 bits; the most they hold if it is more, which no setting in its range is.
fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// In 16 bits, likewise.
fn narrower(number: u64) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tripline_protocol::link::settings::{
        FENCE_RADIUS_M, HDOP_MAX, KEEP_EVERY_S, KEEP_WITHIN_M, OVERSPEED_KMH, SPEED_KMH_MAX,
    };

    #[test]
    fn what_is_set_from_afar_is_told_as_it_was_set_over_its_whole_range() {
        let told = |above: DeviceSettings| {
            let told = Settings::default().under(&above).told();
            assert_eq!(above.over(&told), told, "what is set is what is told");
            assert_eq!(told.values().len(), 12, "every one");
        };
        for kmh in OVERSPEED_KMH.chain([NO_LIMIT]) {
            told(DeviceSettings { motion_overspeed_kmh: Some(kmh), ..DeviceSettings::default() });
        }
        for kmh in SPEED_KMH_MAX {
            told(DeviceSettings { gate_speed_kmh_max: Some(kmh), ..DeviceSettings::default() });
        }
        for hdop in HDOP_MAX {
            told(DeviceSettings { gate_hdop_max: Some(hdop), ..DeviceSettings::default() });
        }
        let keeps = KEEP_EVERY_S.map(Keep::EveryS).chain(KEEP_WITHIN_M.map(Keep::WithinM));
        for keep in keeps {
            told(DeviceSettings { trail_moving: Some(keep), ..DeviceSettings::default() });
        }
        for radius_m in [*FENCE_RADIUS_M.start(), *FENCE_RADIUS_M.end()] {
            told(DeviceSettings { fence_radius_m: Some(radius_m), ..DeviceSettings::default() });
        }
    }

    #[test]
    fn the_defaults_keep_to_the_ranges_and_nothing_above_leaves_them_as_they_are() {
        let base = Settings::default();
        assert_eq!(base.told().check(), Ok(()));
        assert_eq!(base.under(&DeviceSettings::default()), base);
        assert_eq!(base.under(&base.told()), base);
    }
}
