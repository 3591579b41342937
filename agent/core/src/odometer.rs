//! How far the vehicle went, from the fixes that count.
//!
//! Two witnesses tell it. Positions are right in the long run, and each is off by the receiver's noise;
//! the Doppler speed knows nothing of where, and is hardly ever wrong. So what the speed earns, the way
//! from position to position spends: a step counts whole as long as the speed has paid for it. The
//! slack between them is small and is never given twice, so noise cannot live on it.
//!
//! Standing is a state of its own. The way is then held back, until the vehicle is seen to drive away
//! or has crept far enough, and counts only as far as both witnesses agree. A receiver without speed,
//! or whose speed is contradicted by where it goes, stands until it has gone a good way straight off.

use tripline_protocol::fix::FixStamp;
use tripline_protocol::unit::Timestamp;

use crate::geodesy::{Waypoint, between, distance_mm, way_mm};

/// Longest time between two fixes that is not a gap, in ms.
pub(crate) const GAP_MS: u64 = 5_000;

/// Longest gap that is bridged, in ms: six hours, as long as an absence (see [`crate::clock`]).
const BRIDGE_MS_MAX: u64 = crate::clock::ABSENCE_MS_MAX;

/// Fastest mean speed over a gap that is bridged, in mm/s (162 km/h).
const BRIDGE_SPEED_MMPS_MAX: u64 = 45_000;

/// Shortest time over which positions are compared, in ms: a receiver at 10 Hz adds noise, not way.
const SETTLE_MS: u64 = 900;

/// From here on a step may hold a bend that its chord cuts, in ms.
const CURVE_MS_MIN: u64 = 1_500;

/// Doppler speed below which the vehicle stands, in mm/s.
const STANDING_SPEED_MMPS: u32 = 500;

/// Doppler speed from which, seen twice in a row, a standing vehicle drives, in mm/s.
const DRIVING_SPEED_MMPS: u32 = 1_000;

/// Mean Doppler speed from which a standing vehicle creeps, in mm/s: above the noise of any receiver.
const CREEPING_SPEED_MMPS: u32 = 350;

/// How far a creeping vehicle goes at least before it counts, in mm; the receiver's noise adds to it.
const CREEP_MM: u64 = 20_000;

/// What the speed says of braking and pulling away, which never fades, in mm.
const HELD_MM: u64 = 5_000;

/// How far a trail leads at least that is not aimless, in mm.
const TRAIL_MM: u64 = 10_000;

/// What a speed may miss of the way while a vehicle pulls away, in mm.
const PULLING_AWAY_MM: u64 = 1_000;

/// How far by position alone a standing vehicle goes before it is believed, in mm. Of two places with
/// 12 m of noise on each axis, hardly any lie as far apart (6 deviations).
const ASTRAY_MM: u64 = 100_000;

/// How many fixes in a row must do so.
const ASTRAY_FIXES: u8 = 5;

/// Most that the speed may have earned without its being spent, in mm.
const EARNED_MM_MAX: u64 = 30_000;

/// What it has earned at the start, in mm: a filtered speed lags behind when the vehicle pulls away.
const EARNED_MM: u64 = 15_000;

/// Noise from which positions are averaged where there is no speed, in mm.
const NOISY_MM: u64 = 6_000;

/// Settled positions that are remembered.
const TRAIL_LEN: usize = 8;

/// The odometer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wheel {
    total_mm: u64,
    bridged_mm: u64,
    /// The last fix.
    latest: Option<Waypoint>,
    /// The last fix that positions were compared at.
    settled: Option<Waypoint>,
    /// What the speed says was driven since then; `None` if it was silent.
    doppler_mm: Option<u64>,
    state: State,
    /// Way that the speed has paid for and no step has used.
    earned_mm: u64,
    mean_speed_mmps: u32,
    trail: Trail,
    /// The speed says nothing of where the vehicle goes.
    speed_lies: bool,
    /// The process before this one saw the last fix.
    resumed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Driving,
    Standing(Stop),
}

