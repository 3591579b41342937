//! What an operator may set on a device from afar, and what a device says it runs.
//!
//! Names, ranges and the way a value is written are here once: the agent's file, the platform's
//! configuration and its command line all read settings through [`DeviceSettings::set`] or check them with
//! [`DeviceSettings::check`].

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// Which fixes of a trail are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Keep {
    /// Every one.
    Full,
    /// One in so many seconds, 1 to 3600.
    EveryS(u16),
    /// So few that no position is off by more than so many metres, 1 to 1000.
    WithinM(u16),
}

/// Settings of a device. What is `None` the device's own configuration decides.
///
/// The names are those of the agent's configuration, with its tables in front.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceSettings {
    /// Between live positions on a trip, in ms, 500 to 60,000.
    pub live_on_trip_ms: Option<u32>,
    /// Between live positions otherwise, in ms, 500 to 3,600,000.
    pub live_idle_ms: Option<u32>,
    /// The trail on a trip.
    pub trail_on_trip: Option<Keep>,
    /// The trail on the way to a pickup, and waiting there.
    pub trail_to_pickup: Option<Keep>,
    /// The trail without a ride.
    pub trail_moving: Option<Keep>,
    /// The trail while parked.
    pub trail_parked: Option<Keep>,
    /// Speed above which an overspeed event is told, in km/h, 5 to 300, or [`NO_LIMIT`].
    pub motion_overspeed_kmh: Option<u32>,
    /// How long a vehicle stands until it is parked, in s, 10 to 86,400.
    pub motion_parked_after_s: Option<u32>,
    /// The same with its ignition off, in s, 1 to 86,400.
    pub motion_parked_ignition_off_s: Option<u32>,
    /// Radius of the fences around pickup and drop, in m, 10 to 100,000.
    pub fence_radius_m: Option<u32>,
    /// Highest HDOP of a fix that counts, 1 to 100.
    pub gate_hdop_max: Option<u32>,
    /// Highest speed of a fix that counts, in km/h, 30 to 500.
    pub gate_speed_kmh_max: Option<u32>,
}

/// `motion.overspeed_kmh` of a vehicle that may go as fast as it likes.
pub const NO_LIMIT: u32 = 0;

/// Range of `live.on_trip_ms`.
pub const LIVE_ON_TRIP_MS: RangeInclusive<u32> = 500..=60_000;
/// Range of `live.idle_ms`.
pub const LIVE_IDLE_MS: RangeInclusive<u32> = 500..=3_600_000;
/// Range of `motion.overspeed_kmh`, beside [`NO_LIMIT`].
pub const OVERSPEED_KMH: RangeInclusive<u32> = 5..=300;
/// Range of `motion.parked_after_s`.
pub const PARKED_AFTER_S: RangeInclusive<u32> = 10..=86_400;
/// Range of `motion.parked_ignition_off_s`.
pub const PARKED_IGNITION_OFF_S: RangeInclusive<u32> = 1..=86_400;
/// Range of `fence.radius_m`.
pub const FENCE_RADIUS_M: RangeInclusive<u32> = 10..=100_000;
/// Range of `gate.hdop_max`.
pub const HDOP_MAX: RangeInclusive<u32> = 1..=100;
/// Range of `gate.speed_kmh_max`.
pub const SPEED_KMH_MAX: RangeInclusive<u32> = 30..=500;
/// Range of N in `every N s`.
pub const KEEP_EVERY_S: RangeInclusive<u16> = 1..=3_600;
/// Range of N in `within N m`.
pub const KEEP_WITHIN_M: RangeInclusive<u16> = 1..=1_000;

/// A value of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// A number, in the unit that its name ends in.
    Number(u32),
    /// A policy of the trail.
    Keep(Keep),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Keep(keep) => keep.fmt(f),
        }
    }
}

