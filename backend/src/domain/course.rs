//! The course: how far the vehicle went while its meter ran, worked out again from the trail.
//!
//! It audits the odometer that is billed, and takes its place only where a ride is closed without its vehicle,
//! for what lies behind its last event. The rules are the vehicle's (see its
//! odometer) and simpler: a way counts as far as the Doppler speed has paid for it, a vehicle that stands goes
//! nowhere, what lies between two fixes too far apart is bridged. The trail keeps fewer digits and perhaps
//! fewer fixes than the vehicle saw, and so the two agree within a tolerance.

use std::collections::BTreeMap;

use geo::{Distance as _, Geodesic, Point};
use serde::{Deserialize, Serialize};
use tripline_protocol::link::trail::{TrailEntry, TrailFix};
use tripline_protocol::meter::Reading;
use tripline_protocol::unit::{Odometer, Position, Steady, Timestamp};

use super::passage::{Passage, tells_time};

/// Largest difference between odometer and trail that is none, in metres: what both ends of a stretch and one
/// stop may be off by noise. On the recorded drive the two are within 5 m of each other over 1.2 km.
pub const TOLERANCE_M: u64 = 25;

/// The same in percent of the distance; the larger of the two holds. On the recorded drive it is 0.3.
pub const TOLERANCE_PERCENT: u64 = 2;

/// Of what either bridged, so much may differ beside, in percent: nobody saw the way.
pub const BRIDGED_PERCENT: u64 = 25;

/// A trail that begins or ends so much later or earlier than its stretch, in ms, is not all of it.
const EDGE_MS_MAX: i64 = 60_000;

/// Longest time between two fixes that is no gap, in ms.
const GAP_MS: i64 = 5_000;

/// Fastest mean speed over a gap that is bridged, in m/s (162 km/h).
const BRIDGE_MPS_MAX: f64 = 45.0;

/// Longest way between two fixes over which their velocities tell the bend, in ms.
const CURVE_MS_MAX: i64 = 60_000;

/// Pieces that a bend is measured in.
const CURVE_PIECES: u8 = 16;

/// Speed below which the vehicle stands, in cm/s.
const STANDING_CMPS: u32 = 50;

/// How far a vehicle that seems to stand has crept before that counts, in metres.
const CREEP_M: f64 = 20.0;

/// How far one goes by position alone before it is believed, in metres.
const ASTRAY_M: f64 = 100.0;

/// What the speed may have earned without its being spent, in metres; and what it has at the start.
const EARNED_M_MAX: f64 = 30.0;
const EARNED_M: f64 = 15.0;

/// A step by position alone that is more than noise, in metres.
const STEP_M_MIN: f64 = 10.0;

/// Time over which the meter ran, between two events of the trip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Stretch {
    /// From the fix that it began at.
    pub from: Timestamp,
    /// To the fix that it ended at.
    pub until: Timestamp,
    /// What the odometer counted, in mm.
    pub odometer_mm: u64,
    /// What of it the vehicle bridged, in mm.
    pub bridged_mm: u64,
}

/// What the trail says of a stretch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Measured {
    /// Metres driven.
    pub distance_m: u64,
    /// Of those, metres bridged where the device declared fixes lost.
    pub declared_m: u64,
    /// Of those, metres bridged where no fix was kept.
    pub silent_m: u64,
    /// Fixes that count.
    pub fixes: u64,
    /// Fixes that the vehicle refused, by why.
    pub refused: BTreeMap<&'static str, u64>,
    /// Fixes that are declared lost.
    pub lost: u64,
    /// Whether the trail reaches from its beginning to its end.
    pub complete: bool,
}

/// What comes of comparing odometer and trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// They agree within the tolerance.
    Agrees,
    /// They do not.
    Differs,
    /// Part of the trail has not come, or is too thin to tell.
    Incomplete,
}

/// The odometer of a trip, audited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// What comes of it.
    pub verdict: Verdict,
    /// Metres by the odometer.
    pub odometer_m: u64,
    /// Metres by the trail.
    pub trail_m: u64,
    /// Trail minus odometer, in metres.
    pub difference_m: i64,
    /// The same in hundredths of a percent of the odometer.
    pub difference_bp: i64,
    /// So much may differ, in metres.
    pub tolerance_m: u64,
    /// What the trail says of each stretch.
    pub stretches: Vec<(Stretch, Measured)>,
}

