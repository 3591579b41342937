//! A vehicle's track, fix by fix: each field is coded as its distance from where the fixes before, and
//! the fields before, say it will be.

use super::TrailFix;
use super::grid::Grids;
use super::motion::velocity;
use super::number::{Number, code_alone};
use super::place::{Moment, Places};
use super::range::Coder;
use super::scalar::Scalar;
use super::symbol::Symbol;
use crate::fix::{FixType, Refusal};
use crate::unit::Timestamp;

/// 2020-01-01T00:00:00Z: for 34 years from then the first time of a batch is short.
const SHORT_FROM_MS: i64 = 1_577_836_800_000;
/// Length of a short time in seconds, in bits.
const SHORT_BITS: u32 = 30;
/// Chance of another time, in 65536.
const FAR: u32 = 256;
/// The interval expected between the first two fixes, in ms.
const INTERVAL_MS: i64 = 1_000;
/// Nothing is predicted over a longer interval than this, in ms.
const INTERVAL_MS_MAX: i64 = 60_000;
/// Below this speed a vehicle's course is noise and its place does not change, in cm/s.
const STANDING_CMPS: i64 = 40;
/// Below this speed the speed itself is noise, in cm/s.
const STILL_CMPS: i64 = 4;
/// A full turn in 0.1 degree.
const TURN_DDEG: i64 = 3_600;

/// The last time as an index, and the step to it.
#[derive(Debug, Clone, Copy)]
struct Clock {
    index: i64,
    step: i64,
}

/// A track under way.
#[derive(Debug)]
pub(super) struct Track {
    grids: Grids,
    /// Speed, course, altitude: whether they are there. Then the fix type, and the refusal.
    symbols: [Symbol; 5],
    clock: Option<Clock>,
    interval: Number,
    speed: Scalar,
    course: Scalar,
    altitude: Scalar,
    places: Places,
}

impl Track {
    pub(super) fn new(grids: Grids) -> Self {
        let three_d = FixType::ThreeD as u32;
        Self {
            grids,
            symbols: [(1, 1), (2, 1), (1, 1), (5, three_d), (5, 0)]
                .map(|(bits, first)| Symbol::new(bits, first)),
            clock: None,
            interval: Number::new(1),
            speed: Scalar::new([19, 2], [16, -2], None),
            course: Scalar::new([1_245, 2], [19, -5], Some(TURN_DDEG)),
            altitude: Scalar::new([16, 16], [5, 0], None),
            places: Places::new(),
        }
    }

    /// Codes a fix. `None` if what was read is none.
    pub(super) fn code(&mut self, coder: &mut impl Coder, fix: &TrailFix) -> Option<TrailFix> {
        let [speed, course, altitude, fix_type, refused] = self.code_symbols(coder, fix);
        let (at, interval_ms, last_ms) = self.code_time(coder, fix.at)?;
        let speed_cmps = match speed {
            0 => None,
            _ => Some(self.code_speed(coder, fix.speed_cmps.unwrap_or(0))?),
        };
        let standing = speed_cmps.is_some_and(|speed| i64::from(speed) < STANDING_CMPS);
        let course_ddeg = match course {
            0 => None,
            1 => Some(self.code_course(coder, fix.course_ddeg.unwrap_or(0), standing)?),
            _ => u16::try_from(coder.bits(fix.course_ddeg.unwrap_or(0).into(), 16)).ok(),
        };
        let velocity = speed_cmps
            .zip(self.course.last())
            .map(|(speed_cmps, course_ddeg)| velocity(speed_cmps.into(), course_ddeg));
        let moment = Moment { interval_ms, last_ms, velocity, standing };
        let position = self.places.code(coder, self.grids.angle, fix.position, moment)?;
        let altitude_mm = match altitude {
            0 => None,
            _ => Some(self.code_altitude(coder, fix.altitude_mm.unwrap_or(0))?),
        };
        let fix_type = *FixType::ALL.get(usize::try_from(fix_type).ok()?)?;
        let refused = match usize::try_from(refused).ok()?.checked_sub(1) {
            None => None,
            Some(index) => Some(*Refusal::ALL.get(index)?),
        };
        Some(TrailFix { at, position, speed_cmps, course_ddeg, altitude_mm, fix_type, refused })
    }

    fn code_symbols(&mut self, coder: &mut impl Coder, fix: &TrailFix) -> [u32; 5] {
        let course = match fix.course_ddeg {
            None => 0,
            Some(course) if i64::from(course) < TURN_DDEG => 1,
            Some(_) => 2,
        };
        let mut symbols = [
            u32::from(fix.speed_cmps.is_some()),
            course,
            u32::from(fix.altitude_mm.is_some()),
            fix.fix_type as u32,
            fix.refused.map_or(0, |refused| refused as u32 + 1),
        ];
        for (symbol, model) in symbols.iter_mut().zip(&mut self.symbols) {
            *symbol = model.code(coder, *symbol);
        }
        symbols
    }

    /// The time, the interval to it, and the interval before in ms; 0 if there was none.
    fn code_time(
        &mut self,
        coder: &mut impl Coder,
        at: Timestamp,
    ) -> Option<(Timestamp, i64, i64)> {
        let grid = self.grids.time;
        let wanted = grid.index(at.unix_ms).unwrap_or(0);
        let (index, step) = match self.clock {
            None => (self.code_first_time(coder, wanted), grid.nearest(INTERVAL_MS)),
            Some(Clock { index: before, step }) => {
                let expected = before.wrapping_add(step);
                let miss = self.interval.code(coder, wanted.wrapping_sub(expected), 1);
                let index = expected.wrapping_add(miss);
                (index, index.wrapping_sub(before))
            }
        };
        let ms = |step| grid.value(step).map_or(0, |ms: i64| ms.clamp(0, INTERVAL_MS_MAX));
        let last_ms = self.clock.map_or(0, |clock| ms(clock.step));
        self.clock = Some(Clock { index, step });
        Some((Timestamp::from_unix_ms(grid.value(index)?), ms(step), last_ms))
    }

    fn code_first_time(&self, coder: &mut impl Coder, index: i64) -> i64 {
        let grid = self.grids.time;
        let from = grid.nearest(SHORT_FROM_MS);
        let bits = SHORT_BITS + grid.nearest(1_000).ilog2();
        let since = index.wrapping_sub(from);
        let short = (0..1 << bits).contains(&since);
        let since = if coder.bit_at(FAR, !short) {
            code_alone(coder, since)
        } else {
            coder.bits(since.cast_unsigned(), bits).cast_signed()
        };
        from.wrapping_add(since)
    }

    fn code_speed(&mut self, coder: &mut impl Coder, speed_cmps: u32) -> Option<u32> {
        let still = self.speed.last().is_some_and(|speed| speed < STILL_CMPS);
        let speed = self.speed.code(coder, self.grids.speed, speed_cmps.into(), still, 1)?;
        u32::try_from(speed).ok()
    }

    fn code_course(&mut self, coder: &mut impl Coder, ddeg: u16, standing: bool) -> Option<u16> {
        // The faster, the steadier.
        let per = self.speed.last().map_or(1, |speed| (speed / 16).clamp(1, 98));
        let (grid, per) = (self.grids.course, per.unsigned_abs());
        u16::try_from(self.course.code(coder, grid, ddeg.into(), standing, per)?).ok()
    }

    fn code_altitude(&mut self, coder: &mut impl Coder, altitude_mm: i32) -> Option<i32> {
        let grid = self.grids.altitude;
        i32::try_from(self.altitude.code(coder, grid, altitude_mm.into(), false, 1)?).ok()
    }
}