/// Why something is no setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// Its name.
    #[error("there is no setting {key}; there are {}", names())]
    Unknown {
        /// The name.
        key: String,
    },
    /// Its value is no whole number.
    #[error("{key} is {text:?}; it must be a whole number between {min} and {max}")]
    NoNumber {
        /// Which, as in the agent's configuration.
        key: &'static str,
        /// What it is.
        text: String,
        /// The least it may be.
        min: u32,
        /// The most it may be.
        max: u32,
    },
    /// Its value is no policy.
    #[error("{key}: {source}")]
    NoPolicy {
        /// Which.
        key: &'static str,
        /// What it is.
        source: NoPolicy,
    },
    /// Its value is out of its range.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
}

/// A setting out of its range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} is {value}; it must be between {min} and {max}")]
pub struct OutOfRange {
    /// Which, as in the agent's configuration.
    pub key: &'static str,
    /// What it is.
    pub value: u32,
    /// The least it may be.
    pub min: u32,
    /// The most it may be.
    pub max: u32,
}

/// A text that is no [`Keep`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no policy; it must be \"full\", \"every N s\" with N 1 to 3600, or \"within N m\" with N 1 to 1000"
)]
pub struct NoPolicy {
    /// The text.
    pub text: String,
}

impl core::str::FromStr for Keep {
    type Err = NoPolicy;

    fn from_str(text: &str) -> Result<Self, NoPolicy> {
        let wrong = || NoPolicy { text: text.into() };
        let number = |text: &str, range: RangeInclusive<u16>| {
            text.parse().ok().filter(|n| range.contains(n)).ok_or_else(wrong)
        };
        let mut words = text.split_whitespace();
        match [words.next(), words.next(), words.next(), words.next()] {
            [Some("full"), None, ..] => Ok(Self::Full),
            [Some("every"), Some(n), Some("s"), None] => Ok(Self::EveryS(number(n, KEEP_EVERY_S)?)),
            [Some("within"), Some(n), Some("m"), None] => {
                Ok(Self::WithinM(number(n, KEEP_WITHIN_M)?))
            }
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("full"),
            Self::EveryS(s) => write!(f, "every {s} s"),
            Self::WithinM(m) => write!(f, "within {m} m"),
        }
    }
}