impl Audit {
    /// Compares the odometer over these stretches with the trail.
    pub fn of(stretches: &[Stretch], trail: &[Passage]) -> Self {
        let measured = stretches.iter().map(|stretch| (*stretch, measure(*stretch, trail)));
        let stretches: Vec<_> = measured.collect();
        let sum = |of: fn(&(Stretch, Measured)) -> u64| stretches.iter().map(of).sum::<u64>();
        let odometer_m = (sum(|(stretch, _)| stretch.odometer_mm) + 500) / 1000;
        let trail_m = sum(|(_, measured)| measured.distance_m);
        let bridged_m = sum(|(_, measured)| measured.declared_m + measured.silent_m)
            .max(sum(|(stretch, _)| stretch.bridged_mm) / 1000);
        let tolerance_m = TOLERANCE_M.max(odometer_m * TOLERANCE_PERCENT / 100)
            + bridged_m * BRIDGED_PERCENT / 100;
        let complete = stretches.iter().all(|(_, measured)| measured.complete);
        let is_thin = bridged_m * 2 > odometer_m.max(trail_m);
        let verdict = match odometer_m.abs_diff(trail_m) <= tolerance_m {
            _ if !complete => Verdict::Incomplete,
            true => Verdict::Agrees,
            false if is_thin => Verdict::Incomplete,
            false => Verdict::Differs,
        };
        let difference_m = signed(trail_m) - signed(odometer_m);
        let difference_bp = difference_m * 10_000 / signed(odometer_m).max(1);
        Self { verdict, odometer_m, trail_m, difference_m, difference_bp, tolerance_m, stretches }
    }
}

fn signed(metres: u64) -> i64 {
    i64::try_from(metres).unwrap_or(i64::MAX)
}

/// The distance over a stretch by the trail.
pub fn measure(stretch: Stretch, trail: &[Passage]) -> Measured {
    let mut walk = Walk::default();
    for passage in trail {
        let mut lost = 0;
        for entry in &passage.entries {
            match entry {
                TrailEntry::Gap { fixes, .. } => lost += fixes,
                TrailEntry::Fix(fix) if fix.at < stretch.from => lost = 0,
                TrailEntry::Fix(fix) if fix.at > stretch.until => {}
                TrailEntry::Fix(fix) => walk.take_in(fix, std::mem::take(&mut lost)),
            }
        }
    }
    walk.measured(stretch)
}

/// What the trail tells of a ride behind the last event of its vehicle: what it is charged for beside the
/// events, if it is closed without its vehicle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// When the last event was.
    pub since: Timestamp,
    /// When the last fix was.
    pub until: Timestamp,
    /// Metres driven between them with the meter running.
    pub distance_m: u64,
    /// Of those, metres bridged over gaps.
    pub bridged_m: u64,
    /// Fixes with the meter running.
    pub fixes: u64,
    /// Of those, fixes that the vehicle refused.
    pub refused: u64,
}

impl Heard {
    /// What a trail tells between an event and the closing; nothing if it has no fix there.
    pub fn of(trail: &[Passage], since: Timestamp, closed_at: Timestamp) -> Option<Self> {
        let fixes = || {
            let entries = trail.iter().flat_map(|passage| &passage.entries);
            entries.filter_map(TrailEntry::fix).filter(|fix| tells_time(fix))
        };
        let until =
            fixes().map(|fix| fix.at).filter(|at| (since..=closed_at).contains(at)).max()?;
        // The odometer of an event has counted up to the fix before it.
        let before = fixes().filter(|fix| fix.refused.is_none() && fix.at <= since);
        let from = before.map(|fix| fix.at).max().unwrap_or(since);
        let measured = measure(Stretch { from, until, odometer_mm: 0, bridged_mm: 0 }, trail);
        let refused = measured.refused.values().sum();
        Some(Self {
            since,
            until,
            distance_m: measured.distance_m,
            bridged_m: (measured.declared_m + measured.silent_m).min(measured.distance_m),
            fixes: measured.fixes + refused,
            refused,
        })
    }