/// A stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stop {
    /// Where it began.
    from: Waypoint,
    /// What the speed has said since, where it was more than noise.
    held_mm: u64,
    /// What the last step would add, were it more than noise: pulling away begins like that.
    doubted_mm: u64,
    /// Fixes in a row with a speed that no noise has.
    driving_fixes: u8,
    /// Fixes in a row that lie too far off to be noise.
    astray_fixes: u8,
}

impl Stop {
    const fn at(from: Waypoint) -> Self {
        Self { from, held_mm: 0, doubted_mm: 0, driving_fixes: 0, astray_fixes: 0 }
    }
}

/// One comparison of positions.
#[derive(Debug, Clone, Copy)]
struct Step {
    from: Waypoint,
    to: Waypoint,
    way_mm: u64,
    doppler_mm: Option<u64>,
}

impl Default for Wheel {
    fn default() -> Self {
        Self {
            total_mm: 0,
            bridged_mm: 0,
            latest: None,
            settled: None,
            doppler_mm: None,
            state: State::Driving,
            earned_mm: EARNED_MM,
            mean_speed_mmps: 0,
            trail: Trail::default(),
            speed_lies: false,
            resumed: false,
        }
    }
}

impl Wheel {
    /// A wheel that has gone so far, and was last seen at `last`: the way on from there is a gap.
    pub(crate) fn resumed(total_mm: u64, bridged_mm: u64, last: Option<FixStamp>) -> Self {
        let mut wheel = Self { total_mm, bridged_mm, ..Self::default() };
        if let Some(stamp) = last {
            wheel.begin(Waypoint { stamp, speed_mmps: None, course_cdeg: None });
            wheel.resumed = true;
        }
        wheel
    }

    /// Everything counted, in mm.
    pub(crate) const fn total_mm(&self) -> u64 {
        self.total_mm
    }

    /// What of it lies in gaps, in mm.
    pub(crate) const fn bridged_mm(&self) -> u64 {
        self.bridged_mm
    }

    /// Begins anew at `to`, without the way there.
    pub(crate) fn begin(&mut self, to: Waypoint) {
        self.latest = Some(to);
        self.settled = Some(to);
        self.resumed = false;
        self.doppler_mm = Some(0);
        self.mean_speed_mmps = to.speed_mmps.unwrap_or(0);
        self.trail = Trail::default();
        self.trail.push(to, 0, Some(0));
        self.state = if to.speed_mmps.is_some_and(|mmps| mmps >= DRIVING_SPEED_MMPS) {
            State::Driving
        } else {
            State::Standing(Stop::at(to))
        };
    }

    /// Counts the way to the next fix.
    pub(crate) fn go(&mut self, to: Waypoint) {
        let (Some(latest), Some(settled)) = (self.latest, self.settled) else {
            self.begin(to);
            return;
        };
        let Some(elapsed_ms) = elapsed_ms(&latest, &to) else {
            self.begin(to); // a time base begun anew: nothing vouches for the way between
            return;
        };
        if elapsed_ms > GAP_MS || self.resumed {
            self.bridge(settled, to);
            return;
        }
        let spoken = driven_mm(&latest, &to, elapsed_ms);
        self.doppler_mm = self.doppler_mm.zip(spoken).map(|(sum, mm)| sum.saturating_add(mm));
        self.latest = Some(to);
        self.mean_speed_mmps = (self.mean_speed_mmps * 3 + to.speed_mmps.unwrap_or(0)) / 4;
        if let Some(step_ms) = self::elapsed_ms(&settled, &to).filter(|ms| *ms >= SETTLE_MS) {
            self.settle(settled, to, step_ms);
        }
    }

    fn settle(&mut self, from: Waypoint, to: Waypoint, step_ms: u64) {
        let way_mm = if step_ms < CURVE_MS_MIN {
            distance_mm(from.stamp.position, to.stamp.position)
        } else {
            way_mm(&from, &to)
        };
        let step = Step { from, to, way_mm, doppler_mm: self.doppler_mm };
        self.trail.push(to, way_mm, self.doppler_mm);
        self.settled = Some(to);
        self.doppler_mm = Some(0);
        self.judge_speed();
        match self.state {
            State::Driving => self.drive(&step),
            State::Standing(stop) => self.stand(&step, stop),
        }
    }

