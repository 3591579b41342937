//! Grids: a receiver prints fewer digits than our units have, and only what it can print needs bits.

use super::TrailFix;

/// Values a fixed step apart, rounded half away from zero: to the unit the receiver's text was read in,
/// then to the trail's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grid {
    /// The step is `num` / `den` of the unit that was read.
    num: u64,
    den: u64,
    /// Units that were read in a unit of the trail.
    coarse: u64,
}

impl Grid {
    const fn every(num: u64) -> Self {
        Self::part(num, 1, 1)
    }

    const fn part(num: u64, den: u64, coarse: u64) -> Self {
        Self { num, den, coarse }
    }

    /// The value at an index; `None` beyond an `i64`.
    pub(super) fn value(self, index: i64) -> Option<i64> {
        let read =
            index.unsigned_abs().checked_mul(self.num)?.checked_add(self.den / 2)? / self.den;
        signed(read.checked_add(self.coarse / 2)? / self.coarse, index < 0)
    }

    /// The index whose value is nearest.
    pub(super) fn nearest(self, value: i64) -> i64 {
        let parts = value.unsigned_abs().saturating_mul(self.den * self.coarse);
        signed(parts.saturating_add(self.num / 2) / self.num, value < 0).unwrap_or(0)
    }

    /// The index of a value that lies on the grid.
    pub(super) fn index(self, value: i64) -> Option<i64> {
        let near = self.nearest(value);
        let around = [Some(near), near.checked_sub(1), near.checked_add(1)];
        around.into_iter().flatten().find(|index| self.value(*index) == Some(value))
    }
}

fn signed(size: u64, negative: bool) -> Option<i64> {
    if negative { 0_i64.checked_sub_unsigned(size) } else { i64::try_from(size).ok() }
}

/// In ms: 1, 10 or 100 ms, or seconds.
const TIME: [Grid; 4] = [Grid::every(1), Grid::every(10), Grid::every(100), Grid::every(1000)];

/// In 1e-7 degree: of its own, or minutes with five, four or three decimals.
const ANGLE: [Grid; 4] =
    [Grid::every(1), Grid::part(5, 3, 1), Grid::part(50, 3, 1), Grid::part(500, 3, 1)];

/// In cm/s, from mm/s: of its own, 0.1 km/h, 0.1 knot, or knots.
const SPEED: [Grid; 4] =
    [Grid::every(1), Grid::part(250, 9, 10), Grid::part(463, 9, 10), Grid::part(4630, 9, 10)];

/// In 0.1 degree: of its own, or degrees.
const COURSE: [Grid; 2] = [Grid::every(1), Grid::every(10)];

/// In mm: millimetres, centimetres, decimetres, metres.
const ALTITUDE: [Grid; 4] = [Grid::every(1), Grid::every(10), Grid::every(100), Grid::every(1000)];

/// The grids of a batch's fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grids {
    pub(super) time: Grid,
    pub(super) angle: Grid,
    pub(super) speed: Grid,
    pub(super) course: Grid,
    pub(super) altitude: Grid,
}

/// Which grid each field has, in the order of [`Grids`].
pub(super) type Choice = [usize; 5];

/// Length in bits of each field's choice.
pub(super) const CHOICE_BITS: [u32; 5] = [2, 2, 2, 1, 2];

/// The coarsest grids on which every value of these fixes lies.
pub(super) fn choose<'f>(fixes: impl Iterator<Item = &'f TrailFix> + Clone) -> Choice {
    let angles = |fix: &TrailFix| [fix.position.lat_e7(), fix.position.lon_e7()];
    let speeds = fixes.clone().filter_map(|fix| fix.speed_cmps);
    let courses = fixes.clone().filter_map(|fix| fix.course_ddeg);
    [
        coarsest(&TIME, &fixes.clone().map(|fix| fix.at.unix_ms)),
        coarsest(&ANGLE, &fixes.clone().flat_map(angles).map(i64::from)),
        coarsest(&SPEED, &speeds.map(i64::from)),
        coarsest(&COURSE, &courses.map(i64::from)),
        coarsest(&ALTITUDE, &fixes.filter_map(|fix| fix.altitude_mm).map(i64::from)),
    ]
}

/// The last of the grids on which every value lies; every value lies on the first.
fn coarsest<V: Iterator<Item = i64> + Clone>(grids: &[Grid], values: &V) -> usize {
    let fits = |grid: &Grid| values.clone().all(|value| grid.index(value).is_some());
    grids.iter().rposition(fits).unwrap_or(0)
}

impl Grids {
    /// The grids that were chosen.
    pub(super) const fn new([time, angle, speed, course, altitude]: Choice) -> Self {
        Self {
            time: TIME[time],
            angle: ANGLE[angle],
            speed: SPEED[speed],
            course: COURSE[course],
            altitude: ALTITUDE[altitude],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_grids_have_every_value_and_the_others_what_receivers_print() {
        for grids in [&TIME[..], &ANGLE, &SPEED, &COURSE, &ALTITUDE] {
            for value in [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX] {
                let index = grids[0].index(value).expect("every value");
                assert_eq!(grids[0].value(index), Some(value));
            }
            for grid in grids {
                for index in (-40_000..40_000).chain([1 << 30, -(1 << 30)]) {
                    let value = grid.value(index).expect("within an i64");
                    let again = grid.index(value).expect("on its own grid");
                    assert_eq!(grid.value(again), Some(value), "{grid:?}");
                }
            }
        }
        // 3725.58362 minutes: 37 degrees 25.58362 minutes.
        assert_eq!(ANGLE[1].index(374_263_937), Some(37 * 6_000_000 + 2_558_362));
        assert_eq!(ANGLE[2].index(374_263_937), None);
    }
}