    /// The same of a pause, in which nothing is measured but time.
    #[must_use]
    pub const fn in_pause(self) -> Self {
        Self { distance_m: 0, bridged_m: 0, fixes: 0, refused: 0, ..self }
    }

    /// What the counters would have shown then, from what they showed at the last event.
    #[must_use]
    pub fn after(&self, last: Reading) -> Reading {
        let mm =
            |of: Odometer, m: u64| Odometer { mm: of.mm.saturating_add(m.saturating_mul(1000)) };
        Reading {
            steady: Steady { ms: last.steady.ms.saturating_add(self.ms()) },
            odometer: mm(last.odometer, self.distance_m),
            bridged: mm(last.bridged, self.bridged_m),
            fixes: last.fixes.saturating_add(self.fixes),
            refused: last.refused.saturating_add(self.refused),
        }
    }

    /// Seconds between the last event and the last fix.
    pub fn seconds(&self) -> u64 {
        self.ms() / 1000
    }

    fn ms(&self) -> u64 {
        u64::try_from(self.until.since_ms(self.since)).unwrap_or(0)
    }
}

/// A walk along the trail.
#[derive(Debug, Default)]
struct Walk {
    first: Option<Timestamp>,
    last: Option<TrailFix>,
    /// Up to where the way has been counted.
    anchor: Option<TrailFix>,
    /// Way that the speed has paid for and no step has used, in metres.
    earned_m: f64,
    distance_m: f64,
    declared_m: f64,
    silent_m: f64,
    lost_before: u64,
    counts: Measured,
}

impl Walk {
    fn take_in(&mut self, fix: &TrailFix, lost: u64) {
        self.counts.lost += lost;
        self.lost_before += lost;
        if let Some(refused) = fix.refused {
            *self.counts.refused.entry(refused.code()).or_default() += 1;
            return;
        }
        self.counts.fixes += 1;
        let (Some(last), Some(anchor)) = (self.last, self.anchor) else {
            self.first = Some(fix.at);
            self.begin(fix);
            return;
        };
        let elapsed_ms = fix.at.since_ms(last.at);
        if elapsed_ms <= 0 {
            return;
        }
        if elapsed_ms > GAP_MS || self.lost_before > 0 {
            self.bridge(&last, &anchor, fix);
        } else {
            self.step(&last, &anchor, fix);
        }
        self.last = Some(*fix);
        self.lost_before = 0;
    }

    /// Begins anew at a fix, without the way there.
    fn begin(&mut self, fix: &TrailFix) {
        (self.last, self.anchor, self.lost_before) = (Some(*fix), Some(*fix), 0);
        self.earned_m = EARNED_M;
    }

    fn step(&mut self, last: &TrailFix, anchor: &TrailFix, fix: &TrailFix) {
        let apart_m = metres(anchor.position, fix.position);
        let Some(said_m) = driven_m(last, fix) else {
            if apart_m >= STEP_M_MIN {
                self.count(apart_m, fix);
            }
            return;
        };
        self.earned_m = (self.earned_m + said_m).min(EARNED_M_MAX.max(said_m));
        let crept = apart_m >= CREEP_M && self.earned_m >= apart_m / 2.0;
        if !stands(fix) || crept {
            let counted_m = apart_m.min(self.earned_m);
            self.earned_m -= counted_m;
            self.count(counted_m, fix);
        } else if apart_m >= ASTRAY_M {
            self.count(apart_m, fix);
        }
    }

    /// Counts a way that has no fixes between its ends.
    fn bridge(&mut self, last: &TrailFix, anchor: &TrailFix, fix: &TrailFix) {
        let apart_m = metres(anchor.position, fix.position);
        if stands(fix) && apart_m < ASTRAY_M && (stands(last) || apart_m < STEP_M_MIN) {
            return;
        }
        let way_m = way_m(anchor, last, fix);
        if way_m <= BRIDGE_MPS_MAX * seconds(fix.at.since_ms(last.at)) {
            let bridged =
                if self.lost_before > 0 { &mut self.declared_m } else { &mut self.silent_m };
            *bridged += way_m;
            self.distance_m += way_m;
        }
        self.begin(fix);
    }

    fn count(&mut self, way_m: f64, fix: &TrailFix) {
        self.distance_m += way_m;
        self.anchor = Some(*fix);
    }