    /// A speed that agrees with where the vehicle goes, over the whole trail, is believed again.
    fn judge_speed(&mut self) {
        let Some(said_mm) = self.trail.doppler_mm() else { return };
        let way_mm = self.trail.way_mm();
        if self.trail.is_full() && said_mm > 0 && said_mm.abs_diff(way_mm) <= way_mm / 10 {
            self.speed_lies = false;
        }
    }

    fn drive(&mut self, step: &Step) {
        let Some(said_mm) = step.doppler_mm.filter(|_| !self.speed_lies) else {
            self.drive_by_position(step);
            return;
        };
        if step.to.speed_mmps.is_some_and(|mmps| mmps < STANDING_SPEED_MMPS) {
            self.state = State::Standing(Stop { held_mm: said_mm, ..Stop::at(step.from) });
            return;
        }
        self.earned_mm = self.earned_mm.saturating_add(said_mm).min(EARNED_MM_MAX.max(said_mm));
        let mm = step.way_mm.min(self.earned_mm);
        self.earned_mm -= mm;
        self.count(mm);
    }

    fn drive_by_position(&mut self, step: &Step) {
        if self.trail.is_full() && self.trail.is_aimless() {
            self.state = State::Standing(Stop::at(step.to));
        } else if self.trail.noise_mm < NOISY_MM {
            self.count(step.way_mm);
        } else {
            // The way of the mean position.
            self.count(self.trail.apart_mm() / self.trail.steps().max(1));
        }
    }

    fn stand(&mut self, step: &Step, mut stop: Stop) {
        let apart_mm = distance_mm(stop.from.stamp.position, step.to.stamp.position);
        let said_mm = step.doppler_mm.filter(|_| !self.speed_lies);
        let is_fast = step.to.speed_mmps.is_some_and(|mmps| mmps >= DRIVING_SPEED_MMPS);
        if is_fast || self.mean_speed_mmps >= CREEPING_SPEED_MMPS {
            let said_mm = said_mm.unwrap_or(0).saturating_add(stop.doubted_mm);
            stop.held_mm = stop.held_mm.saturating_add(said_mm);
            stop.doubted_mm = 0;
        } else {
            stop.doubted_mm = said_mm.unwrap_or(0);
            // A creeping vehicle goes on; what noise adds up to in many minutes fades away.
            stop.held_mm -= stop.held_mm.saturating_sub(HELD_MM) / 32;
        }
        stop.driving_fixes = if is_fast { stop.driving_fixes.saturating_add(1) } else { 0 };
        let agreed_mm = stop.held_mm.min(apart_mm);
        let is_astray = said_mm.is_none_or(|_| stop.held_mm < apart_mm / 2)
            && apart_mm >= ASTRAY_MM
            && self.trail.leads_away();
        stop.astray_fixes = if is_astray { stop.astray_fixes.saturating_add(1) } else { 0 };
        let is_long = step.to.stamp.at.since_ms(step.from.stamp.at).cast_unsigned() >= CURVE_MS_MIN;
        if said_mm.is_some() && (stop.driving_fixes >= 2 || is_fast && is_long) {
            self.count(apart_mm.min(stop.held_mm.saturating_add(PULLING_AWAY_MM)));
            self.state = State::Driving;
        } else if agreed_mm >= CREEP_MM + 2 * self.trail.noise_mm {
            self.count(agreed_mm);
            let driving_fixes = stop.driving_fixes;
            self.state = State::Standing(Stop { driving_fixes, ..Stop::at(step.to) });
        } else if stop.astray_fixes >= ASTRAY_FIXES {
            self.speed_lies = said_mm.is_some();
            self.count(apart_mm);
            self.state = State::Driving;
        } else {
            self.state = State::Standing(stop);
        }
    }

