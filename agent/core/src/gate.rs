//! The gate: which fixes count. A refused fix is kept with its reason and never moves the odometer.
//!
//! Every fix of the receiver passes here, whether it is journalled or not.

use tripline_protocol::fix::{Fix, FixStamp, FixType, Refusal};
use tripline_protocol::unit::Odometer;

use crate::geodesy::{Waypoint, distance_mm};
use crate::odometer::{GAP_MS, Wheel};
use crate::timebase::Verdict;

/// What a fix must keep to. The defaults are beyond any road vehicle and any usable receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GateLimits {
    /// Highest HDOP times 100: 10.
    pub hdop_c_max: u16,
    /// Highest speed in mm/s, the receiver's own and from fix to fix: 70 m/s (252 km/h).
    pub speed_mmps_max: u32,
    /// Fastest change of the receiver's own speed in mm/s²: 15 m/s². Emergency braking is 10.
    pub acceleration_mmps2_max: u32,
    /// Change of speed that is the receiver's noise however short the time, in mm/s: 3 m/s.
    pub speed_noise_mmps: u32,
    /// Distance that is the receiver's noise however short the time, in mm: 20 m.
    pub position_noise_mm: u32,
    /// Fixes in a row that, agreeing with each other, make a jump true: 5.
    pub confirmations: u8,
}

impl Default for GateLimits {
    fn default() -> Self {
        Self {
            hdop_c_max: 1_000,
            speed_mmps_max: 70_000,
            acceleration_mmps2_max: 15_000,
            speed_noise_mmps: 3_000,
            position_noise_mm: 20_000,
            confirmations: 5,
        }
    }
}

/// The gate, and the odometer behind it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gate {
    limits: GateLimits,
    wheel: Wheel,
    /// The last fix that counted: what the next is checked against.
    last: Option<Waypoint>,
    /// Fixes that were refused for a jump, or a change of speed, and agree with each other.
    elsewhere: Option<Elsewhere>,
    /// Whether the time base began anew since a fix counted.
    rebased: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Elsewhere {
    first: Waypoint,
    last: Waypoint,
    fixes: u8,
}