    fn measured(self, stretch: Stretch) -> Measured {
        let begins = self.first.is_some_and(|at| at.since_ms(stretch.from) <= EDGE_MS_MAX);
        let ends = self.last.is_some_and(|fix| stretch.until.since_ms(fix.at) <= EDGE_MS_MAX);
        Measured {
            distance_m: whole(self.distance_m),
            declared_m: whole(self.declared_m),
            silent_m: whole(self.silent_m),
            complete: begins && ends,
            ..self.counts
        }
    }
}

/// Whether the speed says that it stands; one that says nothing does not.
fn stands(fix: &TrailFix) -> bool {
    fix.speed_cmps.is_some_and(|cmps| cmps < STANDING_CMPS)
}

/// What the mean of both speeds drives.
fn driven_m(from: &TrailFix, to: &TrailFix) -> Option<f64> {
    let cmps = f64::from(from.speed_cmps?) + f64::from(to.speed_cmps?);
    Some(cmps / 200.0 * seconds(to.at.since_ms(from.at)))
}

/// The way from `anchor`, where the vehicle was when it was last seen at `last`, to `to`: along the bend that
/// both velocities tell of, at least the chord and at most what the speeds would drive.
fn way_m(anchor: &TrailFix, last: &TrailFix, to: &TrailFix) -> f64 {
    let chord_m = metres(anchor.position, to.position);
    let elapsed_ms = to.at.since_ms(last.at);
    let velocities = velocity(last).zip(velocity(to)).filter(|_| elapsed_ms <= CURVE_MS_MAX);
    let Some((leaving, reaching)) = velocities else { return chord_m };
    let chord = offset_m(anchor.position, to.position);
    let tangent = |[east, north]: [f64; 2]| {
        let length_m = east.hypot(north) * seconds(elapsed_ms);
        let most_m = 3.0 * chord_m;
        let part = if length_m > most_m { most_m / length_m } else { 1.0 };
        [east, north].map(|mps| mps * seconds(elapsed_ms) * part)
    };
    let (out, into) = (tangent(leaving), tangent(reaching));
    let point = |piece: u8| {
        let u = f64::from(piece) / f64::from(CURVE_PIECES);
        [0, 1].map(|axis: usize| {
            let (to, out, into) = (chord[axis], out[axis], into[axis]);
            u * (out + u * (3.0 * to - 2.0 * out - into + u * (out + into - 2.0 * to)))
        })
    };
    let pieces = (0..CURVE_PIECES).map(|piece| {
        let ([ax, ay], [bx, by]) = (point(piece), point(piece + 1));
        (bx - ax).hypot(by - ay)
    });
    let curve_m: f64 = pieces.sum();
    curve_m.min(driven_m(last, to).unwrap_or(chord_m)).max(chord_m)
}

/// East and north in m/s.
fn velocity(fix: &TrailFix) -> Option<[f64; 2]> {
    if stands(fix) {
        return Some([0.0; 2]);
    }
    let speed_mps = f64::from(fix.speed_cmps?) / 100.0;
    let (sin, cos) = (f64::from(fix.course_ddeg?) / 10.0).to_radians().sin_cos();
    Some([speed_mps * sin, speed_mps * cos])
}

/// East and north in metres, on the plane that touches the globe there.
fn offset_m(from: Position, to: Position) -> [f64; 2] {
    const M_PER_DEGREE: f64 = 111_319.49;
    let middle = f64::midpoint(from.lat_deg(), to.lat_deg()).to_radians();
    let east = (to.lon_deg() - from.lon_deg() + 540.0).rem_euclid(360.0) - 180.0;
    let north = to.lat_deg() - from.lat_deg();
    [east * M_PER_DEGREE * middle.cos(), north * M_PER_DEGREE]
}

fn metres(a: Position, b: Position) -> f64 {
    if a == b {
        return 0.0;
    }
    Geodesic.distance(Point::new(a.lon_deg(), a.lat_deg()), Point::new(b.lon_deg(), b.lat_deg()))
}

#[expect(clippy::cast_precision_loss, reason = "at most a ride, exact in f64")]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a distance on Earth: not negative, and far below 2^63"
)]
fn whole(metres: f64) -> u64 {
    metres.round() as u64
}

#[cfg(test)]
mod tests;
