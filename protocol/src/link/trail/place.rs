//! Positions: how far a vehicle has moved follows from its velocities, or from how it moved before.

use super::grid::Grid;
use super::guess::{GUESSES, Guess};
use super::motion::{Degree, Plane};
use super::number::Number;
use super::range::Coder;
use crate::unit::Position;

/// As far north as it goes in 1e-7 degree; twice as far is as far east.
const LAT_E7_MAX: i64 = 900_000_000;

/// What the moment says of the move.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// From the fix before, in ms.
    pub(super) interval_ms: i64,
    /// Before that fix, in ms; 0 if unknown.
    pub(super) last_ms: i64,
    /// Velocity in 1/64 mm/s, where known.
    pub(super) velocity: Option<Plane>,
    pub(super) standing: bool,
}

/// Where the last fix was, and how it got there.
#[derive(Debug, Clone, Copy)]
struct Place {
    at: Plane,
    /// From the fix before, in 1e-7 degree.
    moved: Plane,
    /// Velocities of this fix and of the one before.
    velocities: [Option<Plane>; 2],
}

/// The positions of a track.
#[derive(Debug)]
pub(super) struct Places {
    last: Option<Place>,
    degree: Degree,
    guess: Guess,
    /// For moving and for standing.
    north: [Number; 2],
    east: [Number; 2],
}

impl Places {
    pub(super) fn new() -> Self {
        let numbers = || [Number::new(59), Number::new(4)];
        Self {
            last: None,
            degree: Degree::EQUATOR,
            guess: Guess::default(),
            north: numbers(),
            east: numbers(),
        }
    }

    /// Codes the next position. `None` if what was read is none.
    pub(super) fn code(
        &mut self,
        coder: &mut impl Coder,
        grid: Grid,
        position: Position,
        moment: Moment,
    ) -> Option<Position> {
        let at = Plane { north: position.lat_e7().into(), east: position.lon_e7().into() };
        let index = at.map(|angle| grid.index(angle).unwrap_or(0));
        let (at, moved) = match self.last {
            None => (code_first(coder, grid, index)?, Plane::default()),
            Some(place) => self.code_next(coder, grid, index, (place, moment))?,
        };
        let before = self.last.and_then(|place| place.velocities[0]);
        self.last = Some(Place { at, moved, velocities: [moment.velocity, before] });
        Position::new(i32::try_from(at.north).ok()?, i32::try_from(at.east).ok()?).ok()
    }

    fn code_next(
        &mut self,
        coder: &mut impl Coder,
        grid: Grid,
        index: Plane,
        (place, moment): (Place, Moment),
    ) -> Option<(Plane, Plane)> {
        self.degree = self.degree.moved(place.at.north);
        let guesses = place.guesses(moment, self.degree);
        let guess = guesses[self.guess.best()];
        let kind = usize::from(moment.standing);
        let mut code = |number: &mut Number, from: i64, moved: i64, index: i64| {
            let expected = grid.nearest(from + (moved + 8).div_euclid(16));
            let miss = number.code(coder, index.wrapping_sub(expected), 1);
            let angle = grid.value(expected.wrapping_add(miss))?;
            Some(angle).filter(|angle| angle.unsigned_abs() < 1 << 32)
        };
        let north = code(&mut self.north[kind], place.at.north, guess.north, index.north)?;
        let east = code(&mut self.east[kind], place.at.east, guess.east, index.east)?;
        let moved = Plane { north: north - place.at.north, east: east - place.at.east };
        self.guess.learn(guesses.map(|guess| {
            guess.north.abs_diff(moved.north * 16) + guess.east.abs_diff(moved.east * 16)
        }));
        Some((Plane { north, east }, moved))
    }
}

/// A position of which nothing is known but that it is on the globe.
fn code_first(coder: &mut impl Coder, grid: Grid, index: Plane) -> Option<Plane> {
    let mut code = |index: i64, max: i64| {
        // One more, since the last step may round inwards.
        let max = grid.nearest(max) + 1;
        grid.value(coder.below(index + max, 2 * max + 1) - max)
    };
    Some(Plane { north: code(index.north, LAT_E7_MAX)?, east: code(index.east, 2 * LAT_E7_MAX)? })
}

impl Place {
    /// How far it moves, in 1/16 of 1e-7 degree: by its velocities; as it moved before, changed as the
    /// velocities did, which helps where a receiver's position lags behind; as it moved before.
    fn guesses(&self, moment: Moment, degree: Degree) -> [Plane; GUESSES] {
        let Moment { interval_ms, last_ms, velocity, .. } = moment;
        let drift = match last_ms {
            1.. => self.moved.map(|e7| e7 * 16 * interval_ms / last_ms),
            _ => Plane::default(),
        };
        let Some(now) = velocity else { return [drift; GUESSES] };
        let before = self.velocities[0].unwrap_or(now);
        let earlier = self.velocities[1].unwrap_or(before);
        let travelled =
            |velocity: Plane| degree.e7(velocity.map(|each| each * interval_ms / 4_000));
        // The mean over the interval; a fit to drives, near the Adams-Moulton weights 5/12, 8/12, -1/12.
        let mean = |now, before, earlier| (28 * now + 40 * before - 4 * earlier) / 64;
        let doppler = travelled(now.with(before, earlier, mean));
        let change = travelled(now.with(before, earlier, |now, _, earlier| (now - earlier) / 2));
        [doppler, drift.with(change, drift, |drift, change, _| drift + change), drift]
    }
}
