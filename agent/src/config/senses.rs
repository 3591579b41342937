//! `[trail]`, `[motion]`, `[fence]` and `[gate]`: what the senses make of the receiver.

use serde::Deserialize;
use tripline_agent_core::engine::{Cadence, Settings};
use tripline_agent_core::gate::GateLimits;
use tripline_agent_core::motion::MotionLimits;
use tripline_agent_core::sampler::{Bounded, DELAY_MS_MAX, Policies, Policy};

use super::Config;

/// `[trail]`: which fixes are kept, by what the vehicle does.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Trail {
    /// On a trip.
    pub on_trip: Keep,
    /// On the way to a pickup, and waiting there.
    pub to_pickup: Keep,
    /// Without a ride.
    pub moving: Keep,
    /// Parked.
    pub parked: Keep,
}

impl Default for Trail {
    fn default() -> Self {
        let Policies { parked, moving, to_pickup, on_trip, .. } = Policies::default();
        Self {
            on_trip: Keep(on_trip),
            to_pickup: Keep(to_pickup),
            moving: Keep(moving),
            parked: Keep(parked),
        }
    }
}

/// `full`, `every N s` or `within N m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Keep(Policy);

impl TryFrom<String> for Keep {
    type Error = String;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let wrong = || {
            format!(
                "{text:?} is no policy; it must be \"full\", \"every N s\" with N 1 to 3600, or \"within N m\" with N 1 to 1000"
            )
        };
        let number = |text: &str, max: u64| {
            text.parse::<u64>().ok().filter(|n| (1..=max).contains(n)).ok_or_else(wrong)
        };
        let words: Vec<_> = text.split_whitespace().collect();
        match words[..] {
            ["full"] => Ok(Self(Policy::Full)),
            ["every", n, "s"] => Ok(Self(Policy::Every { ms: number(n, 3_600)? * 1000 })),
            ["within", n, "m"] => {
                let error_mm = number(n, 1_000)? * 1000;
                Ok(Self(Policy::Bounded(Bounded { error_mm, delay_ms_max: DELAY_MS_MAX })))
            }
            _ => Err(wrong()),
        }
    }
}

/// `[motion]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Motion {
    /// Speed above which an overspeed event is told, in km/h; none if not set.
    pub overspeed_kmh: Option<u32>,
    /// How long a vehicle stands until it is parked, in s.
    pub parked_after_s: u64,
    /// The same with the ignition off, in s.
    pub parked_ignition_off_s: u64,
}

impl Default for Motion {
    fn default() -> Self {
        let limits = MotionLimits::default();
        Self {
            overspeed_kmh: None,
            parked_after_s: limits.parked_after_ms / 1000,
            parked_ignition_off_s: limits.parked_ignition_off_ms / 1000,
        }
    }
}

/// `[fence]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fence {
    /// Radius around pickup and drop, in m.
    pub radius_m: u32,
}

impl Default for Fence {
    fn default() -> Self {
        Self { radius_m: tripline_agent_core::fence::RADIUS_M }
    }
}

/// `[gate]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gate {
    /// Highest HDOP of a fix that counts.
    pub hdop_max: u16,
    /// Highest speed of a fix that counts, in km/h.
    pub speed_kmh_max: u32,
}

impl Default for Gate {
    fn default() -> Self {
        let limits = GateLimits::default();
        Self { hdop_max: limits.hdop_c_max / 100, speed_kmh_max: kmh(limits.speed_mmps_max) }
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

impl Config {
    /// What the engine is told of it.
    pub fn settings(&self) -> Settings {
        let Trail { on_trip, to_pickup, moving, parked } = &self.trail;
        // A power cut is to take no more with a sampler than without.
        let within_sync = |Keep(policy): &Keep| match *policy {
            Policy::Bounded(bounded) => {
                Policy::Bounded(Bounded { delay_ms_max: self.journal.sync_ms, ..bounded })
            }
            other @ (Policy::Full | Policy::Every { .. }) => other,
        };
        Settings {
            cadence: Cadence {
                live_on_trip_ms: self.live.on_trip_ms,
                live_idle_ms: self.live.idle_ms,
            },
            gate: GateLimits {
                hdop_c_max: self.gate.hdop_max * 100,
                speed_mmps_max: mmps(self.gate.speed_kmh_max),
                ..GateLimits::default()
            },
            motion: MotionLimits {
                overspeed_mmps: self.motion.overspeed_kmh.map(mmps),
                parked_after_ms: self.motion.parked_after_s * 1000,
                parked_ignition_off_ms: self.motion.parked_ignition_off_s * 1000,
                ..MotionLimits::default()
            },
            fence_radius_m: self.fence.radius_m,
            trail: Policies {
                on_trip: within_sync(on_trip),
                to_pickup: within_sync(to_pickup),
                moving: within_sync(moving),
                parked: within_sync(parked),
                ..Policies::default()
            },
        }
    }

    /// Key, value and range of each number here.
    pub(super) fn sense_ranges(&self) -> [(&'static str, u64, u64, u64); 6] {
        let overspeed_kmh = u64::from(self.motion.overspeed_kmh.unwrap_or(5));
        [
            ("motion.overspeed_kmh", overspeed_kmh, 5, 300),
            ("motion.parked_after_s", self.motion.parked_after_s, 10, 86_400),
            ("motion.parked_ignition_off_s", self.motion.parked_ignition_off_s, 1, 86_400),
            ("fence.radius_m", u64::from(self.fence.radius_m), 10, 100_000),
            ("gate.hdop_max", u64::from(self.gate.hdop_max), 1, 100),
            ("gate.speed_kmh_max", u64::from(self.gate.speed_kmh_max), 30, 500),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_read_as_people_write_it() {
        let keep = |text: &str| Keep::try_from(text.to_owned()).map(|keep| keep.0);
        assert_eq!(keep("full"), Ok(Policy::Full));
        assert_eq!(keep("every 300 s"), Ok(Policy::Every { ms: 300_000 }));
        let bounded = Bounded { error_mm: 5_000, delay_ms_max: DELAY_MS_MAX };
        assert_eq!(keep("within 5 m"), Ok(Policy::Bounded(bounded)));
        for text in ["", "every 0 s", "every 5", "within -1 m", "within 5 km", "all"] {
            assert!(keep(text).is_err_and(|error| error.contains("full")), "{text}");
        }
    }

    #[test]
    fn the_defaults_of_the_file_are_those_of_the_senses() {
        assert_eq!(mmps(Gate::default().speed_kmh_max), GateLimits::default().speed_mmps_max);
        assert_eq!((kmh(22_222), mmps(80)), (80, 22_222));
    }
}