/// A setting's place, and what a number there must keep to.
enum Slot<'a> {
    Number(&'a mut Option<u32>, RangeInclusive<u32>),
    Keep(&'a mut Option<Keep>),
}

impl DeviceSettings {
    /// Every setting by its name, in the order of the agent's configuration.
    fn slots(&mut self) -> [(&'static str, Slot<'_>); 12] {
        [
            ("live.on_trip_ms", Slot::Number(&mut self.live_on_trip_ms, LIVE_ON_TRIP_MS)),
            ("live.idle_ms", Slot::Number(&mut self.live_idle_ms, LIVE_IDLE_MS)),
            ("trail.on_trip", Slot::Keep(&mut self.trail_on_trip)),
            ("trail.to_pickup", Slot::Keep(&mut self.trail_to_pickup)),
            ("trail.moving", Slot::Keep(&mut self.trail_moving)),
            ("trail.parked", Slot::Keep(&mut self.trail_parked)),
            (OVERSPEED, Slot::Number(&mut self.motion_overspeed_kmh, OVERSPEED_KMH)),
            (
                "motion.parked_after_s",
                Slot::Number(&mut self.motion_parked_after_s, PARKED_AFTER_S),
            ),
            (
                "motion.parked_ignition_off_s",
                Slot::Number(&mut self.motion_parked_ignition_off_s, PARKED_IGNITION_OFF_S),
            ),
            ("fence.radius_m", Slot::Number(&mut self.fence_radius_m, FENCE_RADIUS_M)),
            ("gate.hdop_max", Slot::Number(&mut self.gate_hdop_max, HDOP_MAX)),
            ("gate.speed_kmh_max", Slot::Number(&mut self.gate_speed_kmh_max, SPEED_KMH_MAX)),
        ]
    }

    /// What is set, by name, in the order of the agent's configuration.
    pub fn values(&self) -> Vec<(&'static str, Value)> {
        let mut settings = *self;
        let value = |(key, slot)| {
            let value = match slot {
                Slot::Number(number, _) => number.map(Value::Number),
                Slot::Keep(keep) => keep.map(Value::Keep),
            };
            value.map(|value| (key, value))
        };
        settings.slots().into_iter().filter_map(value).collect()
    }

    /// Sets `key` to what `text` says, as it stands in the agent's configuration without quotes.
    pub fn set(&mut self, key: &str, text: &str) -> Result<(), SettingError> {
        let slot = self.slots().into_iter().find(|(name, _)| *name == key);
        let (key, slot) = slot.ok_or_else(|| SettingError::Unknown { key: key.into() })?;
        match slot {
            Slot::Number(place, range) => {
                let (min, max) = (*range.start(), *range.end());
                let text = text.trim();
                let no_number = || SettingError::NoNumber { key, text: text.into(), min, max };
                let number = text.parse().map_err(|_| no_number())?;
                in_range(key, number, &range)?;
                *place = Some(number);
            }
            Slot::Keep(place) => {
                let keep = text.parse().map_err(|source| SettingError::NoPolicy { key, source })?;
                *place = Some(keep);
            }
        }
        Ok(())
    }

    /// Refuses the first value that is out of its range.
    pub fn check(&self) -> Result<(), OutOfRange> {
        let mut settings = *self;
        for (key, slot) in settings.slots() {
            let (number, range) = match slot {
                Slot::Number(number, range) => (*number, range),
                Slot::Keep(Some(Keep::EveryS(s))) => (Some(u32::from(*s)), widened(&KEEP_EVERY_S)),
                Slot::Keep(Some(Keep::WithinM(m))) => {
                    (Some(u32::from(*m)), widened(&KEEP_WITHIN_M))
                }
                Slot::Keep(Some(Keep::Full) | None) => continue,
            };
            number.map_or(Ok(()), |number| in_range(key, number, &range))?;
        }
        Ok(())
    }

    /// These settings, and where they say nothing, those of `below`.
    #[must_use]
    pub fn over(&self, below: &Self) -> Self {
        Self {
            live_on_trip_ms: self.live_on_trip_ms.or(below.live_on_trip_ms),
            live_idle_ms: self.live_idle_ms.or(below.live_idle_ms),
            trail_on_trip: self.trail_on_trip.or(below.trail_on_trip),
            trail_to_pickup: self.trail_to_pickup.or(below.trail_to_pickup),
            trail_moving: self.trail_moving.or(below.trail_moving),
            trail_parked: self.trail_parked.or(below.trail_parked),
            motion_overspeed_kmh: self.motion_overspeed_kmh.or(below.motion_overspeed_kmh),
            motion_parked_after_s: self.motion_parked_after_s.or(below.motion_parked_after_s),
            motion_parked_ignition_off_s: self
                .motion_parked_ignition_off_s
                .or(below.motion_parked_ignition_off_s),
            fence_radius_m: self.fence_radius_m.or(below.fence_radius_m),
            gate_hdop_max: self.gate_hdop_max.or(below.gate_hdop_max),
            gate_speed_kmh_max: self.gate_speed_kmh_max.or(below.gate_speed_kmh_max),
        }
    }
}

const OVERSPEED: &str = "motion.overspeed_kmh";

fn in_range(key: &'static str, value: u32, range: &RangeInclusive<u32>) -> Result<(), OutOfRange> {
    let is_no_limit = key == OVERSPEED && value == NO_LIMIT;
    if is_no_limit || range.contains(&value) {
        return Ok(());
    }
    Err(OutOfRange { key, value, min: *range.start(), max: *range.end() })
}

fn widened(range: &RangeInclusive<u16>) -> RangeInclusive<u32> {
    u32::from(*range.start())..=u32::from(*range.end())
}

/// The names of all settings, for people.
fn names() -> String {
    let mut none = DeviceSettings::default();
    none.slots().map(|(key, _)| key).join(", ")
}

/// `key = value` lines, as they are set on the command line.
impl fmt::Display for DeviceSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> =
            self.values().iter().map(|(key, value)| alloc::format!("{key} = {value}")).collect();
        f.write_str(&lines.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_policy_prints_and_reads_back_and_nothing_else_is_one() {
        for keep in [Keep::Full, Keep::EveryS(300), Keep::WithinM(5)] {
            assert_eq!(keep.to_string().parse(), Ok(keep));
        }
        for text in ["", "every 0 s", "every 5", "within -1 m", "within 5 km", "all", "full on"] {
            assert!(text.parse::<Keep>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_is_out_of_range_is_named_with_its_range() {
        assert_eq!(DeviceSettings::default().check(), Ok(()));
        let settings = DeviceSettings { fence_radius_m: Some(5), ..DeviceSettings::default() };
        let error = settings.check().expect_err("too small");
        assert_eq!(error.to_string(), "fence.radius_m is 5; it must be between 10 and 100000");
        let settings =
            DeviceSettings { trail_parked: Some(Keep::EveryS(0)), ..DeviceSettings::default() };
        assert_eq!(settings.check().expect_err("too small").key, "trail.parked");
        let none = DeviceSettings { motion_overspeed_kmh: Some(0), ..DeviceSettings::default() };
        assert_eq!(none.check(), Ok(()), "0 is no limit");
    }

    #[test]
    fn what_is_set_by_name_is_told_by_name_and_what_is_no_setting_is_refused() {
        let mut settings = DeviceSettings::default();
        for (key, text) in
            [("live.idle_ms", " 9000 "), ("trail.moving", "every 7 s"), (OVERSPEED, "0")]
        {
            settings.set(key, text).expect("a setting");
        }
        let lines = "live.idle_ms = 9000\ntrail.moving = every 7 s\nmotion.overspeed_kmh = 0";
        assert_eq!(settings.to_string(), lines);
        let before = settings;
        for (key, text, said) in [
            ("live.idle", "1", "there is no setting live.idle; there are live.on_trip_ms, live"),
            ("live.idle_ms", "-1", "live.idle_ms is \"-1\"; it must be a whole number between 500"),
            ("live.idle_ms", "499", "live.idle_ms is 499; it must be between 500 and 3600000"),
            ("trail.moving", "all", "trail.moving: \"all\" is no policy; it must be \"full\""),
        ] {
            let error = settings.set(key, text).expect_err("refused").to_string();
            assert!(error.starts_with(said), "{error}");
        }
        assert_eq!(settings, before);
    }

    #[test]
    fn every_setting_has_a_name_of_its_own_and_lies_above_and_below() {
        let mut all = DeviceSettings::default();
        for (key, text) in DeviceSettings::default().slots().map(|(key, slot)| match slot {
            Slot::Number(_, range) => (key, range.end().to_string()),
            Slot::Keep(_) => (key, Keep::Full.to_string()),
        }) {
            all.set(key, &text).expect("the most it may be");
        }
        assert_eq!(all.values().len(), 12);
        let none = DeviceSettings::default();
        assert_eq!((all.over(&none), none.over(&all)), (all, all));
    }

    #[test]
    fn what_lies_above_hides_what_lies_below() {
        let above = DeviceSettings { live_idle_ms: Some(9_000), ..DeviceSettings::default() };
        let below = DeviceSettings {
            live_idle_ms: Some(5_000),
            fence_radius_m: Some(50),
            ..DeviceSettings::default()
        };
        let both = above.over(&below);
        assert_eq!((both.live_idle_ms, both.fence_radius_m), (Some(9_000), Some(50)));
    }
}