    /// Counts a way that has no fixes between its ends.
    fn bridge(&mut self, settled: Waypoint, to: Waypoint) {
        let is_slow = to.speed_mmps.is_none_or(|mmps| mmps < STANDING_SPEED_MMPS);
        let from = match self.state {
            State::Driving => settled,
            State::Standing(stop) => {
                let apart_mm = distance_mm(stop.from.stamp.position, to.stamp.position);
                if is_slow && apart_mm < ASTRAY_MM {
                    self.begin(to);
                    self.state = State::Standing(stop);
                    return;
                }
                let position = stop.from.stamp.position;
                Waypoint { stamp: FixStamp { position, ..settled.stamp }, ..settled }
            }
        };
        let way_mm = way_mm(&from, &to);
        let elapsed_ms = elapsed_ms(&settled, &to).unwrap_or(0);
        let reach_mm = BRIDGE_SPEED_MMPS_MAX.saturating_mul(elapsed_ms) / 1000;
        if elapsed_ms <= BRIDGE_MS_MAX && way_mm <= reach_mm {
            self.count(way_mm);
            self.bridged_mm = self.bridged_mm.saturating_add(way_mm);
        }
        self.begin(to);
    }

    const fn count(&mut self, mm: u64) {
        self.total_mm = self.total_mm.saturating_add(mm);
    }
}

/// Ms from one waypoint to the next; `None` if it is not later.
fn elapsed_ms(from: &Waypoint, to: &Waypoint) -> Option<u64> {
    u64::try_from(to.stamp.at.since_ms(from.stamp.at)).ok().filter(|ms| *ms > 0)
}

/// What the mean of both speeds drives.
fn driven_mm(from: &Waypoint, to: &Waypoint, elapsed_ms: u64) -> Option<u64> {
    let mmps = u64::from(from.speed_mmps?) + u64::from(to.speed_mmps?);
    Some(mmps.saturating_mul(elapsed_ms) / 2000)
}

/// The last few settled positions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Trail {
    /// Oldest first.
    entries: [Option<Entry>; TRAIL_LEN],
    /// Running mean of how far a position lies from between its neighbours, times two, in mm.
    noise_mm: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    waypoint: Waypoint,
    way_mm: u64,
    doppler_mm: Option<u64>,
}

impl Trail {
    fn push(&mut self, waypoint: Waypoint, way_mm: u64, doppler_mm: Option<u64>) {
        let filled = self.entries.iter().flatten().count();
        let at = if filled < TRAIL_LEN {
            filled
        } else {
            self.entries.rotate_left(1);
            TRAIL_LEN - 1
        };
        self.entries[at] = Some(Entry { waypoint, way_mm, doppler_mm });
        if let [Some(a), Some(b), Some(c)] = self.entries[at.saturating_sub(2)..=at] {
            let at: Timestamp = b.waypoint.stamp.at;
            let straight = between(a.waypoint.stamp, c.waypoint.stamp, at);
            let off_mm = distance_mm(straight, b.waypoint.stamp.position);
            self.noise_mm = (self.noise_mm * 7 + off_mm * 2) / 8;
        }
    }

    fn is_full(&self) -> bool {
        self.entries.iter().all(Option::is_some)
    }

    fn steps(&self) -> u64 {
        self.entries.iter().flatten().skip(1).count() as u64
    }

    /// Way along the trail in mm.
    fn way_mm(&self) -> u64 {
        self.entries.iter().flatten().skip(1).map(|entry| entry.way_mm).sum()
    }

    /// The same as the speed says; `None` if it was silent.
    fn doppler_mm(&self) -> Option<u64> {
        self.entries.iter().flatten().skip(1).map(|entry| entry.doppler_mm).sum()
    }

    /// From its first to its last position, in mm.
    fn apart_mm(&self) -> u64 {
        let mut entries = self.entries.iter().flatten();
        let (Some(first), Some(last)) = (entries.next(), entries.next_back()) else { return 0 };
        distance_mm(first.waypoint.stamp.position, last.waypoint.stamp.position)
    }

    /// Whether it may be noise alone.
    fn is_aimless(&self) -> bool {
        !self.is_full() || self.apart_mm() < (2 * self.noise_mm).max(TRAIL_MM)
    }

    /// Whether it is more than noise can be: a smooth way, or one straight through the noise.
    fn leads_away(&self) -> bool {
        !self.is_aimless() && (self.noise_mm < NOISY_MM || self.is_straight())
    }

    /// Whether it goes on in one direction: noise goes back and forth.
    fn is_straight(&self) -> bool {
        self.is_full() && self.apart_mm() * 10 >= self.way_mm() * 7
    }
}