impl Gate {
    /// A gate with these limits.
    pub fn new(limits: GateLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Sets other limits, for the fixes to come.
    pub const fn set_limits(&mut self, limits: GateLimits) {
        self.limits = limits;
    }

    /// Goes on where another process stopped: with its odometer and the last fix it counted. The way
    /// from there to the next fix is a gap, bridged if it is plausible.
    pub fn resume(&mut self, total_mm: u64, bridged_mm: u64, last: Option<FixStamp>) {
        let unmoving = |stamp| Waypoint { stamp, speed_mmps: None, course_cdeg: None };
        self.wheel = Wheel::resumed(total_mm, bridged_mm, last);
        self.last = last.map(unmoving);
        self.elsewhere = None;
    }

    /// Judges a fix, marks it if it is refused, and moves the odometer if it is not.
    #[must_use = "the fix is marked in what is returned"]
    pub fn step(&mut self, fix: Fix, time: Verdict) -> Fix {
        let to = Waypoint::from(&fix);
        // Told once, by a fix that may be refused for another reason: remembered until one counts.
        self.rebased |= time == Verdict::Rebased;
        let refused = self.unusable(&fix, time).or_else(|| self.implausible(&to));
        if refused.is_none() {
            self.last = Some(to);
            self.elsewhere = None;
            self.rebased = false;
            self.wheel.go(to);
        }
        Fix { refused, ..fix }
    }

    /// Everything counted and what of it lies in gaps without fixes, both in mm.
    pub const fn odometer(&self) -> (u64, u64) {
        (self.wheel.total_mm(), self.wheel.bridged_mm())
    }

    /// The odometer as events and records carry it.
    pub const fn total(&self) -> Odometer {
        Odometer { mm: self.wheel.total_mm() }
    }

    /// The last fix that counted.
    pub const fn last(&self) -> Option<FixStamp> {
        match self.last {
            Some(last) => Some(last.stamp),
            None => None,
        }
    }

    /// Why a fix is of no use whatever came before it.
    fn unusable(&self, fix: &Fix, time: Verdict) -> Option<Refusal> {
        if time == Verdict::Alone {
            Some(Refusal::TimeJump)
        } else if fix.fix_type == FixType::Estimated {
            Some(Refusal::Estimated)
        } else if fix.hdop_c.is_some_and(|hdop_c| hdop_c > self.limits.hdop_c_max) {
            Some(Refusal::PoorGeometry)
        } else if fix.speed_mmps.is_some_and(|mmps| mmps > self.limits.speed_mmps_max) {
            Some(Refusal::Speed)
        } else {
            None
        }
    }

    /// Why a fix cannot follow the last one.
    fn implausible(&mut self, to: &Waypoint) -> Option<Refusal> {
        let last = self.last?;
        if to.stamp.at <= last.stamp.at {
            // A time base that was confirmed anew may lie before the old one.
            return (!self.rebased).then_some(Refusal::OutOfOrder);
        }
        let refusal = self.limits.breach(&last, to)?;
        let elsewhere = self.elsewhere.filter(|elsewhere| self.agrees(elsewhere, to));
        let first = elsewhere.map_or(*to, |elsewhere| elsewhere.first);
        let fixes = elsewhere.map_or(0, |elsewhere| elsewhere.fixes).saturating_add(1);
        if fixes < self.limits.confirmations {
            self.elsewhere = Some(Elsewhere { first, last: *to, fixes });
            return Some(refusal);
        }
        // It is true. The leap does not count; the way since it does, up to this fix.
        self.wheel.begin(first);
        None
    }

    fn agrees(&self, elsewhere: &Elsewhere, to: &Waypoint) -> bool {
        to.stamp.at > elsewhere.last.stamp.at && self.limits.breach(&elsewhere.last, to).is_none()
    }
}

/// Hardest that a road vehicle speeds up over a gap, and then brakes, in mm/s²: 5 m/s².
const GAP_ACCELERATION_MMPS2: u64 = 5_000;

/// What the position after a gap may be off, in mm: 50 m.
const GAP_NOISE_MM: u64 = 50_000;

/// Whether a gap is wider than speeding up through its first half and braking through its second,
/// between the speeds told on either side of it, would carry a vehicle.
fn outruns(from: &Waypoint, to: &Waypoint, elapsed_ms: u64) -> bool {
    let Some((a, b)) = from.speed_mmps.zip(to.speed_mmps) else { return false };
    let at_speed_mm = (u64::from(a) + u64::from(b)).saturating_mul(elapsed_ms) / 2_000;
    let more_mm =
        GAP_ACCELERATION_MMPS2.saturating_mul(elapsed_ms.saturating_mul(elapsed_ms) / 4_000_000);
    let reach_mm = at_speed_mm.saturating_add(more_mm).saturating_add(GAP_NOISE_MM);
    distance_mm(from.stamp.position, to.stamp.position) > reach_mm
}

impl GateLimits {
    /// What a vehicle that goes from `from` to the later `to` would break.
    fn breach(&self, from: &Waypoint, to: &Waypoint) -> Option<Refusal> {
        let elapsed_ms = u64::try_from(to.stamp.at.since_ms(from.stamp.at)).unwrap_or(0);
        // Products, since the quotients would round a short step to nothing.
        let within = |per_s: u32| u64::from(per_s).saturating_mul(elapsed_ms) / 1000;
        let reach_mm = within(self.speed_mmps_max) + u64::from(self.position_noise_mm);
        if distance_mm(from.stamp.position, to.stamp.position) > reach_mm {
            return Some(Refusal::Jump);
        }
        if elapsed_ms > GAP_MS && outruns(from, to, elapsed_ms) {
            return Some(Refusal::Jump);
        }
        let change_mmps = from.speed_mmps.zip(to.speed_mmps).map(|(a, b)| u64::from(a.abs_diff(b)));
        let change_mmps_max =
            within(self.acceleration_mmps2_max) + u64::from(self.speed_noise_mmps);
        let is_gap = elapsed_ms > GAP_MS;
        (!is_gap && change_mmps? > change_mmps_max).then_some(Refusal::Acceleration)
    }
}
